//! The dialects: the request for an order in each, and what a reply to it proves. The dialect is configured, never detected
//! by trial.

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
    reply::{BadReply, consistency::Claims, is_id, parse_object, whole},
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

/// One message format of gateways.
pub trait Dialect: fmt::Debug + Send + Sync {
    /// Which one.
    fn kind(&self) -> DialectKind;

    /// Whether a reply contains the id of its order. If not, every order needs a new socket.
    fn echoes_id(&self) -> bool;

    /// The request that opens this order; `signed_at` is the wall clock, as time since the unix epoch.
    fn open_order(&self, order: &Order, signed_at: Duration) -> Vec<u8>;

    /// The request that closes the position of this ticket, by an order with its own id; `None` if the dialect has no such
    /// request.
    fn close_position(&self, order: &Order, ticket: i64, signed_at: Duration) -> Option<Vec<u8>>;

    /// What a reply to the request of `order` (to open or to close) proves. Never [`Outcome::NotSent`].
    fn classify(&self, order: &Order, reply: &[u8]) -> Verdict;

    /// The request for this query, with the id `id`; `asked_at` is the wall clock. `None` if this dialect has no request for
    /// it that is known to be harmless.
    fn ask(&self, query: Query, id: Uuid, asked_at: Duration) -> Option<Vec<u8>>;

    /// The answer in the reply to that request.
    ///
    /// # Errors
    /// The reply cannot be read, answers another request, or is not a success.
    fn answer(&self, query: Query, id: Uuid, reply: &[u8]) -> Result<QueryAnswer, BadReply>;
}

/// What a reply says about an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Filled, rejected, or unknown.
    pub outcome: Outcome,
    /// Whether it is a readable reply to exactly this order, whatever its outcome.
    pub is_ours: bool,
}

impl Verdict {
    /// A reply that cannot be read, or belongs to another order, proves nothing.
    fn not_ours(reason: String) -> Self {
        Self { outcome: Outcome::Unknown { reason }, is_ours: false }
    }

    fn ours(outcome: Outcome) -> Self {
        Self { outcome, is_ours: true }
    }

    /// Of a reply that must repeat the order's id under `key`; `outcome` reads what it says.
    fn by_id(order: &Order, reply: &[u8], key: &str, outcome: fn(&Value, &Order) -> Outcome) -> Self {
        let id = order.client_order_id;
        let reply = match parse_object(reply).and_then(|reply| check_id(reply, key, id)) {
            Ok(reply) => reply,
            Err(BadReply(reason)) => return Self::not_ours(reason),
        };
        match Claims::of(&reply).foreign_id(id) {
            Some(id) => Self::not_ours(to_other("order", id)),
            None => Self::ours(outcome(&reply, order)),
        }
    }
}

/// The dialects that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// For bridges that were written for the daemon that this one replaces.
    PlaceOrder,
    /// For the gateway with ids and risk signatures.
    V43,
    /// For the gateway with payloads in envelopes.
    Envelope,
    /// JSON v1.0: return codes instead of words.
    OrderSend,
}

impl DialectKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PlaceOrder, Self::V43, Self::Envelope, Self::OrderSend];

    /// The name in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlaceOrder => "place_order",
            Self::V43 => "v43",
            Self::Envelope => "envelope",
            Self::OrderSend => "order_send",
        }
    }

    /// Whether there is a harmless query to test that a gateway speaks this dialect.
    pub const fn has_handshake(self) -> bool {
        !matches!(self, Self::OrderSend)
    }

    /// Whether open positions and the account can be queried, and positions closed.
    pub const fn has_account(self) -> bool {
        matches!(self, Self::V43 | Self::Envelope)
    }

    /// Whether an order contains its volume and its stops. If not, the gateway uses its own.
    pub const fn says_terms(self) -> bool {
        !matches!(self, Self::PlaceOrder)
    }

    /// Whether an empty list of open positions can be believed. With `envelope`, a gateway without a connection to MetaTrader
    /// answers with an empty list, and only v43 limits the age of an order.
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

/// Values that every order of this daemon has, if the dialect can send them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DialectParams {
    /// Comment on the position.
    pub comment: String,
    /// Magic number of the position; `None`: the gateway's default.
    pub magic: Option<i64>,
}

/// Creates the configured dialect.
pub fn dialect(kind: DialectKind, params: DialectParams) -> Box<dyn Dialect> {
    match kind {
        DialectKind::PlaceOrder => Box::new(PlaceOrder),
        DialectKind::V43 => Box::new(V43::new(params)),
        DialectKind::Envelope => Box::new(Envelope::new(params)),
        DialectKind::OrderSend => Box::new(OrderSend::new(params)),
    }
}

/// The reply, if it answers the request of this id; the id is under `key`.
fn check_id(reply: Value, key: &str, id: Uuid) -> Result<Value, BadReply> {
    match &reply[key] {
        told if is_id(told, id) => Ok(reply),
        Value::Null => Err(BadReply::new(&format!("a reply without an id: no {key} in it{}", looks_like(&reply, key)))),
        told => Err(BadReply(to_other("request", told))),
    }
}

/// Whether nothing in the answer to a query contradicts its success, such as the id of another request or an error.
fn check_answer(claims: &Claims<'_>, id: Uuid) -> Result<(), BadReply> {
    if let Some(told) = claims.foreign_id(id) {
        return Err(BadReply(to_other("request", told)));
    }
    match claims.errors() {
        Some(errors) => Err(BadReply::new(&errors)),
        None => Ok(()),
    }
}

/// The error for a reply with the id of another request.
fn to_other(what: &str, id: &Value) -> String {
    one_line(&format!("a reply to another {what}: its id is {id}"))
}

/// The dialect to which a reply without this id clearly belongs, if any.
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

/// Whether this value of `error` means that there is no error: absent, or an empty text.
fn is_empty(error: &Value) -> bool {
    error.is_null() || error.as_str() == Some("")
}

/// Whether a reply clearly has no ticket. A ticket that cannot be read counts as a ticket.
fn names_no_ticket(ticket: &Value) -> bool {
    ticket.is_null() || whole(ticket).is_some_and(|ticket| ticket <= 0)
}
