//! From three probabilities to an action. Pure, so that the rule that moves money is in one place.

use serde::Serialize;

/// The model's choice for a symbol, or the result of the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    /// Sell.
    Sell,
    /// Do nothing.
    Hold,
    /// Buy.
    Buy,
}

impl Action {
    /// All actions, in the order of the model's classes.
    pub const ALL: [Self; 3] = [Self::Sell, Self::Hold, Self::Buy];

    /// The label value of the metrics, `BUY`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sell => "SELL",
            Self::Hold => "HOLD",
            Self::Buy => "BUY",
        }
    }
}

/// The model's answer for one symbol: three probabilities in 0..=1 that sum to 1 within [`Prediction::TOLERANCE`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    probabilities: [f64; 3],
}

impl Prediction {
    /// Tolerance for rounding errors of a model: of each value from 0..=1, and of their sum from 1.
    pub const TOLERANCE: f64 = 1e-3;

    /// Checks the model's numbers, in the order SELL, HOLD, BUY. A value that is slightly outside 0..=1 because of rounding,
    /// such as 1.0000000000000002 or -1e-17 when a model is certain, becomes 1 or 0.
    ///
    /// # Errors
    /// Which of the three rules is broken: finite, in 0..=1, sum 1.
    pub fn parse(probabilities: [f64; 3]) -> Result<Self, &'static str> {
        if !probabilities.iter().all(|p| p.is_finite()) {
            return Err("a probability is not a finite number");
        }
        if !probabilities.iter().all(|p| (-Self::TOLERANCE..=1.0 + Self::TOLERANCE).contains(p)) {
            return Err("a probability is outside 0..1");
        }
        // Adding zero turns -0.0 into 0.0.
        let probabilities = probabilities.map(|p| p.clamp(0.0, 1.0) + 0.0);
        if (probabilities.iter().sum::<f64>() - 1.0).abs() > Self::TOLERANCE {
            return Err("the probabilities do not sum to 1");
        }
        Ok(Self { probabilities })
    }

    /// SELL, HOLD, BUY.
    pub const fn probabilities(&self) -> [f64; 3] {
        self.probabilities
    }

    /// The most probable action and its probability. If two are equal, the first in the order SELL, HOLD, BUY, like `argmax`.
    pub fn likeliest(&self) -> (Action, f64) {
        let mut best = (Action::Sell, self.probabilities[0]);
        for (action, probability) in Action::ALL.into_iter().zip(self.probabilities) {
            if probability > best.1 {
                best = (action, probability);
            }
        }
        best
    }
}

/// The decision for one symbol in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The action after the threshold.
    pub action: Action,
    /// The model's most probable action, before the threshold.
    pub likeliest: Action,
    /// Highest of the three probabilities, a ratio in 0..=1.
    pub confidence: f64,
}

impl Decision {
    /// Whether the threshold turned a BUY or SELL into HOLD.
    pub fn is_below_threshold(&self) -> bool {
        self.action != self.likeliest
    }
}

/// BUY and SELL need more than `threshold`, otherwise HOLD.
pub fn decide(prediction: &Prediction, threshold: f64) -> Decision {
    let (likeliest, confidence) = prediction.likeliest();
    let action = if confidence > threshold { likeliest } else { Action::Hold };
    Decision { action, likeliest, confidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(probabilities: [f64; 3]) -> Prediction {
        Prediction::parse(probabilities).unwrap()
    }

    #[test]
    fn the_likeliest_action_wins_above_the_threshold() {
        assert_eq!(decide(&prediction([0.7, 0.2, 0.1]), 0.6).action, Action::Sell);
        assert_eq!(decide(&prediction([0.1, 0.8, 0.1]), 0.6).action, Action::Hold);
        assert_eq!(decide(&prediction([0.1, 0.2, 0.7]), 0.6).action, Action::Buy);
    }

    #[test]
    fn a_confidence_at_the_threshold_is_not_above_it() {
        let decision = decide(&prediction([0.1, 0.3, 0.6]), 0.6);
        assert_eq!(decision.action, Action::Hold);
        assert_eq!(decision.likeliest, Action::Buy);
        assert!(decision.is_below_threshold());
    }

    #[test]
    fn a_hold_is_never_below_the_threshold() {
        assert!(!decide(&prediction([0.3, 0.4, 0.3]), 0.6).is_below_threshold());
    }

    #[test]
    fn of_equal_probabilities_the_first_wins() {
        assert_eq!(prediction([0.4, 0.4, 0.2]).likeliest().0, Action::Sell);
        assert_eq!(prediction([0.2, 0.4, 0.4]).likeliest().0, Action::Hold);
    }

    #[test]
    fn a_probability_just_outside_0_to_1_is_clamped() {
        for (said, meant) in [
            ([1.000_000_000_000_000_2, 0.0, 0.0], [1.0, 0.0, 0.0]),
            ([-1e-17, 0.0, 1.0], [0.0, 0.0, 1.0]),
            ([1.000_9, -0.000_9, 0.0], [1.0, 0.0, 0.0]),
            ([-0.0, 1.0, -1e-300], [0.0, 1.0, 0.0]),
        ] {
            let clamped = prediction(said).probabilities();
            assert_eq!(clamped.map(f64::to_bits), meant.map(f64::to_bits), "{said:?}");
        }
        for bad in [[1.001_1, 0.0, 0.0], [0.0, -0.001_1, 1.0], [1.000_9, 0.000_9, 0.000_9]] {
            assert!(Prediction::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn numbers_that_are_no_probabilities_are_refused() {
        for bad in [
            [f64::NAN, 0.5, 0.5],
            [f64::INFINITY, 0.0, 0.0],
            [-0.1, 0.6, 0.5],
            [1.1, -0.1, 0.0],
            [0.3, 0.3, 0.3],
            [0.0, 0.0, 0.0],
        ] {
            assert!(Prediction::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Prediction::parse([0.3333, 0.3333, 0.333]).is_ok(), "rounding of a model server is no fault");
    }
}
