//! `[study]`: what `sentinel study` charges, and what it holds odds to.

use sentinel_actors::domain::fill::TripleDay;
use serde::{Deserialize, Serialize};

/// `[study]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct StudySettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_points: Option<f64>,
    pub slippage_points: f64,
    pub commission_per_lot_side: f64,
    pub lot_size: f64,
    pub swap_long_points: f64,
    pub swap_short_points: f64,
    pub triple_swap_day: TripleDay,
    pub horizon_bars: usize,
    pub label: StudyLabel,
    pub hold_share: f64,
    pub seed: u64,
}

/// What a bar's odds are held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StudyLabel {
    /// How far the close is, so many bars later.
    Horizon,
    /// Which stop comes first.
    TripleBarrier,
}

impl StudyLabel {
    /// The spelling of settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Horizon => "horizon",
            Self::TripleBarrier => "triple_barrier",
        }
    }
}
