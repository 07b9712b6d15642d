//! Market answers: bodies, one after the other with a zero byte between them, as a symbol's window takes them in.

use sentinel_actors::{
    adapters::eodhd,
    domain::{
        bar::{Bar, Interval},
        calendar::Calendar,
        features::{self, BARS_MIN, TimeColumns},
        window::{BarWindow, Cleaned, RawBar, clean, gaps},
    },
};

const LENGTH_MAX: usize = 200;

/// True if a bar was let in.
pub fn enter(bytes: &[u8]) -> bool {
    let bodies: Vec<Vec<RawBar>> = bytes.split(|byte| *byte == 0).filter_map(|body| eodhd::parse(body).ok()).collect();
    let mut accepted = false;
    for interval in [Interval::OneMinute, Interval::OneHour] {
        let mut window = BarWindow::new(LENGTH_MAX);
        for rows in &bodies {
            if window.merge(&admit(rows, interval).bars).is_err() {
                assert!(window.newest().is_none(), "a conflict leaves nothing to decide on");
            }
        }
        let bars = window.share();
        assert!(bars.len() <= LENGTH_MAX);
        trusted(&bars);
        accepted |= !bars.is_empty();
        for calendar in [Calendar::fx(), Calendar::always()] {
            for gap in gaps(&bars, interval, &calendar) {
                assert!(gap.from < gap.to, "a gap lies between two bars");
            }
        }
        if let Ok((features, _)) = features::build(&bars, TimeColumns::Utc) {
            assert!(bars.len() >= BARS_MIN);
            let finite = features.sequence.iter().flatten().all(|value| value.is_finite());
            assert!(finite && features.tabular.iter().all(|value| value.is_finite()), "the model sees numbers only");
        }
    }
    accepted
}

/// What is let in of an answer, and what that may not depend on.
fn admit(rows: &[RawBar], interval: Interval) -> Cleaned {
    let all = clean(rows, interval, None);
    trusted(&all.bars);
    assert!(all.bars.len() <= rows.len());
    let reversed: Vec<RawBar> = rows.iter().rev().copied().collect();
    assert_eq!(clean(&reversed, interval, None), all, "the order of the rows says nothing");
    // A moment at which the newest row is still forming.
    let now = rows.iter().map(|row| row.open_time).max().unwrap_or(0);
    let closed: Vec<RawBar> = rows.iter().filter(|row| row.open_time + interval.seconds() <= now).copied().collect();
    assert_eq!(clean(rows, interval, Some(now)), clean(&closed, interval, None), "a forming bar changes nothing");
    all
}

fn trusted(bars: &[Bar]) {
    for bar in bars {
        let prices = [bar.open, bar.high, bar.low, bar.close];
        assert!(prices.iter().all(|price| price.is_finite() && *price > 0.0), "{bar:?}");
        assert!(bar.high >= bar.low && bar.volume.is_finite() && bar.volume >= 0.0, "{bar:?}");
    }
    assert!(bars.windows(2).all(|pair| pair[0].open_time < pair[1].open_time), "sorted, no time twice");
}
