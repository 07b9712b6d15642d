//! `return_1`, `return_5`, `return_10`: the relative change of the close.
//!
//! return_n = close / (close n bars before) - 1; pandas: `close.pct_change(n)`.

use super::rolling::{Column, Series, lagged, zip};

/// Over one bar.
pub fn return_1(close: &Series) -> Column {
    over(close, 1)
}

/// Over five bars.
pub fn return_5(close: &Series) -> Column {
    over(close, 5)
}

/// Over ten bars.
pub fn return_10(close: &Series) -> Column {
    over(close, 10)
}

fn over(close: &Series, bars: usize) -> Column {
    zip(lagged(close, 0), lagged(close, bars), |close, before| close / before - 1.0)
}
