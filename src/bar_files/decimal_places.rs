//! How many decimal places the prices of a file have: the study's points and the demo's orders are made of them.

use sentinel_actors::domain::bar::Bar;

/// Most decimal places that are looked for.
pub const DECIMAL_PLACES_MAX: usize = 8;
/// A decimal place is one that prices have if this share of them uses it: single prices may be means of others.
const USED: f64 = 0.05;

/// How many decimal places these prices have; `None` if they have more than a price can have, or there are none.
pub fn decimal_places(bars: &[Bar]) -> Option<u32> {
    let mut counts = [0_u64; DECIMAL_PLACES_MAX + 2];
    for price in bars.iter().flat_map(|bar| [bar.open, bar.high, bar.low, bar.close]) {
        counts[places(price)] += 1;
    }
    let all: u64 = counts.iter().sum();
    let mut with = 0;
    let used = (0..counts.len()).rev().find(|place| {
        with += counts[*place];
        all > 0 && with as f64 >= USED * all as f64
    })?;
    u32::try_from(used).ok().filter(|_| used <= DECIMAL_PLACES_MAX)
}

/// Decimal places of a price; one more than [`DECIMAL_PLACES_MAX`] if those are not enough.
fn places(price: f64) -> usize {
    let mut scaled = price;
    for place in 0..=DECIMAL_PLACES_MAX {
        // What float64 adds to a decimal fraction, and no more.
        if (scaled - scaled.round()).abs() <= 1e-8 + scaled.abs() * 1e-14 {
            return place;
        }
        scaled = price * 10_f64.powi(i32::try_from(place).unwrap_or(0) + 1);
    }
    DECIMAL_PLACES_MAX + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let bar =
            |close: &f64| Bar { open_time: 0, open: *close, high: *close, low: *close, close: *close, volume: 0.0 };
        closes.iter().map(bar).collect()
    }

    #[test]
    fn decimal_places_are_those_that_prices_use() {
        for (closes, wanted) in [
            (&[1.12345, 1.1, 1.12, 1.0][..], Some(5)),
            (&[156.123, 156.1, 156.0], Some(3)),
            (&[2_650.25, 2_651.0], Some(2)),
            (&[0.1 + 0.2, 0.3], Some(1)),
            (&[65_432.123_456_78], Some(8)),
            (&[1.123_45_f32.into()], None),
            (&[1.0 / 3.0], None),
            (&[], None),
        ] {
            assert_eq!(decimal_places(&bars(closes)), wanted, "{closes:?}");
        }
        let mut most = vec![156.12; 99];
        most.push(156.123_456_7);
        assert_eq!(decimal_places(&bars(&most)), Some(2), "one of a hundred is no decimal place");
    }
}
