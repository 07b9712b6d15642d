//! Reports how old the newest bars are, and whether `data.max_bar_age_s` allows for that.

use super::{
    Asked, Resolved,
    lag::{self, Lag, Newest},
};
use crate::tools::{progress::at, verify::Report};
use sentinel_actors::fetcher::MarketClock;

/// Reports how far the newest bars are behind the clock, and whether `data.max_bar_age_s` allows for that.
pub(super) fn report(asked: &[Asked<'_>], settings: &Resolved, report: &mut Report) {
    // The limit must allow the oldest of them.
    let newest = asked.iter().filter_map(|asked| Some((&asked.instrument.symbol, asked.newest?)));
    let behind = |newest: &Newest, now: i64| (newest.bar - now, newest.source - now);
    let Some((symbol, (newest, now))) = newest.min_by_key(|(_, (newest, now))| behind(newest, *now)) else { return };
    if settings.market_clock == MarketClock::Bars {
        report.note("lag", "none: with schedule.clock = \"bars\" the time is the newest bar's");
        return;
    }
    let (interval, max_bar_age_s) = (settings.data.interval, settings.max_bar_age_s);
    let ago = if interval.is_made() {
        let (made, finer) = (interval.as_str(), interval.source().as_str());
        let (bar, source) = (spelled(now - newest.bar), spelled(now - newest.source));
        format!(
            "{symbol}'s newest {finer} bar closed {source} ago, its newest {made} bar {bar} ago; requested {}",
            at(now)
        )
    } else {
        format!("{symbol}'s newest bar closed {} ago; requested {}", spelled(now - newest.bar), at(now))
    };
    let name = &settings.calendar_name;
    match lag::judge(&settings.calendar, interval, newest, now, max_bar_age_s) {
        Lag::Closed => report.note(
            "lag",
            format!(
                "{ago}, while the market is closed (calendar {name}): run this while it is open to measure the lag"
            ),
        ),
        Lag::JustOpened => report.note(
            "lag",
            format!(
                "{ago}, and no bar of this session is due yet: run this again in an hour or two to measure the lag"
            ),
        ),
        Lag::Reopened { is_stale: false } => report.note(
            "lag",
            format!(
                "{ago}; the first bars of this session are due but have not arrived: run this again in an hour or two"
            ),
        ),
        Lag::Reopened { is_stale: true } => {
            let found =
                format!("{ago}; bars of this session are overdue by more than data.max_bar_age_s = {max_bar_age_s}");
            report.failed("lag", found, too_old(name));
        }
        Lag::Measured { age_s, is_stale } => measured(&ago, age_s, is_stale, settings, report),
    }
}

/// What to do about bars that are too old for trading.
fn too_old(calendar_name: &str) -> String {
    format!(
        "no orders are sent on such bars. Is the market really open (calendar {calendar_name}; for FX, market.calendar = \"fx\" \
         and its holidays), and does EODHD document such a delay? Then raise data.max_bar_age_s"
    )
}

/// Judges the limit by the bar's age; the market has been open since the bar closed.
fn measured(ago: &str, age_s: i64, is_stale: bool, settings: &Resolved, report: &mut Report) {
    let (interval, max_bar_age_s) = (settings.data.interval, settings.max_bar_age_s);
    let lag::Proposal { max_bar_age_s: proposed_s, margin_s } = lag::propose(interval, age_s);
    let sum = format!(
        "{proposed_s} recommended: {} s until the next bar closes + {age_s} s behind the clock + {margin_s} s margin, \
         rounded up to a multiple of {margin_s} s",
        interval.nominal_s()
    );
    if is_stale {
        let found = format!("{ago}, more than data.max_bar_age_s = {max_bar_age_s}");
        report.failed("lag", found, too_old(&settings.calendar_name));
        report.note("max_bar_age", sum);
        return;
    }
    report.ok("lag", ago);
    if max_bar_age_s < proposed_s {
        let found = format!("set to {max_bar_age_s}, which is tight: bars may be too old before the next one arrives");
        report.note("max_bar_age", format!("{found}\n{sum}"));
    } else {
        report.ok("max_bar_age", format!("set to {max_bar_age_s}\n{sum}"));
    }
}

/// Seconds in a readable unit.
fn spelled(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}
