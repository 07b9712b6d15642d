//! Small versions of the three systems that Sentinel works with, on loopback sockets. `sentinel demo` runs them in its own process,
//! `sentinel sandbox` one at a time. `recording` -> `market`; `softmax` -> `baseline` -> `model`; `account` -> `broker` ->
//! `gateway`. The gateway gets the market's prices through a [`PriceBoard`].

pub mod account;
pub mod baseline;
mod broker;
pub mod gateway;
pub mod market;
pub mod model;
pub mod recording;
pub mod server;
pub mod softmax;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The newest close per symbol (`EURUSD`, without `.FOREX`): the market writes it, the gateway fills at it. Clones share the values.
#[derive(Debug, Clone, Default)]
pub struct PriceBoard(Arc<Mutex<HashMap<String, f64>>>);

impl PriceBoard {
    /// Writes the newest close of `symbol`.
    pub fn set(&self, symbol: &str, price: f64) {
        lock(&self.0).insert(symbol.to_owned(), price);
    }

    /// The newest close of `symbol`, or of the longest known name it begins with, because brokers add suffixes: `EURUSDm`.
    pub fn get(&self, symbol: &str) -> Option<f64> {
        let prices = lock(&self.0);
        let known = prices.iter().filter(|(name, _)| symbol.starts_with(name.as_str()));
        known.max_by_key(|(name, _)| name.len()).map(|(_, price)| *price)
    }
}

/// Locks even if a thread panicked while holding the lock, because every write here is complete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_brokers_suffix_has_a_price() {
        let prices = PriceBoard::default();
        prices.set("EURUSD", 1.2);
        prices.clone().set("EUR", 9.0);
        assert_eq!(prices.get("EURUSDm"), Some(1.2));
        assert_eq!(prices.get("GBPUSD"), None);
    }
}
