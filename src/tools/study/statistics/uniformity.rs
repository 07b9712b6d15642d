//! Whether p-values are spread evenly, as they must be where there is no edge: the test of Kolmogorov and Smirnov.

/// Values up to which the distribution is computed exactly.
const EXACT_MAX: usize = 1_000;
/// Beyond this n d^2 the p-value is below the smallest difference that its complement could show.
const SURELY_UNEQUAL: f64 = 18.0;
/// Below this n d^2 the limit's p-value is above 1 - 1e-16.
const SURELY_EQUAL: f64 = 0.03;
/// Terms of the limit's series: the next one is below 1e-200 wherever the series is used.
const TERMS: i32 = 100;

/// What the test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uniformity {
    /// Largest distance between the shares of the values and those of a uniform distribution, 0 to 1.
    pub distance: f64,
    /// How likely a distance at least as large is if the values are uniform.
    pub p_value: f64,
}

/// Tests values of 0 to 1 against the uniform distribution. Exact up to 1,000 values (G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating
/// Kolmogorov's Distribution", 2003), the limit for more. `None` of nothing, and if a value is not within 0 to 1.
pub fn against_uniform(values: &[f64]) -> Option<Uniformity> {
    if values.is_empty() || !values.iter().all(|value| (0.0..=1.0).contains(value)) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let distance = sorted
        .iter()
        .enumerate()
        .map(|(at, value)| (value - at as f64 / count).max((at + 1) as f64 / count - value))
        .fold(0.0, f64::max);
    let scaled = count * distance * distance;
    let p_value = if scaled > SURELY_UNEQUAL {
        2.0 * (-2.0 * scaled).exp()
    } else if sorted.len() <= EXACT_MAX {
        1.0 - at_most(sorted.len(), distance)
    } else if scaled < SURELY_EQUAL {
        1.0
    } else {
        limit(scaled)
    };
    Some(Uniformity { distance, p_value: p_value.clamp(0.0, 1.0) })
}

/// The limit for many values: 2 sum (-1)^(k-1) exp(-2 k^2 n d^2).
fn limit(scaled: f64) -> f64 {
    let term = |k: i32| (if k % 2 == 1 { 2.0 } else { -2.0 }) * (-2.0 * f64::from(k * k) * scaled).exp();
    (1..=TERMS).map(term).sum()
}

/// How likely the distance of `count` uniform values is below `distance`: the element in the middle of a power of Durbin's matrix.
fn at_most(count: usize, distance: f64) -> f64 {
    let steps = count as f64 * distance;
    let half = steps as usize + 1;
    let size = 2 * half - 1;
    let rest = half as f64 - steps;
    let mut matrix = Matrix::new(size);
    for row in 0..size {
        for column in 0..size.min(row + 2) {
            matrix.cells[row * size + column] = 1.0;
        }
    }
    for at in 0..size {
        matrix.cells[at * size] -= rest.powi(at as i32 + 1);
        matrix.cells[(size - 1) * size + at] -= rest.powi((size - at) as i32);
    }
    if 2.0 * rest > 1.0 {
        matrix.cells[(size - 1) * size] += (2.0 * rest - 1.0).powi(size as i32);
    }
    for row in 0..size {
        for column in 0..=row {
            for divisor in 1..=row + 1 - column {
                matrix.cells[row * size + column] /= divisor as f64;
            }
        }
    }
    let power = matrix.power(count);
    let (mut found, mut exponent) = (power.cells[(half - 1) * size + half - 1], power.exponent);
    // Times count! / count^count.
    for factor in 1..=count {
        found *= factor as f64 / count as f64;
        if found < SMALL {
            found /= SMALL;
            exponent -= 1;
        }
    }
    found * SMALL.powi(-exponent)
}

/// Numbers beyond it are scaled, and how often is counted, so that none becomes infinite or 0.
const SMALL: f64 = 1e-140;

/// A square of numbers times `SMALL^-exponent`.
#[derive(Clone)]
struct Matrix {
    size: usize,
    cells: Vec<f64>,
    exponent: i32,
}

impl Matrix {
    fn new(size: usize) -> Self {
        Self { size, cells: vec![0.0; size * size], exponent: 0 }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::new(self.size);
        product.exponent = self.exponent + other.exponent;
        for (row, cells) in product.cells.chunks_exact_mut(self.size).enumerate() {
            for at in 0..self.size {
                let factor = self.cells[row * self.size + at];
                let others = &other.cells[at * self.size..(at + 1) * self.size];
                cells.iter_mut().zip(others).for_each(|(cell, other)| *cell += factor * other);
            }
        }
        if product.cells[(self.size / 2) * self.size + self.size / 2] > 1.0 / SMALL {
            product.cells.iter_mut().for_each(|cell| *cell *= SMALL);
            product.exponent += 1;
        }
        product
    }

    /// By squaring; `exponent` is at least 1.
    fn power(&self, exponent: usize) -> Self {
        if exponent <= 1 {
            return self.clone();
        }
        let root = self.power(exponent / 2);
        let square = root.times(&root);
        if exponent.is_multiple_of(2) { square } else { square.times(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_meets_the_exact_distribution() {
        for scaled in [0.3, 0.6, 1.0, 2.0_f64] {
            let exact = 1.0 - at_most(1_000, (scaled / 1_000.0).sqrt());
            assert!((exact - limit(scaled)).abs() < 0.01, "{scaled}: {exact} {}", limit(scaled));
        }
    }

    #[test]
    fn even_values_pass_and_a_heap_does_not() {
        let even: Vec<f64> = (0..2_000).map(|at| (f64::from(at) + 0.5) / 2_000.0).collect();
        assert!(against_uniform(&even).unwrap().p_value > 0.999);
        let heap: Vec<f64> = even.iter().map(|value| value * value).collect();
        assert!(against_uniform(&heap).unwrap().p_value < 1e-12);
        assert_eq!(
            (against_uniform(&[]), against_uniform(&[0.5, 1.1]), against_uniform(&[f64::NAN])),
            (None, None, None)
        );
    }
}
