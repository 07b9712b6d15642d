//! `[study]`, a symbol's own costs, and `model.trained_until`: the ranges.

use super::{
    super::{Settings, sections::Symbol},
    Found,
};

const COST: &str = "must be 0 to 100000 points";
const COMMISSION: &str = "must be 0 to 100000";
const SWAP: &str = "must be -100000 to 100000 points a night";

fn is_cost(value: f64) -> bool {
    (0.0..=100_000.0).contains(&value)
}

fn is_swap(value: f64) -> bool {
    (-100_000.0..=100_000.0).contains(&value)
}

/// The ranges of `[study]`.
pub(super) fn study(settings: &Settings, found: &mut Found) {
    let study = &settings.study;
    found.unless(study.spread_points.is_none_or(is_cost), "study.spread_points", COST);
    found.unless(is_cost(study.slippage_points), "study.slippage_points", COST);
    found.unless(is_cost(study.commission_per_lot_side), "study.commission_per_lot_side", COMMISSION);
    for (key, swap) in
        [("study.swap_long_points", study.swap_long_points), ("study.swap_short_points", study.swap_short_points)]
    {
        found.unless(is_swap(swap), key, SWAP);
    }
    found.unless((1..=10_000).contains(&study.horizon_bars), "study.horizon_bars", "must be 1 to 10000 bars");
    found.unless((0.0..1.0).contains(&study.hold_share), "study.hold_share", "must be 0 to below 1");
    found.unless(i64::try_from(study.seed).is_ok(), "study.seed", "must be 0 to 9223372036854775807");
    found.good("model.trained_until", settings.model.trained_until());
}

/// A symbol's own costs, and that its commission can be turned into points.
pub(super) fn costs_of(symbol: &Symbol, settings: &Settings, found: &mut Found) {
    let key = |field: &str| format!("symbols.{}.{field}", symbol.name);
    let own = symbol.commission_per_lot_side;
    found.unless(symbol.spread_points.is_none_or(is_cost), key("spread_points"), COST);
    found.unless(own.is_none_or(is_cost), key("commission_per_lot_side"), COMMISSION);
    found.unless(symbol.swap_long_points.is_none_or(is_swap), key("swap_long_points"), SWAP);
    found.unless(symbol.swap_short_points.is_none_or(is_swap), key("swap_short_points"), SWAP);
    let commission = own.unwrap_or(settings.study.commission_per_lot_side);
    let lot = symbol.contract_size.unwrap_or(settings.trading.contract_size);
    found.unless(
        commission <= 0.0 || lot > 0.0,
        key("contract_size"),
        "is missing: a commission per lot takes the units of a lot, which are 100000 in most currency pairs and 100 in gold",
    );
}
