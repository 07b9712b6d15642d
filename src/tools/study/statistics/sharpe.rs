//! The Sharpe ratio, and how likely it is to be more than chance: D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient
//! Frontier", 2012 (PSR), and "The Deflated Sharpe Ratio", 2014 (DSR and the expected maximum of many trials).
//!
//! The DSR takes a variance V of the trials' ratios. The paper takes the variance between the trials, [`variance_between`]. A study
//! takes [`variance_of_chance`], deliberately: its trials are thresholds of one model, which share most of their trades.
//! - If the model has an edge, the ratios rise with the threshold. Then most of the variance between them is the edge itself, and the
//!   better the model, the higher the bar would be.
//! - If it has none, ratios of shared trades lie close together. Then the variance between them is too small, and the bar too low.
//!
//! V = 1/(T-1) is what T trades that earn nothing have. It is the same in both cases, and with the number of all trials, counted as
//! if they were independent, the result is rather too low than too high. A study prints the other figure beside it.

use super::{finite, mean};
use statrs::distribution::{ContinuousCDF as _, Normal};
use std::f64::consts::E;

/// Of a list of results.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpe {
    /// How many results.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, of a sample: the divisor is `count` - 1.
    pub deviation: f64,
    /// The ratio of both, of one result; not annualised.
    pub ratio: f64,
    /// Third standardised moment: 0 if the results are symmetric.
    pub skewness: f64,
    /// Fourth standardised moment, raw: 3 of a normal distribution.
    pub kurtosis: f64,
}

/// A ratio of a year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Annual {
    /// The ratio of one result times the root of the factor.
    pub ratio: f64,
    /// Results that it was computed from.
    pub count: usize,
    /// Results a year.
    pub factor: f64,
}

/// The Sharpe ratio of these results, with their moments. `None` for fewer than two, and if all are the same.
pub fn sharpe(values: &[f64]) -> Option<Sharpe> {
    let count = values.len();
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return None;
    }
    let mean = mean(values)?;
    let moment = |power: i32| values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / count as f64;
    let variance = moment(2);
    let deviation = (variance * count as f64 / (count - 1) as f64).sqrt();
    Some(Sharpe {
        count,
        mean,
        deviation,
        ratio: finite(mean / deviation)?,
        skewness: finite(moment(3) / variance.powf(1.5))?,
        kurtosis: finite(moment(4) / (variance * variance))?,
    })
}

impl Sharpe {
    /// The ratio of a year with `per_year` results, as if they were independent. `None` unless the factor is above 0.
    pub fn annual(&self, per_year: f64) -> Option<Annual> {
        let ratio = finite(self.ratio * per_year.sqrt()).filter(|_| per_year > 0.0)?;
        Some(Annual { ratio, count: self.count, factor: per_year })
    }

    /// [`psr`] of these results.
    pub fn psr(&self, benchmark: f64) -> Option<f64> {
        psr(self.ratio, self.count, self.skewness, self.kurtosis, benchmark)
    }

    /// [`dsr`] of these results.
    pub fn dsr(&self, trials: u64, variance: f64) -> Option<f64> {
        dsr(self.ratio, self.count, self.skewness, self.kurtosis, trials, variance)
    }
}

/// Probabilistic Sharpe ratio: how likely the true ratio is above `benchmark`, with `count` results of this skewness and raw kurtosis.
/// No ratio here is annualised. `None` for fewer than two results, and where the formula has no root.
pub fn psr(ratio: f64, count: usize, skewness: f64, kurtosis: f64, benchmark: f64) -> Option<f64> {
    let spread = 1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio;
    if count < 2 || spread.is_nan() || spread <= 0.0 {
        return None;
    }
    finite((ratio - benchmark) * ((count - 1) as f64).sqrt() / spread.sqrt()).map(|z| Normal::standard().cdf(z))
}

