//! Functions that a daemon might have got wrong, for `tests/replay.rs`: features by another formula or of another span, windows of
//! other bars, calendars with other hours, other rules for the pace of orders. Each computes one thing otherwise.

use sentinel::tools::replay::recompute::{Asked, Functions};
use sentinel_actors::{
    adapters::archive::Archive,
    domain::{
        bar::Bar,
        calendar::{Calendar, parse_zone},
        decision::decide,
        features::{FeatureError, FeatureSet, InvalidValues, SEQUENCE_BARS, TimeColumns, build},
        guard::{Limits, Pace, pace_objection},
    },
};
use std::time::Duration;

/// Sydney's clocks are set forward within the recording, on 2017-10-01.
pub const SESSIONS: [&str; 5] = [
    "Mon 06:00 - Mon 20:00",
    "Tue 06:00 - Tue 20:00",
    "Wed 06:00 - Wed 20:00",
    "Thu 06:00 - Thu 20:00",
    "Fri 06:00 - Fri 20:00",
];
pub const HOLIDAY: &str = "2017-10-04";
const LATE_FRIDAY: &str = "Fri 06:00 - Fri 21:00";

const TRUE: Functions = Functions::OF_THE_DAEMON;

type Built = Result<(FeatureSet, InvalidValues), FeatureError>;

/// The features, one column of which is made by this formula: each row of the bars up to it.
fn with_column(bars: &[Bar], time: TimeColumns, place: usize, formula: fn(&[Bar]) -> f64) -> Built {
    build(bars, time).map(|(mut features, invalid)| {
        let before = bars.len() - SEQUENCE_BARS;
        for (row, values) in features.sequence.iter_mut().enumerate() {
            values[place] = formula(&bars[..=before + row]) as f32;
        }
        features.tabular[place] = formula(bars);
        (features, invalid)
    })
}

/// The newest closes, oldest first, without so many at the end.
fn closes(bars: &[Bar], count: usize, later: usize) -> Vec<f64> {
    let end = bars.len() - later;
    bars[end - count..end].iter().map(|bar| bar.close).collect()
}

fn change<const OVER: usize>(bars: &[Bar]) -> f64 {
    let closes = closes(bars, OVER + 1, 0);
    closes[OVER] / closes[0] - 1.0
}

/// Moved by so many rows.
fn mean<const OF: usize, const LATER: usize>(bars: &[Bar]) -> f64 {
    closes(bars, OF, LATER).iter().sum::<f64>() / OF as f64
}

/// Begins with the mean of the first closes.
fn exponential<const SPAN: usize, const FIRST: usize>(bars: &[Bar]) -> f64 {
    let first = bars[..FIRST].iter().map(|bar| bar.close).sum::<f64>() / FIRST as f64;
    let weight = 2.0 / (SPAN + 1) as f64;
    let step = |value: f64, bar: &Bar| {
        if value == bar.close { value } else { (1.0 - weight) * value + weight * bar.close }
    };
    bars.iter().fold(first, step)
}

/// Divides the squares by the count less this.
fn deviation<const OF: usize, const LESS: usize>(bars: &[Bar]) -> f64 {
    let returns: Vec<f64> = closes(bars, OF + 1, 0).windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let mean = returns.iter().sum::<f64>() / OF as f64;
    let squares: f64 = returns.iter().map(|value| (value - mean) * (value - mean)).sum();
    (squares / (OF - LESS) as f64).sqrt()
}

fn strength<const OF: usize>(bars: &[Bar]) -> f64 {
    let closes = closes(bars, OF + 1, 0);
    let sum = |of: fn(f64) -> f64| closes.windows(2).map(|pair| of(pair[1] - pair[0]).max(0.0)).sum::<f64>();
    let (gain, loss) = (sum(|moved| moved), sum(|moved| -moved));
    100.0 - 100.0 / (1.0 + gain / loss)
}

fn hour<const AHEAD: i64>(bars: &[Bar]) -> f64 {
    ((bars[bars.len() - 1].open_time / 3_600 + AHEAD) % 24) as f64
}

