//! The one model of fills: where an order that was decided on at a bar's close is filled, how its position ends, and what
//! that brings after costs. Pure; whoever trades on paper or studies a model takes it from here.
//!
//! The bars' prices are taken as those in the middle of bid and ask. Whether a stop is reached depends on the bars alone,
//! and every fill is then worse by the costs: so higher costs can only lower a result.

mod nights;

pub use nights::{Nights, TripleDay};

use crate::domain::{bar::Bar, side::Side};
use serde::{Deserialize, Serialize};

/// Prices of a provider are rounded: 1.1 + 0.1 is not exactly 1.2. As a share of the price.
const TOUCH_SLACK: f64 = 1e-9;

/// What trading costs, in points. A point is one of the last decimal place of a price.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Costs {
    /// Ask minus bid; half of it is paid at entry and half at exit.
    pub spread: f64,
    /// By which each fill is worse than the price that was seen.
    pub slippage: f64,
    /// Commission of each side.
    pub commission_side: f64,
    /// Added to a BUY for each night, usually below 0.
    pub swap_long: f64,
    /// Added to a SELL for each night.
    pub swap_short: f64,
}

impl Costs {
    /// What a position without a night costs from entry to exit, points.
    pub const fn round_trip(&self) -> f64 {
        self.spread + 2.0 * (self.slippage + self.commission_side)
    }

    /// Whether nothing is charged at all.
    pub const fn are_none(&self) -> bool {
        self.round_trip() == 0.0 && self.swap_long == 0.0 && self.swap_short == 0.0
    }

    /// Added to a position for each night, points.
    pub const fn swap(&self, side: Side) -> f64 {
        match side {
            Side::Buy => self.swap_long,
            Side::Sell => self.swap_short,
        }
    }
}

/// How positions end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exits {
    /// Distance from the close that was decided on, in price.
    pub stop_loss: Option<f64>,
    /// The other one.
    pub take_profit: Option<f64>,
    /// A position that nothing else has ended is closed at the close of the bar so many bars after the one that was
    /// decided on: bars that the market had, not minutes. 1 or more; `usize::MAX` for never.
    pub horizon_bars: usize,
    /// Decimal places of a price, to which stops are rounded as those of an order are.
    pub digits: u32,
}

impl Exits {
    /// Price of one point.
    pub fn point(&self) -> f64 {
        10_f64.powi(-i32::try_from(self.digits).unwrap_or(0))
    }

    fn level(&self, price: f64) -> f64 {
        let scale = 10_f64.powi(i32::try_from(self.digits).unwrap_or(0));
        (price * scale).round() / scale
    }
}

/// Why a position ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// Its stop-loss was reached.
    StopLoss,
    /// Its take-profit was reached.
    TakeProfit,
    /// A signal of the other side.
    Opposite,
    /// Its time was over.
    Horizon,
}

impl ExitReason {
    /// As in study.json.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopLoss => "stop_loss",
            Self::TakeProfit => "take_profit",
            Self::Opposite => "opposite",
            Self::Horizon => "horizon",
        }
    }
}

/// How a position ends if no signal of the other side ends it before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exit {
    /// In which of the bars after the one that was decided on, from 0.
    pub bar: usize,
    /// The price there, before costs.
    pub price: f64,
    /// Why.
    pub reason: ExitReason,
    /// The bar held both stops, and nothing says which came first: it counts as the stop-loss.
    pub is_ambiguous: bool,
}

/// Follows a position that was decided on at `close` and entered at the open of the first of `later`. `None` while the
/// bars do not reach its end.
///
/// - A bar that opens beyond the stop-loss fills at its open, which is worse than the stop.
/// - One that opens beyond the take-profit fills at the take-profit: nothing better is assumed. If it is the bar of the
///   entry, at its open, for nothing was ever earned.
pub fn exit(side: Side, close: f64, later: &[Bar], exits: &Exits) -> Option<Exit> {
    exit_after(side, close, 0, later, exits)
}

/// The same for a position that is followed from bar to bar: `seen` bars after the one decided on did not end it, and `later`
/// comes after those.
pub fn exit_after(side: Side, close: f64, seen: usize, later: &[Bar], exits: &Exits) -> Option<Exit> {
    let direction = direction(side);
    let slack = close * TOUCH_SLACK;
    // Seen from the side of the position: what is higher is better.
    let stop = exits.stop_loss.map(|distance| direction * exits.level(close - direction * distance) + slack);
    let target = exits.take_profit.map(|distance| direction * exits.level(close + direction * distance) - slack);
    let ended = |bar: usize, price: f64, reason, is_ambiguous| Some(Exit { bar, price, reason, is_ambiguous });
    let left = exits.horizon_bars.saturating_sub(seen);
    for (index, bar) in (seen..).zip(later.iter().take(left)) {
        let open = direction * bar.open;
        let (worst, best) = if direction > 0.0 { (bar.low, bar.high) } else { (-bar.high, -bar.low) };
        if stop.is_some_and(|stop| open <= stop) {
            return ended(index, bar.open, ExitReason::StopLoss, false);
        }
        if let Some(target) = target.filter(|target| open >= *target) {
            let price = if index == 0 { bar.open } else { direction * (target + slack) };
            return ended(index, price, ExitReason::TakeProfit, false);
        }
        let is_won = target.is_some_and(|target| best >= target);
        if let Some(stop) = stop.filter(|stop| worst <= *stop) {
            return ended(index, direction * (stop - slack), ExitReason::StopLoss, is_won);
        }
        if let Some(target) = target.filter(|_| is_won) {
            return ended(index, direction * (target + slack), ExitReason::TakeProfit, false);
        }
    }
    let last = left.checked_sub(1)?;
    later.get(last).and_then(|bar| ended(seen + last, bar.close, ExitReason::Horizon, false))
}

/// The price that an order is filled at, costs included, when the middle price is `price`.
pub fn entry_price(side: Side, price: f64, costs: &Costs, point: f64) -> f64 {
    let (half, slippage) = (costs.spread / 2.0 * point, costs.slippage * point);
    let seen = price + direction(side) * half;
    seen + direction(side) * slippage
}

/// The same of its close: the other side of the market.
pub fn exit_price(side: Side, price: f64, costs: &Costs, point: f64) -> f64 {
    entry_price(side.opposite(), price, costs, point)
}

/// What a position brings, in points: from price to price, both costs included, commission and `nights` of swap.
pub fn net_points(side: Side, entry: f64, exit: f64, nights: u32, costs: &Costs, point: f64) -> f64 {
    direction(side) * (exit - entry) / point - 2.0 * costs.commission_side + f64::from(nights) * costs.swap(side)
}

const fn direction(side: Side) -> f64 {
    match side {
        Side::Buy => 1.0,
        Side::Sell => -1.0,
    }
}

#[cfg(test)]
mod tests;
