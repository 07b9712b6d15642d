//! Whether the model's confidences still have the same distribution as in training: the population stability index (PSI) of
//! the newest confidences relative to a reference, which can be configured with the model.
//!
//! The index is the sum over all bins of `(actual - expected) * ln(actual / expected)`, where both are shares (N. Siddiqi,
//! "Credit Risk Scorecards", 2006; B. Yurdakul, "Statistical Properties of Population Stability Index", 2018). The usual
//! interpretation: below 0.1 nothing has changed, above 0.25 much has changed.

use super::instrument::Symbol;
use serde::Deserialize;
use std::collections::{HashMap, VecDeque};

/// Number of confidences in the index: the newest ones of all symbols together.
pub const CONFIDENCES: usize = 500;
/// Smallest share of a bin: half a confidence among 500. Without it, an empty bin would make the index infinite.
const SHARE_MIN: f64 = 0.5 / CONFIDENCES as f64;
/// How much the sum of the shares may differ from 1, because of rounding.
const SUM_TOLERANCE: f64 = 1e-3;
/// Largest number of bins; more than any useful histogram has.
const BINS_MAX: usize = 100;

/// The distribution of a model's confidences in training: upper bounds of bins, and the share of each bin.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Shape")]
pub struct Reference {
    bounds: Vec<f64>,
    shares: Vec<f64>,
}

/// The format of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    bounds: Vec<f64>,
    shares: Vec<f64>,
}

impl TryFrom<Shape> for Reference {
    type Error = String;

    fn try_from(Shape { bounds, shares }: Shape) -> Result<Self, String> {
        Self::new(bounds, shares)
    }
}

impl Reference {
    /// `bounds` increase within 0..=1 and end with 1. A bin contains the values above the previous bound, up to and including
    /// its own. `shares` has one value per bin, none negative, with a sum of 1 (within 0.001).
    ///
    /// # Errors
    /// Which of these rules is broken.
    pub fn new(bounds: Vec<f64>, shares: Vec<f64>) -> Result<Self, String> {
        if bounds.len() != shares.len() {
            return Err(format!("has {} bounds and {} shares: one share per bound", bounds.len(), shares.len()));
        }
        if !(2..=BINS_MAX).contains(&bounds.len()) {
            return Err(format!("has {} bins: 2 to {BINS_MAX} are needed", bounds.len()));
        }
        if bounds.iter().any(|bound| !(0.0..=1.0).contains(bound)) || !bounds.is_sorted_by(|one, next| one < next) {
            return Err("bounds must increase, from 0 to 1".into());
        }
        if bounds.last() != Some(&1.0) {
            return Err("the last of the bounds must be 1, so that every confidence has a bin".into());
        }
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err("shares must be 0 to 1".into());
        }
        let sum: f64 = shares.iter().sum();
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(format!("shares must sum to 1; they sum to {sum}"));
        }
        Ok(Self { bounds, shares })
    }

    /// The upper bounds of the bins.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The share of each bin.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// The population stability index of these confidences; 0 if there are none.
    fn psi(&self, confidences: &VecDeque<f64>) -> f64 {
        if confidences.is_empty() {
            return 0.0;
        }
        let mut counts = vec![0_u32; self.bounds.len()];
        for confidence in confidences {
            let bin = self.bounds.partition_point(|bound| bound < confidence).min(counts.len() - 1);
            counts[bin] += 1;
        }
        let terms = counts.iter().zip(&self.shares).map(|(count, share)| {
            let actual = (f64::from(*count) / confidences.len() as f64).max(SHARE_MIN);
            let expected = share.max(SHARE_MIN);
            (actual - expected) * (actual / expected).ln()
        });
        terms.sum()
    }
}

/// The first confidence of a symbol's bar. With hourly bars, the 60 cycles of a bar repeat the same confidence.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstConfidence {
    /// The symbol.
    pub symbol: Symbol,
    /// When the bar closed, unix seconds.
    pub bar_close_time: i64,
    /// The model's highest probability, a ratio in 0..=1.
    pub confidence: f64,
}

/// The newest confidences, one per symbol and bar, and their drift.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    reference: Option<Reference>,
    /// Close time of the newest counted bar, per symbol.
    counted: HashMap<Symbol, i64>,
    /// At most [`CONFIDENCES`], oldest first.
    newest: VecDeque<f64>,
}

impl Drift {
    /// Continues with known confidences, oldest first. Without a reference there is no drift.
    pub fn new(reference: Option<Reference>, known: impl IntoIterator<Item = FirstConfidence>) -> Self {
        let mut drift = Self { reference, ..Self::default() };
        known.into_iter().for_each(|first| drift.note(&first.symbol, first.bar_close_time, first.confidence));
        drift
    }