/// The features, changed after they were made.
fn changed(bars: &[Bar], time_columns: TimeColumns, change: fn(&mut FeatureSet)) -> Built {
    build(bars, time_columns).map(|(mut features, invalid)| {
        change(&mut features);
        (features, invalid)
    })
}

/// Of other bars.
fn of_bars(bars: &[Bar], time_columns: TimeColumns, change: fn(&mut Bar)) -> Built {
    let mut bars = bars.to_vec();
    bars.iter_mut().for_each(change);
    build(&bars, time_columns)
}

fn calendar(zone: &str, friday: &str, closed: Option<&str>) -> Calendar {
    let sessions = SESSIONS.map(|text| if text.starts_with("Fri") { friday } else { text });
    let sessions = sessions.iter().map(|text| text.parse().unwrap()).collect();
    let mut calendar = Calendar::new(parse_zone(zone).unwrap(), sessions, None);
    closed.iter().for_each(|text| calendar.close(text.parse().unwrap()));
    calendar
}

fn window(archive: &Archive, (series, newest, cycle_id, count): Asked<'_>) -> anyhow::Result<Vec<Bar>> {
    Ok(archive.window(series, newest, cycle_id, count)?)
}

/// Each has the daemon's numbers in a formula of this file: what the mutants are measured against.
pub fn the_same() -> Vec<(&'static str, Functions)> {
    let with = |features| Functions { features, ..TRUE };
    vec![
        ("return_5", with(|bars, time| with_column(bars, time, 1, change::<5>))),
        ("sma_10", with(|bars, time| with_column(bars, time, 3, mean::<10, 0>))),
        ("ema_20", with(|bars, time| with_column(bars, time, 6, exponential::<20, 1>))),
        ("volatility_10", with(|bars, time| with_column(bars, time, 7, deviation::<10, 1>))),
        ("rsi_14", with(|bars, time| with_column(bars, time, 9, strength::<14>))),
        ("hour", with(|bars, time| with_column(bars, time, 18, hour::<0>))),
    ]
}

/// What it is called, the first field that has to differ, and the functions.
type Mutant = (&'static str, &'static str, Functions);

/// Each has to be found.
pub fn mutants() -> Vec<Mutant> {
    [features(), windows(), calendars(), rules()].concat()
}

fn features() -> Vec<Mutant> {
    let with = |name, field, features| (name, field, Functions { features, ..TRUE });
    vec![
        with("a return over a bar less", "return_5", |bars, time| with_column(bars, time, 1, change::<4>)),
        with("a mean of a close more", "sma_10", |bars, time| with_column(bars, time, 3, mean::<11, 0>)),
        with("a column that is a row late", "sma_10", |bars, time| with_column(bars, time, 3, mean::<10, 1>)),
        with("an average of another span", "ema_20", |bars, time| with_column(bars, time, 6, exponential::<21, 1>)),
        with("an average that begins with a mean", "ema_20", |bars, time| {
            with_column(bars, time, 6, exponential::<20, 20>)
        }),
        with("averages that start a bar later", "ema_10", |bars, time| build(&bars[1..], time)),
        with("a deviation that divides by n", "volatility_10", |bars, time| {
            with_column(bars, time, 7, deviation::<10, 0>)
        }),
        with("a strength of 13 changes", "rsi_14", |bars, time| with_column(bars, time, 9, strength::<13>)),
        with("an hour that is the close's", "hour", |bars, time| with_column(bars, time, 18, hour::<1>)),
        with("an hour that is always the same", "hour", |bars, _| build(bars, TimeColumns::Legacy)),
        with("times that are an hour late", "hour", |bars, time| of_bars(bars, time, |bar| bar.open_time += 3_600)),
        with("highs that are an ulp higher", "close_high_ratio", |bars, time| {
            of_bars(bars, time, |bar| bar.high = bar.high.max(bar.close).next_up())
        }),
        with("a return that is off by the last bit", "return_1", |bars, time| {
            changed(bars, time, |it| it.tabular[0] = it.tabular[0].next_up())
        }),
        with("two columns that are swapped", "sma_10", |bars, time| changed(bars, time, |it| it.tabular.swap(3, 4))),
        with("a sequence whose first row is filled from the next", "sequence_sha256", |bars, time| {
            changed(bars, time, |it| it.sequence[0] = it.sequence[1])
        }),
        with("a sequence that is cut and not rounded", "sequence_sha256", |bars, time| {
            changed(bars, time, |it| it.sequence[59][3] = it.sequence[59][3].next_down())
        }),
    ]
}

