//! `[study]` and `model.trained_until`: the ranges.

use super::{super::Settings, Found};

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
