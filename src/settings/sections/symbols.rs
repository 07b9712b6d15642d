//! `[[symbols]]`: what is traded, and what a symbol inherits from `[trading]`.

use super::TradingSettings;
use crate::settings::distance::Distance;
use sentinel_actors::domain::{
    instrument::{self, Instrument},
    money::{MoneyTerms, ProfitRate},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

const FOREX: &str = "FOREX";

/// `[[symbols]]`
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Symbols(pub Vec<Symbol>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Symbol {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticker: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Distance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Distance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_size: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profit_rate: Option<ProfitRate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_points: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission_per_lot_side: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_long_points: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap_short_points: Option<f64>,
}

/// Currencies whose pairs have five decimal places at nearly every broker.
const OF_FIVE_DIGITS: [&str; 18] = [
    "EUR", "USD", "GBP", "AUD", "NZD", "CAD", "CHF", "SEK", "NOK", "DKK", "SGD", "HKD", "PLN", "MXN", "ZAR", "TRY",
    "CNH", "ILS",
];

/// Their pip is 0.01, so that a broker's prices have three decimal places at most.
const COARSE_CURRENCIES: [&str; 3] = ["JPY", "HUF", "KRW"];
const COARSE_DIGITS_MAX: u32 = 3;

impl Symbol {
    /// A symbol with only a name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            ticker: None,
            gateway_name: None,
            threshold: None,
            volume: None,
            digits: None,
            stop_loss: None,
            take_profit: None,
            contract_size: None,
            profit_rate: None,
            spread_points: None,
            commission_per_lot_side: None,
            swap_long_points: None,
            swap_short_points: None,
        }
    }

    /// EODHD's name: as set; else the symbol's name if it ends in an exchange; else its name in the forex market.
    pub fn ticker(&self) -> String {
        match (&self.ticker, exchange(&self.name)) {
            (Some(ticker), _) => ticker.clone(),
            (None, Some(_)) => self.name.clone(),
            (None, None) => format!("{}.{FOREX}", self.name),
        }
    }

    /// The broker's name: as set, else the symbol's name without EODHD's `.FOREX`. Any other suffix is kept: brokers have names
    /// such as `AAPL.US` and `EURUSD.raw`.
    pub fn gateway_name(&self) -> String {
        let derived = match exchange(&self.name) {
            Some((pair, FOREX)) => pair,
            _ => &self.name,
        };
        self.gateway_name.clone().unwrap_or_else(|| derived.to_owned())
    }

    /// The quote currency of a currency pair, `JPY` for USDJPY; `None` for anything else. EODHD's name for USD/JPY is
    /// `JPY.FOREX`.
    pub fn quote_currency(&self) -> Option<String> {
        self.pair().map(|pair| pair[pair.len() - 3..].to_owned())
    }

    /// The quote currency of a pair whose pip is 0.01, and the most decimal places of its price; `None` for anything else.
    pub fn coarse(&self) -> Option<(String, u32)> {
        let currency = self.quote_currency().filter(|quote| COARSE_CURRENCIES.contains(&quote.as_str()))?;
        Some((currency, COARSE_DIGITS_MAX))
    }

    /// Whether it is a pair that has five decimal places wherever it is traded. Yen, metals and indices have not.
    pub fn has_five_digits(&self) -> bool {
        let is_one = |code: &str| OF_FIVE_DIGITS.contains(&code);
        self.pair().is_some_and(|pair| pair.as_bytes().chunks(3).all(|code| str::from_utf8(code).is_ok_and(is_one)))
    }

    /// `USDJPY`, or `JPY` of EODHD's `JPY.FOREX`; `None` for what cannot be a currency pair.
    fn pair(&self) -> Option<String> {
        let ticker = self.ticker();
        let pair = [exchange(&ticker), exchange(&self.name)].into_iter().flatten().find(|(_, at)| *at == FOREX);
        let pair = pair.map_or(self.name.as_str(), |(pair, _)| pair);
        // `USDJPY.a` is a broker's name for the same pair.
        let pair = pair.split('.').next().unwrap_or_default();
        let is_code = matches!(pair.len(), 3 | 6) && pair.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_code.then(|| pair.to_ascii_uppercase())
    }

    fn written_out(&self, trading: &TradingSettings) -> WrittenOut {
        WrittenOut {
            name: self.name.clone(),
            ticker: self.ticker(),
            gateway_name: self.gateway_name(),
            threshold: self.threshold.unwrap_or(trading.threshold),
            volume: self.volume.unwrap_or(trading.volume),
            digits: self.digits.unwrap_or(trading.digits()),
            stop_loss: self.stop_loss.or(trading.stop_loss),
            take_profit: self.take_profit.or(trading.take_profit),
            contract_size: self.contract_size.unwrap_or(trading.contract_size),
            profit_rate: self.profit_rate.clone().or_else(|| trading.profit_rate.clone()),
            costs: [self.spread_points, self.commission_per_lot_side, self.swap_long_points, self.swap_short_points],
        }
    }
}

