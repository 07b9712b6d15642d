//! `[trading]` and `[guards]`: what an order is like, and what limits orders.

use crate::settings::distance::Distance;
use sentinel_actors::domain::{money::ProfitRate, position::Opposite};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[trading]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TradingSettings {
    pub live: bool,
    pub threshold: f64,
    pub volume: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Distance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Distance>,
    pub contract_size: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit_rate: Option<ProfitRate>,
}

impl TradingSettings {
    /// Decimal places of a price where none are set: those of most currency pairs.
    pub const DIGITS: u32 = 5;

    /// Those of a symbol without its own.
    pub fn digits(&self) -> u32 {
        self.digits.unwrap_or(Self::DIGITS)
    }
}

/// `[guards]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GuardSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_file: Option<PathBuf>,
    pub volume_max: f64,
    pub orders_per_hour_max: u32,
    pub orders_per_day_max: u32,
    pub cooldown_s: u32,
    pub positions_max: u32,
    pub loss_pct_per_day_max: f64,
    pub failures_in_a_row_max: u32,
    pub opposite: Opposite,
}
