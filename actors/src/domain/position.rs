//! Open positions: what the gateway says of them, and what the journal believes where the gateway cannot be believed.

use crate::domain::order::{Order, Side};
use serde::{Deserialize, Serialize};

/// An open position.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The broker's ticket, above 0; in the journal's view 0 where the dialect has none.
    pub ticket: i64,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Size in lots.
    pub volume: f64,
}

/// What asking for the open positions came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// All of them, by a gateway that knows.
    Known(Vec<Position>),
    /// The dialect has no such question, or the answer proves nothing: the journal's fills count.
    Untold,
    /// Nobody is there. Nothing is sent in this cycle, whatever is open.
    NoGateway,
}

impl Positions {
    /// Those of the order's instrument; `None` if they are not known.
    pub fn of(&self, order: &Order) -> Option<Vec<Position>> {
        match self {
            Self::Known(all) => {
                Some(all.iter().filter(|position| position.gateway_name == order.gateway_name).cloned().collect())
            }
            Self::Untold | Self::NoGateway => None,
        }
    }
}

/// How the broker books trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountMode {
    /// One position per instrument: an order may change it and need not make a ticket.
    #[default]
    Netting,
    /// Every order makes a ticket.
    Hedging,
}

/// What a signal does about open positions of the other direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opposite {
    /// Nothing: it opens its own beside them.
    #[default]
    Open,
    /// It closes them, and opens only if the gateway confirmed every close.
    CloseThenOpen,
    /// It is not sent.
    Skip,
}
