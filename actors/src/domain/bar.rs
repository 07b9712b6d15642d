//! A price bar.

use super::{calendar::Calendar, interval::Interval};

/// How far an open or a close may be outside low..high, as a share of the price: one step of float32 (2^-23, 1.2e-7).
/// Providers store prices as float32 or round them individually, so 1.1177 beside 1.1176999807 is rounding, not an error. An
/// FX price has five or six digits; an error of one unit in the last of them is much larger.
pub const RANGE_SLACK: f64 = f32::EPSILON as f64;

/// One OHLCV bar. Prices are finite and above zero, `high >= low`, open and close are between them up to [`RANGE_SLACK`], the
/// volume is finite and not negative: [`crate::domain::window`] refuses all other bars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Start of the bar, unix seconds UTC.
    pub open_time: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume; 0 is normal in FX.
    pub volume: f64,
}

impl Bar {
    /// End of the bar, unix seconds UTC: the moment from which it is final.
    pub fn close_time(&self, interval: Interval, calendar: &Calendar) -> i64 {
        interval.span(self.open_time, calendar).end
    }
}
