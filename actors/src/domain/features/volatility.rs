//! `volatility_10`, `volatility_20`: how much the one-bar returns vary. Per bar, not annualised.
//!
//! volatility_n = standard deviation of the last n values of `return_1`, divisor n - 1; pandas:
//! `close.pct_change().rolling(n).std()`.

use super::rolling::{Column, Series, changes, standard_deviation};

/// Of ten and of twenty returns.
pub fn volatility_10_and_20(close: &Series) -> [Column; 2] {
    let returns = changes(close, |close, before| close / before - 1.0);
    [standard_deviation(&returns, 10), standard_deviation(&returns, 20)]
}
