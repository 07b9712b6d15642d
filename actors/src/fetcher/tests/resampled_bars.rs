//! Bars made from finer ones: which requests are sent, which bar waits for its last hour, and what is counted.

use super::*;
use crate::domain::calendar::Closure;
use chrono::NaiveDateTime;
use std::sync::atomic::AtomicI64;

/// `NOW` is 08:00 UTC, an edge of four hours.
const FOUR: i64 = 4 * HOUR;

/// A feed with the hours before `until`, and its requests.
struct Hours {
    server: Server,
    until: Arc<AtomicI64>,
}

impl Hours {
    /// `change` is applied to each answer.
    fn until(hour: i64, change: impl Fn(i64) -> Option<String> + Send + Sync + 'static) -> Self {
        let until = Arc::new(AtomicI64::new(hour));
        let shared = until.clone();
        let server = Server::start(move |_, request| {
            let (from, to) = request.range().unwrap_or((0, i64::MAX));
            let first = (from + HOUR - 1).div_euclid(HOUR).max(shared.load(Relaxed) - 8_000);
            let hours = first..shared.load(Relaxed).min(to / HOUR + 1);
            let all = hours.map(|hour| change(hour).unwrap_or_else(|| rows(hour..hour + 1)));
            Reply::Body(bars::joined(all))
        });
        Self { server, until }
    }

    fn plain(hour: i64) -> Self {
        Self::until(hour, |_| None)
    }

    fn harness(&self, interval: Interval, change: impl FnOnce(&mut Config)) -> Harness {
        Harness::new(&self.server.base_url, &["EURUSD"], |config| {
            config.interval = interval;
            change(config);
        })
    }

    fn ranges(&self) -> Vec<(i64, i64)> {
        self.server.requests().iter().filter_map(fixtures::Request::range).collect()
    }
}

impl Cycle {
    /// Number of bars of the first symbol, and the hour in which the newest one closed.
    fn made(&self) -> (usize, i64) {
        let closed = self.fetches[0].newest_bar_close_time.unwrap();
        (self.bars.windows[0].1.as_ref().unwrap().len(), closed / HOUR)
    }
}

#[actix::test]
async fn it_asks_for_the_finer_bars_from_an_edge_on() {
    let hours = Hours::plain(NOW);
    let harness = hours.harness(Interval::FourHours, |_| {});
    let first = harness.cycle().await;
    assert_eq!((first.made(), first.calls), ((200, NOW), 1));
    let newest = *first.bars.windows[0].1.as_ref().unwrap().last().unwrap();
    assert_eq!((newest.open_time, newest.close), ((NOW - 4) * HOUR, 1.0 + (NOW - 1) as f64 / 1e6));
    hours.until.store(NOW + 3, Relaxed);
    harness.clock.set((NOW + 3) * HOUR + 60);
    assert_eq!(harness.cycle().await.made(), (200, NOW), "the bar that forms stays out");
    harness.cycle().await;
    let [(from, to), second, third] = hours.ranges()[..] else { panic!() };
    assert_eq!((from % FOUR, to), (0, NOW * HOUR));
    // 200 bars of four hours in weeks of five days, plus holidays and four days.
    let (least, most) = (200 * FOUR * 7 / 5, 200 * FOUR * 7 / 5 * 21 / 20 + 4 * 86_400 + FOUR);
    assert!((least..=most).contains(&(to - from)), "{}", to - from);
    assert_eq!((second, third), ((NOW * HOUR, (NOW + 3) * HOUR + 60), second), "from where the last bar ended");
    assert!(hours.server.requests().iter().all(|request| request.path.contains("?interval=1h&")));
}

#[actix::test]
async fn a_bar_waits_for_its_last_hour_however_late_it_is() {
    let hours = Hours::plain(NOW + 3);
    let harness = hours.harness(Interval::FourHours, |_| {});
    for (minutes_after_the_edge, expected) in [(-1, NOW), (0, NOW), (1, NOW), (50, NOW), (119, NOW)] {
        harness.clock.set((NOW + 4) * HOUR + 60 * minutes_after_the_edge);
        assert_eq!(harness.cycle().await.made(), (200, expected), "{minutes_after_the_edge} min");
    }
    hours.until.store(NOW + 4, Relaxed);
    assert_eq!(harness.cycle().await.made(), (200, NOW + 4));
    // The hour is in the answer before its bar ends, because it is forming, too.
    hours.until.store(NOW + 8, Relaxed);
    harness.clock.set((NOW + 8) * HOUR - 1);
    assert_eq!(harness.cycle().await.made(), (200, NOW + 4));
    harness.clock.set((NOW + 8) * HOUR);
    assert_eq!(harness.cycle().await.made(), (200, NOW + 8));
}

