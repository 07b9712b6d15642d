//! `macd`, `macd_signal`, `macd_hist`: Gerald Appel's moving average convergence/divergence, with its usual spans.
//!
//! macd = ema_12 - ema_26 of the closes; macd_signal = ema_9 of macd; macd_hist = macd - macd_signal.

use super::ema::Ema;

/// The three averages.
#[derive(Debug, Clone, Copy)]
pub struct Macd {
    ema_12: Ema,
    ema_26: Ema,
    signal: Ema,
}

impl Macd {
    /// Starts with the window's first close.
    pub fn new(first: f64) -> Self {
        Self { ema_12: Ema::new(12, first), ema_26: Ema::new(26, first), signal: Ema::new(9, 0.0) }
    }

    /// Adds the next close. Returns `macd`, `macd_signal` and `macd_hist`.
    pub fn push(&mut self, close: f64) -> [f64; 3] {
        let macd = self.ema_12.push(close) - self.ema_26.push(close);
        let signal = self.signal.push(macd);
        [macd, signal, macd - signal]
    }
}
