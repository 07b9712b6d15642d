//! For every row, the sum, mean or deviation of the last few rows, written so that the compiler can vectorise it.
//!
//! Every window is summed separately. A running sum would leave residues like 1e-20 where the true sum is 0, and an RSI
//! computed from such a residue would be noise.

use super::SEQUENCE_BARS;

/// Rows before the sequence that its first row needs: 20 returns need 21 closes.
pub const HISTORY: usize = 20;

/// One input column: the history, then the rows of the sequence.
pub type Series = [f64; HISTORY + SEQUENCE_BARS];
/// One value per row of the sequence, oldest first.
pub type Column = [f64; SEQUENCE_BARS];

/// The rows of the sequence, each replaced by the one `rows_earlier` (at most [`HISTORY`]) rows before it.
pub fn lagged(series: &Series, rows_earlier: usize) -> &[f64] {
    &series[HISTORY - rows_earlier..][..SEQUENCE_BARS]
}

/// Combines two values of every row.
pub fn zip(left: &[f64], right: &[f64], combine: impl Fn(f64, f64) -> f64) -> Column {
    let mut out = [0.0; SEQUENCE_BARS];
    for ((out, left), right) in out.iter_mut().zip(left).zip(right) {
        *out = combine(*left, *right);
    }
    out
}

/// The result of `of` for every row and the previous one. The oldest row has no previous one and gets 0; no feature uses that
/// value.
pub fn changes(series: &Series, of: impl Fn(f64, f64) -> f64) -> Series {
    std::array::from_fn(|row| if row == 0 { 0.0 } else { of(series[row], series[row - 1]) })
}

/// Sum of the last `n` values of every row, including its own.
pub fn sum(series: &Series, n: usize) -> Column {
    let mut sums = [0.0; SEQUENCE_BARS];
    // The inner loop runs over rows, the outer loop over lags: that gives 60 independent sums, while one window alone is a
    // chain of dependent additions.
    for lag in (0..n).rev() {
        for (sum, value) in sums.iter_mut().zip(lagged(series, lag)) {
            *sum += value;
        }
    }
    sums
}

/// Mean of the last `n` values of every row, including its own.
pub fn mean(series: &Series, n: usize) -> Column {
    sum(series, n).map(|sum| sum / n as f64)
}

/// Standard deviation of the last `n` values of every row, divisor `n - 1`, in two passes.
pub fn standard_deviation(series: &Series, n: usize) -> Column {
    let means = mean(series, n);
    let mut squares = [0.0; SEQUENCE_BARS];
    for lag in (0..n).rev() {
        for ((square, mean), value) in squares.iter_mut().zip(&means).zip(lagged(series, lag)) {
            let distance = value - mean;
            *square += distance * distance;
        }
    }
    squares.map(|square| (square / (n - 1) as f64).sqrt())
}
