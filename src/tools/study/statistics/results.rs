//! Sums over a list of results in the order of time: profit factor, drawdown, months.

use crate::tools::study::result::Month;
use chrono::{DateTime, Datelike as _};
use std::collections::BTreeMap;

/// Months between the first and the last that are listed at most: a wrong time must not create millions.
const MONTHS_MAX: i32 = 12 * 200;

/// Sum of the gains divided by the sum of the losses. `None` if nothing was lost.
pub fn profit_factor(values: &[f64]) -> Option<f64> {
    let earned: f64 = values.iter().filter(|value| **value > 0.0).sum();
    let lost: f64 = -values.iter().filter(|value| **value < 0.0).sum::<f64>();
    (lost > 0.0).then(|| earned / lost).and_then(super::finite)
}

/// The largest drawdown of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Drawdown {
    /// From the highest sum before it, 0 or more.
    pub depth: f64,
    /// Results until that highest sum; 0 is before the first.
    pub from: usize,
    /// Results until the lowest one.
    pub to: usize,
}

/// The largest drawdown of the running sum, which begins at 0; the first one if several are equal.
pub fn drawdown(values: &[f64]) -> Drawdown {
    let (mut sum, mut highest, mut highest_at) = (0.0, 0.0, 0);
    let mut deepest = Drawdown::default();
    for (at, value) in values.iter().enumerate() {
        sum += value;
        if sum > highest {
            (highest, highest_at) = (sum, at + 1);
        } else if highest - sum > deepest.depth {
            deepest = Drawdown { depth: highest - sum, from: highest_at, to: at + 1 };
        }
    }
    deepest
}

/// Results by calendar month, UTC, oldest first, and the months in between that have none. Times are unix seconds, one for each value;
/// a time outside the calendar is left out.
pub fn months(times: &[i64], values: &[f64]) -> Vec<Month> {
    let mut found: BTreeMap<i32, (u64, u64, f64)> = BTreeMap::new();
    for (time, value) in times.iter().zip(values) {
        let Some(date) = DateTime::from_timestamp(*time, 0) else { continue };
        let (count, won, sum) = found.entry(date.year() * 12 + date.month0() as i32).or_default();
        *count += 1;
        *won += u64::from(*value > 0.0);
        *sum += value;
    }
    let (Some((first, _)), Some((last, _))) = (found.first_key_value(), found.last_key_value()) else {
        return Vec::new();
    };
    let all: Vec<i32> =
        if last - first <= MONTHS_MAX { (*first..=*last).collect() } else { found.keys().copied().collect() };
    all.into_iter()
        .map(|month| {
            let (trades, won, net_points) = found.get(&month).copied().unwrap_or_default();
            Month {
                month: format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1),
                trades,
                hit_ratio: (trades > 0).then(|| won as f64 / trades as f64),
                net_points,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_fall_is_found_with_its_ends() {
        let fall = |depth, from, to| Drawdown { depth, from, to };
        assert_eq!(drawdown(&[5.0, -2.0, 4.0, -3.0, -1.0, 6.0]), fall(4.0, 3, 5));
        assert_eq!(drawdown(&[-1.0, -1.0]), fall(2.0, 0, 2));
        assert_eq!(drawdown(&[1.0, -1.0, 1.0, -1.0]), fall(1.0, 1, 2));
        assert_eq!((drawdown(&[1.0, 2.0]), drawdown(&[])), (fall(0.0, 0, 0), fall(0.0, 0, 0)));
    }

    #[test]
    fn without_a_loss_there_is_no_profit_factor() {
        assert_eq!(profit_factor(&[3.0, -1.0, -0.5, 0.0]), Some(2.0));
        assert_eq!((profit_factor(&[3.0, 0.0]), profit_factor(&[]), profit_factor(&[-1.0])), (None, None, Some(0.0)));
    }

    #[test]
    fn months_without_a_trade_are_listed() {
        let times = [1_764_547_199, 1_764_547_200, 1_772_323_200]; // the last second of 2025-11, the first of 2025-12, 2026-03
        let found = months(&times, &[5.0, -2.0, 1.0]);
        let short: Vec<_> =
            found.iter().map(|it| (it.month.as_str(), it.trades, it.hit_ratio, it.net_points)).collect();
        assert_eq!(
            short,
            [
                ("2025-11", 1, Some(1.0), 5.0),
                ("2025-12", 1, Some(0.0), -2.0),
                ("2026-01", 0, None, 0.0),
                ("2026-02", 0, None, 0.0),
                ("2026-03", 1, Some(1.0), 1.0),
            ]
        );
        assert_eq!(months(&[], &[]), []);
        assert_eq!(months(&[i64::MAX], &[1.0]), []);
        assert_eq!(months(&[-60_000_000_000, 60_000_000_000], &[1.0, 1.0]).len(), 2);
    }
}
