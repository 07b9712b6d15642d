//! Seeded random numbers for the simulations.

use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};

const SEEDS: u64 = 300;

pub struct Chance(TestRng);

impl Chance {
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n
    }

    /// Once in `n`.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// How many worlds to simulate: 300, or as many as `SENTINEL_SIM_SEEDS` says.
pub fn seeds() -> u64 {
    std::env::var("SENTINEL_SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS)
}