    /// Adds a confidence if it is the first of its symbol's bar.
    pub fn note(&mut self, symbol: &Symbol, bar_close_time: i64, confidence: f64) {
        if self.counted.get(symbol).is_some_and(|counted| *counted >= bar_close_time) {
            return;
        }
        self.counted.insert(symbol.clone(), bar_close_time);
        if self.newest.len() == CONFIDENCES {
            self.newest.pop_front();
        }
        self.newest.push_back(confidence);
    }

    /// The index; 0 without a reference, and until there are [`CONFIDENCES`].
    pub fn psi(&self) -> f64 {
        match &self.reference {
            Some(reference) if self.newest.len() == CONFIDENCES => reference.psi(&self.newest),
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> Reference {
        Reference::new(vec![0.4, 0.6, 1.0], vec![0.5, 0.3, 0.2]).unwrap()
    }

    /// This many of each, one bar after the other.
    fn drift(reference: Option<Reference>, counts: [(f64, usize); 3]) -> Drift {
        let confidences = counts.into_iter().flat_map(|(confidence, count)| std::iter::repeat_n(confidence, count));
        let first =
            |(bar, confidence)| FirstConfidence { symbol: Symbol::new("EURUSD"), bar_close_time: bar, confidence };
        Drift::new(reference, (0..).zip(confidences).map(first))
    }

    #[test]
    fn what_is_spread_as_the_reference_has_not_drifted() {
        // A bound belongs to the bin below it.
        assert!(drift(Some(reference()), [(0.4, 250), (0.6, 150), (1.0, 100)]).psi().abs() < 1e-12);
    }

    #[test]
    fn the_index_is_the_one_of_the_books() {
        let psi = drift(Some(reference()), [(0.35, 200), (0.5, 150), (0.7, 150)]).psi();
        let by_hand = (0.4_f64 - 0.5) * (0.4_f64 / 0.5).ln() + (0.3_f64 - 0.2) * (0.3_f64 / 0.2).ln();
        assert!((psi - by_hand).abs() < 1e-12 && psi > 0.06, "{psi}");
        let empty_bins = drift(Some(reference()), [(0.35, 500), (0.5, 0), (0.7, 0)]).psi();
        assert!(empty_bins.is_finite() && empty_bins > 2.0, "{empty_bins}");
    }

    #[test]
    fn nothing_is_said_before_500_or_without_a_reference() {
        assert_eq!(drift(Some(reference()), [(0.35, 499), (0.5, 0), (0.7, 0)]).psi(), 0.0);
        assert!(drift(Some(reference()), [(0.35, 500), (0.5, 0), (0.7, 0)]).psi() > 0.0);
        assert_eq!(drift(None, [(0.35, 500), (0.5, 0), (0.7, 0)]).psi(), 0.0);
    }

    #[test]
    fn only_the_newest_500_count_and_of_a_bar_the_first() {
        let mut drift = drift(Some(reference()), [(0.9, 400), (0.4, 250), (0.6, 150)]);
        assert_eq!(drift.newest.len(), CONFIDENCES);
        let eurusd = Symbol::new("EURUSD");
        let psi = drift.psi();
        drift.note(&eurusd, 799, 0.1);
        drift.note(&eurusd, 3, 0.1);
        assert_eq!(drift.psi(), psi, "that bar is known, and so is an older one");
        drift.note(&eurusd, 800, 0.1);
        drift.note(&Symbol::new("USDJPY"), 799, 0.1);
        assert_ne!(drift.psi(), psi, "symbols are counted together, each with bars of its own");
        assert_eq!(drift.newest.iter().filter(|confidence| **confidence == 0.1).count(), 2);
    }

    #[test]
    fn a_reference_that_cannot_be_one_is_refused_by_its_fault() {
        for (bounds, shares, word) in [
            (vec![0.5, 1.0], vec![1.0], "one share per bound"),
            (vec![1.0], vec![1.0], "2 to 100"),
            (vec![0.5, 0.5, 1.0], vec![0.5, 0.2, 0.3], "increase"),
            (vec![0.5, f64::NAN, 1.0], vec![0.5, 0.2, 0.3], "increase"),
            (vec![0.5, 1.5], vec![0.5, 0.5], "increase"),
            (vec![0.5, 0.9], vec![0.5, 0.5], "last"),
            (vec![0.5, 1.0], vec![1.5, -0.5], "0 to 1"),
            (vec![0.5, 1.0], vec![0.5, 0.4], "sum to 1"),
        ] {
            let refused = Reference::new(bounds, shares).unwrap_err();
            assert!(refused.contains(word), "{refused}");
        }
        assert!(Reference::new(vec![0.5, 1.0], vec![0.4995, 0.5]).is_ok(), "rounded shares");
    }
}
