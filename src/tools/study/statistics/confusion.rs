//! Confusion matrix: the likeliest class against the correct one.

use super::calibration::index;
use crate::tools::study::result::Confusion;
use sentinel_actors::domain::decision::Action;

/// Counts of decisions: rows are the correct class, columns the one that the model found likeliest. A share without a case is `None`.
pub fn confusion(likeliest: &[Action], labels: &[Action]) -> Confusion {
    let mut counts = [[0; 3]; 3];
    for (likeliest, label) in likeliest.iter().zip(labels) {
        counts[index(*label)][index(*likeliest)] += 1;
    }
    let share = |right: u64, all: u64| (all > 0).then(|| right as f64 / all as f64);
    let classes = [0, 1, 2];
    Confusion {
        counts,
        precision: classes.map(|class| share(counts[class][class], counts.iter().map(|row| row[class]).sum())),
        recall: classes.map(|class| share(counts[class][class], counts[class].iter().sum())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{Buy, Hold, Sell};

    #[test]
    fn rows_are_what_was_right() {
        let found = confusion(&[Buy, Buy, Sell, Hold], &[Buy, Sell, Sell, Buy]);
        assert_eq!(found.counts, [[1, 0, 1], [0, 0, 0], [0, 1, 1]]);
        assert_eq!(found.precision, [Some(1.0), Some(0.0), Some(0.5)]);
        assert_eq!(found.recall, [Some(0.5), None, Some(0.5)]);
        assert_eq!(confusion(&[], &[]), Confusion::default());
    }
}