/// The Sharpe ratio that the best of `trials` has by chance alone, if the trials' ratios have this variance. One trial is not a best of
/// several: 0. `None` without a trial, or for a variance below 0.
pub fn expected_max(trials: u64, variance: f64) -> Option<f64> {
    /// Euler and Mascheroni's.
    const GAMMA: f64 = 0.577_215_664_901_532_9;
    if trials == 0 || variance.is_nan() || variance < 0.0 {
        return None;
    }
    if trials == 1 {
        return Some(0.0);
    }
    let trials = trials as f64;
    let normal = Normal::standard();
    // The quantile of 1 - x is that of x with the other sign, and keeps its digits for a small x.
    let best = -(1.0 - GAMMA) * normal.inverse_cdf(1.0 / trials) - GAMMA * normal.inverse_cdf(1.0 / (trials * E));
    finite(variance.sqrt() * best)
}

/// Variance of the Sharpe ratio of so many results that earn nothing (A. W. Lo, "The Statistics of Sharpe Ratios", 2002). It is
/// the standard error of [`psr`] at a ratio of 0, squared.
pub fn variance_of_chance(count: usize) -> f64 {
    1.0 / count.saturating_sub(1).max(1) as f64
}

/// Variance between the Sharpe ratios of trials, of a sample. `None` for fewer than two.
pub fn variance_between(ratios: &[f64]) -> Option<f64> {
    let mean = mean(ratios).filter(|_| ratios.len() > 1)?;
    let squares: f64 = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum();
    finite(squares / (ratios.len() - 1) as f64)
}

/// Deflated Sharpe ratio: [`psr`] against what the best of all trials has by chance. With one trial it is the PSR against 0.
pub fn dsr(ratio: f64, count: usize, skewness: f64, kurtosis: f64, trials: u64, variance: f64) -> Option<f64> {
    psr(ratio, count, skewness, kurtosis, expected_max(trials, variance)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trial_is_the_probabilistic_ratio() {
        let found = sharpe(&[3.0, -1.0, 2.0, 0.5, -0.5, 4.0]).unwrap();
        assert_eq!(found.dsr(1, 0.3), found.psr(0.0));
        assert!(found.dsr(2, 0.3).unwrap() < found.psr(0.0).unwrap());
    }

    #[test]
    fn each_trial_lowers_the_deflated_ratio() {
        let found = sharpe(&[3.0, -1.0, 2.0, 0.5, -0.5, 4.0]).unwrap();
        let ratios: Vec<f64> = [1, 2, 10, 100, 10_000, 1 << 40].map(|trials| found.dsr(trials, 0.05).unwrap()).to_vec();
        assert!(ratios.is_sorted_by(|one, next| one > next), "{ratios:?}");
    }

    #[test]
    fn the_example_of_the_paper_is_met() {
        // Bailey and Lopez de Prado 2014: 2.5 a year of 250 days, 5 years, skewness -3, kurtosis 10, 100 trials of variance 1/2 a year.
        let ratio = 2.5 / 250_f64.sqrt();
        let found = dsr(ratio, 1_250, -3.0, 10.0, 100, 0.5 / 250.0).unwrap();
        assert!((found - 0.900_4).abs() < 5e-5, "{found}");
        assert!((expected_max(100, 0.5 / 250.0).unwrap() - 0.113_2).abs() < 5e-5);
    }

    #[test]
    fn a_ratio_of_nothing_is_not_defined() {
        assert_eq!([sharpe(&[]), sharpe(&[1.0]), sharpe(&[0.1, 0.1, 0.1])], [None; 3]);
        assert_eq!((psr(0.1, 1, 0.0, 3.0, 0.0), psr(2.0, 10, 2.0, 1.0, 0.0)), (None, None));
        assert_eq!((expected_max(0, 1.0), expected_max(9, -1.0), expected_max(9, f64::NAN)), (None, None, None));
        assert_eq!(sharpe(&[f64::MAX, -f64::MAX]), None);
    }

    #[test]
    fn a_year_multiplies_by_the_root() {
        let found = sharpe(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(found.annual(252.0), Some(Annual { ratio: 2.0 * 252_f64.sqrt(), count: 3, factor: 252.0 }));
        assert_eq!((found.annual(0.0), found.annual(-1.0), found.annual(f64::NAN)), (None, None, None));
    }
}
