//! `[study]`: what `sentinel study` and the account on paper charge, and what it holds odds to; and until when a model was trained.

use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use sentinel_actors::domain::fill::{Costs, TripleDay};
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

impl StudySettings {
    /// What is charged for a symbol whose prices have this many decimal places; `None` if the spread is not set.
    pub fn costs(&self, digits: u32) -> Option<Costs> {
        let point = 10_f64.powi(-i32::try_from(digits).unwrap_or(0));
        Some(Costs {
            spread: self.spread_points?,
            slippage: self.slippage_points,
            commission_side: self.commission_per_lot_side / (self.lot_size * point),
            swap_long: self.swap_long_points,
            swap_short: self.swap_short_points,
        })
    }
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

/// The end of a day, or a moment, unix seconds: what the model was trained on closed before it.
pub(super) fn end_of(text: &str) -> Result<i64, &'static str> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.timestamp());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|day| day.checked_add_days(Days::new(1)));
    let end = day.map(|next| next.and_time(NaiveTime::MIN).and_utc().timestamp());
    end.ok_or(
        "must be a day such as \"2026-03-31\", the last one that the model knows, or a moment such as \
               \"2026-03-31T12:00:00Z\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_at_the_next_midnight() {
        assert_eq!(end_of("1970-01-01"), Ok(86_400));
        assert_eq!(end_of("1970-01-01T00:01:00Z"), Ok(60));
        assert_eq!(end_of("1970-01-01T02:01:00+02:00"), Ok(60));
        for bad in ["", "yesterday", "1970-01", "1970-13-01", "1970-01-01T00:01", "86400"] {
            assert!(end_of(bad).is_err(), "{bad}");
        }
    }
}
