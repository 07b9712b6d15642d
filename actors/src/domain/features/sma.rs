//! `sma_10`, `sma_20`: simple moving averages of the close.
//!
//! sma_n = mean of the last n closes, including the bar's own; pandas: `close.rolling(n).mean()`.

use super::rolling::{Column, Series, mean};

/// Of ten closes.
pub fn sma_10(close: &Series) -> Column {
    mean(close, 10)
}

/// Of twenty closes.
pub fn sma_20(close: &Series) -> Column {
    mean(close, 20)
}
