//! How the bars of a file become what a model is asked with: coarser bars, their close, the window of one of them, its features.

use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    features::{BARS_MIN, FeatureError, FeatureSet, TimeColumns, Windows, build},
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
    /// Whether [`Neighbours`] may stand in for `features`: only if these are the daemon's.
    pub has_neighbours: bool,
}

impl Functions {
    /// Those of the daemon.
    pub const OF_THE_DAEMON: Self =
        Self { resample, close_time: Bar::close_time, features: features_at, has_neighbours: true };
}

/// The daemon's features of bars that lie close together, made faster than one by one: what a bar has in every window is made once.
/// Bit for bit the same; each decision of a million is made several times.
#[derive(Debug)]
pub struct Neighbours<'a> {
    bars: &'a [Bar],
    lookback_bars: usize,
    windows: Windows<'a>,
    made: FeatureSet,
}

impl<'a> Neighbours<'a> {
    /// Of the bars at these places, which rise. `None` if most of the bars between them are of no interest: one by one is faster then.
    pub fn new(bars: &'a [Bar], places: &[usize], lookback_bars: usize, time_columns: TimeColumns) -> Option<Self> {
        let newest = *places.first()?..places.last()? + 1;
        let is_close = newest.len() <= 2 * places.len();
        let of_range = |newest| Windows::new(bars, newest, time_columns);
        is_close.then(|| Self { bars, lookback_bars, windows: of_range(newest), made: FeatureSet::default() })
    }

    /// Of the bar at this place.
    ///
    /// # Errors
    /// As [`Functions::features`].
    pub fn features(&mut self, at: usize) -> Result<&FeatureSet, FeatureError> {
        let Some(from) = (at + 1).checked_sub(self.lookback_bars).filter(|_| at < self.bars.len()) else {
            return Err(too_few(at, self.lookback_bars));
        };
        self.windows.build(from..at + 1, &mut self.made)?;
        Ok(&self.made)
    }
}

fn too_few(at: usize, lookback_bars: usize) -> FeatureError {
    FeatureError::TooFewBars { have: at + 1, need: lookback_bars.max(BARS_MIN) }
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
    let window = window(bars, at, lookback_bars).ok_or(too_few(at, lookback_bars))?;
    build(window, time_columns).map(|(features, _)| features)
}
