//! A price bar and the interval it covers.

use std::str::FromStr;

/// How far an open or a close may lie outside low..high, as a share of the price: one step of float32 (2^-23, 1.2e-7).
/// Providers keep prices as float32 or round them one by one, and 1.1177 beside 1.1176999807 is rounding, not a fault.
/// An FX price has five or six digits: what is outside by one step of the last of them is outside by far more.
pub const RANGE_SLACK: f64 = f32::EPSILON as f64;

/// One OHLCV bar. Prices are finite and above zero, `high >= low`, open and close lie within them up to
/// [`RANGE_SLACK`], volume is finite and not negative: [`crate::domain::window`] lets no other bar in.
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

/// Length of a bar; the three that EODHD's intraday feed has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// `1m`
    OneMinute,
    /// `5m`
    FiveMinutes,
    /// `1h`
    OneHour,
}

impl Interval {
    /// Length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::OneHour => 3_600,
        }
    }

    /// The spelling of settings and of EODHD's `interval` parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::OneHour => "1h",
        }
    }
}

impl FromStr for Interval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1m" => Ok(Self::OneMinute),
            "5m" => Ok(Self::FiveMinutes),
            "1h" => Ok(Self::OneHour),
            _ => Err("must be 1m, 5m or 1h"),
        }
    }
}

impl Bar {
    /// End of the bar, unix seconds UTC: the moment from which it is final.
    pub const fn close_time(&self, interval: Interval) -> i64 {
        self.open_time + interval.seconds()
    }
}
