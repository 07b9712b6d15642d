//! How far another machine's clock is from this one's, by the `Date` header of an answer or the daemon's own gauge of its time.
//! Both have a resolution of a second, so the result is a range; its end closest to 0 is judged.

use super::Report;
use crate::tools::probe::{Exposition, Page};
use chrono::{DateTime, Utc};

const TIME: &str = "sentinel_time_seconds";
/// The text of /metrics is built once a second, and `Date` has whole seconds.
const RESOLUTION_S: f64 = 1.0;
/// An offset up to this does no harm.
const GOOD_S: f64 = 2.0;
/// From this offset the alert fires.
const BAD_S: f64 = 5.0;
const SET_CLOCKS: &str = "set both machines' clocks with NTP: `timedatectl` shows whether it runs, `chronyc tracking` how far off it \
                          is; limits on age, and the alerts about them, are wrong by this much";

/// Seconds by which a clock is ahead of this machine's: at least and at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offset {
    low: f64,
    high: f64,
}

/// A daemon's clock, from one of its answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    by_date: Option<Offset>,
    by_gauge: Option<Offset>,
}

impl Clock {
    /// From a page, and its parsed text.
    pub(super) fn of(page: &Page, exposition: Option<&Exposition>) -> Self {
        let gauge = exposition.and_then(|exposition| exposition.value(TIME, &[]));
        let within = |time_s: f64| Offset::of(time_s, page.sent_at, page.took.as_secs_f64());
        Self { by_date: page.date.map(|date| within(seconds(date))), by_gauge: gauge.map(within) }
    }

    /// By the daemon's own gauge if possible, because `Date` may come from a proxy.
    pub(super) fn offset(&self) -> Option<Offset> {
        self.by_gauge.or(self.by_date)
    }

    /// By how many seconds the text is older than the answer; at least 0.
    fn age_of_text(&self) -> f64 {
        match (self.by_date, self.by_gauge) {
            (Some(date), Some(gauge)) => date.ahead_of(gauge).least().max(0.0),
            _ => 0.0,
        }
    }
}

impl Offset {
    /// `time_s` was the other clock's time at some point between the request and the end of the answer.
    fn of(time_s: f64, sent_at: DateTime<Utc>, took_s: f64) -> Self {
        let sent_s = seconds(sent_at);
        Self { low: time_s - (sent_s + took_s), high: time_s + RESOLUTION_S - sent_s }
    }

    /// By an answer's `Date`.
    pub(super) fn of_date(page: &Page) -> Option<Self> {
        page.date.map(|date| Self::of(seconds(date), page.sent_at, page.took.as_secs_f64()))
    }

    /// How far this clock is ahead of another one.
    pub(super) fn ahead_of(self, other: Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }

    /// The end of the range closest to 0, with its sign; 0 if the range contains it.
    fn least(self) -> f64 {
        if self.low > 0.0 { self.low } else { self.high.min(0.0) }
    }

    /// `0.4 s behind, give or take 0.5 s`
    fn words(self) -> String {
        let middle = f64::midpoint(self.low, self.high);
        let direction = if middle < 0.0 { "behind" } else { "ahead" };
        format!("{:.1} s {direction}, give or take {:.1} s", middle.abs(), (self.high - self.low) / 2.0)
    }
}

/// Reports INF's clock against another one, `whose`; `here` is that one's offset, if it is not this machine's.
pub(super) fn check(clock: Option<Clock>, here: Option<Offset>, whose: &str, report: &mut Report) {
    let Some((clock, offset)) = clock.and_then(|clock| Some((clock, clock.offset()?))) else {
        return report.note("clock", "INF does not report its time");
    };
    let age_s = clock.age_of_text();
    if age_s > GOOD_S {
        let advice = "a cache in between, or a daemon that hangs: see /livez and its log";
        return report.failed(
            "clock",
            format!("the text of /metrics was built {age_s:.0} s before it was sent"),
            advice,
        );
    }
    let offset = here.map_or(offset, |here| offset.ahead_of(here));
    let found = format!("INF's clock, seen from {whose}: {}", offset.words());
    match offset.least().abs() {
        off if off <= GOOD_S => report.ok("clock", found),
        off if off <= BAD_S => {
            report.note("clock", format!("{found}; from {BAD_S} s an alert fires. Does NTP run on both machines?"))
        }
        _ => report.failed("clock", found, SET_CLOCKS),
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use std::time::Duration;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    /// An answer within 100 ms, with a clock that is off by whole seconds.
    fn page(date_s: i64) -> Page {
        let (sent_at, took) = (NOW, Duration::from_millis(100));
        let date = Some(NOW + TimeDelta::seconds(date_s));
        Page { status: 200, content_type: String::new(), body: bytes::Bytes::new(), took, sent_at, date }
    }

    fn gauge(time_s: i64) -> Exposition {
        Exposition::parse(&format!("# HELP {TIME} x\n# TYPE {TIME} gauge\n{TIME} {time_s}\n")).unwrap()
    }

    fn judged(date_s: i64, gauge_s: Option<i64>, here: Option<Offset>) -> String {
        let mut report = Report::new("inf", ["GOOD", "BAD"]);
        let exposition = gauge_s.map(gauge);
        check(Some(Clock::of(&page(date_s), exposition.as_ref())), here, "here", &mut report);
        report.to_string()
    }

    #[test]
    fn an_offset_is_judged_by_the_date_header() {
        for (off_s, mark) in
            [(0, "ok"), (-2, "ok"), (2, "ok"), (4, "--"), (-4, "--"), (-600, "FAILED"), (7_200, "FAILED")]
        {
            let text = judged(off_s, None, None);
            assert!(text.starts_with(&format!("  {mark:<6}  clock")), "{off_s}: {text}");
        }
        assert!(
            judged(-600, None, None).contains("599.5 s behind, give or take 0.6 s"),
            "{}",
            judged(-600, None, None)
        );
        assert!(judged(7_200, None, None).contains("ahead"));
    }

    #[test]
    fn equal_offsets_of_both_clocks_cancel_out() {
        let prometheus = Offset::of_date(&page(-600)).unwrap();
        assert!(judged(-600, None, Some(prometheus)).contains("GOOD"));
        assert!(judged(0, None, Some(prometheus)).contains("600.0 s ahead"), "{}", judged(0, None, Some(prometheus)));
    }

    #[test]
    fn the_daemons_gauge_is_preferred_unless_its_text_is_old() {
        assert!(judged(0, Some(9), None).contains("BAD"));
        let text = judged(0, Some(-70), None);
        assert!(text.contains("was built 69 s before it was sent") && text.contains("BAD"), "{text}");
    }
}
