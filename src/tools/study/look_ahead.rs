//! Whether a feature sees the future: each decision is made again with noise in place of all later bars, and with a bar that is
//! still forming. What has not happened yet must change nothing.

use super::result::LookAhead;
use sentinel_actors::domain::{
    bar::Bar,
    features::{FEATURE_NAMES, FeatureError, FeatureSet},
};

/// Later bars that the maker of features is shown: more than any of them looks at.
pub const LATER_BARS: usize = 64;

/// Makes the features that are known when the bar at this place of the slice has closed. What it is given goes beyond that bar;
/// whether it looks there is the question.
pub type Make<'a> = &'a (dyn Fn(&[Bar], usize) -> Result<FeatureSet, FeatureError> + Sync);

/// Looks at the decision at the close of `bars[at]`, whose window begins at `from`; `made` is what it was made with. Answers what
/// differs first.
pub fn check(bars: &[Bar], from: usize, at: usize, made: &FeatureSet, make: Make<'_>) -> Option<String> {
    let place = at - from;
    let known = &bars[from..=at];
    let later = bars.len().saturating_sub(at + 1).min(LATER_BARS);
    let mut noisy = known.to_vec();
    noisy.extend((0..later).map(|offset| noise(&bars[at], &bars[at + 1 + offset], offset)));
    let mut forming = known.to_vec();
    forming.push(forming_bar(&bars[at]));
    [("noise in place of the later bars", noisy), ("a bar that is still forming", forming)].into_iter().find_map(
        |(what, bars)| {
            let again = make(&bars, place);
            let feature = match again {
                Ok(again) => difference(made, &again)?,
                Err(error) => format!("no features ({error})"),
            };
            Some(format!("with {what}: {feature}"))
        },
    )
}

/// Adds up what was found. `at` is the bar's close, for a person.
pub fn note(look_ahead: &mut LookAhead, found: Option<String>, at: impl FnOnce() -> String) {
    look_ahead.is_checked = true;
    look_ahead.checked += 1;
    if let Some(what) = found {
        look_ahead.unequal += 1;
        look_ahead.first.get_or_insert_with(|| format!("bar {}, {what}", at()));
    }
}

/// A bar at the same time whose prices have nothing to do with what came: far off, and other ones each time.
fn noise(newest: &Bar, bar: &Bar, offset: usize) -> Bar {
    // A fixed sequence that repeats late is enough here; nothing is drawn from it.
    let spread = 0.5 + ((offset * 7_919 + 13) % 101) as f64 / 101.0;
    let (open, close) = (newest.close * spread, newest.close * (2.0 - spread));
    let (high, low) = (open.max(close) * 1.1, open.min(close) * 0.9);
    Bar { open_time: bar.open_time, open, high, low, close, volume: newest.volume * spread + 1.0 }
}

/// The beginning of the next bar: far from where the newest closed.
fn forming_bar(newest: &Bar) -> Bar {
    let price = newest.close * 1.25;
    Bar { open_time: newest.open_time + 60, open: price, high: price, low: price, close: price, volume: 1.0 }
}

/// The first feature that is not the same, bit by bit.
fn difference(made: &FeatureSet, again: &FeatureSet) -> Option<String> {
    let tabular = made.tabular.iter().zip(&again.tabular).position(|(one, other)| one.to_bits() != other.to_bits());
    if let Some(column) = tabular {
        return Some(FEATURE_NAMES[column].to_owned());
    }
    made.sequence.iter().zip(again.sequence.iter()).enumerate().find_map(|(row, (one, other))| {
        let column = one.iter().zip(other).position(|(one, other)| one.to_bits() != other.to_bits())?;
        Some(format!("{} of row {row} of the sequence", FEATURE_NAMES[column]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::domain::features::{TimeColumns, build};

    const LOOKBACK: usize = 130;

    fn bars() -> Vec<Bar> {
        let bar = |index: usize| {
            let close = 1.1 + (index as f64 * 0.37).sin() * 0.01;
            let (high, low) = (close + 0.001, close - 0.001);
            // Nothing is traded for a while, in which the volume's ratio is 0/0 and filled from a later bar.
            let volume = if (150..180).contains(&index) { 0.0 } else { 10.0 + (index % 7) as f64 };
            Bar { open_time: 3_600 * index as i64, open: close, high, low, close, volume }
        };
        (0..260).map(bar).collect()
    }

    fn daemons(bars: &[Bar], at: usize) -> Result<FeatureSet, FeatureError> {
        build(&bars[..=at], TimeColumns::Utc).map(|(features, _)| features)
    }

    /// A missing value is filled from a later bar, whether it has come or not.
    fn with_bfill(bars: &[Bar], at: usize) -> Result<FeatureSet, FeatureError> {
        let mut features = daemons(bars, at)?;
        if bars[..=at].iter().rev().take(20).all(|bar| bar.volume == 0.0) {
            features.tabular[17] = bars[at..].iter().find(|bar| bar.volume > 0.0).map_or(0.0, |bar| bar.volume);
        }
        Ok(features)
    }

    /// The window is cut by count from the end, so that a bar that is forming is in it.
    fn with_forming(bars: &[Bar], _: usize) -> Result<FeatureSet, FeatureError> {
        daemons(bars, bars.len() - 1)
    }

    fn all(make: Make<'_>) -> LookAhead {
        let bars = bars();
        let mut found = LookAhead::default();
        for at in LOOKBACK - 1..bars.len() {
            let from = at + 1 - LOOKBACK;
            let until = (at + 1 + LATER_BARS).min(bars.len());
            let made = make(&bars[from..until], at - from).unwrap();
            note(&mut found, check(&bars, from, at, &made, make), || at.to_string());
        }
        found
    }

    #[test]
    fn the_daemons_features_see_no_future() {
        let found = all(&daemons);
        let all = 260 - LOOKBACK as u64 + 1;
        assert_eq!((found.is_checked, found.checked, found.unequal, found.first), (true, all, 0, None));
    }

    #[test]
    fn a_feature_that_is_filled_from_later_is_caught() {
        let found = all(&with_bfill);
        assert_eq!(found.unequal, 11, "bars 169 to 179 have 20 without volume");
        assert_eq!(found.first.as_deref(), Some("bar 169, with noise in place of the later bars: volume_ratio"));
    }

    #[test]
    fn a_window_with_a_forming_bar_is_caught() {
        let found = all(&with_forming);
        assert_eq!(found.unequal, found.checked);
    }
}
