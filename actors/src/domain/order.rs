//! An order: its identity, its content in the broker's terms, and what can become of it.

pub use crate::domain::side::Side;

use crate::domain::{
    instrument::{Instrument, InstrumentKey, Symbol},
    position::Position,
};
use serde::Serialize;
use uuid::Uuid;

/// The id of the one order there may be per account, symbol, model and bar close: UUIDv5 in the URL namespace
/// (RFC 9562), so that a restart, a second instance or a replay of the same bar makes the same id.
///
/// `bar_close_time` is in unix seconds.
pub fn client_order_id(account: &str, symbol: &Symbol, model_name: &str, bar_close_time: i64) -> Uuid {
    let name = format!("sentinel:{account}|{symbol}|{model_name}|{bar_close_time}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The id of the one request there may be to close this ticket for this bar's signal.
pub fn close_order_id(account: &str, symbol: &Symbol, model_name: &str, bar_close_time: i64, ticket: i64) -> Uuid {
    let name = format!("sentinel:{account}|{symbol}|{model_name}|{bar_close_time}|close|{ticket}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// An order as it goes to the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Identity, also on the wire where the dialect has a place for it.
    pub client_order_id: Uuid,
    /// Sentinel's name of the instrument.
    pub symbol: Symbol,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// The ticket of the open position that it closes; `None` if it opens one.
    pub closes: Option<i64>,
    /// Direction; of a close, the one it trades in, which is not the position's.
    pub side: Side,
    /// Size in lots; 0 where the dialect cannot say it, so that it is the gateway's own.
    pub volume: f64,
    /// Stop-loss, an absolute price; 0 for none.
    pub stop_loss: f64,
    /// Take-profit, an absolute price; 0 for none.
    pub take_profit: f64,
    /// The model's probability for this side, a ratio in 0..=1.
    pub confidence: f64,
    /// Close of the bar that was decided on, unix seconds.
    pub bar_close_time: i64,
}

/// Furthest stop, as a ratio of the close. On the side where prices grow, pips given as a price would otherwise make a stop
/// that is on its side and never hit: 20 pips of EUR/USD said as 20 are a SELL's stop-loss at 21.
pub const STOP_DISTANCE_MAX: f64 = 0.1;

/// Nearest stop, as a ratio of the close: half a pip of EUR/USD. Less is no stop but the spread, and is what 20 pips of
/// EUR/USD are to USD/JPY: 0.002 yen of 150.
pub const STOP_DISTANCE_MIN: f64 = 0.000_05;

/// A price has at most this many of its last decimal places in it, which nine figures are: with more, the number of digits
/// is another instrument's. EUR/USD has 110,000 (5 digits), USD/JPY 150,000 (3), gold 400,000 (2), bitcoin 10,000,000 (2).
pub const PRICE_TICKS_MAX: f64 = 1e9;

/// A stop that nobody could mean: pips given as a price, usually, or one that was meant for another instrument.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{name} at a distance of {distance} from a close of {close} with {digits} digits: {why}")]
pub struct BadStop {
    name: &'static str,
    distance: f64,
    close: f64,
    digits: u32,
    why: &'static str,
}

/// Whether an instrument's stops can be built at this close, on both sides.
///
/// # Errors
/// The first that cannot, by the rules of [`Order::new`].
pub fn check_stops(instrument: &Instrument, close: f64) -> Result<(), BadStop> {
    for direction in [-1.0, 1.0] {
        stops(instrument, close, direction)?;
    }
    Ok(())
}

/// Stop-loss and take-profit as absolute prices, 0 for none. `towards_profit` is 1 for a BUY and -1 for a SELL.
fn stops(instrument: &Instrument, close: f64, towards_profit: f64) -> Result<(f64, f64), BadStop> {
    let digits = instrument.digits;
    let scale = 10f64.powi(digits as i32);
    let stop = |name, distance: Option<f64>, direction: f64| {
        let Some(distance) = distance else { return Ok(0.0) };
        let price = round_to_digits(close + direction * distance, digits);
        let rules = [
            (distance > STOP_DISTANCE_MAX * close, "a distance is a price, not pips, and at most a tenth of the close"),
            (
                distance < STOP_DISTANCE_MIN * close,
                "too near: less than 0.00005 of the close; a distance is a price, and each instrument has its own",
            ),
            (distance < 1.0 / scale, "too few digits: the distance is less than the last of them"),
            (close * scale > PRICE_TICKS_MAX, "too many digits for such a price: say the broker's"),
            // A price of 0 would mean no stop on the wire.
            (
                !(price.is_finite() && price > 0.0 && (price - close) * direction > 0.0),
                "it is not on its side of the close",
            ),
        ];
        match rules.into_iter().find_map(|(is_bad, why)| is_bad.then_some(why)) {
            None => Ok(price),
            Some(why) => Err(BadStop { name, distance, close, digits, why }),
        }
    };
    Ok((
        stop("the stop-loss", instrument.stop_loss, -towards_profit)?,
        stop("the take-profit", instrument.take_profit, towards_profit)?,
    ))
}

impl Order {
    /// Builds the order for a decided side at the newest close; stops are absolute prices, rounded to the
    /// instrument's digits.
    ///
    /// # Errors
    /// When a wanted stop is not on its own side of the close, further from it than [`STOP_DISTANCE_MAX`] of the close or
    /// nearer than [`STOP_DISTANCE_MIN`] of it, or the instrument's digits cannot say it: its distance is less than the last
    /// of them, or the close has more than [`PRICE_TICKS_MAX`] of it.
    pub fn new(
        id: Uuid,
        instrument: &Instrument,
        side: Side,
        confidence: f64,
        close: f64,
        bar_close_time: i64,
    ) -> Result<Self, BadStop> {
        let towards_profit = match side {
            Side::Buy => 1.0,
            Side::Sell => -1.0,
        };
        let (stop_loss, take_profit) = stops(instrument, close, towards_profit)?;
        Ok(Self {
            client_order_id: id,
            symbol: instrument.symbol.clone(),
            gateway_name: instrument.gateway_name.clone(),
            closes: None,
            side,
            volume: instrument.volume,
            stop_loss,
            take_profit,
            confidence,
            bar_close_time,
        })
    }

    /// What it is to the broker.
    pub fn instrument(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }

    /// The keys by which what was ordered before is found: by the broker's name, and by ours.
    pub fn keys(&self) -> [InstrumentKey; 2] {
        InstrumentKey::both(&self.gateway_name, self.symbol.as_str())
    }

    /// As a dialect sends it that can say neither volume nor stops: nobody may be told that they are as wanted.
    #[must_use]
    pub fn without_terms(self) -> Self {
        Self { volume: 0.0, stop_loss: 0.0, take_profit: 0.0, ..self }
    }

    /// The order that closes an open position before this one may go out; `id` is its [`close_order_id`].
    #[must_use]
    pub fn closing(&self, position: &Position, id: Uuid) -> Self {
        Self {
            client_order_id: id,
            closes: Some(position.ticket),
            volume: position.volume,
            stop_loss: 0.0,
            take_profit: 0.0,
            ..self.clone()
        }
    }
}

fn round_to_digits(price: f64, digits: u32) -> f64 {
    let scale = 10f64.powi(digits as i32);
    (price * scale).round() / scale
}

/// Volumes closer than this, in lots, are the same: the smallest step of a broker is far above it.
pub const LOTS_APART: f64 = 1e-9;

/// What became of an order, by the dialects' sections in actors/README.md; anything that is not proven is `Unknown`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The gateway's reply to this very order says it was filled.
    Filled {
        /// The broker's ticket; 0 where the dialect has none.
        ticket: i64,
        /// Price of the fill, where the dialect tells it.
        price: Option<f64>,
        /// Lots that were filled, above 0, where the reply tells them; `None`: as ordered, as far as is known.
        volume: Option<f64>,
    },
    /// The gateway's reply to this very order names a refusal that is not ambiguous.
    Rejected {
        /// The gateway's own words, on one line.
        reason: String,
    },
    /// The request was never handed to a connected gateway.
    NotSent {
        /// Why.
        reason: String,
    },
    /// It may or may not have been executed. Never sent again.
    Unknown {
        /// What was seen.
        reason: String,
    },
}

impl Outcome {
    /// The values of `sentinel_orders_total{outcome}`.
    pub const ALL: [&'static str; 4] = ["filled", "rejected", "not_sent", "unknown"];

    /// The label value of this outcome.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Filled { .. } => "filled",
            Self::Rejected { .. } => "rejected",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The lots of a fill that are not what was ordered; `None` if they are, or if it is none.
    pub fn other_volume(&self, ordered: f64) -> Option<f64> {
        match self {
            Self::Filled { volume, .. } => volume.filter(|volume| (volume - ordered).abs() > LOTS_APART),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
