//! Bars that have nothing to do with those of the file: at the same times, with other prices each, far off.

use sentinel_actors::domain::{bar::Bar, interval::Interval};

/// Noise for a file of bars.
pub(super) struct Noise<'a> {
    source: &'a [Bar],
    interval: Interval,
    price: f64,
}

impl<'a> Noise<'a> {
    pub(super) fn of(source: &'a [Bar], interval: Interval) -> Self {
        Self { source, interval, price: source.first().map_or(1.0, |bar| bar.close) }
    }

    /// One in place of each bar, and so many after the last.
    pub(super) fn bars(&self, after: usize) -> Vec<Bar> {
        let last = self.source.last().map_or(0, |bar| bar.open_time);
        let length_s = self.interval.nominal_s();
        let later = (1..=after as i64).map(|bar| last.saturating_add(bar.saturating_mul(length_s)));
        let times = self.source.iter().map(|bar| bar.open_time).chain(later);
        times.enumerate().map(|(place, open_time)| self.bar(place as u64, open_time)).collect()
    }

    fn bar(&self, place: u64, open_time: i64) -> Bar {
        let price = |number: u64| self.price * (0.5 + fraction(4 * place + number));
        let (open, close) = (price(0), price(1));
        let (high, low) = (open.max(close) * (1.0 + fraction(4 * place + 2)), open.min(close) * 0.9);
        Bar { open_time, open, high, low, close, volume: 1e6 * fraction(4 * place + 3) }
    }
}

/// The begin of the bar that opens next: far from where the one before closed, with little volume.
pub(super) fn forming(next: &Bar, before: Option<&Bar>) -> Bar {
    let price = before.map_or(next.open, |before| before.close * 1.25);
    Bar { open_time: next.open_time, open: price, high: price, low: price, close: price, volume: 1.0 }
}

/// From 0 to 1, another one for each number (G. L. Steele and others, "Fast splittable pseudorandom number generators", 2014).
fn fraction(number: u64) -> f64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
