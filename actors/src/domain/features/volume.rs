//! `volume_sma`, `volume_ratio`: the average volume, and the bar's volume relative to it.

use super::rolling::{Column, Series, lagged, mean, zip};

/// Mean of the last 20 volumes, including the bar's own; pandas: `volume.rolling(20).mean()`.
pub fn volume_sma(volume: &Series) -> Column {
    mean(volume, 20)
}

/// volume / volume_sma; missing (NaN) if nothing was traded in 20 bars.
pub fn volume_ratio(volume: &Series, volume_sma: &Column) -> Column {
    zip(lagged(volume, 0), volume_sma, |volume, sma| volume / sma)
}
