//! The stationary bootstrap (D. N. Politis and J. P. Romano, "The Stationary Bootstrap", 1994): an interval of a mean that holds when
//! neighbours are alike, as the results of overlapping trades are. Blocks of random length are drawn from the values as from a ring.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// Resampled series of an interval.
pub const REPLICATES: usize = 10_000;
/// Share below the interval, and above it.
const TAIL: f64 = 0.025;

/// The 95 % percentile interval of the mean from [`REPLICATES`] resampled series.
///
/// Blocks have a geometric length with the mean n^(1/3), n being the number of values. The same values and seed make the same interval.
/// `None` for fewer than two values: one says nothing about how far it may be off.
pub fn mean_interval(values: &[f64], seed: u64) -> Option<[f64; 2]> {
    mean_interval_of(values, seed, REPLICATES)
}

/// [`mean_interval`] from another number of resampled series.
pub fn mean_interval_of(values: &[f64], seed: u64, replicates: usize) -> Option<[f64; 2]> {
    let count = u32::try_from(values.len()).ok().filter(|count| *count >= 2)?;
    let mean = super::mean(values)?;
    let sums = Ring::new(values, mean);
    let mut random = generator(seed);
    let lengths = Lengths::new(f64::from(count).cbrt());
    let mut means: Vec<f64> = (0..replicates)
        .map(|_| {
            let (mut sum, mut left) = (0.0, count as usize);
            while left > 0 {
                // One number for both: the high half says where the block begins, the low half how long it is.
                let bits = random.next_u64();
                let start = ((bits >> 32) * u64::from(count)) >> 32;
                let length = (lengths.of(bits as u32) as usize).min(left);
                sum += sums.of(start as usize, length);
                left -= length;
            }
            sum / f64::from(count)
        })
        .collect();
    let low = quantile(&mut means, TAIL)?;
    let high = quantile(&mut means, 1.0 - TAIL)?;
    Some([mean + low, mean + high])
}

const TWO_32: f64 = 4_294_967_296.0;
/// Bits of a random number that say which range of numbers it lies in.
const RANGE_BITS: u32 = 12;

/// Geometric lengths of blocks. The chance that a block goes on is 1 - 1/mean length: a length is 1 + floor(ln(u) / ln(chance)) for a
/// uniform u.
struct Lengths {
    per_log: f64,
    /// The length of all numbers of a range; 0 if they have more than one. Most have one, so that few logarithms are taken.
    of_ranges: Vec<u32>,
}

impl Lengths {
    fn new(mean_length: f64) -> Self {
        let per_log = 1.0 / (1.0 - 1.0 / mean_length).ln();
        let of_range = |range: u32| {
            let first = range << (u32::BITS - RANGE_BITS);
            let last = first | (u32::MAX >> RANGE_BITS);
            let length = by_logarithm(first, per_log);
            if by_logarithm(last, per_log) == length { length } else { 0 }
        };
        Self { per_log, of_ranges: (0..1 << RANGE_BITS).map(of_range).collect() }
    }

    /// Of a random number.
    fn of(&self, random: u32) -> u32 {
        match self.of_ranges[(random >> (u32::BITS - RANGE_BITS)) as usize] {
            0 => by_logarithm(random, self.per_log),
            known => known,
        }
    }
}

fn by_logarithm(random: u32, per_log: f64) -> u32 {
    let uniform = (f64::from(random) + 1.0) / TWO_32;
    1 + (uniform.ln() * per_log) as u32
}