/// A symbol with all derived and inherited values. What `check` prints and what is traded are both made from it.
#[derive(Debug, Clone)]
pub(in crate::settings) struct WrittenOut {
    name: String,
    ticker: String,
    gateway_name: String,
    threshold: f64,
    volume: f64,
    digits: u32,
    stop_loss: Option<Distance>,
    take_profit: Option<Distance>,
    contract_size: f64,
    profit_rate: Option<ProfitRate>,
    /// Its own spread, commission and swaps, which are inherited from `[study]` where they are charged.
    costs: [Option<f64>; 4],
}

impl From<WrittenOut> for MoneyTerms {
    fn from(it: WrittenOut) -> Self {
        let WrittenOut { name, digits, contract_size, profit_rate: rate, .. } = it;
        Self { symbol: instrument::Symbol::new(&name), digits, contract_size, rate }
    }
}

impl From<WrittenOut> for Symbol {
    fn from(it: WrittenOut) -> Self {
        let [spread_points, commission_per_lot_side, swap_long_points, swap_short_points] = it.costs;
        Self {
            name: it.name,
            ticker: Some(it.ticker),
            gateway_name: Some(it.gateway_name),
            threshold: Some(it.threshold),
            volume: Some(it.volume),
            digits: Some(it.digits),
            stop_loss: it.stop_loss,
            take_profit: it.take_profit,
            contract_size: Some(it.contract_size),
            profit_rate: it.profit_rate,
            spread_points,
            commission_per_lot_side,
            swap_long_points,
            swap_short_points,
        }
    }
}

impl From<WrittenOut> for Instrument {
    fn from(it: WrittenOut) -> Self {
        Self {
            symbol: instrument::Symbol::new(&it.name),
            ticker: it.ticker,
            gateway_name: it.gateway_name,
            threshold: it.threshold,
            volume: it.volume,
            digits: it.digits,
            stop_loss: it.stop_loss.and_then(Distance::price),
            take_profit: it.take_profit.and_then(Distance::price),
        }
    }
}

/// A name and the exchange at its end, if it has one. EODHD writes the exchange after the last dot, as two or more capital letters
/// and digits, but not only digits (`AAPL.US`, `EURUSD.FOREX`, `BTC-USD.CC`). A broker's `EURUSD.a`, `US500.cash` or `BRK.B` has
/// none.
pub fn exchange(name: &str) -> Option<(&str, &str)> {
    let (instrument, exchange) = name.rsplit_once('.')?;
    let is_code = exchange.len() >= 2
        && exchange.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && exchange.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_code && !instrument.is_empty()).then_some((instrument, exchange))
}

impl Symbols {
    /// Whether all of them are in the forex market, which has the same week for all.
    fn are_forex(&self) -> bool {
        self.0.iter().all(|symbol| symbol.ticker().ends_with(".FOREX"))
    }

    /// The calendar that `auto` selects for these symbols: the forex week if all tickers are in that market, else always open,
    /// because Sentinel does not know the hours of exchanges.
    pub fn auto_calendar(&self) -> &'static str {
        if self.are_forex() { "fx" } else { "always" }
    }

    /// Every symbol with all derived and inherited values.
    pub(in crate::settings) fn written_out(&self, trading: &TradingSettings) -> Vec<WrittenOut> {
        self.0.iter().map(|symbol| symbol.written_out(trading)).collect()
    }
}

/// `EURUSD` or `{ name = "EURUSD", ... }`.
struct NameOrTable(Symbol);

impl<'de> Deserialize<'de> for NameOrTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTableVisitor;
        impl<'de> Visitor<'de> for NameOrTableVisitor {
            type Value = NameOrTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a symbol's name or its table")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<NameOrTable, E> {
                Ok(NameOrTable(Symbol::named(name)))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<NameOrTable, A::Error> {
                Symbol::deserialize(MapAccessDeserializer::new(map)).map(NameOrTable)
            }
        }
        deserializer.deserialize_any(NameOrTableVisitor)
    }
}

impl<'de> Deserialize<'de> for Symbols {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SymbolsVisitor;
        impl<'de> Visitor<'de> for SymbolsVisitor {
            type Value = Symbols;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of symbols")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Symbols, A::Error> {
                let mut symbols = Vec::new();
                while let Some(NameOrTable(symbol)) = seq.next_element()? {
                    symbols.push(symbol);
                }
                Ok(Symbols(symbols))
            }
        }
        deserializer.deserialize_any(SymbolsVisitor)
    }
}
