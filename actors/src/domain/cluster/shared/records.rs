//! The values of the keys. All of them are JSON in etcd; a later version may add fields.

use super::{account::AccountState, shards::Plan};
use crate::domain::{
    cluster::Record,
    instrument::Symbol,
    order::{Order, Outcome},
    position::AccountMode,
    reconcile::Unproven,
    side::Side,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of `claim` and `last`.
    Record(Box<Record>),
    /// Of `members/` and `seen/`.
    Member(Box<Member>),
    /// Of `drain/`.
    Drain(Drain),
    /// Of `plan`.
    Plan(Box<Plan>),
    /// Of `shards/`.
    Owner(Owner),
    /// Of `orders/` and `open/`.
    Claim(Box<Claim>),
    /// Of `state`.
    State(Box<AccountState>),
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who it is, as a daemon in guard mode writes it, so that such a daemon can read it.
    #[serde(flatten)]
    pub record: Record,
    /// Its share of the shards, compared with the weights of the others; 1 to 100.
    pub weight: u32,
    /// `HOST:PORT` of its metrics.
    pub address: String,
    /// Where it is, for people.
    pub region: String,
    /// A fingerprint of the settings that all members must share; empty if a version wrote it that has none.
    #[serde(default)]
    pub settings: String,
    /// Whether it came back soon after it was gone without leaving.
    #[serde(default)]
    pub has_flapped: bool,
    /// In `seen/`: whether it left, and was not just gone.
    #[serde(default)]
    pub has_left: bool,
}

/// That a member shall own nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Who asked for it.
    pub who: String,
    /// When, unix seconds.
    pub at: i64,
}

/// The owner of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its name.
    pub member: String,
    /// The running process.
    pub instance: String,
}

/// The claim of an order, or of a close before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The owner's name.
    pub member: String,
    /// The owner's process.
    pub instance: String,
    /// The `create_revision` of the owner's key.
    pub epoch: i64,
    /// Of this attempt to order, and no other.
    #[serde(with = "as_text")]
    pub nonce: Uuid,
    /// The order.
    pub order: ClaimedOrder,
    /// See [`Unproven::tickets_before`].
    pub tickets_before: Option<Vec<i64>>,
    /// The dialect in which it is sent.
    pub dialect: Option<String>,
    /// How the broker books orders, by the settings of the owner.
    pub account_mode: Option<AccountMode>,
    /// When it was claimed, milliseconds since the unix epoch by the owner's clock.
    pub at_ms: i64,
    /// When the symbol's last order was claimed, this one included; a close is none.
    pub last_order_ms: Option<i64>,
    /// Its outcome, if somebody knows it.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

impl Claim {
    /// Whether its outcome is known, so that it will not change.
    pub const fn is_final(&self) -> bool {
        !matches!(self.outcome, None | Some(Outcome::Unknown { .. }))
    }

    /// For a new owner, who proves the outcome or waits for a person. `since`: when the new owner read it, wall clock.
    pub fn unproven(&self, since: Duration) -> Unproven {
        let order = self.order.clone();
        Unproven {
            id: order.client_order_id,
            symbol: Symbol::new(&order.symbol),
            gateway_name: order.gateway_name,
            bar_close_time: order.bar_close_time,
            side: order.side,
            volume: order.volume,
            closes: order.closes,
            tickets_before: self.tickets_before.clone(),
            dialect: self.dialect.clone(),
            account_mode: self.account_mode,
            unknown_since: since,
        }
    }
}

/// An [`Order`] in a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // as in Order
pub struct ClaimedOrder {
    #[serde(with = "as_text")]
    pub client_order_id: Uuid,
    pub symbol: String,
    pub gateway_name: String,
    pub closes: Option<i64>,
    pub side: Side,
    pub volume: f64,
    pub stop_loss: f64,
    pub take_profit: f64,
    pub confidence: f64,
    pub bar_close_time: i64,
}

impl From<&Order> for ClaimedOrder {
    fn from(order: &Order) -> Self {
        Self {
            client_order_id: order.client_order_id,
            symbol: order.symbol.as_str().into(),
            gateway_name: order.gateway_name.clone(),
            closes: order.closes,
            side: order.side,
            volume: order.volume,
            stop_loss: order.stop_loss,
            take_profit: order.take_profit,
            confidence: order.confidence,
            bar_close_time: order.bar_close_time,
        }
    }
}

impl ClaimedOrder {
    /// Its key: the order of a bar is one, whatever its id; a close before it has its id, because there may be several.
    pub fn key(&self) -> super::key::Key {
        let id = self.closes.map(|_| self.client_order_id);
        super::key::order(&self.symbol, self.bar_close_time, id)
    }
}

/// An id as text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use uuid::Uuid;

    pub(super) fn serialize<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
