//! The dialects: what an order looks like in each, and what a reply to it proves. Which one is spoken is configured, never
//! found out by trying.

mod envelope;
#[cfg(test)]
mod fixtures;
mod order_send;
mod place_order;
#[cfg(test)]
mod tests;
pub mod v43;

use super::{
    queries::{Query, QueryAnswer},
    reply::{BadReply, consistency::Claims, is_id, whole},
};
use crate::domain::{
    order::{Order, Outcome},
    sanitize::one_line,
};
use envelope::Envelope;
use order_send::OrderSend;
use place_order::PlaceOrder;
use serde_json::Value;
use std::{fmt, str::FromStr, time::Duration};
use uuid::Uuid;
use v43::V43;

/// One way of talking to a gateway.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// Which one.
    fn kind(&self) -> DialectKind;

    /// Whether a reply names the order it answers. Where it does not, every order needs a socket of its own.
    fn echoes_id(&self) -> bool;

    /// The request that opens this order; `signed_at` is the wall clock, as time since the unix epoch.
    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8>;

    /// The request that closes the position of this ticket, by an order with its own id; `None` where no such request
    /// is known.
    fn close_position(&self, order: &Order, ticket: i64, signed_at: Duration) -> Option<Vec<u8>>;

    /// What a reply to the request of `order`, to open or to close, proves. Never [`Outcome::NotSent`].
    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict;

    /// The request that asks this under `id`; `asked_at` is the wall clock. `None` where no such request of this
    /// dialect is known to be harmless.
    fn ask(&self, query: Query, id: Uuid, asked_at: Duration) -> Option<Vec<u8>>;

    /// What the reply to that request says.
    ///
    /// # Errors
    /// When it cannot be read, answers another request, or is no success.
    fn answer(&self, query: Query, id: Uuid, reply: &[u8]) -> Result<QueryAnswer, BadReply>;
}

/// What a reply says about an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Filled, rejected, or unknown.
    pub outcome: Outcome,
    /// Whether it is a readable reply to this very order, whatever it says.
    pub is_ours: bool,
}

impl Verdict {
    /// Nothing is proven by a reply that cannot be read or is another order's.
    fn not_ours(reason: String) -> Self {
        Self { outcome: Outcome::Unknown { reason }, is_ours: false }
    }

    fn ours(outcome: Outcome) -> Self {
        Self { outcome, is_ours: true }
    }
}

/// The dialects that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// Bridges written against the daemon that this one replaces.
    PlaceOrder,
    /// The gateway with ids and risk signatures.
    V43,
    /// The gateway with payloads in envelopes.
    Envelope,
    /// JSON v1.0: return codes instead of words.
    OrderSend,
}

impl DialectKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PlaceOrder, Self::V43, Self::Envelope, Self::OrderSend];

    /// The spelling of settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaceOrder => "place_order",
            Self::V43 => "v43",
            Self::Envelope => "envelope",
            Self::OrderSend => "order_send",
        }
    }

    /// Whether a gateway can be asked in this dialect if it is the right one, without risking a trade.
    pub const fn has_handshake(self) -> bool {
        !matches!(self, Self::OrderSend)
    }

    /// Whether open positions and the account can be asked for, and positions closed.
    pub const fn has_account(self) -> bool {
        matches!(self, Self::V43 | Self::Envelope)
    }

    /// Whether an order says its volume and its stops. Where it does not, the gateway has its own.
    pub const fn says_terms(self) -> bool {
        !matches!(self, Self::PlaceOrder)
    }

    /// Whether a list of open positions is all there is, even if it is empty. A gateway of `envelope` that is cut off
    /// from MetaTrader answers an empty one, and only v43 limits the age of an order.
    pub const fn has_proof(self) -> bool {
        matches!(self, Self::V43)
    }
}

impl fmt::Display for DialectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DialectKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "place_order" => Ok(Self::PlaceOrder),
            "v43" => Ok(Self::V43),
            "envelope" => Ok(Self::Envelope),
            "order_send" => Ok(Self::OrderSend),
            "ea" => {
                Err("must be place_order, v43, envelope or order_send; ea is refused: an Expert Advisor straight on \
                         the port turns any text into an order, BUY unless told otherwise, and no reply of it can be \
                         trusted")
            }
            _ => Err("must be place_order, v43, envelope or order_send"),
        }
    }
}

/// What every order of this daemon carries, where the dialect has a place for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialectParams {
    /// Comment on the position.
    pub comment: String,
    /// Magic number of the position; `None`: the gateway's own.
    pub magic: Option<i64>,
}

/// Makes the configured dialect.
pub fn dialect(kind: DialectKind, params: DialectParams) -> Box<dyn Dialect> {
    match kind {
        DialectKind::PlaceOrder => Box::new(PlaceOrder),
        DialectKind::V43 => Box::new(V43::new(params)),
        DialectKind::Envelope => Box::new(Envelope::new(params)),
        DialectKind::OrderSend => Box::new(OrderSend::new(params)),
    }
}

/// The reply, if it is the one to the request of this id, which stands under `key`.
fn check_id(reply: Value, key: &str, id: Uuid) -> Result<Value, BadReply> {
    match &reply[key] {
        told if is_id(told, id) => Ok(reply),
        Value::Null => Err(BadReply::new(&format!("a reply without an id: no {key} in it{}", looks_like(&reply, key)))),
        told => Err(BadReply(to_other("request", told))),
    }
}

/// Whether nothing in the answer to a query contradicts its success: another's id, or an error.
fn check_answer(claims: &Claims<'_>, id: Uuid) -> Result<(), BadReply> {
    if let Some(told) = claims.foreign_id(id) {
        return Err(BadReply(to_other("request", told)));
    }
    match claims.errors() {
        Some(errors) => Err(BadReply::new(&errors)),
        None => Ok(()),
    }
}

/// What is said of a reply that names somebody else's id.
fn to_other(what: &str, id: &Value) -> String {
    one_line(&format!("a reply to another {what}: its id is {id}"))
}

/// The dialect that a reply without this id looks like, where it is plain.
fn looks_like(reply: &Value, key: &str) -> &'static str {
    let has = |key: &str| !reply[key].is_null();
    if key != "uuid" && has("uuid") {
        "; its uuid is what v43 replies with"
    } else if key != "req_id" && has("req_id") {
        "; its req_id is what envelope replies with"
    } else if reply["error"].is_boolean() && has("retcode") {
        "; error and retcode are what order_send replies with"
    } else if has("status") {
        "; a status and no id is what place_order replies with"
    } else {
        ""
    }
}

/// Whether an error is none: absent, or an empty text.
fn is_empty(error: &Value) -> bool {
    error.is_null() || error.as_str() == Some("")
}

/// Whether a reply clearly has no ticket. A ticket that cannot be read is one.
fn names_no_ticket(ticket: &Value) -> bool {
    ticket.is_null() || whole(ticket).is_some_and(|ticket| ticket <= 0)
}
