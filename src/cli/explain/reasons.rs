//! What a reason for not sending a BUY or SELL means, with the settings that decide it; and what the odds alone said.

use sentinel_actors::{
    adapters::journal::DecisionRow,
    domain::{
        decision::{Action, Prediction},
        guard::Suppression,
    },
};

/// The rule behind a reason, and the settings that decide it.
fn rule(reason: Suppression) -> String {
    match reason.settings() {
        [] => reason.sentence().into(),
        settings => format!("{} ({})", reason.sentence(), settings.join(", ")),
    }
}

/// The rule behind a reason as the journal has it; a later version may know more reasons.
pub(super) fn rule_named(reason: &str) -> Option<String> {
    Suppression::ALL.iter().find(|known| known.as_str() == reason).map(|known| rule(*known))
}

/// What the odds alone would have been, and how sure the model was.
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
