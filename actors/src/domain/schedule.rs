//! When cycles are due: by a cron expression with a seconds field, always in UTC, or at fixed intervals.

use chrono::{DateTime, TimeDelta, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use std::{str::FromStr, time::Duration};

/// The number of future due times that are checked to find the longest pause.
const PERIOD_TICKS: usize = 20;
/// The count of missed due times stops here; a larger number would not say more.
const MISSED_TICKS_MAX: u64 = 100_000;

/// When cycles are due.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// At the times of a cron expression.
    Cron(Box<Cron>),
    /// At multiples of an interval, counted from the unix epoch.
    Every(Duration),
}

impl FromStr for Schedule {
    type Err = String;

    /// Six fields, seconds first: `58 * * * * *` is second 58 of every minute.
    fn from_str(text: &str) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Required).build();
        let cron = parser
            .parse(text)
            .map_err(|error| format!("must be a cron expression of six fields, seconds first ({error})"))?;
        let schedule = Self::Cron(Box::new(cron));
        if schedule.next_after(unix(Utc::now())).is_none() {
            return Err("must be a cron expression that is due some day".into());
        }
        Ok(schedule)
    }
}

impl Schedule {
    /// The first due time after `now`, both since the unix epoch; `None` if there is none.
    pub fn next_after(&self, now: Duration) -> Option<Duration> {
        match self {
            Self::Every(pace) => {
                let pace = pace.as_nanos().max(1);
                let next = (now.as_nanos() / pace + 1) * pace;
                Some(Duration::from_nanos(u64::try_from(next).ok()?))
            }
            Self::Cron(cron) => cron.find_next_occurrence(&instant(now)?, false).ok().map(unix),
        }
    }

    /// Number of due times after `from` and up to `to`, which had no cycle.
    pub fn missed_between(&self, from: Duration, to: Duration) -> u64 {
        let mut missed = 0;
        let mut due = from;
        while let Some(next) = self.next_after(due)
            && next <= to
            && missed < MISSED_TICKS_MAX
        {
            missed += 1;
            due = next;
        }
        missed
    }

    /// The longest pause between two of the next due times. Health and readiness use it as the period of the schedule.
    pub fn period(&self, now: Duration) -> Duration {
        if let Self::Every(pace) = self {
            return *pace;
        }
        self.pauses(now).into_iter().max().unwrap_or(Duration::from_secs(60))
    }

    /// The usual pause: half of the next ones are at most as long. A night or a weekend without a due time is none.
    pub fn step(&self, now: Duration) -> Duration {
        if let Self::Every(pace) = self {
            return *pace;
        }
        let mut pauses = self.pauses(now);
        pauses.sort_unstable();
        pauses.get(pauses.len().saturating_sub(1) / 2).copied().unwrap_or(Duration::from_secs(60))
    }

    /// Those between the next due times.
    fn pauses(&self, now: Duration) -> Vec<Duration> {
        let ticks = std::iter::successors(self.next_after(now), |due| self.next_after(*due)).take(PERIOD_TICKS);
        let ticks: Vec<Duration> = ticks.collect();
        ticks.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

fn instant(since_epoch: Duration) -> Option<DateTime<Utc>> {
    DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::from_std(since_epoch).ok()?)
}

fn unix(time: DateTime<Utc>) -> Duration {
    (time - DateTime::UNIX_EPOCH).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_secs(1_763_812_800);

    fn at(seconds: f64) -> Duration {
        NOON + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_default_is_second_58_of_every_minute() {
        let schedule: Schedule = "58 * * * * *".parse().unwrap();
        assert_eq!(schedule.next_after(at(0.0)), Some(at(58.0)));
        assert_eq!(schedule.next_after(at(57.999)), Some(at(58.0)));
        assert_eq!(schedule.next_after(at(58.0)), Some(at(118.0)), "a due time is not its own successor");
        assert_eq!(schedule.period(NOON), Duration::from_secs(60));
    }

    #[test]
    fn five_fields_are_refused() {
        assert!("* * * * *".parse::<Schedule>().is_err());
        assert!("every minute".parse::<Schedule>().is_err());
    }

    #[test]
    fn a_date_that_never_comes_is_refused() {
        assert!("0 0 0 30 2 *".parse::<Schedule>().is_err());
    }

    #[test]
    fn ticks_slept_through_are_counted() {
        let schedule: Schedule = "58 * * * * *".parse().unwrap();
        assert_eq!(schedule.missed_between(at(58.0), at(59.0)), 0);
        assert_eq!(schedule.missed_between(at(58.0), at(58.0 + 180.0)), 3);
    }

    #[test]
    fn a_pace_may_be_a_fraction_of_a_second() {
        let schedule = Schedule::Every(Duration::from_millis(250));
        assert_eq!(schedule.next_after(at(0.1)), Some(at(0.25)));
        assert_eq!(schedule.next_after(at(0.25)), Some(at(0.5)));
        assert_eq!(schedule.period(NOON), Duration::from_millis(250));
    }

    #[test]
    fn the_period_is_the_longest_pause() {
        let schedule: Schedule = "0 0,10 * * * *".parse().unwrap();
        assert_eq!(schedule.period(NOON), Duration::from_secs(50 * 60));
    }

    #[test]
    fn a_night_is_no_usual_step() {
        let schedule: Schedule = "0 0 8-17 * * MON-FRI".parse().unwrap();
        // NOON is a Saturday.
        assert_eq!(schedule.step(NOON), Duration::from_secs(3_600));
        assert_eq!(schedule.period(NOON), Duration::from_secs(15 * 3_600));
        assert_eq!(Schedule::Every(Duration::from_millis(250)).step(NOON), Duration::from_millis(250));
    }
}
