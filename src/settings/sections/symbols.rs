//! What is traded: `[[symbols]]`, and what a symbol inherits from `[trading]`.

use super::{Settings, TradingSettings};
use crate::settings::values::Distance;
use sentinel_actors::domain::instrument;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
}

impl Symbol {
    /// A symbol of which only the name is said.
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
        }
    }

    /// With everything written out that was derived or inherited.
    fn resolved(&self, trading: &TradingSettings) -> Self {
        Self {
            name: self.name.clone(),
            ticker: self.ticker.clone().or_else(|| Some(format!("{}.FOREX", self.name))),
            gateway_name: self.gateway_name.clone().or_else(|| Some(self.name.clone())),
            threshold: self.threshold.or(Some(trading.threshold)),
            volume: self.volume.or(Some(trading.volume)),
            digits: self.digits.or(Some(trading.digits)),
            stop_loss: self.stop_loss.or(trading.stop_loss),
            take_profit: self.take_profit.or(trading.take_profit),
        }
    }
}

impl Symbols {
    /// Every symbol with everything written out.
    pub fn resolved(&self, trading: &TradingSettings) -> Self {
        Self(self.0.iter().map(|symbol| symbol.resolved(trading)).collect())
    }
}

impl Settings {
    /// The symbols as the stages know them, in the order of configuration.
    pub fn instruments(&self) -> Arc<[instrument::Instrument]> {
        let trading = &self.trading;
        let instrument = |symbol: &Symbol| instrument::Instrument {
            symbol: instrument::Symbol::new(&symbol.name),
            ticker: symbol.ticker.clone().unwrap_or_else(|| format!("{}.FOREX", symbol.name)),
            gateway_name: symbol.gateway_name.clone().unwrap_or_else(|| symbol.name.clone()),
            threshold: symbol.threshold.unwrap_or(trading.threshold),
            volume: symbol.volume.unwrap_or(trading.volume),
            digits: symbol.digits.unwrap_or(trading.digits),
            stop_loss: symbol.stop_loss.or(trading.stop_loss).and_then(Distance::price),
            take_profit: symbol.take_profit.or(trading.take_profit).and_then(Distance::price),
        };
        self.symbols.0.iter().map(instrument).collect()
    }
}
