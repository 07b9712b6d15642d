//! `[study]`: what `sentinel study` and the account on paper charge, and what it holds odds to; and until when a model was trained.

use super::Symbol;
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
    pub swap_long_points: f64,
    pub swap_short_points: f64,
    pub triple_swap_day: TripleDay,
    pub horizon_bars: usize,
    pub label: StudyLabel,
    pub hold_share: f64,
    pub seed: u64,
}

impl StudySettings {
    /// What is charged for a symbol (written out) whose prices have this many decimal places: its own costs, else those of all.
    /// `None` if the spread is not set, or if there is a commission and the units of a lot are not known.
    pub fn costs(&self, symbol: &Symbol, digits: u32) -> Option<Costs> {
        let point = 10_f64.powi(-i32::try_from(digits).unwrap_or(0));
        let commission = self.commission(symbol);
        let lot = symbol.contract_size.filter(|size| *size > 0.0);
        let commission_side = if commission == 0.0 { 0.0 } else { commission / (lot? * point) };
        Some(Costs {
            spread: symbol.spread_points.or(self.spread_points)?,
            slippage: self.slippage_points,
            commission_side,
            swap_long: symbol.swap_long_points.unwrap_or(self.swap_long_points),
            swap_short: symbol.swap_short_points.unwrap_or(self.swap_short_points),
        })
    }

    /// Of one side, per lot, in the currency that the price of this symbol is in.
    pub fn commission(&self, symbol: &Symbol) -> f64 {
        symbol.commission_per_lot_side.unwrap_or(self.commission_per_lot_side)
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

    fn settings() -> StudySettings {
        StudySettings {
            spread_points: Some(8.0),
            slippage_points: 0.5,
            commission_per_lot_side: 3.5,
            swap_long_points: -4.0,
            swap_short_points: 1.0,
            triple_swap_day: TripleDay::Wed,
            horizon_bars: 4,
            label: StudyLabel::Horizon,
            hold_share: 0.4,
            seed: 1,
        }
    }

    #[test]
    fn a_commission_is_in_points_by_the_units_of_a_lot() {
        let of = |name: &str, lot: f64, digits: u32| {
            let symbol = Symbol { contract_size: Some(lot), ..Symbol::named(name) };
            settings().costs(&symbol, digits).map(|costs| (costs.commission_side * 1e6).round() / 1e6)
        };
        assert_eq!(of("EURUSD", 100_000.0, 5), Some(3.5));
        assert_eq!(of("XAUUSD", 100.0, 2), Some(3.5), "3.5 dollars of 100 ounces are 0.035 dollars");
        assert_eq!(of("XAUUSD", 100.0, 3), Some(35.0));
        assert_eq!(of("USDJPY", 100_000.0, 3), Some(0.035), "3.5 yen");
        assert_eq!(of("XAUUSD", 0.0, 2), None, "never a guess");
    }

    #[test]
    fn a_symbol_has_costs_of_its_own() {
        let own = Symbol {
            contract_size: Some(100.0),
            spread_points: Some(25.0),
            commission_per_lot_side: Some(0.0),
            swap_long_points: Some(-30.0),
            ..Symbol::named("XAUUSD")
        };
        let costs = settings().costs(&own, 2).unwrap();
        assert_eq!((costs.spread, costs.slippage, costs.commission_side), (25.0, 0.5, 0.0));
        assert_eq!((costs.swap_long, costs.swap_short), (-30.0, 1.0));
        assert_eq!(
            settings().costs(&Symbol { contract_size: Some(1e5), ..Symbol::named("EURUSD") }, 5).unwrap().spread,
            8.0
        );
    }

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
