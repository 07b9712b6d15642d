//! A symbol's window of closed bars: what is let in, what is refused and why.

/// Why a bar was refused; the values of `sentinel_bars_rejected_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BarRejection {
    /// A price is missing.
    Null,
    /// A number is not finite.
    NotFinite,
    /// A price is zero or less, or the volume is negative.
    NotPositive,
    /// `high < low`.
    HighBelowLow,
    /// Another bar of the same time says something else.
    Conflict,
}

impl BarRejection {
    /// Every reason, in the order of the metric catalogue.
    pub const ALL: [Self; 5] = [Self::Null, Self::NotFinite, Self::NotPositive, Self::HighBelowLow, Self::Conflict];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::NotFinite => "not_finite",
            Self::NotPositive => "not_positive",
            Self::HighBelowLow => "high_below_low",
            Self::Conflict => "conflict",
        }
    }
}
