//! How much of EODHD's quota the settings need, and for how many symbols it is enough.

use super::{
    Resolved,
    provider::{Provider, Reply},
};
use crate::{net, tools::verify::Report};
use chrono::{DateTime, Utc};
use sentinel_actors::{
    adapters::eodhd::{Usage, usage_url},
    fetcher::{MarketClock, Poll},
};
use std::time::Duration;

/// Calls of the quota per intraday request.
const CALLS_PER_REQUEST: u64 = 5;
/// The usual plan's quota, if the account page does not show it.
const CALLS_A_DAY: u64 = 100_000;
const DAY_S: u64 = 86_400;
const MINUTES_A_DAY: u64 = 1_440;

/// Most requests for one symbol per day; for [`Poll::Bar`], on a day without bars. `cycles` is the number of cycles on that day.
fn requests_a_day(poll: Poll, cycles: u64, overdue_poll_s: u64, interval_s: u64) -> u64 {
    match poll {
        Poll::Cycle => cycles,
        Poll::Bar => cycles.min(DAY_S / overdue_poll_s.max(1) + DAY_S / interval_s.max(1)),
    }
}

/// Reports EODHD's limits, and whether the settings stay within them. `newest` is the last answer to a request for bars, if there
/// was one.
pub async fn report(provider: &Provider, newest: Option<&Reply>, settings: &Resolved, report: &mut Report) {
    let symbols = settings.symbols.len() as u64;
    let now = Utc::now();
    let cycles = cycles_a_day(settings, now);
    rate(newest, symbols, cycles, report);
    let usage = usage(provider, settings, report).await;
    let Some(cycles) = cycles else {
        report.note("quota", "with schedule.back_to_back the number of cycles per day is unknown");
        return;
    };
    let Need { calls, how, advice } = Need::of(settings, cycles);
    let daily_max = usage.as_ref().map_or(CALLS_A_DAY, |usage| usage.daily_max);
    let carries = daily_max.checked_div(calls).unwrap_or(u64::MAX);
    let assumed = if usage.is_some() { "" } else { " (the usual plan)" };
    let found = format!(
        "{how}, is {calls} calls per symbol: {daily_max} calls a day{assumed} are enough for {carries} symbols, {symbols} {}",
        if symbols == 1 { "is configured" } else { "are configured" }
    );
    if symbols > carries {
        report.failed("quota", found, advice);
        return;
    }
    report.ok("quota", found);
    if let Some(usage) = usage {
        today(&usage, calls.saturating_mul(symbols), now, report);
    }
}

/// What the settings need on the worst day.
struct Need {
    /// Calls of the quota, for one symbol.
    calls: u64,
    /// How this number results.
    how: String,
    /// How to reduce it.
    advice: &'static str,
}

impl Need {
    fn of(settings: &Resolved, cycles: u64) -> Self {
        let data = &settings.data;
        // A clock that follows the bars sends a request in every cycle, whatever data.poll is.
        let follows_bars = settings.market_clock == MarketClock::Bars;
        let poll = if follows_bars { Poll::Cycle } else { settings.poll };
        let interval_s = u64::try_from(data.interval.nominal_s()).unwrap_or(1);
        let requests = requests_a_day(poll, cycles, data.overdue_poll_s, interval_s);
        let calls = requests * CALLS_PER_REQUEST;
        match poll {
            Poll::Cycle => Self {
                calls,
                how: format!("a request in every cycle, {requests} a day"),
                advice: "data.poll = \"bar\", or fewer cycles (schedule.cron), or fewer symbols, or a larger plan",
            },
            Poll::Bar => Self {
                calls,
                how: format!(
                    "a request per bar and every {} s while one is late, at most {requests} a day",
                    data.overdue_poll_s
                ),
                advice: "a larger data.overdue_poll_s, or fewer symbols, or a larger plan",
            },
        }
    }
}

/// Whether the rest of today's quota is enough for the rest of the day.
fn today(usage: &Usage, calls_a_day: u64, now: DateTime<Utc>, report: &mut Report) {
    let left = usage.left(now.date_naive());
    let rest_of_day_s = DAY_S.saturating_sub(now.timestamp().rem_euclid(86_400).unsigned_abs());
    let needed = calls_a_day.saturating_mul(rest_of_day_s) / DAY_S;
    if left < needed {
        let found = format!("a daemon started now would need {needed} calls until midnight GMT; {left} are left");
        report.note("today", found);
    }
}

/// Cycles in the next 24 hours; `None` if unknown.
fn cycles_a_day(settings: &Resolved, now: DateTime<Utc>) -> Option<u64> {
    if settings.back_to_back {
        return None;
    }
    let now = Duration::from_secs(now.timestamp().unsigned_abs());
    Some(settings.schedule.missed_between(now, now + Duration::from_secs(DAY_S)))
}

fn rate(newest: Option<&Reply>, symbols: u64, cycles: Option<u64>, report: &mut Report) {
    let Some((allowed, left)) = newest.and_then(|reply| reply.rate) else {
        report.note("rate", "no X-RateLimit headers: the limit of requests per minute is unknown (EODHD allows 1000)");
        return;
    };
    let found = format!("{allowed} requests per minute allowed, {left} left");
    // A cycle requests all symbols at once, so a minute has at least one cycle's requests.
    let needed = symbols * (cycles.unwrap_or(MINUTES_A_DAY) / MINUTES_A_DAY).max(1);
    if needed > allowed {
        let advice = "use fewer symbols, or fewer cycles per minute (schedule.cron)";
        report.failed("rate", format!("{found}; the settings need up to {needed}"), advice);
    } else {
        report.ok("rate", found);
    }
}

/// EODHD's account page. The daemon does not need it, so its absence is only a note.
async fn usage(provider: &Provider, settings: &Resolved, report: &mut Report) -> Option<Usage> {
    let reply = match provider.get(&usage_url(net::base_url(&settings.data.base_url))).await {
        Ok(reply) => reply,
        Err(error) => {
            report.note("today", format!("calls left today are unknown: /api/user: {error}"));
            return None;
        }
    };
    let usage = (reply.status == 200).then(|| Usage::parse(&reply.body)).flatten();
    let Some(usage) = usage else {
        let why = if reply.status == 200 { "an unknown format".into() } else { format!("status {}", reply.status) };
        report.note("today", format!("calls left today are unknown: /api/user answers with {why}"));
        return None;
    };
    let left = usage.left(Utc::now().date_naive());
    let extra = if usage.extra > 0 { format!(", {} extra", usage.extra) } else { String::new() };
    let found = format!("{left} calls left today, of {} a day{extra}", usage.daily_max);
    if left < CALLS_PER_REQUEST {
        report.failed("today", found, "wait for midnight GMT, or use a larger plan; what else uses this key?");
    } else {
        report.ok("today", found);
    }
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_request_per_minute_the_quota_is_enough_for_13_symbols() {
        let calls = CALLS_PER_REQUEST * requests_a_day(Poll::Cycle, 1_440, 300, 3_600);
        assert_eq!((calls, CALLS_A_DAY / calls), (7_200, 13));
    }

    #[test]
    fn requests_by_bar_are_limited_by_bars_and_by_cycles() {
        assert_eq!(requests_a_day(Poll::Bar, 1_440, 300, 3_600), 288 + 24);
        assert_eq!(requests_a_day(Poll::Bar, 24, 300, 3_600), 24);
    }
}
