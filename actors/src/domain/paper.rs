//! The account on paper: what is open on it, how each position ends, and what all of it brought. Pure. The Journal takes its
//! bars and signals through its order manager and keeps what changed; all prices are those of the one model of fills.

mod account;
mod order_manager;
#[cfg(test)]
mod tests;
mod trade;

use account::OrderTerms;
pub use account::PaperAccount;
pub use order_manager::{PaperOrderManager, PaperRules, PaperSignal};
pub use trade::{PaperOrder, Unkept};

use crate::domain::{
    fill::{ExitReason, TripleDay},
    instrument::Symbol,
    position::{AccountMode, Opposite},
};
use std::time::Duration;
use uuid::Uuid;

/// What ended longer ago is not priced any more: a rate of now says nothing of then.
pub const RATE_WAIT: Duration = Duration::from_secs(86_400);

/// The id of the only order on paper per account, symbol, model and bar close (unix seconds). It is never that of a live order.
pub fn paper_order_id(account: &str, symbol: &Symbol, model_name: &str, bar_close_time: i64) -> Uuid {
    let name = format!("sentinel:paper:{account}|{symbol}|{model_name}|{bar_close_time}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// Why a position on paper ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaperEnd {
    /// As the model of fills says.
    Filled(ExitReason),
    /// Bars in between are missing, so it is not known whether a stop was reached: it ends without a figure.
    Lost,
}

impl PaperEnd {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Filled(ExitReason::StopLoss),
        Self::Filled(ExitReason::TakeProfit),
        Self::Filled(ExitReason::Opposite),
        Self::Filled(ExitReason::Horizon),
        Self::Lost,
    ];

    /// The word in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filled(reason) => reason.as_str(),
            Self::Lost => "lost",
        }
    }
}

/// How a position was entered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperEntry {
    /// When the bar opened, unix seconds.
    pub at: i64,
    /// Costs included.
    pub price: f64,
}

/// How it ended, and what it brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperExit {
    /// Unix seconds. The time within a bar is not known, so its close is taken.
    pub at: i64,
    /// Costs included; `None` if it is lost.
    pub price: Option<f64>,
    /// Why.
    pub reason: PaperEnd,
    /// The bar held both stops and counts as the stop-loss.
    pub is_ambiguous: bool,
    /// After costs; `None` if it is lost.
    pub net_points: Option<f64>,
    /// The same in the account's currency; `None` if that is not known.
    pub profit: Option<f64>,
}

/// How trades on paper are filled and end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperTerms {
    /// The day whose night counts three times.
    pub triple_day: TripleDay,
    /// Bars after the one decided on; 0: a position has no time.
    pub horizon_bars: usize,
    /// What the account begins with, in its currency.
    pub start: f64,
    /// How the account books orders.
    pub account_mode: AccountMode,
    /// What a signal does while positions in the other direction are open.
    pub opposite: Opposite,
}

/// What the account is worth, as the journal keeps it when it changes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PaperEquity {
    /// What it began with, in its currency.
    pub start: f64,
    /// That, and the known profits of all trades that have ended.
    pub balance: f64,
    /// With the open ones at their newest close; `None`: not known in money.
    pub equity: Option<f64>,
    /// What all trades brought that have ended.
    pub points: f64,
    /// What the open ones would bring now.
    pub open_points: f64,
    /// Trades that have ended and whose profit is not known.
    pub unpriced: u32,
}

/// What a restart takes up again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PaperBook {
    /// Trades that ended and wait for a rate, then open ones, oldest first.
    pub orders: Vec<PaperOrder>,
    /// The highest ticket so far; 0 if there is none.
    pub last_ticket: i64,
    /// The newest known; `None` of a new account.
    pub equity: Option<PaperEquity>,
    /// The day (UTC, days since the unix epoch) and its first known equity, as if it had begun with the start of `equity`.
    pub first_equity: Option<(u64, f64)>,
}
