//! `high_low_ratio`, `close_high_ratio`, `close_low_ratio`: the shape of one bar.

use super::rolling::{Column, Series, lagged, zip};

/// high / low: 1 for a bar that did not move.
pub fn high_low_ratio(high: &Series, low: &Series) -> Column {
    ratio(high, low)
}

/// close / high: 1 for a bar that closed at its high.
pub fn close_high_ratio(close: &Series, high: &Series) -> Column {
    ratio(close, high)
}

/// close / low: 1 for a bar that closed at its low.
pub fn close_low_ratio(close: &Series, low: &Series) -> Column {
    ratio(close, low)
}

fn ratio(of: &Series, to: &Series) -> Column {
    zip(lagged(of, 0), lagged(to, 0), |of, to| of / to)
}
