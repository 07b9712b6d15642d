//! `ema_10`, `ema_20`: exponential moving averages of the close. `macd` uses the same function.
//!
//! ema_n = (1 - w) * (ema_n of the previous bar) + w * close, with w = 2 / (n + 1), starting with the first close of the
//! window. pandas: `close.ewm(span=n, adjust=False).mean()`. So the values depend on the length of the window.

/// An exponential moving average that starts with its first value.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    value: f64,
    weight: f64,
}

impl Ema {
    /// Starts with `first`; the weight is that of a span of `n` rows.
    pub fn new(n: usize, first: f64) -> Self {
        Self { value: first, weight: 2.0 / (n + 1) as f64 }
    }

    /// Adds the next row. A row that equals the average does not change it at all, so a flat market has a MACD of 0.
    pub fn push(&mut self, next: f64) -> f64 {
        // The formula of the old daemon's library, not `value + weight * (next - value)`. That differs in the last bit, which
        // is visible in MACD's histogram (a difference of nearly equal numbers) even as float32.
        let moved = (1.0 - self.weight) * self.value + self.weight * next;
        self.value = if self.value == next { next } else { moved };
        self.value
    }
}
