//! Why a bar is refused, and why a whole answer or a whole window cannot be used for a decision. The daemon's log and
//! `sentinel verify market` use the same words.

use crate::domain::interval::Interval;
use chrono::DateTime;
use std::fmt;

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
    /// The open or the close is outside low..high.
    OutsideRange,
    /// It opens in the future.
    InFuture,
    /// Another bar of the same time has other values.
    Conflict,
    /// It opens at an impossible time for this interval, relative to the previous bar; one per answer.
    NotOfInterval,
}

impl BarRejection {
    /// Every reason, in the order of the metric catalogue.
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::NotFinite,
        Self::NotPositive,
        Self::HighBelowLow,
        Self::OutsideRange,
        Self::InFuture,
        Self::Conflict,
        Self::NotOfInterval,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::NotFinite => "not_finite",
            Self::NotPositive => "not_positive",
            Self::HighBelowLow => "high_below_low",
            Self::OutsideRange => "outside_range",
            Self::InFuture => "in_future",
            Self::Conflict => "conflict",
            Self::NotOfInterval => "not_of_interval",
        }
    }
}

/// Refused bars, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rejections([u64; BarRejection::ALL.len()]);

impl Rejections {
    /// Counts one bar.
    pub fn add(&mut self, reason: BarRejection) {
        self.0[reason as usize] += 1;
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        for (count, other) in self.0.iter_mut().zip(other.0) {
            *count += other;
        }
    }

    /// The reasons that occurred, with their counts.
    pub fn counted(&self) -> Vec<(BarRejection, u64)> {
        BarRejection::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0).collect()
    }
}

/// Why an answer, its newest bar or the window cannot be used for a decision.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BarFault {
    /// Two bars of the same time differ, and it is unknown which one is right.
    #[error("two different bars open at {}", At(*open_time))]
    Conflict {
        /// Unix seconds.
        open_time: i64,
    },
    /// The newest closed bar was refused, so a decision would be based on an older one.
    #[error("the newest closed bar, opened at {}, is invalid", At(*open_time))]
    NewestInvalid {
        /// Unix seconds.
        open_time: i64,
    },
    /// Two bars of one series cannot both be bars of the interval: see [`crate::domain::window::misfit`].
    #[error(
        "the bar that opens at {} cannot follow the one that opens at {}: {apart_s} s apart is no place for a bar of \
         {interval_s} s, and market.calendar has no opening that would explain it",
        At(*open_time), At(*before)
    )]
    NotOfInterval {
        /// Open time of the previous bar, unix seconds.
        before: i64,
        /// Open time of the bar that does not fit, unix seconds.
        open_time: i64,
        /// Seconds between the two.
        apart_s: u64,
        /// Length of a bar, seconds.
        interval_s: i64,
    },
    /// A finer bar crosses an edge of the bars that are made from finer ones.
    #[error(
        "the bar that opens at {} does not end before {}, where a bar of {} ends: bars of {} cannot be made of it",
        At(*open_time), At(*edge), interval.as_str(), interval.as_str()
    )]
    AcrossEdge {
        /// Open time of the finer bar, unix seconds.
        open_time: i64,
        /// The edge, unix seconds.
        edge: i64,
        /// The interval of the made bars.
        interval: Interval,
    },
    /// A price differs from the previous close by more than the limit: see [`crate::domain::window::jump`].
    #[error(
        "a price jumps from {close_before}, the close of the bar that opened at {}, to {price} in the bar that opened \
         at {}: more than data.jump_max = {limit} allows; if both are real, raise it",
        At(*before), At(*open_time)
    )]
    Jump {
        /// Open time of the previous bar, unix seconds.
        before: i64,
        /// Its close.
        close_before: f64,
        /// Open time of the bar with the other price, unix seconds.
        open_time: i64,
        /// The one of its four prices that differs most.
        price: f64,
        /// The limit, as a share of the previous close.
        limit: f64,
    },
}

impl BarFault {
    /// Short name for logs and `/health`, from a fixed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::NewestInvalid { .. } => "newest_bar_invalid",
            Self::NotOfInterval { .. } | Self::AcrossEdge { .. } => "not_of_interval",
            Self::Jump { .. } => "jump",
        }
    }

    /// The reason under which all bars are counted if the whole answer is refused; `None` if the other bars are used.
    pub const fn refuses_answer(&self) -> Option<BarRejection> {
        match self {
            Self::Conflict { .. } => Some(BarRejection::Conflict),
            Self::NotOfInterval { .. } | Self::AcrossEdge { .. } => Some(BarRejection::NotOfInterval),
            Self::NewestInvalid { .. } | Self::Jump { .. } => None,
        }
    }
}

/// Unix seconds in a readable form: `2026-11-28 08:30:00 UTC`.
struct At(i64);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_timestamp(self.0, 0) {
            Some(at) => write!(f, "{}", at.format("%F %T UTC")),
            None => write!(f, "{}", self.0),
        }
    }
}
