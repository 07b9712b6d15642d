//! The 23 features and the 60x23 sequence, equal to those of the daemon this one replaces.

/// Features per bar.
pub const FEATURE_COUNT: usize = 23;
/// Bars in a sequence.
pub const SEQUENCE_BARS: usize = 60;

/// What the model is asked about: the newest bar's features and those of the last 60 bars.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSet {
    /// Features of the newest bar.
    pub tabular: [f64; FEATURE_COUNT],
    /// Features of the last 60 bars, oldest first, rounded to float32.
    pub sequence: Box<[[f32; FEATURE_COUNT]; SEQUENCE_BARS]>,
}

/// Feature values that were replaced or refused, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvalidValues {
    /// Missing values that were filled.
    pub nan: u64,
    /// Infinite values, which cost the symbol its decision.
    pub infinite: u64,
    /// Values beyond float32, which cost the symbol its decision.
    pub out_of_range: u64,
}
