//! Action and reason of a recorded decision: what follows from data has to be the same, what came from outside has to be possible.

use super::{
    decision_inputs::{Difference, Functions, Terms, difference},
    earlier_orders::Earlier,
};
use crate::settings::Recorded;
use sentinel_actors::{
    adapters::journal::ReplayRow,
    domain::{
        decision::{Decision, Prediction},
        guard::{Circumstances, Suppression, objection},
        instrument::{Instrument, InstrumentKey},
        order::{Order, Side, client_order_id},
    },
};

/// The reasons that follow from bars, settings and earlier orders. All others came from outside.
pub const FROM_DATA: [Suppression; 9] = [
    Suppression::BelowThreshold,
    Suppression::MarketClosed,
    Suppression::StaleBar,
    Suppression::VolumeLimit,
    Suppression::BadStop,
    Suppression::DryRun,
    Suppression::AlreadyOrdered,
    Suppression::OrderLimit,
    Suppression::Cooldown,
];

/// Compares action and reason. Answers the reason that came from outside, if it did.
pub(super) fn decision(
    row: &ReplayRow,
    (instrument, close, bar_close_time): (&Instrument, f64, i64),
    terms: &Terms,
    functions: &Functions,
    earlier: &mut Earlier,
) -> Result<Option<Suppression>, Difference> {
    if row.threshold.to_bits() != instrument.threshold.to_bits() {
        return Err(difference("threshold", row.threshold, instrument.threshold));
    }
    let Some(odds) = row.odds else {
        // No answer of the model, which comes from outside.
        return match &row.action {
            Some(action) => Err(difference("action", action, "none without odds")),
            None => Ok(None),
        };
    };
    let prediction = Prediction::parse(odds).map_err(|what| difference("odds", format!("{odds:?}"), what))?;
    let decided = (functions.decide)(&prediction, instrument.threshold);
    let action = match row.action.as_deref() {
        Some(action) => action,
        // The cycle was cut short after the model's answer.
        None if row.failure.is_some() => return Ok(None),
        None => return Err(difference("action", "none", decided.action.as_str())),
    };
    if action != decided.action.as_str() {
        return Err(difference("action", action, decided.action.as_str()));
    }
    let recorded = match row.suppressed.as_deref() {
        None => None,
        Some(text) => {
            let known = Suppression::ALL.iter().find(|reason| reason.as_str() == text);
            Some(*known.ok_or_else(|| difference("reason", text, "no reason of this version"))?)
        }
    };
    let expected = if decided.is_below_threshold() {
        Reasons::only(Some(Suppression::BelowThreshold))
    } else {
        match Side::from_action(decided.action) {
            None => Reasons::only(None),
            Some(side) => {
                let market_now = row.market_now.unwrap_or(bar_close_time);
                let around = Circumstances {
                    is_halted: false,
                    has_clock_stepped: false,
                    is_market_open: (functions.is_open)(&terms.calendar, market_now),
                    is_bar_stale: (functions.is_stale)(bar_close_time, market_now, terms.recorded.max_bar_age_s),
                    volume: instrument.volume,
                    volume_max: terms.recorded.volume_max,
                };
                match objection(&around) {
                    Some(reason) => Reasons::only(Some(reason)),
                    // The gateway's side failed, which comes from outside.
                    None if recorded.is_none() && row.failure.is_some() => return Ok(None),
                    None => {
                        let of = (instrument, side, &decided, close, bar_close_time);
                        order_reasons(row, of, (terms, functions), earlier)
                    }
                }
            }
        }
    };
    if expected.0.iter().any(|expected| explains(recorded, *expected)) {
        return Ok(recorded.filter(|reason| !FROM_DATA.contains(reason)));
    }
    let text = |reason: Option<Suppression>| reason.map_or("none", Suppression::as_str);
    Err(difference("reason", text(recorded), text(expected.0[0])))
}

/// The reasons that an order may have been stopped for: two where its time is known only to some milliseconds.
struct Reasons(Vec<Option<Suppression>>);

impl Reasons {
    fn only(reason: Option<Suppression>) -> Self {
        Self(vec![reason])
    }
}

/// What data say against the order of a signal that nothing before the gateway objects to.
fn order_reasons(
    row: &ReplayRow,
    (instrument, side, decided, close, bar_close_time): (&Instrument, Side, &Decision, f64, i64),
    (terms, functions): (&Terms, &Functions),
    earlier: &mut Earlier,
) -> Reasons {
    let Recorded { account, model, live, waits_for_new_bar, is_shared, .. } = &terms.recorded;
    let id = client_order_id(account, &instrument.symbol, model, bar_close_time);
    if Order::new(id, instrument, side, decided.confidence, close, bar_close_time).is_err() {
        return Reasons::only(Some(Suppression::BadStop));
    }
    if !live {
        return Reasons::only(Some(Suppression::DryRun));
    }
    let Some(judged_at) = row.judged_at_ms else {
        // The journal was broken, and says so.
        return Reasons::only(None);
    };
    let keys = InstrumentKey::both(&instrument.gateway_name, instrument.symbol.as_str());
    let is_incomplete = earlier.is_incomplete_at(row.cycle_id);
    let mut reasons = Vec::new();
    for history in earlier.before(row.id, account, model) {
        let is_from_before = *waits_for_new_bar && history.is_from_before(bar_close_time);
        if is_from_before || history.has_ordered(&keys, bar_close_time) {
            reasons.push(Some(Suppression::AlreadyOrdered));
            continue;
        }
        let now = std::time::Duration::from_millis(u64::try_from(judged_at).unwrap_or(0));
        // The orders of other members count, too, and this journal does not have them.
        let by_pace = || (functions.pace)(&history.pace(&keys, now, 0), &terms.limits);
        reasons.push(if *is_shared { None } else { by_pace() });
    }
    if is_incomplete || *is_shared {
        // Orders that counted then may be forgotten now: what they say is taken from the record.
        reasons.extend([Suppression::AlreadyOrdered, Suppression::OrderLimit, Suppression::Cooldown].map(Some));
    }
    Reasons(reasons)
}

/// Whether the recorded reason is what it has to be if data alone say `expected`: the same, or one from outside that is asked
/// before it.
fn explains(recorded: Option<Suppression>, expected: Option<Suppression>) -> bool {
    let rank = |reason| Suppression::ALL.iter().position(|other| *other == reason);
    match (recorded, expected) {
        (recorded, expected) if recorded == expected => true,
        (Some(outside), None) => !FROM_DATA.contains(&outside),
        (Some(outside), Some(expected)) => !FROM_DATA.contains(&outside) && rank(outside) < rank(expected),
        (None, _) => false,
    }
}
