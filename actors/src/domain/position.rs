//! Open positions: as the gateway lists them, or from the journal if the gateway's list is not reliable.

use crate::domain::{instrument::InstrumentKey, side::Side};
use serde::{Deserialize, Serialize};

/// An open position.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The broker's ticket, above 0; for positions from the journal it is 0 if the dialect has none.
    pub ticket: i64,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// Direction.
    pub side: Side,
    /// Size in lots.
    pub volume: f64,
}

impl Position {
    /// The instrument's key, if the name can be trusted.
    pub fn key(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }
}

/// An open position with what the gateway reports of its money. Orders never depend on it. Money is in the account's currency;
/// what is not told, or is no number, is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldPosition {
    /// What orders depend on.
    pub position: Position,
    /// The price at which it was opened.
    pub open_price: Option<f64>,
    /// The price at which it could be closed now.
    pub current_price: Option<f64>,
    /// Profit at that price, without swap.
    pub profit: Option<f64>,
    /// Swap so far.
    pub swap: Option<f64>,
    /// The stop-loss, an absolute price; 0 is none.
    pub stop_loss: Option<f64>,
    /// The take-profit, an absolute price; 0 is none.
    pub take_profit: Option<f64>,
}

impl HeldPosition {
    /// Profit with swap, if the profit is told.
    pub fn net_profit(&self) -> Option<f64> {
        Some(self.profit? + self.swap.unwrap_or(0.0))
    }
}

/// A position of which nothing but that it is open is told.
impl From<Position> for HeldPosition {
    fn from(position: Position) -> Self {
        Self {
            position,
            open_price: None,
            current_price: None,
            profit: None,
            swap: None,
            stop_loss: None,
            take_profit: None,
        }
    }
}

/// The result of querying the open positions.
#[derive(Debug, Clone, PartialEq)]
pub enum Positions {
    /// All of them, from a reliable list.
    Known(Vec<Position>),
    /// The dialect has no such query, or the list is empty where that proves nothing. The journal's fills count instead.
    Untold,
    /// No gateway. Nothing is sent in this cycle, whatever is open.
    NoGateway,
}

/// How the broker books trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountMode {
    /// One position per instrument: an order may change it, without a new ticket.
    #[default]
    Netting,
    /// Every order creates a ticket.
    Hedging,
}

impl AccountMode {
    /// The name in the settings and in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Netting => "netting",
            Self::Hedging => "hedging",
        }
    }

    /// The value with this name; `None` for any other name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Netting, Self::Hedging].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What a signal does while positions in the other direction are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opposite {
    /// It opens its own position beside them.
    #[default]
    Open,
    /// It closes them, and opens only if the gateway confirmed every close.
    CloseThenOpen,
    /// It is not sent.
    Skip,
}
