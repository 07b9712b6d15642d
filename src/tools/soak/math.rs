//! The arithmetic of a soak: due cycles, increases across resets, quantiles, slopes.

use serde::Serialize;

/// Cumulative buckets of a histogram: upper bound in ascending order, `+Inf` last, and count.
pub(super) type Buckets = Vec<(f64, f64)>;

const HOUR_S: f64 = 3_600.0;

/// Cycles that came due: whole periods in this time.
pub(super) fn due_cycles(elapsed_s: f64, period_s: f64) -> f64 {
    // A rounding error must not cost a cycle: 0.3 / 0.1 is 2.9999999999999996.
    (elapsed_s / period_s + 1e-9).floor().max(0.0)
}

/// How much a counter grew between two scrapes. After a reset it began at 0, so its value is the growth; what it counted between
/// the last scrape and the reset is lost.
pub(super) fn increase(before: Option<f64>, now: f64, is_restarted: bool) -> f64 {
    match before {
        Some(before) if !is_restarted && before <= now => now - before,
        _ => now,
    }
}

/// How much each bucket grew between two scrapes, resets handled as in [`increase`].
pub(super) fn buckets_increase(before: &Buckets, now: &Buckets, is_restarted: bool) -> Buckets {
    let is_same = before.len() == now.len() && before.iter().zip(now).all(|((a, _), (b, _))| a.total_cmp(b).is_eq());
    let is_reset = is_restarted || !is_same || before.iter().zip(now).any(|((_, before), (_, now))| now < before);
    let earlier = before.iter().map(|(_, count)| if is_reset { 0.0 } else { *count }).chain(std::iter::repeat(0.0));
    now.iter().zip(earlier).map(|((bound, count), earlier)| (*bound, count - earlier)).collect()
}

/// Adds buckets to a sum. With other bounds, from another version of the daemon, the sum restarts.
pub(super) fn add_buckets(sum: &mut Buckets, more: &Buckets) {
    let is_same = sum.len() == more.len() && sum.iter().zip(more).all(|((a, _), (b, _))| a.total_cmp(b).is_eq());
    if is_same {
        sum.iter_mut().zip(more).for_each(|((_, count), (_, more))| *count += more);
    } else {
        sum.clone_from(more);
    }
}

/// A quantile of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Quantile {
    /// In the histogram's unit.
    pub(super) value: f64,
    /// It is above the last finite bound, which is `value`; by how much is unknown.
    pub(super) is_above: bool,
}

/// `histogram_quantile` of Prometheus: linear within a bucket; the first bucket begins at 0. `None` without observations.
pub(super) fn quantile(buckets: &[(f64, f64)], q: f64) -> Option<Quantile> {
    let (_, count) = buckets.last().filter(|(bound, count)| bound.is_infinite() && *count > 0.0)?;
    let rank = q * count;
    let at = buckets.iter().position(|(_, cumulative)| *cumulative >= rank)?;
    let (lower, below) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    let (upper, cumulative) = buckets[at];
    if upper.is_infinite() {
        return Some(Quantile { value: lower, is_above: true });
    }
    let share = if cumulative > below { (rank - below) / (cumulative - below) } else { 0.0 };
    Some(Quantile { value: lower + (upper - lower) * share, is_above: false })
}

/// A straight line through points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Slope {
    /// Growth per hour, in the unit of the points.
    pub(super) per_hour: f64,
    /// Where the points begin and end, in seconds since the first scrape.
    pub(super) from_s: f64,
    /// See `from_s`.
    pub(super) to_s: f64,
    /// The line's value at `from_s`.
    pub(super) value_at_from: f64,
}

/// Least squares over (seconds, value); `None` for fewer than two points in time.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<Slope> {
    let (from_s, to_s) = (points.first()?.0, points.last()?.0);
    let count = points.len() as f64;
    let mean_s = points.iter().map(|(at, _)| at).sum::<f64>() / count;
    let mean = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (at, value) in points {
        covariance += (at - mean_s) * (value - mean);
        variance += (at - mean_s) * (at - mean_s);
    }
    if variance <= 0.0 {
        return None;
    }
    let per_s = covariance / variance;
    Some(Slope { per_hour: per_s * HOUR_S, from_s, to_s, value_at_from: mean + per_s * (from_s - mean_s) })
}

