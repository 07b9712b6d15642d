//! The rule behind each reason for not sending a BUY or SELL, with its settings; and the likeliest action.

use sentinel_actors::{
    adapters::journal::DecisionRow,
    domain::{
        decision::{Action, Prediction},
        guard::Suppression,
    },
};

/// The rule behind a reason in the journal; `None` if a later version wrote a reason that this one does not know.
pub(super) fn rule_named(reason: &str) -> Option<String> {
    Suppression::named(reason).map(Suppression::rule)
}

/// The action with the highest odds, and those odds.
pub(super) fn likeliest(row: &DecisionRow) -> Option<(Action, f64)> {
    Some(Prediction::parse(row.probabilities?).ok()?.likeliest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_line_of_its_own() {
        let mut rules: Vec<_> = Suppression::ALL.iter().map(|reason| rule_named(reason.as_str()).unwrap()).collect();
        assert!(rules.iter().all(|rule| !rule.is_empty() && rule.len() < 190 && !rule.contains('\n')));
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), Suppression::ALL.len());
        assert_eq!(rule_named("whim"), None);
    }
}
