//! `ema_10`, `ema_20`: exponential moving averages of the close; `macd` is made of them, too.
//!
//! ema_n = (1 - w) * (ema_n of the bar before) + w * close, with w = 2 / (n + 1), from the first close of the window on;
//! pandas: `close.ewm(span=n, adjust=False).mean()`. So the length of the window shows in it.

/// An exponential moving average, seeded with its first value.
#[derive(Debug, Clone, Copy)]
pub struct Ema {
    value: f64,
    weight: f64,
}

impl Ema {
    /// Starts at `first`, with the smoothing of a span of `n` rows.
    pub fn new(n: usize, first: f64) -> Self {
        Self { value: first, weight: 2.0 / (n + 1) as f64 }
    }

    /// Takes in the next row. A row equal to the average leaves it exactly as it is: a flat market has a MACD of 0.
    pub fn push(&mut self, next: f64) -> f64 {
        // The two products of the old daemon's library, not `value + weight * (next - value)`: that differs in the last
        // bit, and MACD's histogram, a difference of near-equal numbers, shows it in float32.
        let moved = (1.0 - self.weight) * self.value + self.weight * next;
        self.value = if self.value == next { next } else { moved };
        self.value
    }
}
