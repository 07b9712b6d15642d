//! Multinomial logistic regression with few inputs, fitted by full-batch gradient descent with momentum: deterministic, and done in
//! a few tens of milliseconds.

/// Classes: SELL, HOLD, BUY.
pub const CLASSES: usize = 3;

/// Inputs are limited to this many standard deviations from the mean, so that unusual values cannot dominate.
const Z_MAX: f64 = 4.0;
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

/// A fitted model over `D` inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Softmax<const D: usize> {
    mean: [f64; D],
    deviation: [f64; D],
    parameters: Parameters<D>,
}

/// The fitted weights; a gradient has the same shape.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parameters<const D: usize> {
    weights: [[f64; D]; CLASSES],
    biases: [f64; CLASSES],
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

    /// The probabilities of the classes for one row of inputs.
    pub fn probabilities(&self, inputs: &[f64; D]) -> [f64; CLASSES] {
        self.parameters.probabilities(&self.standardised(inputs))
    }

    fn standardised(&self, inputs: &[f64; D]) -> [f64; D] {
        std::array::from_fn(|i| ((inputs[i] - self.mean[i]) / self.deviation[i]).clamp(-Z_MAX, Z_MAX))
    }
}

impl<const D: usize> Parameters<D> {
    const fn zero() -> Self {
        Self { weights: [[0.0; D]; CLASSES], biases: [0.0; CLASSES] }
    }

    fn probabilities(&self, row: &[f64; D]) -> [f64; CLASSES] {
        let score =
            |class: usize| self.biases[class] + self.weights[class].iter().zip(row).map(|(w, x)| w * x).sum::<f64>();
        let scores: [f64; CLASSES] = std::array::from_fn(score);
        let highest = scores.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let exponentials = scores.map(|score| (score - highest).exp());
        let sum: f64 = exponentials.iter().sum();
        exponentials.map(|e| e / sum)
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
fn loss_and_gradient<const D: usize>(
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

#[cfg(test)]
mod tests {
    use super::*;

    const TRAINING: Training = Training { l2: 1e-4, step: 0.2, passes: 300 };

    /// Three classes that a line in the first input separates; the second input is noise, the third constant.
    fn toy() -> (Vec<[f64; 3]>, Vec<usize>) {
        let label = |i: usize| i % CLASSES;
        let row = |i: usize| [label(i) as f64 * 10.0 + (i % 7) as f64 * 0.1, (i * 37 % 11) as f64, 5.0];
        (0..210).map(|i| (row(i), label(i))).unzip()
    }

    #[test]
    fn a_separable_problem_is_learnt() {
        let (rows, labels) = toy();
        let model = Softmax::fit(&rows, &labels, TRAINING);
        for (row, label) in rows.iter().zip(labels) {
            assert!(model.probabilities(row)[label] > 0.7, "{row:?}: {:?}", model.probabilities(row));
        }
    }

    #[test]
    fn probabilities_sum_to_one_for_any_inputs() {
        let (rows, labels) = toy();
        let model = Softmax::fit(&rows, &labels, TRAINING);
        for row in [[0.0; 3], [1e300, -1e300, 1e300], [f64::MAX; 3], [f64::MIN_POSITIVE; 3]] {
            let probabilities = model.probabilities(&row);
            assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{probabilities:?}");
            assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }

    #[test]
    fn fitting_twice_gives_the_same_model() {
        let (rows, labels) = toy();
        assert_eq!(Softmax::fit(&rows, &labels, TRAINING), Softmax::fit(&rows, &labels, TRAINING));
    }

    #[test]
    fn the_gradient_equals_the_slope_of_the_loss() {
        let rows = [[0.3, -1.2], [1.0, 0.5], [-0.7, 0.1], [0.0, 2.0]];
        let labels = [0, 1, 2, 1];
        let at = Parameters { weights: [[0.1, -0.2], [0.3, 0.4], [-0.5, 0.6]], biases: [0.1, 0.0, -0.3] };
        let (_, gradient) = loss_and_gradient(&at, &rows, &labels, 0.05);
        let loss = |parameters: &Parameters<2>| loss_and_gradient(parameters, &rows, &labels, 0.05).0;
        let slope = |change: &dyn Fn(&mut Parameters<2>, f64)| {
            let (mut up, mut down) = (at, at);
            change(&mut up, 1e-6);
            change(&mut down, -1e-6);
            (loss(&up) - loss(&down)) / 2e-6
        };
        for class in 0..CLASSES {
            assert!((slope(&|p, h| p.biases[class] += h) - gradient.biases[class]).abs() < 1e-8);
            for i in 0..2 {
                assert!((slope(&|p, h| p.weights[class][i] += h) - gradient.weights[class][i]).abs() < 1e-8);
            }
        }
    }
}