#[actix::test]
async fn an_hour_that_never_comes_is_a_gap_once_the_feed_has_gone_on() {
    for (on_gap, failure) in [(OnGap::Continue, None), (OnGap::Stop, Some("gap"))] {
        let hours = Hours::until(NOW + 4, |hour| (hour == NOW + 3).then(|| "[]".into()));
        let harness = hours.harness(Interval::FourHours, |config| config.on_gap = on_gap);
        harness.clock.set((NOW + 4) * HOUR + 600);
        let waiting = harness.cycle().await;
        assert_eq!((waiting.made(), waiting.fetches[0].gaps), ((200, NOW), 0));
        hours.until.store(NOW + 5, Relaxed);
        harness.clock.set((NOW + 5) * HOUR + 600);
        let gone_on = harness.cycle().await;
        assert_eq!((gone_on.failure(0), gone_on.fetches[0].gaps), (failure, 1));
        assert_eq!(gone_on.fetches[0].newest_bar_close_time, Some((NOW + 4) * HOUR));
        assert_eq!(harness.cycle().await.fetches[0].gaps, 0, "known already");
    }
}

#[actix::test]
async fn no_bar_is_handed_out_before_its_end() {
    let hours = Hours::plain(NOW + 60);
    for interval in [Interval::FourHours, Interval::OneDay] {
        let harness = hours.harness(interval, |config| config.calendar = Arc::new(Calendar::fx()));
        for step in 0..90 {
            let now = NOW * HOUR + 1_800 * step;
            harness.clock.set(now);
            let cycle = harness.cycle().await;
            let closed = cycle.fetches[0].newest_bar_close_time.unwrap();
            let bars = cycle.bars.windows[0].1.as_ref().unwrap();
            assert!(closed <= now && bars.len() == 200, "{interval:?} {step}");
            assert!(interval.due_at(closed, &Calendar::fx()) > now || closed == now, "{interval:?} {step}: the newest");
        }
    }
}

#[actix::test]
async fn an_hour_of_the_bar_that_forms_may_be_corrected() {
    let corrected = Arc::new(AtomicBool::new(false));
    let is_corrected = corrected.clone();
    let hours = Hours::until(NOW + 2, move |hour| {
        let is_it = hour == NOW + 1 && is_corrected.load(Relaxed);
        is_it.then(|| rows(hour..hour + 1).replace(":1.5", ":1.6"))
    });
    let harness = hours.harness(Interval::FourHours, |_| {});
    harness.clock.set((NOW + 2) * HOUR);
    assert_eq!(harness.cycle().await.failure(0), None);
    corrected.store(true, Relaxed);
    hours.until.store(NOW + 4, Relaxed);
    harness.clock.set((NOW + 4) * HOUR);
    let made = harness.cycle().await;
    let newest = *made.bars.windows[0].1.as_ref().unwrap().last().unwrap();
    assert!(newest.high > 1.6, "{newest:?}");
    assert!(made.rejected.is_empty());
}

#[actix::test]
async fn a_correction_of_a_complete_bar_is_a_conflict_that_heals() {
    let is_corrected = Arc::new(AtomicBool::new(false));
    let shared = is_corrected.clone();
    let server = Server::start(move |_, request| {
        let (from, to) = request.range().unwrap();
        let first = if shared.load(Relaxed) { from / HOUR } else { (from / HOUR).max(NOW - 300) };
        let change = |hour: i64| match shared.load(Relaxed) && hour == NOW - 7 {
            true => rows(hour..hour + 1).replace(":1.4", ":1.3"),
            false => rows(hour..hour + 1),
        };
        Reply::Body(bars::joined((first..NOW.min(to / HOUR + 1)).map(change)))
    });
    let harness = Harness::new(&server.base_url, &["EURUSD"], |config| config.interval = Interval::FourHours);
    assert_eq!(harness.cycle().await.made(), (75, NOW), "a short first answer");
    is_corrected.store(true, Relaxed);
    harness.clock.set(NOW * HOUR + 300);
    let conflict = harness.cycle().await;
    assert_eq!((conflict.failure(0), conflict.rejected), (Some("conflict"), vec![(BarRejection::Conflict, 1)]));
    assert_eq!(harness.cycle().await.made(), (200, NOW));
}

#[actix::test]
async fn a_refused_hour_is_not_counted_as_often_as_it_is_read() {
    let hours =
        Hours::until(NOW + 3, |hour| (hour == NOW + 1).then(|| rows(hour..hour + 1).replace("\"low\":1", "\"low\":2")));
    let harness = hours.harness(Interval::FourHours, |_| {});
    harness.clock.set((NOW + 1) * HOUR);
    harness.cycle().await;
    let mut counted = 0;
    for hour in 2..5 {
        for minute in 0..3 {
            harness.clock.set((NOW + hour) * HOUR + 60 * minute);
            let cycle = harness.cycle().await;
            // While it is the newest bar, it is doubtful and counted in every cycle, like bars that are not made.
            let is_newest = hour == 2;
            assert_eq!(cycle.failure(0), is_newest.then_some("newest_bar_invalid"), "hour {hour}");
            counted += usize::from(!is_newest && !cycle.rejected.is_empty());
        }
    }
    assert_eq!(counted, 1, "with the hour after it, and then no more");
}