/// Random numbers of a seed: ChaCha with 8 rounds, the seed being the first eight bytes of its key.
pub fn generator(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Sums of consecutive values of a ring, each in one step however long it is.
struct Ring {
    /// Of the values before each one, less their mean: small numbers lose less to rounding.
    before: Vec<f64>,
}

impl Ring {
    fn new(values: &[f64], mean: f64) -> Self {
        let mut sum = 0.0;
        let mut before = Vec::with_capacity(values.len() + 1);
        before.push(0.0);
        before.extend(values.iter().map(|value| {
            sum += value - mean;
            sum
        }));
        Self { before }
    }

    /// Of `length` values from `start` on; neither is more than there are.
    fn of(&self, start: usize, length: usize) -> f64 {
        let count = self.before.len() - 1;
        let end = start + length;
        if end <= count {
            self.before[end] - self.before[start]
        } else {
            self.before[count] - self.before[start] + self.before[end - count]
        }
    }
}

/// A quantile, 0 to 1, linear between two neighbours. Orders the values; `None` of nothing.
pub fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    let place = share.clamp(0.0, 1.0) * values.len().checked_sub(1)? as f64;
    let (_, low, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
    let low = *low;
    let high = above.iter().copied().reduce(f64::min).unwrap_or(low);
    Some(low + (high - low) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_is_looked_up_is_that_of_the_logarithm() {
        let mut random = generator(7);
        for mean in [1.26, 2.0, 10.0, 58.5, 100.0] {
            let lengths = Lengths::new(mean);
            for _ in 0..100_000 {
                let number = random.next_u64() as u32;
                assert_eq!(lengths.of(number), by_logarithm(number, lengths.per_log), "{number}, {mean}");
            }
            let edges = (0..1 << RANGE_BITS).map(|range: u32| range << (u32::BITS - RANGE_BITS));
            for number in edges.flat_map(|first| [first, first.wrapping_sub(1)]) {
                assert_eq!(lengths.of(number), by_logarithm(number, lengths.per_log), "{number}, {mean}");
            }
            assert!(mean > 20.0 || lengths.of_ranges.iter().filter(|length| **length == 0).count() < 400);
        }
    }

    /// The same, value by value: no sums, no ring.
    fn slow(values: &[f64], seed: u64, replicates: usize) -> [f64; 2] {
        let count = values.len();
        let mut random = generator(seed);
        let goes_on = 1.0 - 1.0 / (count as f64).cbrt();
        let mut means: Vec<f64> = (0..replicates)
            .map(|_| {
                let mut drawn = Vec::new();
                while drawn.len() < count {
                    let bits = random.next_u64();
                    let start = ((u128::from(bits >> 32) * count as u128) >> 32) as usize;
                    let uniform = (((bits & 0xffff_ffff) + 1) as f64) / 4_294_967_296.0;
                    let length = 1 + (uniform.ln() / goes_on.ln()) as usize;
                    drawn.extend((start..start + length).map(|at| values[at % count]).take(count - drawn.len()));
                }
                drawn.iter().sum::<f64>() / count as f64
            })
            .collect();
        means.sort_by(f64::total_cmp);
        [0.025, 0.975].map(|share| {
            let place = share * (replicates - 1) as f64;
            let (low, high) = (means[place.floor() as usize], means[place.ceil() as usize]);
            low + (high - low) * place.fract()
        })
    }

    #[test]
    fn sums_over_a_ring_change_nothing() {
        for count in [2, 3, 7, 64, 501] {
            let values: Vec<f64> = (0..count).map(|at| ((at * at) as f64 * 0.7).sin() * 100.0 + 5.0).collect();
            let (fast, slow) = (mean_interval_of(&values, 3, 400).unwrap(), slow(&values, 3, 400));
            for (one, other) in fast.into_iter().zip(slow) {
                assert!((one - other).abs() < 1e-9, "{count}: {fast:?} {slow:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_interval() {
        let values: Vec<f64> = (0..200).map(|at| f64::from(at * 37 % 101)).collect();
        assert_eq!(mean_interval(&values, 1), mean_interval(&values, 1));
        assert_ne!(mean_interval(&values, 1), mean_interval(&values, 2));
    }

    #[test]
    fn values_that_are_alike_in_a_row_widen_the_interval() {
        let alternating: Vec<f64> = (0..1_000).map(|at| f64::from(at % 2)).collect();
        let in_runs: Vec<f64> = (0..1_000).map(|at| f64::from(at / 20 % 2)).collect();
        let width = |values: &[f64]| mean_interval_of(values, 1, 2_000).map(|[low, high]| high - low).unwrap();
        assert!(width(&in_runs) > 5.0 * width(&alternating), "{} {}", width(&in_runs), width(&alternating));
    }

    #[test]
    fn independent_values_get_the_interval_of_theory() {
        let mut random = generator(9);
        let values: Vec<f64> = (0..4_000).map(|_| f64::from(random.next_u32()) / TWO_32).collect();
        let [low, high] = mean_interval_of(&values, 1, 4_000).unwrap();
        let expected = 2.0 * super::super::Z_95 * (1.0_f64 / 12.0 / 4_000.0).sqrt();
        assert!(((high - low) / expected - 1.0).abs() < 0.1, "{} {expected}", high - low);
    }

    #[test]
    fn nearly_all_intervals_hold_the_true_mean() {
        let mut random = generator(5);
        // Neighbours share half of their noise; the mean is 0.
        let mut hits = 0;
        for seed in 0..200 {
            let noise: Vec<f64> = (0..401).map(|_| f64::from(random.next_u32()) / TWO_32 - 0.5).collect();
            let values: Vec<f64> = noise.windows(2).map(|pair| pair[0] + pair[1]).collect();
            let [low, high] = mean_interval_of(&values, seed, 400).unwrap();
            hits += u32::from(low <= 0.0 && 0.0 <= high);
        }
        // 95 % of 200, less three standard errors and the bias of short blocks.
        assert!((174..=199).contains(&hits), "{hits} of 200");
    }

    #[test]
    fn one_value_has_no_interval_and_constants_an_empty_one() {
        assert_eq!((mean_interval(&[], 1), mean_interval(&[3.0], 1)), (None, None));
        let [low, high] = mean_interval_of(&[0.1; 9], 1, 100).unwrap();
        assert!((low - 0.1).abs() < 1e-15 && (high - 0.1).abs() < 1e-15, "{low} {high}");
        assert_eq!(mean_interval_of(&[1.0, 2.0], 1, 0), None);
    }

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        let quantiles = |values: &[f64]| [0.0, 0.25, 0.5, 1.0].map(|share| quantile(&mut values.to_vec(), share));
        assert_eq!(quantiles(&[4.0, 1.0, 3.0, 2.0]), [Some(1.0), Some(1.75), Some(2.5), Some(4.0)]);
        assert_eq!(quantiles(&[7.0]), [Some(7.0); 4]);
        assert_eq!(quantiles(&[]), [None; 4]);
    }
}
