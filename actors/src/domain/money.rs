//! From points to the account's currency: by the size of a lot and a named rate, or not at all. Pure. The account on paper and
//! live profit and loss take it from here; a figure that cannot be told is told in points only, and never guessed.

use crate::domain::instrument::Symbol;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How much of the account's currency one unit of a symbol's quote currency is (of USDJPY: one yen).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProfitRate {
    /// The same currency: EURUSD on an account in dollars.
    One,
    /// The price of this symbol: of EURGBP on an account in dollars it is GBPUSD's.
    Price(Symbol),
    /// One divided by the price of this symbol: of USDJPY on an account in dollars it is USDJPY's own.
    OneByPrice(Symbol),
}

impl ProfitRate {
    /// The symbol whose price it takes, if it takes one.
    pub const fn symbol(&self) -> Option<&Symbol> {
        match self {
            Self::One => None,
            Self::Price(symbol) | Self::OneByPrice(symbol) => Some(symbol),
        }
    }
}

impl FromStr for ProfitRate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None if text == "1" => Ok(Self::One),
            None if !text.is_empty() => Ok(Self::Price(Symbol::new(text))),
            Some(("1", name)) if !name.is_empty() && !name.contains('/') => Ok(Self::OneByPrice(Symbol::new(name))),
            _ => Err("must be \"1\", the name of a symbol, or \"1/\" and the name of a symbol"),
        }
    }
}

impl fmt::Display for ProfitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One => f.write_str("1"),
            Self::Price(symbol) => write!(f, "{symbol}"),
            Self::OneByPrice(symbol) => write!(f, "1/{symbol}"),
        }
    }
}

impl TryFrom<String> for ProfitRate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ProfitRate> for String {
    fn from(rate: ProfitRate) -> Self {
        rate.to_string()
    }
}

/// What the settings say about the money of one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct MoneyTerms {
    /// The symbol.
    pub symbol: Symbol,
    /// Decimal places of its prices: a point is one of the last.
    pub digits: u32,
    /// Units of one lot: 100,000 euros in EURUSD, 100 ounces of gold. 0: not known.
    pub contract_size: f64,
    /// From the currency of its price to the account's; `None`: not known.
    pub rate: Option<ProfitRate>,
}

/// Why a figure is in points only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKnown {
    /// The settings do not have the symbol.
    #[error("{0} is not in the settings")]
    Symbol(Symbol),
    /// Nothing says how large a lot is.
    #[error("the contract_size of {0} is not set")]
    ContractSize(Symbol),
    /// Nothing says how the price's currency becomes the account's.
    #[error("the profit_rate of {0} is not set")]
    Rate(Symbol),
    /// The symbol of the rate has no price yet.
    #[error("{rate}, the profit_rate of {symbol}, has no price yet")]
    Price {
        /// The symbol that was traded.
        symbol: Symbol,
        /// Its rate.
        rate: ProfitRate,
    },
}

/// What the settings say about the money of all symbols.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Money(Vec<MoneyTerms>);

impl Money {
    /// Of these symbols.
    pub const fn new(terms: Vec<MoneyTerms>) -> Self {
        Self(terms)
    }

    /// Whether the price of this symbol is needed for the money of another, or of itself.
    pub fn takes_price_of(&self, symbol: &Symbol) -> bool {
        self.0.iter().filter_map(|terms| terms.rate.as_ref()?.symbol()).any(|named| named == symbol)
    }

    /// What one lot of the symbol brings for each point, in the account's currency: point x contract size x rate. `close` answers
    /// a symbol's newest close, `None` if there is none.
    ///
    /// # Errors
    /// What is not known.
    pub fn per_point(&self, symbol: &Symbol, close: impl Fn(&Symbol) -> Option<f64>) -> Result<f64, NotKnown> {
        let terms = self.0.iter().find(|terms| terms.symbol == *symbol);
        let MoneyTerms { digits, contract_size, rate, .. } = terms.ok_or_else(|| NotKnown::Symbol(symbol.clone()))?;
        if *contract_size <= 0.0 {
            return Err(NotKnown::ContractSize(symbol.clone()));
        }
        let rate = rate.as_ref().ok_or_else(|| NotKnown::Rate(symbol.clone()))?;
        let price = |named: &Symbol| {
            let price = close(named).filter(|price| price.is_finite() && *price > 0.0);
            price.ok_or_else(|| NotKnown::Price { symbol: symbol.clone(), rate: rate.clone() })
        };
        let rate = match rate {
            ProfitRate::One => 1.0,
            ProfitRate::Price(named) => price(named)?,
            ProfitRate::OneByPrice(named) => 1.0 / price(named)?,
        };
        Ok(contract_size * rate / 10_f64.powi(i32::try_from(*digits).unwrap_or(i32::MAX)))
    }