#[actix::test]
async fn with_poll_bar_a_day_is_asked_for_when_it_has_ended() {
    let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp();
    let hours = Hours::plain(at("2026-03-13 21:00") / HOUR);
    let change = |config: &mut Config| (config.poll, config.calendar) = (Poll::Bar, Arc::new(Calendar::fx()));
    let harness = hours.harness(Interval::OneDay, change);
    // Friday ends in New York's summer time. A week later Monday ends in winter time, and its last hour is late.
    for (now, calls, closed) in [
        ("2026-03-13 21:00", 1, "2026-03-13 21:00"),
        ("2026-03-14 12:00", 0, "2026-03-13 21:00"),
        ("2026-03-15 21:00", 0, "2026-03-13 21:00"),
        ("2026-03-16 20:59", 0, "2026-03-13 21:00"),
        ("2026-03-16 21:00", 1, "2026-03-13 21:00"),
        ("2026-03-16 21:04", 0, "2026-03-13 21:00"),
        ("2026-03-16 21:05", 1, "2026-03-13 21:00"),
        ("2026-03-16 21:10", 1, "2026-03-16 21:00"),
        ("2026-03-16 21:15", 0, "2026-03-16 21:00"),
    ] {
        if now == "2026-03-16 21:10" {
            hours.until.store(at("2026-03-16 21:00") / HOUR, Relaxed);
        } else if now == "2026-03-16 21:00" {
            hours.until.store(at("2026-03-16 20:00") / HOUR, Relaxed);
        }
        harness.clock.set(at(now));
        let cycle = harness.cycle().await;
        assert_eq!((cycle.calls, cycle.fetches[0].newest_bar_close_time), (calls, Some(at(closed))), "{now}");
        assert_eq!(cycle.failure(0), None);
    }
}

#[actix::test]
async fn neither_a_holiday_nor_an_early_stop_costs_anything() {
    let mut calendar = Calendar::fx();
    let day = |text: &str| text.parse().unwrap();
    calendar.close(Closure::Days(day("2026-12-25"), day("2026-12-25")));
    calendar.close("2026-12-24 13:00..2026-12-24 17:00".parse().unwrap());
    let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap().and_utc().timestamp();
    let open = calendar.clone();
    let hours =
        Hours::until(at("2026-12-29 00:00") / HOUR, move |hour| (!open.is_open(hour * HOUR)).then(|| "[]".into()));
    let harness =
        hours.harness(Interval::OneDay, |config| (config.on_gap, config.calendar) = (OnGap::Stop, Arc::new(calendar)));
    for (now, closed) in [
        ("2026-12-24 21:59", "2026-12-23 22:00"),
        ("2026-12-24 22:00", "2026-12-24 22:00"),
        ("2026-12-28 12:00", "2026-12-24 22:00"),
        ("2026-12-28 22:00", "2026-12-28 22:00"),
    ] {
        harness.clock.set(at(now));
        let cycle = harness.cycle().await;
        assert_eq!((cycle.failure(0), cycle.fetches[0].gaps), (None, 0), "{now}");
        assert_eq!(cycle.fetches[0].newest_bar_close_time, Some(at(closed)), "{now}");
    }
}

#[actix::test]
async fn a_replay_asks_at_once_for_what_is_not_sent_unasked() {
    let sent_unasked = 60 * 24;
    let server = Server::start(move |number, request| {
        let first = request.range().map_or(NOW - sent_unasked, |(from, _)| from / HOUR);
        Reply::Body(rows(first..NOW + number as i64))
    });
    for (interval, calls) in [(Interval::OneDay, 2), (Interval::FourHours, 1)] {
        let change = |config: &mut Config| (config.market_clock, config.interval) = (MarketClock::Bars, interval);
        let asked = server.requests().len();
        let harness = Harness::new(&server.base_url, &["EURUSD"], change);
        harness.clock.set((NOW + 50_000) * HOUR);
        let first = harness.cycle().await;
        assert_eq!((first.calls, first.bars.windows[0].1.as_ref().unwrap().len()), (calls, 200), "{interval:?}");
        let newest = NOW + (asked as i64) + calls as i64 - 1;
        assert_eq!(first.bars.market_now, newest * HOUR, "the newest hour is the time");
        assert_eq!(harness.cycle().await.calls, 1);
    }
}