/// The points after the first quarter of their time, the warm-up.
pub(super) fn warm(points: &[(f64, f64)]) -> &[(f64, f64)] {
    let (Some((from, _)), Some((to, _))) = (points.first(), points.last()) else { return points };
    let warm_at = from + (to - from) / 4.0;
    &points[points.partition_point(|(at, _)| *at < warm_at)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn value(buckets: &[(f64, f64)], q: f64) -> Option<f64> {
        quantile(buckets, q).map(|quantile| quantile.value)
    }

    #[test]
    fn cycles_come_due_by_the_clock() {
        for (elapsed_s, period_s, due) in
            [(0.0, 60.0, 0.0), (59.9, 60.0, 0.0), (60.0, 60.0, 1.0), (3_600.0, 60.0, 60.0), (0.3, 0.1, 3.0)]
        {
            assert_eq!(due_cycles(elapsed_s, period_s), due, "{elapsed_s} / {period_s}");
        }
    }

    #[test]
    fn counts_since_a_reset_are_kept() {
        assert_eq!(increase(Some(7.0), 9.0, false), 2.0);
        assert_eq!(increase(Some(7.0), 7.0, false), 0.0);
        assert_eq!(increase(Some(7.0), 3.0, false), 3.0, "a fall is a reset");
        assert_eq!(increase(Some(7.0), 9.0, true), 9.0, "a restart is a reset, even with a higher count");
        assert_eq!(increase(None, 4.0, false), 4.0);
    }

    #[test]
    fn buckets_grow_like_counters() {
        let (before, now) = (vec![(1.0, 2.0), (INF, 3.0)], vec![(1.0, 4.0), (INF, 8.0)]);
        assert_eq!(buckets_increase(&before, &now, false), [(1.0, 2.0), (INF, 5.0)]);
        assert_eq!(buckets_increase(&before, &now, true), now);
        assert_eq!(buckets_increase(&now, &before, false), before);
        assert_eq!(buckets_increase(&Vec::new(), &now, false), now);
        let other = vec![(2.0, 9.0), (INF, 9.0)];
        assert_eq!(buckets_increase(&before, &other, false), other, "other bounds come from another version");
        let mut sum = before.clone();
        add_buckets(&mut sum, &now);
        assert_eq!(sum, [(1.0, 6.0), (INF, 11.0)]);
        add_buckets(&mut sum, &other);
        assert_eq!(sum, other);
    }

    #[test]
    fn quantiles_are_those_of_prometheus() {
        // histogram_quantile of 2.42 over the same buckets gives the same numbers.
        let buckets = [(0.1, 50.0), (0.5, 90.0), (1.0, 99.0), (5.0, 100.0), (INF, 100.0)];
        assert_eq!(value(&buckets, 0.5), Some(0.1));
        assert_eq!(value(&buckets, 0.25), Some(0.05));
        assert_eq!(value(&buckets, 0.9), Some(0.5));
        assert_eq!(value(&buckets, 0.99), Some(1.0));
        assert!((value(&buckets, 0.995).unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_quantile_above_the_last_bound_is_marked() {
        let buckets = [(0.1, 1.0), (0.5, 1.0), (INF, 4.0)];
        assert_eq!(quantile(&buckets, 0.99), Some(Quantile { value: 0.5, is_above: true }));
        assert_eq!(value(&buckets, 0.25), Some(0.1));
    }

    #[test]
    fn nothing_observed_has_no_quantile() {
        assert_eq!(quantile(&[(0.1, 0.0), (INF, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[(0.1, 3.0)], 0.5), None, "without +Inf it is not a histogram");
    }

    #[test]
    fn the_slope_of_a_line_is_exact() {
        let points: Vec<_> = (0..10).map(|i| (f64::from(i) * 60.0, 5.0 + f64::from(i))).collect();
        let line = slope(&points).unwrap();
        assert!((line.per_hour - 60.0).abs() < 1e-9 && (line.value_at_from - 5.0).abs() < 1e-9, "{line:?}");
        assert_eq!((line.from_s, line.to_s), (0.0, 540.0));
        assert_eq!(slope(&points.iter().map(|(at, _)| (*at, 3.0)).collect::<Vec<_>>()).unwrap().per_hour, 0.0);
        assert_eq!((slope(&[]), slope(&[(1.0, 2.0)]), slope(&[(1.0, 2.0), (1.0, 3.0)])), (None, None, None));
    }

    #[test]
    fn a_noisy_line_has_the_slope_of_the_best_fit() {
        // By hand: means 1.5 and 2.5, covariance 6, variance 5.
        let line = slope(&[(0.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 5.0)]).unwrap();
        assert!((line.per_hour - 1.2 * HOUR_S).abs() < 1e-6, "{line:?}");
    }

    #[test]
    fn the_first_quarter_is_warm_up() {
        let points: Vec<_> = (0..=8).map(|i| (f64::from(i), 0.0)).collect();
        assert_eq!(warm(&points).first(), Some(&(2.0, 0.0)));
        assert_eq!(warm(&points[..1]), &points[..1]);
        assert!(warm(&[]).is_empty());
    }
}
