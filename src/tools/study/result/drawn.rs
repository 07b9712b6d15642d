//! What the page draws and lists of the trades: months, equity, prices, marks.

use serde::{Deserialize, Serialize};

/// A calendar month, UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// `2026-11`
    pub month: String,
    /// How many.
    pub trades: u64,
    /// Share that earned.
    pub hit_ratio: Option<f64>,
    /// Sum, points.
    pub net_points: f64,
}

/// After a trade.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Of the exit.
    pub time: i64,
    /// Sum of all trades so far, points.
    pub points: f64,
    /// How far below its highest point so far, points, 0 or more.
    pub drawdown: f64,
}

/// A close.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PricePoint {
    /// When the bar closed.
    pub time: i64,
    /// The price.
    pub close: f64,
}

/// A trade on the price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeMark {
    /// `BUY` or `SELL`.
    pub side: String,
    /// When it was entered.
    pub time: i64,
    /// At which price, costs included.
    pub price: f64,
    /// When it ended.
    pub exit_time: i64,
    /// At which price, costs included.
    pub exit_price: f64,
    /// `stop_loss`, `take_profit`, `opposite` or `horizon`.
    pub exit: String,
    /// What it brought.
    pub net_points: f64,
}
