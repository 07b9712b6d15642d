//! How far is another machine's clock from this one's? Told by the `Date` header of an answer, or by the daemon's own
//! gauge of its time. Both are a second coarse, so what is found is a range, and judged is its end next to nothing.

use super::Report;
use crate::tools::probe::{Exposition, Page};
use chrono::{DateTime, Utc};

const TIME: &str = "sentinel_time_seconds";
/// The text of /metrics is made once a second, and `Date` has whole seconds.
const COARSE_S: f64 = 1.0;
/// A bar's close and an order's deadline are met within this.
const GOOD_S: f64 = 2.0;
/// From here on the alert fires.
const BAD_S: f64 = 5.0;
const SET_THEM: &str = "set both machines' clocks by NTP: `timedatectl` says whether it runs, `chronyc tracking` how far it \
                        is; limits of age, and every alert about it, are wrong by as much";

/// Seconds by which a clock is ahead of this machine's: at least and at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offset {
    low: f64,
    high: f64,
}

/// What an answer of a daemon says of its clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    by_date: Option<Offset>,
    by_gauge: Option<Offset>,
}

impl Clock {
    /// Of a page, and of what was read in it.
    pub(super) fn of(page: &Page, exposition: Option<&Exposition>) -> Self {
        let gauge = exposition.and_then(|exposition| exposition.value(TIME, &[]));
        let within = |told: f64| Offset::of(told, page.asked_at, page.took.as_secs_f64());
        Self { by_date: page.date.map(|date| within(seconds(date))), by_gauge: gauge.map(within) }
    }

    /// The daemon's own word is better than that of a proxy in between.
    pub(super) fn offset(&self) -> Option<Offset> {
        self.by_gauge.or(self.by_date)
    }

    /// By how many seconds the text is older than the answer; 0 if it is not.
    fn age_of_text(&self) -> f64 {
        match (self.by_date, self.by_gauge) {
            (Some(date), Some(gauge)) => date.ahead_of(gauge).least().max(0.0),
            _ => 0.0,
        }
    }
}

impl Offset {
    /// `told` was said somewhere between the question and the end of the answer.
    fn of(told_s: f64, asked_at: DateTime<Utc>, took_s: f64) -> Self {
        let asked_s = seconds(asked_at);
        Self { low: told_s - (asked_s + took_s), high: told_s + COARSE_S - asked_s }
    }

    /// Of an answer's `Date`.
    pub(super) fn of_date(page: &Page) -> Option<Self> {
        page.date.map(|date| Self::of(seconds(date), page.asked_at, page.took.as_secs_f64()))
    }

    /// How far this clock is ahead of another one.
    pub(super) fn ahead_of(self, other: Self) -> Self {
        Self { low: self.low - other.high, high: self.high - other.low }
    }

    /// What it is at least, with its sign; 0 if it may be none.
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
        return report.note("clock", "INF does not tell its time");
    };
    let age_s = clock.age_of_text();
    if age_s > GOOD_S {
        let way_out = "a cache in between, or a daemon that hangs: see /livez and its log";
        return report.failed(
            "clock",
            format!("the text of /metrics was made {age_s:.0} s before it was sent"),
            way_out,
        );
    }
    let offset = here.map_or(offset, |here| offset.ahead_of(here));
    let found = format!("INF's clock, seen from {whose}: {}", offset.words());
    match offset.least().abs() {
        off if off <= GOOD_S => report.ok("clock", found),
        off if off <= BAD_S => {
            report.note("clock", format!("{found}; from {BAD_S} s on an alert fires. Does NTP run on both?"))
        }
        _ => report.failed("clock", found, SET_THEM),
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
        let (asked_at, took) = (NOW, Duration::from_millis(100));
        let date = Some(NOW + TimeDelta::seconds(date_s));
        Page { status: 200, content_type: String::new(), body: bytes::Bytes::new(), took, asked_at, date }
    }

    fn gauge(time_s: i64) -> Exposition {
        Exposition::parse(&format!("# HELP {TIME} x\n# TYPE {TIME} gauge\n{TIME} {time_s}\n")).unwrap()
    }

    fn said(date_s: i64, gauge_s: Option<i64>, here: Option<Offset>) -> String {
        let mut report = Report::new("inf", ["GOOD", "BAD"]);
        let exposition = gauge_s.map(gauge);
        check(Some(Clock::of(&page(date_s), exposition.as_ref())), here, "here", &mut report);
        report.to_string()
    }

    #[test]
    fn a_clock_is_off_by_what_its_answer_says() {
        for (off_s, mark) in
            [(0, "ok"), (-2, "ok"), (2, "ok"), (4, "--"), (-4, "--"), (-600, "FAILED"), (7_200, "FAILED")]
        {
            let said = said(off_s, None, None);
            assert!(said.starts_with(&format!("  {mark:<6}  clock")), "{off_s}: {said}");
        }
        assert!(said(-600, None, None).contains("599.5 s behind, give or take 0.6 s"), "{}", said(-600, None, None));
        assert!(said(7_200, None, None).contains("ahead"));
    }

    #[test]
    fn two_clocks_that_are_off_alike_agree() {
        let prometheus = Offset::of_date(&page(-600)).unwrap();
        assert!(said(-600, None, Some(prometheus)).contains("GOOD"));
        assert!(said(0, None, Some(prometheus)).contains("600.0 s ahead"), "{}", said(0, None, Some(prometheus)));
    }

    #[test]
    fn the_daemons_own_word_counts_and_an_old_text_is_no_clock() {
        assert!(said(0, Some(9), None).contains("BAD"));
        let said = said(0, Some(-70), None);
        assert!(said.contains("was made 69 s before it was sent") && said.contains("BAD"), "{said}");
    }
}
