//! Multinomial logistic regression with few inputs. Tests fit it (`fixtures`); the demo's model has the numbers of a fit.

#[cfg(test)]
pub(super) mod fixtures;
#[cfg(test)]
mod tests;

/// Classes: SELL, HOLD, BUY.
pub const CLASSES: usize = 3;

/// Inputs are limited to this many standard deviations from the mean, so that unusual values cannot dominate.
const Z_MAX: f64 = 4.0;

/// A fitted model over `D` inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax<const D: usize> {
    /// Mean of each input.
    pub mean: [f64; D],
    /// Standard deviation of each input, above 0.
    pub deviation: [f64; D],
    /// What was fitted.
    pub parameters: Parameters<D>,
}

/// The fitted weights; a gradient has the same shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters<const D: usize> {
    /// For each class, the weight of each standardised input.
    pub weights: [[f64; D]; CLASSES],
    /// For each class, its score if every input is at its mean.
    pub biases: [f64; CLASSES],
}

impl<const D: usize> Softmax<D> {
    /// The probabilities of the classes for one row of inputs.
    pub fn probabilities(&self, inputs: &[f64; D]) -> [f64; CLASSES] {
        self.parameters.probabilities(&self.standardised(inputs))
    }

    fn standardised(&self, inputs: &[f64; D]) -> [f64; D] {
        std::array::from_fn(|i| ((inputs[i] - self.mean[i]) / self.deviation[i]).clamp(-Z_MAX, Z_MAX))
    }
}

impl<const D: usize> Parameters<D> {
    fn probabilities(&self, row: &[f64; D]) -> [f64; CLASSES] {
        let score =
            |class: usize| self.biases[class] + self.weights[class].iter().zip(row).map(|(w, x)| w * x).sum::<f64>();
        let scores: [f64; CLASSES] = std::array::from_fn(score);
        let highest = scores.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let exponentials = scores.map(|score| (score - highest).exp());
        let sum: f64 = exponentials.iter().sum();
        exponentials.map(|e| e / sum)
    }
}
