//! The nights for which a broker charges swap: 17:00 in New York from Monday to Friday, one of them three times, for
//! the weekend that the delivery skips.

use chrono::{DateTime, Datelike, Days, NaiveTime, TimeZone, Weekday};
use chrono_tz::America::New_York;
use serde::{Deserialize, Serialize};

/// The weekday whose night counts three times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum TripleDay {
    Mon,
    Tue,
    #[default]
    Wed,
    Thu,
    Fri,
}

impl TripleDay {
    const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Mon,
            Self::Tue => Weekday::Tue,
            Self::Wed => Weekday::Wed,
            Self::Thu => Weekday::Thu,
            Self::Fri => Weekday::Fri,
        }
    }

    /// As in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
        }
    }
}

/// All nights of a span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nights {
    /// When each begins, unix seconds, and how many there are up to it, that one included.
    begins: Vec<(i64, u32)>,
}

impl Nights {
    /// Those from `from` to `to`, unix seconds.
    pub fn new(from: i64, to: i64, triple: TripleDay) -> Self {
        let day_of = |time| DateTime::from_timestamp(time, 0).map(|at| at.with_timezone(&New_York).date_naive());
        let mut begins = Vec::new();
        let (Some(first), Some(last)) = (day_of(from), day_of(to)) else { return Self { begins } };
        let mut count = 0;
        let mut day = first.checked_sub_days(Days::new(1)).unwrap_or(first);
        while day <= last {
            let weight = match day.weekday() {
                Weekday::Sat | Weekday::Sun => 0,
                weekday if weekday == triple.weekday() => 3,
                _ => 1,
            };
            // New York changes its clocks at 02:00, so there is one 17:00 on each day.
            let evening = NaiveTime::from_hms_opt(17, 0, 0).map(|time| day.and_time(time));
            let begin = evening.and_then(|local| New_York.from_local_datetime(&local).earliest());
            if let Some(begin) = begin.filter(|_| weight > 0) {
                count += weight;
                begins.push((begin.timestamp(), count));
            }
            let Some(next) = day.succ_opt() else { break };
            day = next;
        }
        Self { begins }
    }

    /// How many begin at `time` or before, counted from the first.
    pub fn until(&self, time: i64) -> u32 {
        self.counted(self.begins.partition_point(|(begin, _)| *begin <= time))
    }

    /// How many begin before `time`.
    pub fn before(&self, time: i64) -> u32 {
        self.counted(self.begins.partition_point(|(begin, _)| *begin < time))
    }

    fn counted(&self, place: usize) -> u32 {
        place.checked_sub(1).and_then(|last| self.begins.get(last)).map_or(0, |(_, count)| *count)
    }
}
