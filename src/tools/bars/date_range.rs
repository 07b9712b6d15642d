//! What is asked for, and the requests that it takes: none of a longer range than EODHD answers, or than fits into an
//! answer.

use crate::settings::{Resolved, VerifyMarket};
use sentinel_actors::{
    adapters::eodhd::{ROW_BYTES, range_s_max},
    domain::interval::Interval,
};
use serde::{Deserialize, Serialize};

/// All that the bars depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Question {
    /// Of this layout.
    version: u32,
    /// `https://eodhd.com`
    base_url: String,
    /// `1h`
    interval: String,
    calendar: String,
    /// First and last open time of the bars wanted, the last not included; unix seconds.
    from: i64,
    to: i64,
    /// Name and ticker.
    pub symbols: Vec<(String, String)>,
    /// First and last open time of the provider's bars that it takes, the last not included.
    #[serde(skip)]
    source: (i64, i64),
    #[serde(skip)]
    source_s: i64,
    /// The longest range of a request, seconds.
    #[serde(skip)]
    pub range_s: i64,
}

const VERSION: u32 = 1;

impl Question {
    pub(super) fn new(settings: &Resolved<VerifyMarket>, from: i64, to: i64) -> Self {
        let Resolved { data, calendar, calendar_name, .. } = settings;
        let interval: Interval = data.interval;
        let source = if interval.is_made() {
            (interval.span(from, calendar).start, interval.span(to - 1, calendar).end)
        } else {
            (from, to)
        };
        let rows = i64::try_from(data.body_bytes_max).unwrap_or(i64::MAX) / ROW_BYTES;
        let fits_s = rows.saturating_mul(interval.source_s()).max(interval.source_s());
        Self {
            version: VERSION,
            base_url: data.base_url.clone(),
            interval: interval.as_str().into(),
            calendar: calendar_name.clone(),
            from,
            to,
            symbols: settings.instruments().map(|it| (it.symbol.to_string(), it.ticker.clone())).collect(),
            source,
            source_s: interval.source_s(),
            range_s: range_s_max(interval).min(fits_s),
        }
    }

    /// Length of the provider's bars, seconds.
    pub(super) const fn source_s(&self) -> i64 {
        self.source_s
    }

    /// First and last open time of the bars wanted, the last not included; unix seconds.
    pub(super) const fn wanted(&self) -> std::ops::Range<i64> {
        self.from..self.to
    }

    /// The next request after those that are done: its first open time, and that after its last; `None` when all is there.
    pub(super) fn next(&self, done_to: Option<i64>, range_s: i64, now: i64) -> Option<(i64, i64)> {
        let (first, last) = self.source;
        let from = done_to.unwrap_or(first);
        let to = last.min(now).min(from.saturating_add(range_s));
        (from < to).then_some((from, to))
    }

    /// How many are left, if every answer fits.
    pub(super) fn requests(&self, done_to: Option<i64>, now: i64) -> usize {
        let (mut done_to, mut count) = (done_to, 0);
        while let Some((_, to)) = self.next(done_to, self.range_s, now) {
            (done_to, count) = (Some(to), count + 1);
        }
        count
    }

    /// In what another question differs from this one, by the flag that says it.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let day = |time: i64| {
            chrono::DateTime::from_timestamp(time, 0).map_or_else(String::new, |at| at.format("%F").to_string())
        };
        let names = |question: &Self| {
            let names = question.symbols.iter().map(|(name, ticker)| format!("{name} ({ticker})"));
            names.collect::<Vec<_>>().join(", ")
        };
        let pairs = [
            ("layout", self.version.to_string(), other.version.to_string()),
            ("--interval", self.interval.clone(), other.interval.clone()),
            ("--from", day(self.from), day(other.from)),
            ("--to", day(self.to), day(other.to)),
            ("--symbol", names(self), names(other)),
            ("data.base_url", self.base_url.clone(), other.base_url.clone()),
            ("market.calendar", self.calendar.clone(), other.calendar.clone()),
        ];
        let pair = pairs.into_iter().find(|(_, mine, theirs)| mine != theirs);
        pair.map(|(name, mine, theirs)| format!("{name} is {theirs} there and {mine} here"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::tools::bars) fn question(from: i64, to: i64, range_s: i64) -> Question {
        Question {
            version: VERSION,
            base_url: "https://eodhd.com".into(),
            interval: "1h".into(),
            calendar: "fx".into(),
            from,
            to,
            symbols: vec![("EURUSD".into(), "EURUSD.FOREX".into())],
            source: (from, to),
            source_s: 3_600,
            range_s,
        }
    }

    #[test]
    fn requests_follow_each_other_without_a_gap() {
        let question = question(1_000, 5_000, 1_500);
        let (mut done, mut asked) = (None, Vec::new());
        while let Some((from, to)) = question.next(done, question.range_s, 9_999) {
            asked.push((from, to));
            done = Some(to);
        }
        assert_eq!(asked, [(1_000, 2_500), (2_500, 4_000), (4_000, 5_000)]);
        assert_eq!((question.requests(None, 9_999), question.requests(Some(2_500), 9_999)), (3, 2));
    }

    #[test]
    fn nothing_is_asked_for_that_is_to_come() {
        let question = question(1_000, 5_000, 10_000);
        assert_eq!(question.next(None, question.range_s, 2_000), Some((1_000, 2_000)));
        assert_eq!(question.next(Some(2_000), question.range_s, 2_000), None);
    }

    #[test]
    fn another_question_is_known_by_its_flag() {
        let mine = question(0, 86_400, 1);
        assert_eq!(mine.difference(&question(0, 86_400, 99)), None, "how it is asked does not matter");
        let said = mine.difference(&question(0, 172_800, 1)).unwrap();
        assert_eq!(said, "--to is 1970-01-03 there and 1970-01-02 here");
        let other = Question { interval: "5m".into(), ..mine.clone() };
        assert_eq!(mine.difference(&other).unwrap(), "--interval is 5m there and 1h here");
    }
}
