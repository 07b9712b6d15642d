//! `rsi_14`: the relative strength index over 14 changes of the close, 0 to 100.
//!
//! rsi_14 = 100 - 100 / (1 + G / L), where G and L are the means of the gains and of the losses. Wilder (New Concepts in
//! Technical Trading Systems, 1978) smooths them exponentially; with simple means it is Cutler's RSI. pandas:
//! `gain.rolling(14).mean() / loss.rolling(14).mean()`.

use super::rolling::{Column, Series, changes, sum, zip};

/// If there is no loss, it is 100. If there is no change, it is missing (NaN).
pub fn rsi_14(close: &Series) -> Column {
    let gain = changes(close, |close, before| (close - before).max(0.0));
    let loss = changes(close, |close, before| (before - close).max(0.0));
    // Both means have 14 rows, so the quotient of the sums is the same.
    zip(&sum(&gain, 14), &sum(&loss, 14), |gain, loss| 100.0 - 100.0 / (1.0 + gain / loss))
}
