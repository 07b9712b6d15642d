//! Bars and their endless replay: the built-in recording of hourly EUR/USD bars, or the bars of the user's own file. The model is
//! fitted on the first part of the recording, the market replays the rest. Every ticker has the same bars.

use crate::bar_files::{self, BadFile, Checks, Zone, csv};
use sentinel_actors::domain::{bar::Bar, calendar::Calendar, interval::Interval};
use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

/// Bars for fitting the model; the replay begins with the first trading week after them.
const FIT_BARS: usize = 3_000;
/// Length of the recorded bars.
pub const INTERVAL: Interval = Interval::OneHour;
/// Bars of a file of one's own: 300 to look back on, and 200 for the cycles that a demo runs at once.
pub const OWN_BARS_MIN: usize = 500;

const CSV: &str = include_str!("data/eurusd_h1.csv");
const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;

/// Bars that are replayed. Clones share them.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Oldest first.
    bars: Arc<[Bar]>,
    /// Length of a bar.
    pub interval: Interval,
    /// Whether it is a person's.
    pub is_own: bool,
}

impl Recording {
    /// The recorded EUR/USD bars that the model never saw.
    pub fn eurusd() -> Self {
        static RECORDING: LazyLock<Recording> =
            LazyLock::new(|| Recording { bars: replay_bars().into(), interval: INTERVAL, is_own: false });
        RECORDING.clone()
    }

    /// The bars of a file. Jumps are the daemon's to find.
    ///
    /// # Errors
    /// A file that cannot be true, by its line; one that is too short; an interval that EODHD does not have.
    pub fn of_file(path: &Path, zone: Option<&Zone>) -> Result<Self, BadFile> {
        let mut rows = bar_files::read(path, zone)?;
        let have = rows.bars.len();
        if have < OWN_BARS_MIN {
            let what = format!(
                "{have} bars, and {OWN_BARS_MIN} are needed: 300 to look back on, and 200 that the demo runs at once"
            );
            return Err(BadFile::whole(path, what));
        }
        let interval = rows.interval()?;
        if interval.is_made() {
            let (name, source) = (interval.as_str(), interval.source().as_str());
            let what = format!("bars of {name}: EODHD has none, and Sentinel makes them of {source} bars. Take those");
            return Err(BadFile::whole(path, what));
        }
        rows.check(interval, &Checks { calendar: &Calendar::fx(), jump_max: 0.0 })?;
        Ok(Self { bars: std::mem::take(&mut rows.bars).into(), interval, is_own: true })
    }

    /// All of them, oldest first.
    pub fn bars(&self) -> &[Bar] {
        &self.bars
    }

    /// Whether bars open while the FX market is closed, as those of a market that never closes do. A few are no sign: some
    /// providers have a bar on Sunday before the opening.
    pub fn is_of_every_day(&self) -> bool {
        let fx = Calendar::fx();
        let closed = self.bars.iter().filter(|bar| !fx.is_open(bar.open_time)).count();
        closed * 20 > self.bars.len()
    }

    /// Bar number `index` of a replay that never ends.
    ///
    /// When the bars end they begin again, moved on by whole weeks: time must go on, because the daemon refuses bars that
    /// go back, and weekday and hour, which are features, must stay what they were when these prices were made.
    pub fn replayed_bar(&self, index: usize) -> Bar {
        self.bar_at(i64::try_from(index).unwrap_or(i64::MAX))
    }

    /// The same with bars before the first one, of negative numbers: a market has been there before anyone asks.
    pub fn bar_at(&self, index: i64) -> Bar {
        let length = i64::try_from(self.bars.len()).unwrap_or(i64::MAX);
        let mut bar = self.bars[usize::try_from(index.rem_euclid(length)).unwrap_or(0)];
        bar.open_time = bar.open_time.saturating_add(index.div_euclid(length).saturating_mul(self.round_s()));
        bar
    }

    /// When a bar closed, unix seconds.
    pub const fn closed_at(&self, bar: &Bar) -> i64 {
        bar.open_time.saturating_add(self.interval.nominal_s())
    }

    /// Seconds by which each round is moved on: the least number of whole weeks that is past the last bar.
    fn round_s(&self) -> i64 {
        let length_s = self.closed_at(&self.bars[self.bars.len() - 1]) - self.bars[0].open_time;
        (length_s + WEEK_S - 1) / WEEK_S * WEEK_S
    }
}

/// All recorded bars, oldest first; a test holds that every row of the file can be read.
fn recorded() -> &'static [Bar] {
    static BARS: LazyLock<Vec<Bar>> = LazyLock::new(|| csv::bars(CSV).unwrap_or_default());
    &BARS
}

