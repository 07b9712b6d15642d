//! Market answers: bodies, separated by a zero byte, that a symbol's window takes one after the other.

use sentinel_actors::{
    adapters::eodhd,
    domain::{
        bar::{Bar, RANGE_SLACK},
        calendar::Calendar,
        features::{self, BARS_MIN, TimeColumns},
        interval::Interval,
        window::{BarWindow, CLOCK_SKEW_S, Cleaned, RawBar, clean},
    },
};

use std::sync::Arc;

const LENGTH_MAX: usize = 200;

/// True if a bar was accepted.
pub fn enter(bytes: &[u8]) -> bool {
    let bodies: Vec<Vec<RawBar>> = bytes.split(|byte| *byte == 0).filter_map(|body| eodhd::parse(body).ok()).collect();
    let mut accepted = false;
    for (interval, calendar) in [
        (Interval::OneMinute, Calendar::fx()),
        (Interval::OneHour, Calendar::fx()),
        (Interval::OneHour, Calendar::always()),
        (Interval::FifteenMinutes, Calendar::always()),
        (Interval::FourHours, Calendar::always()),
        (Interval::OneDay, Calendar::fx()),
    ] {
        let calendar = Arc::new(calendar);
        let mut window = BarWindow::new(LENGTH_MAX, interval, calendar.clone());
        for rows in &bodies {
            if window.merge(&admit(rows, interval, &calendar).bars, None).is_err() {
                assert!(window.newest().is_none(), "a doubt about what is held leaves nothing to decide on");
            }
        }
        let bars = window.share();
        assert!(bars.len() <= LENGTH_MAX);
        trusted(&bars);
        let is_edge = |bar: &&Bar| interval.span(bar.open_time, &calendar).start == bar.open_time;
        assert!(bars.iter().all(|bar| is_edge(&bar)), "a made bar opens at its edge");
        let ends: Vec<i64> = bars.iter().map(|bar| bar.close_time(interval, &calendar)).collect();
        assert!(bars.iter().skip(1).zip(&ends).all(|(bar, end)| bar.open_time >= *end), "sorted, and no two overlap");
        if !interval.is_made() && window.jump(0.2).is_none() {
            let is_near = |pair: &[Bar]| (pair[1].close / pair[0].close - 1.0).abs() <= 0.2;
            assert!(bars.windows(2).all(is_near), "no close is far from the one before");
        }
        accepted |= !bars.is_empty();
        for gap in window.gaps() {
            assert!(gap.from < gap.to, "a gap lies between two bars");
        }
        if let Ok((features, _)) = features::build(&bars, TimeColumns::Utc) {
            assert!(bars.len() >= BARS_MIN);
            let finite = features.sequence.iter().flatten().all(|value| value.is_finite());
            assert!(finite && features.tabular.iter().all(|value| value.is_finite()), "the model sees numbers only");
        }
    }
    accepted
}

/// The accepted bars of an answer, and what they must not depend on.
fn admit(rows: &[RawBar], interval: Interval, calendar: &Calendar) -> Cleaned {
    let all = clean(rows, interval, calendar, None);
    trusted(&all.bars);
    let is_after = |pair: &[Bar]| pair[1].open_time - pair[0].open_time >= interval.source_s();
    assert!(all.bars.windows(2).all(is_after), "sorted, and no two overlap");
    assert!(all.bars.len() <= rows.len());
    let reversed: Vec<RawBar> = rows.iter().rev().copied().collect();
    assert_eq!(clean(&reversed, interval, calendar, None), all, "the order of the rows says nothing");
    // A time at which the newest row is still forming.
    let now = rows.iter().map(|row| row.open_time).max().unwrap_or(0);
    let closed: Vec<RawBar> = rows.iter().filter(|row| row.open_time + interval.source_s() <= now).copied().collect();
    let without = clean(&closed, interval, calendar, None);
    assert_eq!(clean(rows, interval, calendar, Some(now)), without, "a forming bar changes nothing");
    // A time at which all rows but the first have not begun: these are refused, and none is accepted.
    let early = rows.iter().map(|row| row.open_time).min().unwrap_or(0);
    let cleaned = clean(rows, interval, calendar, Some(early));
    assert!(cleaned.bars.is_empty() && cleaned.fault.is_none(), "nothing has closed yet");
    let begun = rows.iter().filter(|row| row.open_time <= early + CLOCK_SKEW_S).count();
    let counted: u64 = cleaned.rejected.counted().iter().map(|(_, count)| count).sum();
    assert_eq!(counted, (rows.len() - begun) as u64, "what lies ahead is counted");
    all
}

fn trusted(bars: &[Bar]) {
    for bar in bars {
        let prices = [bar.open, bar.high, bar.low, bar.close];
        assert!(prices.iter().all(|price| price.is_finite() && *price > 0.0), "{bar:?}");
        let (low, high) = (bar.low * (1.0 - RANGE_SLACK), bar.high * (1.0 + RANGE_SLACK));
        assert!([bar.open, bar.close].iter().all(|price| (low..=high).contains(price)), "{bar:?}");
        assert!(bar.high >= bar.low && bar.volume.is_finite() && bar.volume >= 0.0, "{bar:?}");
    }
}
