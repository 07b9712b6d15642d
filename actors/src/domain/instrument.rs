//! A traded instrument: its names and its trading parameters.

use serde::Serialize;
use std::{fmt, sync::Arc};

/// The name of an instrument inside Sentinel, `EURUSD`. Cheap to clone: it travels in every message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Symbol(Arc<str>);

impl Symbol {
    /// Wraps a name. The settings check that it consists of letters, digits, `.`, `_`, `-` and is not empty.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Identifies an instrument of an account: the broker's name in lower case, because no broker has two names that differ only
/// in case, and gateways write them in different ways. Sentinel's own name of an instrument may change; the broker's name is
/// what is traded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstrumentKey(Arc<str>);

impl InstrumentKey {
    /// The key of a broker's name.
    pub fn of(gateway_name: &str) -> Self {
        Self(gateway_name.to_lowercase().into())
    }

    /// The key of a name of ours. It begins with a control character, which no broker's name contains.
    pub fn of_symbol(symbol: &str) -> Self {
        Self(format!("\0{symbol}").into())
    }

    /// Both keys by which an order is found again: the settings may change either name, but not what it stands for.
    pub fn both(gateway_name: &str, symbol: &str) -> [Self; 2] {
        [Self::of(gateway_name), Self::of_symbol(symbol)]
    }
}

impl fmt::Display for InstrumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One configured symbol: its names and its trading parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Instrument {
    /// Name used in Sentinel's own settings, logs and metrics.
    pub symbol: Symbol,
    /// EODHD's name, `EURUSD.FOREX`.
    pub ticker: String,
    /// The broker's name, `EURUSD` or with a suffix, `EURUSDm`.
    pub gateway_name: String,
    /// BUY and SELL need odds above this, a ratio in 0..1.
    pub threshold: f64,
    /// Order size in lots.
    pub volume: f64,
    /// Decimal places of a price; stops are rounded to them.
    pub digits: u32,
    /// Distance of the stop-loss from the newest close, in units of the price; `None`: no stop-loss.
    pub stop_loss: Option<f64>,
    /// Distance of the take-profit from the newest close, in units of the price; `None`: no take-profit.
    pub take_profit: Option<f64>,
}

impl Instrument {
    /// Its key at the broker.
    pub fn key(&self) -> InstrumentKey {
        InstrumentKey::of(&self.gateway_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_a_name_makes_no_other_instrument() {
        assert_eq!(InstrumentKey::of("EURUSDm"), InstrumentKey::of("eurusdM"));
        assert_ne!(InstrumentKey::of("EURUSD"), InstrumentKey::of("EURUSDm"));
    }
}
