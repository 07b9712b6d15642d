//! Whether odds mean what they say: of the decisions with odds of 0.6 for a class, is it right in 60 %?
//!
//! The three parts of the Brier score are those of T. Dimitriadis, T. Gneiting and A. I. Jordan, "Stable reliability diagrams for
//! probabilistic classifiers", 2021: they use the isotonic curve in place of bins, and so they add up exactly.

use super::{bootstrap, isotonic};
use crate::tools::study::result::{Calibration, CalibrationBin, ClassCalibration};
use sentinel_actors::domain::decision::Action;

/// Resampled series of a bin's band; there are up to a hundred bins of three classes.
const BAND_REPLICATES: usize = 1_000;
/// Points of an isotonic curve that are kept, evenly: a plot cannot show more.
const CURVE_POINTS_MAX: usize = 200;

/// Calibration of these decisions, which are in the order of time. Odds are of SELL, HOLD and BUY; `labels` has the correct class of
/// each. Without decisions nothing is defined.
pub fn calibration(odds: &[[f64; 3]], labels: &[Action], seed: u64) -> Calibration {
    let decisions = || odds.iter().zip(labels);
    let count = decisions().count();
    let classes: Vec<_> = (0..Action::ALL.len()).map(|class| of_class(odds, labels, class, seed)).collect();
    let each_loss = decisions().filter_map(|(odds, label)| Some(loss(*odds.get(index(*label))?)));
    let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
    let entropy = |share: f64| if share > 0.0 { -share * share.ln() } else { 0.0 };
    Calibration {
        count: count as u64,
        brier: classes.iter().map(|class| class.brier).sum(),
        log_loss: mean(each_loss.sum()),
        log_loss_of_frequencies: classes.iter().map(|class| class.frequency.map(entropy)).sum(),
        classes,
    }
}

/// Place of a class in the odds.
pub(super) fn index(label: Action) -> usize {
    match label {
        Action::Sell => 0,
        Action::Hold => 1,
        Action::Buy => 2,
    }
}

