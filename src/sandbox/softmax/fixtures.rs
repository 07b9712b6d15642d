//! The fit: full-batch gradient descent with momentum, deterministic, and done in a few tens of milliseconds. The product has only
//! its result.

use super::{CLASSES, Parameters, Softmax};

/// Momentum: the share of the last step that is kept.
const MOMENTUM: f64 = 0.9;

/// Parameters of the fit.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// Penalty on the squared weights, but not on the biases.
    pub l2: f64,
    /// Step size.
    pub step: f64,
    /// Passes over all rows.
    pub passes: usize,
}

impl<const D: usize> Softmax<D> {
    /// Fits `rows` of finite inputs to `labels`, each below [`CLASSES`]; both have the same length and are not empty.
    pub fn fit(rows: &[[f64; D]], labels: &[usize], training: Training) -> Self {
        let (mean, deviation) = moments(rows);
        let mut model = Self { mean, deviation, parameters: Parameters::zero() };
        let rows: Vec<[f64; D]> = rows.iter().map(|row| model.standardised(row)).collect();
        let mut velocity = Parameters::zero();
        for _ in 0..training.passes {
            let (_, gradient) = loss_and_gradient(&model.parameters, &rows, labels, training.l2);
            velocity.update(|v, g| MOMENTUM * v - training.step * g, &gradient);
            model.parameters.update(|p, v| p + v, &velocity);
        }
        model
    }
}

impl<const D: usize> Parameters<D> {
    const fn zero() -> Self {
        Self { weights: [[0.0; D]; CLASSES], biases: [0.0; CLASSES] }
    }

    /// Sets every number to `f(itself, its counterpart in other)`.
    fn update(&mut self, f: impl Fn(f64, f64) -> f64, other: &Self) {
        let own = self.weights.as_flattened_mut().iter_mut().chain(&mut self.biases);
        for (own, other) in own.zip(other.weights.as_flattened().iter().chain(&other.biases)) {
            *own = f(*own, *other);
        }
    }
}

/// Mean and standard deviation of every input; a constant input gets deviation 1, so it has no effect.
fn moments<const D: usize>(rows: &[[f64; D]]) -> ([f64; D], [f64; D]) {
    let count = rows.len() as f64;
    let mean: [f64; D] = std::array::from_fn(|i| rows.iter().map(|row| row[i]).sum::<f64>() / count);
    let variance = |i: usize| rows.iter().map(|row| (row[i] - mean[i]).powi(2)).sum::<f64>() / count;
    let deviation = std::array::from_fn(|i| Some(variance(i).sqrt()).filter(|d| *d > 1e-12).unwrap_or(1.0));
    (mean, deviation)
}

/// Mean cross-entropy plus penalty, and its gradient, over standardised `rows`.
pub(super) fn loss_and_gradient<const D: usize>(
    parameters: &Parameters<D>,
    rows: &[[f64; D]],
    labels: &[usize],
    l2: f64,
) -> (f64, Parameters<D>) {
    let count = rows.len() as f64;
    let mut loss = 0.0;
    let mut gradient = Parameters::zero();
    for (row, label) in rows.iter().zip(labels) {
        let probabilities = parameters.probabilities(row);
        loss -= probabilities[*label].ln() / count;
        for (class, probability) in probabilities.into_iter().enumerate() {
            let error = (probability - f64::from(u8::from(class == *label))) / count;
            gradient.biases[class] += error;
            for (slope, x) in gradient.weights[class].iter_mut().zip(row) {
                *slope += error * x;
            }
        }
    }
    for (slope, weight) in gradient.weights.as_flattened_mut().iter_mut().zip(parameters.weights.as_flattened()) {
        loss += 0.5 * l2 * weight * weight;
        *slope += l2 * weight;
    }
    (loss, gradient)
}
