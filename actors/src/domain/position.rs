//! Open positions: what the gateway says of them, and what the journal believes where the gateway cannot be believed.

use crate::domain::{instrument::InstrumentKey, side::Side};
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

impl Position {
    /// What it is of, if the name can be believed.
    pub fn key(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }
}

/// What asking for the open positions came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// All of them, by a gateway that knows.
    Known(Vec<Position>),
    /// The dialect has no such question, or the list is empty where that proves nothing: the journal's fills count.
    Untold,
    /// Nobody is there. Nothing is sent in this cycle, whatever is open.
    NoGateway,
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

impl AccountMode {
    /// The spelling of settings and of the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Netting => "netting",
            Self::Hedging => "hedging",
        }
    }

    /// What that spelling means; `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Netting, Self::Hedging].into_iter().find(|mode| mode.as_str() == text)
    }
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
