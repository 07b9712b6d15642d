//! The statistics of a study: pure functions of slices, compared with scipy and scikit-learn in `tests/fixtures/statistics.json`.
//! Values are finite; what is not defined, such as a ratio of nothing, is `None`.

pub mod bootstrap;
pub mod calibration;
pub mod confusion;
mod isotonic;
pub mod results;
pub mod sharpe;
pub mod uniformity;

/// Quantile 0.975 of the normal distribution: what 95 % intervals are made of.
const Z_95: f64 = 1.959_963_984_540_054;

/// The 95 % score interval of a share: `hits` of `n` (E. B. Wilson, "Probable inference", 1927). It stays within 0 to 1 and holds for
/// few cases, too. `None` without a case, and for more hits than cases.
pub fn wilson(hits: u64, n: u64) -> Option<[f64; 2]> {
    if n == 0 || hits > n {
        return None;
    }
    let (hits, n) = (hits as f64, n as f64);
    let share = hits / n;
    let square = Z_95 * Z_95;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half = Z_95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt() / (1.0 + square / n);
    // At the ends the exact result is 0 or 1, and rounding would miss it.
    let low = if hits == 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if hits == n { 1.0 } else { (middle + half).min(1.0) };
    Some([low, high])
}

/// The mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// A number that is one: neither infinite nor NaN.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests;