/// The bars for fitting the model.
#[cfg(test)]
pub fn fit_bars() -> &'static [Bar] {
    &recorded()[..FIT_BARS]
}

/// The bars that the market replays; the model is not fitted on them.
pub fn replay_bars() -> &'static [Bar] {
    // Begins with a trading week, so that the gap at each repetition is a weekend.
    let is_week_open = |pair: &[Bar]| pair[1].open_time - pair[0].open_time > DAY_S;
    let rest = &recorded()[FIT_BARS..];
    let start = rest.windows(2).position(is_week_open).map_or(0, |gap| gap + 1);
    &rest[start..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Datelike, Timelike, Weekday};
    use sentinel_actors::domain::{
        calendar::Calendar,
        resample::resample,
        window::{jump, misfit},
    };

    fn replayed_bar(index: usize) -> Bar {
        Recording::eurusd().replayed_bar(index)
    }

    fn bar_at(index: i64) -> Bar {
        Recording::eurusd().bar_at(index)
    }

    fn hour_and_weekday(bar: &Bar) -> (u32, Weekday) {
        let time = DateTime::from_timestamp(bar.open_time, 0).unwrap();
        (time.hour(), time.weekday())
    }

    #[test]
    fn every_row_of_the_recording_is_a_valid_bar() {
        assert_eq!(recorded().len(), 5_000);
        assert!(recorded().windows(2).all(|pair| pair[0].open_time < pair[1].open_time));
        assert!(recorded().iter().all(|bar| bar.low > 0.0 && bar.low <= bar.close && bar.close <= bar.high));
        assert_eq!(recorded()[4_999].close, 1.200_75);
        let round = replay_bars().len();
        let replayed: Vec<_> = (0..2 * round).map(replayed_bar).collect();
        for (name, bars) in [("recorded", recorded()), ("replayed", &replayed)] {
            let inside = |bar: &Bar| [bar.open, bar.close].iter().all(|price| (bar.low..=bar.high).contains(price));
            assert!(bars.iter().all(inside), "{name}");
            assert_eq!(misfit(bars, INTERVAL, &Calendar::always()), None, "{name}");
            let jumps = bars.windows(2).find_map(|pair| jump(pair, 0.2));
            assert_eq!(jumps, None, "{name}");
        }
    }

    #[test]
    fn the_replay_begins_with_a_trading_week_after_the_fitted_bars() {
        assert_eq!(hour_and_weekday(&replay_bars()[0]), (21, Weekday::Sun));
        assert!(fit_bars()[FIT_BARS - 1].open_time < replay_bars()[0].open_time);
        assert!(replay_bars().len() > 1_850, "{}", replay_bars().len());
    }

    #[test]
    fn a_repetition_moves_time_on_and_keeps_weekday_and_hour() {
        let length = replay_bars().len();
        for round in 1..60 {
            let before = replayed_bar(round * length - 1);
            let after = replayed_bar(round * length);
            let gap_s = after.open_time - before.open_time;
            assert!(gap_s > DAY_S && gap_s < 3 * DAY_S, "a weekend, not {gap_s} s");
            for index in [0, 7, length / 2, length - 1] {
                let (first, now) = (replayed_bar(index), replayed_bar(round * length + index));
                assert_eq!(hour_and_weekday(&first), hour_and_weekday(&now));
                assert_eq!(first.close, now.close);
            }
        }
    }

    #[test]
    fn bars_before_the_first_one_end_a_weekend_earlier() {
        let length = i64::try_from(replay_bars().len()).unwrap();
        let gap_s = replayed_bar(0).open_time - bar_at(-1).open_time;
        assert!(gap_s > DAY_S && gap_s < 3 * DAY_S, "a weekend, not {gap_s} s");
        for index in [-1, -7, -length, -length - 1] {
            let (before, later) = (bar_at(index), bar_at(index + 3 * length));
            assert_eq!((hour_and_weekday(&before), before.close), (hour_and_weekday(&later), later.close));
        }
        let long: Vec<_> = (-3 * length..length).map(bar_at).collect();
        assert_eq!(misfit(&long, INTERVAL, &Calendar::always()), None);
    }

    #[test]
    fn bars_of_4h_and_1d_can_be_made_of_it() {
        let bars: Vec<_> = (-5_000..300).map(bar_at).collect();
        for (interval, least) in [(Interval::FourHours, 1_250), (Interval::OneDay, 200)] {
            assert_eq!(misfit(&bars, interval, &Calendar::fx()), None);
            let made = resample(&bars, interval, &Calendar::fx(), i64::MAX);
            assert!(made.len() > least, "{interval:?}: {}", made.len());
        }
    }
}
