//! `[study]` and `model.trained_until`: the ranges.

use super::{super::Settings, Found};
use chrono::{DateTime, Days, NaiveDate, NaiveTime};

/// The ranges of `[study]`.
pub(super) fn study(settings: &Settings, found: &mut Found) {
    let study = &settings.study;
    let points = |value: f64| (0.0..=100_000.0).contains(&value);
    let cost = "must be 0 to 100000 points";
    found.unless(study.spread_points.is_none_or(points), "study.spread_points", cost);
    found.unless(points(study.slippage_points), "study.slippage_points", cost);
    let commission = study.commission_per_lot_side;
    found.unless((0.0..=100_000.0).contains(&commission), "study.commission_per_lot_side", "must be 0 to 100000");
    let lot = study.lot_size;
    found.unless(
        (1e-3..=1e9).contains(&lot),
        "study.lot_size",
        "must be 0.001 to 1000000000 units of the base currency",
    );
    for (key, swap) in
        [("study.swap_long_points", study.swap_long_points), ("study.swap_short_points", study.swap_short_points)]
    {
        found.unless((-100_000.0..=100_000.0).contains(&swap), key, "must be -100000 to 100000 points a night");
    }
    found.unless((1..=10_000).contains(&study.horizon_bars), "study.horizon_bars", "must be 1 to 10000 bars");
    found.unless((0.0..1.0).contains(&study.hold_share), "study.hold_share", "must be 0 to below 1");
    found.unless(i64::try_from(study.seed).is_ok(), "study.seed", "must be 0 to 9223372036854775807");
    found.good("model.trained_until", settings.model.trained_until());
}

/// The end of a day, or a moment, unix seconds: what the model was trained on closed before it.
pub(in super::super) fn end_of(text: &str) -> Result<i64, &'static str> {
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