/// Logarithm of the odds of the correct class. Odds of 0 would be infinitely wrong: the least is one step of a float, as in scikit-learn.
fn loss(odds: f64) -> f64 {
    -odds.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// A decision: the odds of a class, its place in time, and whether the class was right.
type Decision = (f64, u32, bool);

fn of_class(odds: &[[f64; 3]], labels: &[Action], class: usize, seed: u64) -> ClassCalibration {
    let mut decisions: Vec<Decision> = (0..)
        .zip(odds.iter().zip(labels))
        .map(|(at, (odds, label))| (odds[class], at, index(*label) == class))
        .collect();
    decisions.sort_unstable_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let blocks = isotonic::blocks(decisions.iter().map(|(odds, _, is_right)| (*odds, *is_right)));
    let bins = bins(&decisions, seed);
    let count = decisions.len() as f64;
    let known = |value: f64| (!decisions.is_empty()).then_some(value);
    let right: f64 = blocks.iter().map(|block| block.right).sum();
    let frequency = right / count;
    let distance = |(odds, _, is_right): &Decision| (odds - f64::from(u8::from(*is_right))).powi(2);
    let brier = decisions.iter().map(distance).sum::<f64>() / count;
    let recalibrated = blocks.iter().map(|block| block.right * (1.0 - block.share())).sum::<f64>() / count;
    let uncertainty = frequency * (1.0 - frequency);
    let ece = bins.iter().map(|bin| bin.count as f64 * (bin.observed - bin.predicted).abs()).sum::<f64>() / count;
    ClassCalibration {
        class: Action::ALL[class].as_str().to_owned(),
        frequency: known(frequency),
        isotonic: curve(&blocks),
        brier: known(brier),
        reliability: known(brier - recalibrated),
        resolution: known(uncertainty - recalibrated),
        uncertainty: known(uncertainty),
        ece: known(ece),
        bins,
    }
}

/// n^(1/3) bins of about as many decisions each. Equal odds stay in one bin, so there may be fewer.
fn bins(sorted: &[Decision], seed: u64) -> Vec<CalibrationBin> {
    let count = sorted.len();
    let wanted = (count as f64).cbrt().round() as usize;
    let mut bins = Vec::with_capacity(wanted);
    let mut from = 0;
    for number in 1..=wanted {
        let Some((last, ..)) = (number * count / wanted).checked_sub(1).and_then(|at| sorted.get(at)) else { continue };
        let to = sorted.partition_point(|(odds, ..)| odds <= last);
        if to > from {
            bins.push(bin(&sorted[from..to], seed));
            from = to;
        }
    }
    bins
}

/// Of one decision at least.
fn bin(decisions: &[Decision], seed: u64) -> CalibrationBin {
    let mut in_time: Vec<_> = decisions.iter().map(|(_, at, is_right)| (*at, f64::from(u8::from(*is_right)))).collect();
    in_time.sort_unstable_by_key(|(at, _)| *at);
    let right: Vec<f64> = in_time.into_iter().map(|(_, right)| right).collect();
    let count = decisions.len() as f64;
    CalibrationBin {
        from: decisions.first().map_or(0.0, |decision| decision.0),
        to: decisions.last().map_or(0.0, |decision| decision.0),
        predicted: decisions.iter().map(|decision| decision.0).sum::<f64>() / count,
        observed: right.iter().sum::<f64>() / count,
        // Rounding may give a value slightly outside 0 to 1.
        band: bootstrap::mean_interval_of(&right, seed, BAND_REPLICATES)
            .map(|ends| ends.map(|end| end.clamp(0.0, 1.0))),
        count: decisions.len() as u64,
    }
}

/// Both ends of each step; if there are too many, evenly fewer, with the first and the last.
fn curve(blocks: &[isotonic::Block]) -> Vec<[f64; 2]> {
    let mut points: Vec<_> =
        blocks.iter().flat_map(|block| [[block.from, block.share()], [block.to, block.share()]]).collect();
    points.dedup();
    let last = points.len().saturating_sub(1);
    if points.len() <= CURVE_POINTS_MAX {
        return points;
    }
    (0..CURVE_POINTS_MAX).map(|at| points[at * last / (CURVE_POINTS_MAX - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [Action; 4] = [Action::Sell, Action::Buy, Action::Buy, Action::Hold];

    #[test]
    fn the_three_parts_add_up() {
        let odds = [[0.5, 0.2, 0.3], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3], [0.2, 0.5, 0.3]];
        let found = calibration(&odds, &LABELS, 1);
        for class in &found.classes {
            let parts = class.reliability.unwrap() - class.resolution.unwrap() + class.uncertainty.unwrap();
            assert!((parts - class.brier.unwrap()).abs() < 1e-15, "{class:?}");
            assert!(class.reliability.unwrap() >= 0.0 && class.resolution.unwrap() >= 0.0, "{class:?}");
        }
        assert!((found.brier.unwrap() - found.classes.iter().filter_map(|it| it.brier).sum::<f64>()).abs() < 1e-15);
    }

    #[test]
    fn without_decisions_nothing_is_defined() {
        let found = calibration(&[], &[], 1);
        assert_eq!((found.count, found.brier, found.log_loss, found.log_loss_of_frequencies), (0, None, None, None));
        for class in &found.classes {
            let parts =
                [class.frequency, class.brier, class.reliability, class.resolution, class.uncertainty, class.ece];
            assert_eq!((parts, class.bins.len(), class.isotonic.len()), ([None; 6], 0, 0));
        }
    }

    #[test]
    fn a_sure_model_that_is_right_has_no_loss() {
        let odds = LABELS.map(|label| Action::ALL.map(|class| f64::from(u8::from(class == label))));
        let found = calibration(&odds, &LABELS, 1);
        assert_eq!(found.brier, Some(0.0));
        assert!(found.log_loss.unwrap() < 1e-15);
        let wrong = calibration(&odds, &[Action::Buy, Action::Hold, Action::Hold, Action::Sell], 1);
        assert_eq!(wrong.brier, Some(2.0));
        assert!((wrong.log_loss.unwrap() + f64::EPSILON.ln()).abs() < 1e-9);
    }

    #[test]
    fn many_steps_are_thinned_with_both_ends_kept() {
        // Step after step rises: of 400 decisions at each of 300 odds, `step` were right.
        let odds: Vec<_> = (0..300 * 400).map(|at| [f64::from(at / 400) / 300.0, 0.0, 0.0]).collect();
        let labels: Vec<_> =
            (0..300 * 400).map(|at| if at % 400 <= at / 400 { Action::Sell } else { Action::Hold }).collect();
        let points = &calibration(&odds, &labels, 1).classes[0].isotonic;
        assert_eq!((points.len(), points[0], points[199]), (200, [0.0, 0.002_5], [299.0 / 300.0, 0.75]));
        assert!(points.is_sorted_by(|one, next| one[0] <= next[0] && one[1] <= next[1]));
    }
}
