//! A row of `account_snapshots`, and the positions in it.

use crate::domain::{
    journal::JournalError,
    position::{HeldPosition, Position},
    profit::Look,
    side::Side,
};
use serde::{Deserialize, Serialize};

/// A position in the column `positions`. What was not told is not there.
#[derive(Serialize, Deserialize)]
struct Listed {
    ticket: i64,
    symbol: String,
    side: String,
    volume: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_price: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current_price: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profit: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    swap: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sl: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tp: Option<f64>,
}

/// A row, apart from its account.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SnapshotRow {
    pub at_ms: i64,
    pub balance: Option<f64>,
    pub equity: Option<f64>,
    pub margin: Option<f64>,
    pub positions: Option<String>,
    pub currency: Option<String>,
    pub is_whole: bool,
    /// Seconds between two looks.
    pub every_s: Option<i64>,
    /// When balance and equity were told last, unix milliseconds; `None` in rows of before that was kept.
    pub account_ms: Option<i64>,
    /// When the positions were.
    pub positions_ms: Option<i64>,
}

impl SnapshotRow {
    /// What is open, if it was ever told.
    pub fn held(&self) -> Option<Vec<HeldPosition>> {
        read(self.positions.as_deref()?)
    }

    /// As a look that can be compared with another.
    pub fn look(&self) -> Option<Look> {
        Some(Look { at_ms: self.at_ms, balance: self.balance?, positions: self.held()? })
    }

    /// Whether it says the same of the account, at whatever time.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless =
            |row: &Self| Self { at_ms: 0, account_ms: None, positions_ms: None, is_whole: false, ..row.clone() };
        timeless(self) == timeless(other)
    }

    /// When balance and equity were told last, unix milliseconds; `None`: never.
    pub fn account_told_ms(&self) -> Option<i64> {
        self.account_ms.or_else(|| (self.balance.is_some() || self.equity.is_some()).then_some(self.at_ms))
    }

    /// When the positions were told last, unix milliseconds; `None`: never.
    pub fn positions_told_ms(&self) -> Option<i64> {
        self.positions_ms.or_else(|| self.positions.is_some().then_some(self.at_ms))
    }

    /// When anything was told last, unix milliseconds.
    pub fn told_ms(&self) -> i64 {
        self.account_told_ms().max(self.positions_told_ms()).unwrap_or(self.at_ms)
    }
}

pub(super) fn json(positions: &[HeldPosition]) -> Result<String, JournalError> {
    // By ticket: a list in another order says nothing new.
    let mut listed: Vec<_> = positions.iter().map(listed).collect();
    listed.sort_by_key(|position| position.ticket);
    serde_json::to_string(&listed).map_err(|error| JournalError::Failed(error.to_string()))
}

fn listed(held: &HeldPosition) -> Listed {
    let Position { ticket, gateway_name, side, volume } = &held.position;
    Listed {
        ticket: *ticket,
        symbol: gateway_name.clone(),
        side: side.as_str().into(),
        volume: *volume,
        open_price: held.open_price,
        current_price: held.current_price,
        profit: held.profit,
        swap: held.swap,
        sl: held.stop_loss,
        tp: held.take_profit,
    }
}

/// The column `positions`; `None` if it cannot be read.
pub(super) fn read(text: &str) -> Option<Vec<HeldPosition>> {
    let listed: Vec<Listed> = serde_json::from_str(text).ok()?;
    let held = |it: Listed| {
        let side = [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == it.side)?;
        Some(HeldPosition {
            position: Position { ticket: it.ticket, gateway_name: it.symbol, side, volume: it.volume },
            open_price: it.open_price,
            current_price: it.current_price,
            profit: it.profit,
            swap: it.swap,
            stop_loss: it.sl,
            take_profit: it.tp,
        })
    };
    listed.into_iter().map(held).collect()
}
