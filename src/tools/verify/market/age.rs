//! How far the newest bars are behind the clock, and whether `data.max_bar_age_s` fits.

use super::{
    Asked, Resolved, at,
    lag::{self, Lag, Newest},
};
use crate::tools::verify::Report;
use sentinel_actors::fetcher::MarketClock;

/// How far the newest bars are behind the clock, and whether `data.max_bar_age_s` fits.
pub(super) fn report(asked: &[Asked<'_>], settings: &Resolved, report: &mut Report) {
    let (interval, calendar) = (settings.data.interval, &settings.calendar);
    let max_bar_age_s = settings.max_bar_age_s;
    let newest = asked.iter().filter_map(|asked| Some((&asked.instrument.symbol, asked.newest?)));
    // The oldest bar is the one that the limit has to let through.
    let behind = |newest: &Newest, now: i64| (newest.bar - now, newest.source - now);
    let Some((symbol, (newest, now))) = newest.min_by_key(|(_, (newest, now))| behind(newest, *now)) else { return };
    if settings.market_clock == MarketClock::Bars {
        report.note("lag", "none: with schedule.clock = \"bars\" the newest bar is the time");
        return;
    }
    let ago = if interval.is_made() {
        let (made, finer) = (interval.as_str(), interval.source().as_str());
        let (bar, source) = (spell(now - newest.bar), spell(now - newest.source));
        format!(
            "{symbol}'s newest {finer} bar closed {source} ago, its newest {made} bar {bar} ago; looked at {}",
            at(now)
        )
    } else {
        format!("{symbol}'s newest bar closed {} ago; looked at {}", spell(now - newest.bar), at(now))
    };
    let name = &settings.calendar_name;
    let again = "a lag shows only then";
    let way_out = format!(
        "no order leaves on such bars. Is the market really open (calendar {name}; for FX, market.calendar = \"fx\" and \
         its holidays), and does EODHD say that the feed is late? Then data.max_bar_age_s"
    );
    match lag::look(calendar, interval, newest, now, max_bar_age_s) {
        Lag::Closed => report.note(
            "lag",
            format!("{ago}, while the market is closed (calendar {name}): run this while it is open, {again}"),
        ),
        Lag::JustOpened => report.note(
            "lag",
            format!("{ago}, and no bar of this session is due yet: run this again in an hour or two, {again}"),
        ),
        Lag::Reopened { is_stale: false } => report.note(
            "lag",
            format!("{ago}; the first bars of this session are due and not here yet: run this again in an hour or two"),
        ),
        Lag::Reopened { is_stale: true } => {
            let found =
                format!("{ago}; bars of this session are due for more than data.max_bar_age_s = {max_bar_age_s}");
            report.failed("lag", found, way_out);
        }
        Lag::Measured { age_s, is_stale } => {
            let lag::Proposal { max_bar_age_s: proposed_s, margin_s } = lag::propose(interval, age_s);
            let sum = format!(
                "{proposed_s} proposed: {} s until the next bar closes + {age_s} s behind the clock + {margin_s} s margin, \
                 rounded up to {margin_s} s",
                interval.nominal_s()
            );
            if is_stale {
                report.failed("lag", format!("{ago}, more than data.max_bar_age_s = {max_bar_age_s}"), way_out);
                report.note("max_bar_age", sum);
                return;
            }
            report.ok("lag", ago);
            if max_bar_age_s < proposed_s {
                let found =
                    format!("set to {max_bar_age_s}, which is tight: bars may be too old before the next comes");
                report.note("max_bar_age", format!("{found}\n{sum}"));
            } else {
                report.ok("max_bar_age", format!("set to {max_bar_age_s}\n{sum}"));
            }
        }
    }
}

/// Seconds, for a person.
fn spell(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
    }
}
