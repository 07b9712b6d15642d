//! `[data]`: where bars come from, and when they are asked for.

use super::parsed;
use crate::settings::secret::Secret;
use sentinel_actors::{
    adapters::eodhd::ApiToken,
    domain::interval::Interval,
    fetcher::{OnGap, Poll},
};
use serde::{Deserialize, Serialize, Serializer};
use std::path::PathBuf;

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DataSettings {
    pub base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token_file: Option<PathBuf>,
    #[serde(deserialize_with = "parsed", serialize_with = "interval_text")]
    pub interval: Interval,
    pub lookback_bars: usize,
    pub poll: PollSetting,
    pub overdue_poll_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bar_age_s: Option<i64>,
    pub on_gap: OnGap,
    pub jump_max: f64,
    pub deadline_ms: u64,
    pub body_bytes_max: usize,
    pub concurrency: usize,
}

/// How often bars are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollSetting {
    /// `cycle` for up to 13 symbols, which EODHD's quota allows at one request per minute; `bar` for more.
    Auto,
    /// In every cycle.
    Cycle,
    /// When a newer closed bar can exist.
    Bar,
}

/// How many symbols EODHD's 100,000 calls per day allow, at one request per minute.
const SYMBOLS_POLLED_EVERY_CYCLE_MAX: usize = 13;

impl PollSetting {
    /// What it means for this number of symbols.
    pub(in crate::settings) const fn resolved(self, symbols: usize) -> Poll {
        match self {
            Self::Cycle => Poll::Cycle,
            Self::Bar => Poll::Bar,
            Self::Auto if symbols <= SYMBOLS_POLLED_EVERY_CYCLE_MAX => Poll::Cycle,
            Self::Auto => Poll::Bar,
        }
    }
}

impl DataSettings {
    /// Where the token comes from; `None` if it is not set.
    pub fn token(&self) -> Option<ApiToken> {
        match (&self.api_token, &self.api_token_file) {
            (Some(token), _) => Some(ApiToken::Value(token.expose().to_owned())),
            (None, Some(path)) => Some(ApiToken::File(path.clone())),
            (None, None) => None,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn interval_text<S: Serializer>(interval: &Interval, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(interval.as_str())
}
