//! The fit learns, and its gradient is that of the loss; odds sum to 1.

use super::{
    fixtures::{Training, loss_and_gradient},
    *,
};

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