    /// What so many points bring with this volume (lots), in the account's currency.
    ///
    /// # Errors
    /// What is not known.
    pub fn profit(
        &self,
        symbol: &Symbol,
        points: f64,
        volume: f64,
        close: impl Fn(&Symbol) -> Option<f64>,
    ) -> Result<f64, NotKnown> {
        Ok(self.per_point(symbol, close)? * points * volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(name: &str, digits: u32, contract_size: f64, rate: Option<&str>) -> MoneyTerms {
        MoneyTerms { symbol: Symbol::new(name), digits, contract_size, rate: rate.map(|text| text.parse().unwrap()) }
    }

    /// An account in dollars.
    fn dollars() -> Money {
        Money::new(vec![
            terms("EURUSD", 5, 100_000.0, Some("1")),
            terms("USDJPY", 3, 100_000.0, Some("1/USDJPY")),
            terms("XAUUSD", 2, 100.0, Some("1")),
            terms("EURGBP", 5, 100_000.0, Some("GBPUSD")),
            terms("GBPUSD", 5, 100_000.0, Some("1")),
            terms("EURCHF", 5, 100_000.0, Some("1/USDCHF")),
            terms("US500", 2, 0.0, Some("1")),
            terms("DAX", 2, 25.0, None),
        ])
    }

    fn close(symbol: &Symbol) -> Option<f64> {
        let price = [("EURUSD", 1.1), ("USDJPY", 160.0), ("XAUUSD", 2_400.0), ("GBPUSD", 1.25), ("DAX", 18_000.0)];
        price.into_iter().find(|(name, _)| *name == symbol.as_str()).map(|(_, price)| price)
    }

    #[test]
    fn points_become_money_by_lot_and_rate() {
        // Symbol, points, lots, dollars.
        for (name, points, volume, wanted) in [
            ("EURUSD", 100.0, 1.0, 100.0),  // ten pips of a lot: 0.001 x 100,000
            ("EURUSD", -250.0, 0.01, -2.5), // a micro lot
            ("USDJPY", 1_000.0, 0.1, 62.5), // one yen x 10,000 = 10,000 yen, at 160
            ("XAUUSD", 150.0, 0.5, 75.0),   // 1.50 dollars x 50 ounces
            ("EURGBP", 40.0, 2.0, 100.0),   // 0.0004 x 200,000 = 80 pounds, at 1.25
            ("EURUSD", 0.0, 1.0, 0.0),
        ] {
            let got = dollars().profit(&Symbol::new(name), points, volume, close).unwrap();
            assert!((got - wanted).abs() < 1e-9, "{name}: {got}, not {wanted}");
        }
    }

    #[test]
    fn an_account_in_euros_takes_the_other_rates() {
        let euros = Money::new(vec![
            terms("EURUSD", 5, 100_000.0, Some("1/EURUSD")),
            terms("USDJPY", 3, 100_000.0, Some("1/EURJPY")),
        ]);
        let close = |symbol: &Symbol| (symbol.as_str() == "EURUSD").then_some(1.25);
        assert!((euros.profit(&Symbol::new("EURUSD"), 125.0, 1.0, close).unwrap() - 100.0).abs() < 1e-9);
        let why = euros.profit(&Symbol::new("USDJPY"), 1.0, 1.0, close).unwrap_err();
        assert_eq!(why.to_string(), "1/EURJPY, the profit_rate of USDJPY, has no price yet");
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        for (name, why) in [
            ("EURCHF", "1/USDCHF, the profit_rate of EURCHF, has no price yet"),
            ("US500", "the contract_size of US500 is not set"),
            ("DAX", "the profit_rate of DAX is not set"),
            ("BTCUSD", "BTCUSD is not in the settings"),
        ] {
            assert_eq!(dollars().profit(&Symbol::new(name), 1.0, 1.0, close).unwrap_err().to_string(), why);
        }
        let is_taken = |name: &str| dollars().takes_price_of(&Symbol::new(name));
        assert!(is_taken("GBPUSD") && is_taken("USDJPY") && !is_taken("EURUSD"));
        for price in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(dollars().profit(&Symbol::new("EURGBP"), 1.0, 1.0, |_| Some(price)).is_err(), "{price}");
        }
    }

    #[test]
    fn a_rate_is_one_a_symbol_or_one_by_a_symbol() {
        for text in ["1", "GBPUSD", "1/USDJPY"] {
            assert_eq!(text.parse::<ProfitRate>().unwrap().to_string(), text);
        }
        for bad in ["", "/", "1/", "2/USDJPY", "1/USD/JPY", "EUR/USD"] {
            assert!(bad.parse::<ProfitRate>().is_err(), "{bad}");
        }
    }
}
