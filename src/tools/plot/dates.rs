//! The marks of an axis of time: midnights, firsts of a month and of a year, UTC.

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Timelike as _, Utc};

/// Most marks; more labels would overlap.
const MARKS_MAX: usize = 6;
/// Marks that are counted before a step is given up as too short.
const MARKS_SEARCHED: usize = MARKS_MAX + 1;

/// The time between two marks.
#[derive(Debug, Clone, Copy)]
enum Step {
    Hours(u32),
    Days(u64),
    Months(u32),
}

const STEPS: [Step; 18] = [
    Step::Hours(1),
    Step::Hours(3),
    Step::Hours(6),
    Step::Hours(12),
    Step::Days(1),
    Step::Days(2),
    Step::Days(5),
    Step::Days(10),
    Step::Months(1),
    Step::Months(2),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(240),
    Step::Months(600),
    Step::Months(1_200),
];

/// At most six marks between two moments (unix seconds), each with its label: `14:00`, `12 Mar`, `Mar`, and the year in place of January. None outside the
/// calendar.
pub(in crate::tools) fn dates(from: i64, to: i64) -> Vec<(f64, String)> {
    let (Some(first), Some(last)) = (DateTime::from_timestamp(from, 0), DateTime::from_timestamp(to, 0)) else {
        return Vec::new();
    };
    let mut found = STEPS.iter().map(|step| (step, marks(*step, first, last)));
    let fitting = found.find(|(_, marks)| marks.len() <= MARKS_MAX);
    fitting.map_or_else(Vec::new, |(step, marks)| {
        marks.into_iter().map(|mark| (mark.timestamp() as f64, label(*step, mark))).collect()
    })
}

fn label(step: Step, mark: DateTime<Utc>) -> String {
    let form = match step {
        Step::Hours(_) if mark.hour() > 0 => "%H:%M",
        Step::Hours(_) | Step::Days(_) => "%-d %b",
        Step::Months(_) if mark.month() > 1 => "%b",
        Step::Months(_) => "%Y",
    };
    mark.format(form).to_string()
}

fn marks(step: Step, first: DateTime<Utc>, last: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut marks = Vec::new();
    let mut at = begin(step, first);
    while let Some(mark) = at.filter(|mark| *mark <= last && marks.len() < MARKS_SEARCHED) {
        if mark >= first {
            marks.push(mark);
        }
        at = after(step, mark);
    }
    marks
}

/// The last mark that is not after this moment.
fn begin(step: Step, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let date = moment.date_naive();
    match step {
        Step::Hours(hours) => {
            Some(date.and_time(NaiveTime::from_hms_opt(moment.hour() / hours * hours, 0, 0)?).and_utc())
        }
        Step::Days(days) => day(NaiveDate::from_ymd_opt(date.year(), date.month(), 1 + day_of(date, days))?),
        Step::Months(months) => {
            let month = date.year() * 12 + date.month0() as i32;
            let month = month.div_euclid(months as i32) * months as i32;
            day(NaiveDate::from_ymd_opt(month.div_euclid(12), month.rem_euclid(12) as u32 + 1, 1)?)
        }
    }
}

/// Days count from the first of the month, so that the marks of two months are alike: 1, 11, 21.
fn day_of(date: NaiveDate, days: u64) -> u32 {
    let days = days as u32;
    let day = date.day0() / days * days;
    // A mark on the 31st would touch that of the next first.
    if days > 1 && day >= 30 { day - days } else { day }
}

fn day(date: NaiveDate) -> Option<DateTime<Utc>> {
    Some(date.and_time(NaiveTime::MIN).and_utc())
}

fn after(step: Step, mark: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match step {
        Step::Hours(hours) => mark.checked_add_signed(chrono::TimeDelta::hours(i64::from(hours))),
        Step::Days(days) => {
            let next = mark.checked_add_days(Days::new(days))?;
            let is_near_next_month = days > 1 && next.day0() >= 30;
            let first = NaiveDate::from_ymd_opt(mark.year(), mark.month(), 1)?.checked_add_months(Months::new(1))?;
            if is_near_next_month || next.month() != mark.month() { day(first) } else { Some(next) }
        }
        Step::Months(months) => mark.checked_add_months(Months::new(months)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, to: &str) -> Vec<String> {
        let moment = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().timestamp();
        dates(moment(from), moment(to)).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn marks_are_where_a_calendar_has_its_lines() {
        assert_eq!(labels("2026-11-28T10:20:00Z", "2026-11-28T14:00:00Z"), ["11:00", "12:00", "13:00", "14:00"]);
        assert_eq!(
            labels("2026-11-28T20:00:00Z", "2026-11-29T13:00:00Z"),
            ["21:00", "29 Nov", "03:00", "06:00", "09:00", "12:00"]
        );
        assert_eq!(
            labels("2026-02-25T00:00:01Z", "2026-03-07T00:00:00Z"),
            ["27 Feb", "1 Mar", "3 Mar", "5 Mar", "7 Mar"]
        );
        assert_eq!(
            labels("2026-01-05T00:00:00Z", "2026-03-02T00:00:00Z"),
            ["11 Jan", "21 Jan", "1 Feb", "11 Feb", "21 Feb", "1 Mar"]
        );
        assert_eq!(labels("2025-11-20T00:00:00Z", "2026-05-02T00:00:00Z"), ["Dec", "2026", "Feb", "Mar", "Apr", "May"]);
        assert_eq!(labels("2017-03-13T00:00:00Z", "2018-01-05T00:00:00Z"), ["May", "Jul", "Sep", "Nov", "2018"]);
        assert_eq!(labels("2010-01-01T00:00:00Z", "2026-06-02T00:00:00Z"), ["2010", "2015", "2020", "2025"]);
    }

    #[test]
    fn no_span_makes_more_than_six_marks() {
        for span in (0..40).map(|power| 1_i64 << power) {
            let found = dates(1_489_442_400, 1_489_442_400 + span);
            assert!(found.len() <= MARKS_MAX && found.is_sorted_by(|one, next| one.0 < next.0), "{span}: {found:?}");
            assert!(!(14_400..=1 << 34).contains(&span) || found.len() >= 2, "{span}: {found:?}");
        }
        assert_eq!((dates(i64::MIN, 0), dates(0, i64::MAX)), (Vec::new(), Vec::new()));
        assert_eq!(dates(1, 0), []);
    }
}
