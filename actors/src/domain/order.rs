//! An order: its identity, its content in the broker's terms, and what can become of it.

use crate::domain::{
    decision::Action,
    instrument::{Instrument, InstrumentKey, Symbol},
    position::Position,
};
use serde::Serialize;
use uuid::Uuid;

/// Direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// Open a long position.
    Buy,
    /// Open a short position.
    Sell,
}

impl Side {
    /// `BUY` or `SELL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// The side of a decided action; `None` for HOLD.
    pub const fn from_action(action: Action) -> Option<Self> {
        match action {
            Action::Buy => Some(Self::Buy),
            Action::Sell => Some(Self::Sell),
            Action::Hold => None,
        }
    }
}

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

/// A stop that nobody could mean: pips given as a price, usually.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "{name} would be {price} at a close of {close}: its distance is a price, not pips, and at most a tenth of the close"
)]
pub struct BadStop {
    name: &'static str,
    price: f64,
    close: f64,
}

impl Order {
    /// Builds the order for a decided side at the newest close; stops are absolute prices, rounded to the
    /// instrument's digits.
    ///
    /// # Errors
    /// When a wanted stop is not on its own side of the close, or further from it than [`STOP_DISTANCE_MAX`] of the close.
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
        let stop = |name, distance: Option<f64>, direction: f64| {
            let Some(distance) = distance else { return Ok(0.0) };
            let price = round_to_digits(close + direction * distance, instrument.digits);
            let is_near = distance <= STOP_DISTANCE_MAX * close;
            // A price of 0 would mean no stop on the wire.
            let good = price.is_finite() && price > 0.0 && (price - close) * direction > 0.0 && is_near;
            if good { Ok(price) } else { Err(BadStop { name, price, close }) }
        };
        Ok(Self {
            client_order_id: id,
            symbol: instrument.symbol.clone(),
            gateway_name: instrument.gateway_name.clone(),
            closes: None,
            side,
            volume: instrument.volume,
            stop_loss: stop("the stop-loss", instrument.stop_loss, -towards_profit)?,
            take_profit: stop("the take-profit", instrument.take_profit, towards_profit)?,
            confidence,
            bar_close_time,
        })
    }

    /// What it is to the broker.
    pub fn instrument(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
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

/// What became of an order, by the table in the README; anything that is not proven is `Unknown`.
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
mod tests {
    use super::*;

    fn instrument() -> Instrument {
        Instrument {
            symbol: Symbol::new("EURUSD"),
            ticker: "EURUSD.FOREX".into(),
            gateway_name: "EURUSDm".into(),
            threshold: 0.6,
            volume: 0.01,
            digits: 5,
            stop_loss: Some(0.002),
            take_profit: None,
        }
    }

    #[test]
    fn a_fill_of_another_volume_says_so() {
        let filled = |volume| Outcome::Filled { ticket: 1, price: None, volume }.other_volume(0.3);
        assert_eq!([filled(None), filled(Some(0.1 + 0.2)), filled(Some(0.1))], [None, None, Some(0.1)]);
        assert_eq!(Outcome::Unknown { reason: "volume 0.1".into() }.other_volume(0.3), None);
    }

    #[test]
    fn the_identity_is_the_published_one() {
        let id = client_order_id("demo", &Symbol::new("EURUSD"), "baseline", 1_500_000_000);
        assert_eq!(id.to_string(), "f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1");
    }

    #[test]
    fn stops_are_absolute_prices_on_the_losing_and_the_winning_side() {
        let mut instrument = instrument();
        instrument.take_profit = Some(0.003);
        let buy = Order::new(Uuid::nil(), &instrument, Side::Buy, 0.7, 1.1, 0).unwrap();
        assert_eq!((buy.stop_loss, buy.take_profit), (1.098, 1.103));
        let sell = Order::new(Uuid::nil(), &instrument, Side::Sell, 0.7, 1.1, 0).unwrap();
        assert_eq!((sell.stop_loss, sell.take_profit), (1.102, 1.097));
    }

    #[test]
    fn no_distance_is_no_stop() {
        let order = Order::new(Uuid::nil(), &instrument(), Side::Buy, 0.7, 1.1, 0).unwrap();
        assert_eq!(order.take_profit, 0.0);
    }

    #[test]
    fn stops_have_the_instruments_digits() {
        let order = Order::new(Uuid::nil(), &instrument(), Side::Buy, 0.7, 1.123_456_7, 0).unwrap();
        assert_eq!(order.stop_loss, 1.121_46);
    }

    #[test]
    fn a_stop_that_no_broker_could_mean_is_no_order() {
        let with = |stop_loss, take_profit, side| {
            let instrument = Instrument { stop_loss, take_profit, ..instrument() };
            Order::new(Uuid::nil(), &instrument, side, 0.7, 1.1, 0)
        };
        assert!(with(Some(20.0), None, Side::Buy).is_err(), "20 pips said as a price would be a negative stop");
        assert!(with(None, Some(30.0), Side::Sell).is_err());
        assert!(with(Some(1.1), None, Side::Buy).is_err(), "0 would mean no stop");
        assert!(with(Some(1e-9), None, Side::Buy).is_err(), "a stop at the close is none");
        assert!(with(Some(20.0), None, Side::Sell).is_err(), "on its side, and never hit");
        assert!(with(None, Some(30.0), Side::Buy).is_err());
        assert!(with(Some(0.12), None, Side::Sell).is_err() && with(Some(0.10), Some(0.10), Side::Sell).is_ok());
    }
}
