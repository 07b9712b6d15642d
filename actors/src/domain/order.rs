//! An order: its identity, its content in the broker's terms, and its possible outcomes.

pub use crate::domain::side::Side;

use crate::domain::{
    instrument::{Instrument, InstrumentKey, Symbol},
    position::Position,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of the only order per account, symbol, model and bar close: UUIDv5 in the URL namespace (RFC 9562), so a restart, a
/// second instance or a replay of the same bar computes the same id.
///
/// `bar_close_time` is in unix seconds.
pub fn client_order_id(account: &str, symbol: &Symbol, model_name: &str, bar_close_time: i64) -> Uuid {
    let name = format!("sentinel:{account}|{symbol}|{model_name}|{bar_close_time}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// The id of the only request to close this ticket for this bar's signal.
pub fn close_order_id(account: &str, symbol: &Symbol, model_name: &str, bar_close_time: i64, ticket: i64) -> Uuid {
    let name = format!("sentinel:{account}|{symbol}|{model_name}|{bar_close_time}|close|{ticket}");
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// An order as it is sent to the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its identity, which is also sent if the dialect has a field for it.
    pub client_order_id: Uuid,
    /// Sentinel's name of the instrument.
    pub symbol: Symbol,
    /// The broker's name of the instrument.
    pub gateway_name: String,
    /// The ticket of the open position that it closes; `None` if it opens one.
    pub closes: Option<i64>,
    /// Direction. For a close it is the direction of the trade, not of the position.
    pub side: Side,
    /// Size in lots; 0 if the dialect cannot send it, so the gateway's own size applies.
    pub volume: f64,
    /// Stop-loss, an absolute price; 0 for none.
    pub stop_loss: f64,
    /// Take-profit, an absolute price; 0 for none.
    pub take_profit: f64,
    /// The model's probability for this side, a ratio in 0..=1.
    pub confidence: f64,
    /// Close of the bar on which the decision is based, unix seconds.
    pub bar_close_time: i64,
}

/// Largest distance of a stop, as a ratio of the close. Without this limit, pips given as a price could make a stop above the
/// close that is never reached: with 20 (for 20 pips) in EUR/USD, a SELL's stop-loss would be at 21.
pub const STOP_DISTANCE_MAX: f64 = 0.1;

/// Smallest distance of a stop, as a ratio of the close: half a pip of EUR/USD. A smaller one is within the spread. It also
/// finds EUR/USD's 20 pips used for USD/JPY: 0.002 yen at a price of 150.
pub const STOP_DISTANCE_MIN: f64 = 0.000_05;

/// Largest number of units of the last decimal place in a price; nine digits. With more, the number of digits is another
/// instrument's. EUR/USD has 110,000 (5 digits), USD/JPY 150,000 (3), gold 400,000 (2), bitcoin 10,000,000 (2).
pub const PRICE_TICKS_MAX: f64 = 1e9;

/// A stop that must be a mistake: usually pips given as a price, or a stop for another instrument.
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
/// The first stop that cannot be built, by the rules of [`Order::new`].
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
            (
                distance > STOP_DISTANCE_MAX * close,
                "too far: more than a tenth of the close; a distance is in units of the price, not pips",
            ),
            (
                distance < STOP_DISTANCE_MIN * close,
                "too near: less than 0.00005 of the close; a distance is in units of the price, and each instrument needs its own",
            ),
            (distance < 1.0 / scale, "too few digits: the distance is less than one unit of the last digit"),
            (close * scale > PRICE_TICKS_MAX, "too many digits for this price: use the broker's number of digits"),
            // A price of 0 would mean no stop in the request.
            (
                !(price.is_finite() && price > 0.0 && (price - close) * direction > 0.0),
                "it is on the wrong side of the close",
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
    /// Builds the order for a decided side at the newest close. Stops are absolute prices, rounded to the instrument's
    /// digits.
    ///
    /// # Errors
    /// A stop is on the wrong side of the close, further away than [`STOP_DISTANCE_MAX`] of the close or nearer than
    /// [`STOP_DISTANCE_MIN`] of it, or does not fit the instrument's digits: its distance is less than one unit of the last
    /// digit, or the close is more than [`PRICE_TICKS_MAX`] such units.
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

    /// The instrument's key at the broker.
    pub fn instrument(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }

    /// The keys by which earlier orders are found: by the broker's name, and by ours.
    pub fn keys(&self) -> [InstrumentKey; 2] {
        InstrumentKey::both(&self.gateway_name, self.symbol.as_str())
    }

    /// The order for a dialect that cannot send volume and stops. They are removed, so that nothing reports them as used.
    #[must_use]
    pub fn without_terms(self) -> Self {
        Self { volume: 0.0, stop_loss: 0.0, take_profit: 0.0, ..self }
    }

    /// The order that closes an open position before this one may be sent; `id` is its [`close_order_id`].
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

/// Volumes that differ by less than this, in lots, are equal: a broker's smallest step is much larger.
pub const LOTS_APART: f64 = 1e-9;

/// The outcome of an order, by the rules in the dialects' sections of actors/README.md. Anything that is not proven is
/// `Unknown`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The gateway's reply to exactly this order says it was filled.
    Filled {
        /// The broker's ticket; 0 if the dialect has none.
        ticket: i64,
        /// Price of the fill, if the dialect reports it.
        price: Option<f64>,
        /// Filled lots, above 0, if the reply has them; `None`: as ordered, as far as is known.
        volume: Option<f64>,
    },
    /// The gateway's reply to exactly this order is an unambiguous refusal.
    Rejected {
        /// The gateway's own text, on one line.
        reason: String,
    },
    /// The request was never passed to a connected gateway.
    NotSent {
        /// Why.
        reason: String,
    },
    /// It may or may not have been executed. Never sent again.
    Unknown {
        /// What happened, as far as known.
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

    /// The filled lots if they differ from the order; `None` if they do not, or if it was not filled.
    pub fn other_volume(&self, ordered: f64) -> Option<f64> {
        match self {
            Self::Filled { volume, .. } => volume.filter(|volume| (volume - ordered).abs() > LOTS_APART),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
