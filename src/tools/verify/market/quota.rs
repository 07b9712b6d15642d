//! What the settings ask of EODHD's quota, and how many symbols it carries.

use super::{
    Resolved,
    provider::{Provider, Reply},
};
use crate::tools::verify::Report;
use chrono::{DateTime, Utc};
use sentinel_actors::{
    adapters::eodhd::{Usage, usage_url},
    fetcher::{MarketClock, Poll},
};
use std::time::Duration;

/// What an intraday request costs.
const CALLS_PER_REQUEST: u64 = 5;
/// Of a usual plan, where the account page does not tell.
const CALLS_A_DAY: u64 = 100_000;
const DAY_S: u64 = 86_400;
const MINUTES_A_DAY: u64 = 1_440;

/// Most requests for one symbol on the worst day, which for [`Poll::Bar`] is one without bars. `cycles` is that day's.
fn requests_a_day(poll: Poll, cycles: u64, overdue_poll_s: u64, interval_s: u64) -> u64 {
    match poll {
        Poll::Cycle => cycles,
        Poll::Bar => cycles.min(DAY_S / overdue_poll_s.max(1) + DAY_S / interval_s.max(1)),
    }
}

/// Reports the limits as EODHD tells them, and whether the settings fit into them. `newest` is the last answer to a
/// request for bars, if there was one.
pub async fn report(provider: &Provider, newest: Option<&Reply>, settings: &Resolved, report: &mut Report) {
    let symbols = settings.instruments.len() as u64;
    let now = Utc::now();
    let cycles = cycles_a_day(settings, now);
    rate(newest, symbols, cycles, report);
    let usage = usage(provider, settings, report).await;
    let Some(cycles) = cycles else {
        report.note("quota", "with schedule.back_to_back there is no telling how many cycles a day has");
        return;
    };
    let Need { calls, how, way_out } = Need::of(settings, cycles);
    let daily_max = usage.as_ref().map_or(CALLS_A_DAY, |usage| usage.daily_max);
    let carries = daily_max.checked_div(calls).unwrap_or(u64::MAX);
    let assumed = if usage.is_some() { "" } else { " (the usual plan)" };
    let found = format!(
        "{how}, is {calls} calls a symbol: {daily_max} calls a day{assumed} carry {carries} symbols, {symbols} {}",
        if symbols == 1 { "is configured" } else { "are configured" }
    );
    if symbols > carries {
        report.failed("quota", found, way_out);
        return;
    }
    report.ok("quota", found);
    if let Some(usage) = usage {
        today(&usage, calls.saturating_mul(symbols), now, report);
    }
}

/// What the settings need on the worst day.
struct Need {
    /// Of the quota, for one symbol.
    calls: u64,
    /// How it comes to that.
    how: String,
    /// What would make it less.
    way_out: &'static str,
}

impl Need {
    fn of(settings: &Resolved, cycles: u64) -> Self {
        let data = &settings.data;
        // Time that follows the bars asks in every cycle, whatever data.poll says.
        let follows_bars = settings.market_clock == MarketClock::Bars;
        let poll = if follows_bars { Poll::Cycle } else { settings.poll };
        let interval_s = u64::try_from(data.interval.nominal_s()).unwrap_or(1);
        let requests = requests_a_day(poll, cycles, data.overdue_poll_s, interval_s);
        let calls = requests * CALLS_PER_REQUEST;
        match poll {
            Poll::Cycle => Self {
                calls,
                how: format!("a request in every cycle, {requests} a day"),
                way_out: "data.poll = \"bar\", or fewer cycles (schedule.cron), or fewer symbols, or a larger plan",
            },
            Poll::Bar => Self {
                calls,
                how: format!(
                    "a request per bar and every {} s while one is late, {requests} a day at most",
                    data.overdue_poll_s
                ),
                way_out: "a larger data.overdue_poll_s, or fewer symbols, or a larger plan",
            },
        }
    }
}

/// Whether what is left of today's quota is enough for the rest of it, at so many calls a day.
fn today(usage: &Usage, calls_a_day: u64, now: DateTime<Utc>, report: &mut Report) {
    let left = usage.left(now.date_naive());
    let rest_of_day_s = DAY_S.saturating_sub(now.timestamp().rem_euclid(86_400).unsigned_abs());
    let needed = calls_a_day.saturating_mul(rest_of_day_s) / DAY_S;
    if left < needed {
        let found = format!("a daemon started now would need {needed} calls until midnight GMT, {left} are left");
        report.note("today", found);
    }
}

/// Cycles in the next 24 hours; `None` if nobody can say.
fn cycles_a_day(settings: &Resolved, now: DateTime<Utc>) -> Option<u64> {
    if settings.back_to_back {
        return None;
    }
    let now = Duration::from_secs(now.timestamp().unsigned_abs());
    Some(settings.schedule.missed_between(now, now + Duration::from_secs(DAY_S)))
}

fn rate(newest: Option<&Reply>, symbols: u64, cycles: Option<u64>, report: &mut Report) {
    let Some((allowed, left)) = newest.and_then(|reply| reply.rate) else {
        report.note("rate", "no X-RateLimit headers: requests a minute are not told (EODHD allows 1000)");
        return;
    };
    let found = format!("{allowed} requests a minute allowed, {left} of them left");
    // A cycle asks for all symbols at once, so a minute has at least one cycle's requests.
    let needed = symbols * (cycles.unwrap_or(MINUTES_A_DAY) / MINUTES_A_DAY).max(1);
    if needed > allowed {
        let way_out = "fewer symbols, or fewer cycles a minute (schedule.cron)";
        report.failed("rate", format!("{found}; the settings need up to {needed}"), way_out);
    } else {
        report.ok("rate", found);
    }
}

/// What EODHD's account page says; it is no part of what the daemon needs, so its absence is only noted.
async fn usage(provider: &Provider, settings: &Resolved, report: &mut Report) -> Option<Usage> {
    let reply = match provider.get(&usage_url(&settings.data.base_url)).await {
        Ok(reply) => reply,
        Err(error) => {
            report.note("today", format!("calls left today are not known: /api/user: {error}"));
            return None;
        }
    };
    let usage = (reply.status == 200).then(|| Usage::parse(&reply.body)).flatten();
    let Some(usage) = usage else {
        let why = if reply.status == 200 { "another shape".into() } else { format!("status {}", reply.status) };
        report.note("today", format!("calls left today are not known: /api/user answers with {why}"));
        return None;
    };
    let left = usage.left(Utc::now().date_naive());
    let extra = if usage.extra > 0 { format!(", {} extra", usage.extra) } else { String::new() };
    let found = format!("{left} calls left today, of {} a day{extra}", usage.daily_max);
    if left < CALLS_PER_REQUEST {
        report.failed("today", found, "wait for midnight GMT, or take a larger plan; what else uses this key?");
    } else {
        report.ok("today", found);
    }
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_a_minute_is_thirteen_symbols() {
        let calls = CALLS_PER_REQUEST * requests_a_day(Poll::Cycle, 1_440, 300, 3_600);
        assert_eq!((calls, CALLS_A_DAY / calls), (7_200, 13));
    }

    #[test]
    fn asking_by_bar_is_bounded_by_bars_and_by_cycles() {
        assert_eq!(requests_a_day(Poll::Bar, 1_440, 300, 3_600), 288 + 24);
        assert_eq!(requests_a_day(Poll::Bar, 24, 300, 3_600), 24);
    }
}
