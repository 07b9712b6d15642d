//! `price_momentum`, `price_acceleration`: the first and the second difference of the close over five bars, in units of the
//! price.

use super::rolling::{Column, Series, lagged, zip};

/// close - (close 5 bars before); pandas: `close.diff(5)`.
pub fn price_momentum(close: &Series) -> Column {
    momentum(close, 0)
}

/// price_momentum - (price_momentum 5 bars before); pandas: `price_momentum.diff(5)`.
pub fn price_acceleration(close: &Series, price_momentum: &Column) -> Column {
    zip(price_momentum, &momentum(close, 5), |now, before| now - before)
}

/// The momentum of the row that is this many rows earlier, for every row.
fn momentum(close: &Series, rows_earlier: usize) -> Column {
    zip(lagged(close, rows_earlier), lagged(close, rows_earlier + 5), |close, before| close - before)
}
