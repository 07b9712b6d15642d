//! The built-in recording of hourly EUR/USD bars, and its endless replay. The model is fitted on the first part, the market replays
//! the rest. Every ticker has the same bars.

use sentinel_actors::domain::{bar::Bar, interval::Interval};
use std::sync::OnceLock;

/// Bars for fitting the model; the replay begins with the first trading week after them.
const FIT_BARS: usize = 3_000;
/// Length of the recorded bars.
pub const INTERVAL: Interval = Interval::OneHour;

const CSV: &str = include_str!("data/eurusd_h1.csv");
const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;

/// All recorded bars, oldest first.
fn recorded() -> &'static [Bar] {
    static BARS: OnceLock<Vec<Bar>> = OnceLock::new();
    BARS.get_or_init(|| CSV.lines().skip(1).filter_map(parse_row).collect())
}

/// Parses `timestamp,datetime,open,high,low,close,volume`; a test ensures that every row of the file can be parsed.
fn parse_row(row: &str) -> Option<Bar> {
    let mut fields = row.split(',');
    let open_time = fields.next()?.parse().ok()?;
    let mut number = fields.skip(1).map(|field| field.parse::<f64>().ok());
    let mut next = || number.next().flatten();
    Some(Bar { open_time, open: next()?, high: next()?, low: next()?, close: next()?, volume: next()? })
}

/// The bars for fitting the model.
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

/// Bar number `index` of the endless replay.
///
/// After the last bar, the bars repeat, moved by whole weeks: time must not go back, because the daemon refuses such bars, and
/// weekday and hour must stay the same, because they are features.
pub fn replayed_bar(index: usize) -> Bar {
    bar_at(i64::try_from(index).unwrap_or(i64::MAX))
}

/// The same, with negative numbers for bars before the first one.
pub fn bar_at(index: i64) -> Bar {
    let bars = replay_bars();
    let length = i64::try_from(bars.len()).unwrap_or(i64::MAX);
    let mut bar = bars[usize::try_from(index.rem_euclid(length)).unwrap_or(0)];
    bar.open_time = bar.open_time.saturating_add(index.div_euclid(length).saturating_mul(round_s(bars)));
    bar
}

/// When a recorded bar closed, unix seconds.
pub const fn closed_at(bar: &Bar) -> i64 {
    bar.open_time.saturating_add(INTERVAL.nominal_s())
}

/// Seconds by which each repetition of `bars` is moved: the least number of whole weeks that is past the last bar.
fn round_s(bars: &[Bar]) -> i64 {
    let length_s = closed_at(&bars[bars.len() - 1]) - bars[0].open_time;
    (length_s + WEEK_S - 1) / WEEK_S * WEEK_S
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