fn windows() -> Vec<Mutant> {
    let with = |name, window| (name, "bars_sha256", Functions { window, ..TRUE });
    vec![
        with("a window that is a bar shorter", |archive, (series, newest, cycle, count)| {
            window(archive, (series, newest, cycle, count - 1))
        }),
        with("a window that is a bar longer", |archive, (series, newest, cycle, count)| {
            window(archive, (series, newest, cycle, count + 1))
        }),
        with("a window without its newest bar", |archive, (series, newest, cycle, count)| {
            window(archive, (series, newest - 3_600, cycle, count))
        }),
        with("a window that keeps the bar that is forming", |archive, asked| {
            let mut bars = window(archive, asked)?;
            let forming = bars.last().map(|bar| Bar { open_time: bar.open_time + 3_600, ..*bar });
            bars.extend(forming);
            bars.remove(0);
            Ok(bars)
        }),
        with("a window whose oldest bar was joined with the next", |archive, (series, newest, cycle, count)| {
            let mut bars = window(archive, (series, newest, cycle, count + 1))?;
            if bars.len() > count {
                let oldest = bars.remove(0);
                bars[0] = Bar { open_time: oldest.open_time, open: oldest.open, ..bars[0] };
            }
            Ok(bars)
        }),
        with("bars as they are now and not as they were", |archive, (series, newest, _, count)| {
            window(archive, (series, newest, i64::MAX, count))
        }),
    ]
}

fn calendars() -> Vec<Mutant> {
    let with = |name, is_open| (name, "reason", Functions { is_open, ..TRUE });
    let close_time = |bar: &Bar, interval, calendar: &Calendar| bar.close_time(interval, calendar) + 3_600;
    vec![
        with("clocks that are never set", |_, time| calendar("Etc/GMT-10", SESSIONS[4], Some(HOLIDAY)).is_open(time)),
        with("a holiday that is forgotten", |_, time| calendar("Australia/Sydney", SESSIONS[4], None).is_open(time)),
        with("a Friday that is an hour too long", |_, time| {
            calendar("Australia/Sydney", LATE_FRIDAY, Some(HOLIDAY)).is_open(time)
        }),
        with("a market that closes with the second after", |calendar, time| {
            calendar.is_open(time) || calendar.is_open(time - 1)
        }),
        ("bars that close an hour later", "bar_close_time", Functions { close_time, ..TRUE }),
    ]
}

/// Limits with these changes.
fn by(limits: &Limits, change: fn(&mut Limits)) -> Limits {
    let mut limits = *limits;
    change(&mut limits);
    limits
}

fn rules() -> Vec<Mutant> {
    let with = |name, pace| (name, "reason", Functions { pace, ..TRUE });
    vec![
        with("a cooldown that is forgotten", |pace, limits| {
            pace_objection(pace, &by(limits, |limits| limits.cooldown = Duration::ZERO))
        }),
        with("a limit that is an order too high", |pace, limits| {
            pace_objection(pace, &by(limits, |limits| limits.orders_per_hour_max += 1))
        }),
        with("a limit that is asked after the cooldown", |pace, limits| {
            pace_objection(&Pace { last_hour: 0, ..*pace }, limits).or_else(|| pace_objection(pace, limits))
        }),
        (
            "a bar that is too old at the limit",
            "reason",
            Functions { is_stale: |closed, now, max| now - closed >= max, ..TRUE },
        ),
        ("a threshold that is forgotten", "action", Functions { decide: |it, _| decide(it, 0.0), ..TRUE }),
    ]
}
