//! How the bars of a file become what a model is asked with: coarser bars, their close, the window of one of them, its features.

use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    features::{BARS_MIN, FeatureError, FeatureSet, TimeColumns, build},
    interval::Interval,
    resample::resample,
};

/// Features of the bar at this place of all bars, whose window has so many bars. It is given all of them, so that the look-ahead
/// check can find one that uses bars after that place.
pub type Features = fn(&[Bar], usize, usize, TimeColumns) -> Result<FeatureSet, FeatureError>;

/// What a study makes features with. A test puts a wrong one in the place of each, and the look-ahead check has to find it.
#[derive(Debug, Clone, Copy)]
pub struct Functions {
    /// Bars of an interval made of finer ones.
    pub resample: fn(&[Bar], Interval, &Calendar, i64) -> Vec<Bar>,
    /// When a bar closed, unix seconds.
    pub close_time: fn(&Bar, Interval, &Calendar) -> i64,
    /// The window of a bar, and its features.
    pub features: Features,
}

impl Functions {
    /// Those of the daemon.
    pub const OF_THE_DAEMON: Self = Self { resample, close_time: Bar::close_time, features: features_at };
}

/// The window of the bar at this place: it and the bars before it, so many in all. `None` if there are fewer.
pub fn window(bars: &[Bar], at: usize, lookback_bars: usize) -> Option<&[Bar]> {
    bars.get((at + 1).checked_sub(lookback_bars)?..=at)
}

/// The daemon's features of that window.
fn features_at(
    bars: &[Bar],
    at: usize,
    lookback_bars: usize,
    time_columns: TimeColumns,
) -> Result<FeatureSet, FeatureError> {
    let window = window(bars, at, lookback_bars)
        .ok_or(FeatureError::TooFewBars { have: at + 1, need: lookback_bars.max(BARS_MIN) })?;
    build(window, time_columns).map(|(features, _)| features)
}
