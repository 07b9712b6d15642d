//! A threshold and its outcome.

use serde::Serialize;

/// Bytes of a MiB.
pub(super) const MIB: f64 = 1_048_576.0;

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// The run was too short to judge; this does not affect the verdict.
    NotJudged,
}

/// A threshold and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ThresholdCheck {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// `at_least` or `at_most`.
    pub(super) bound: &'static str,
    pub(super) limit: f64,
    pub(super) unit: &'static str,
    /// `None` if unknown, which is not 0.
    pub(super) measured: Option<f64>,
    pub(super) outcome: Outcome,
    /// An explanation of the numbers; may be empty.
    pub(super) note: String,
}

impl ThresholdCheck {
    pub(super) fn at_most(
        name: &'static str,
        what: &'static str,
        unit: &'static str,
        limit: f64,
        measured: Option<f64>,
    ) -> Self {
        let (outcome, note) = match measured {
            Some(measured) if measured <= limit => (Outcome::Passed, ""),
            Some(_) => (Outcome::Failed, ""),
            None => (Outcome::Failed, "unknown: the daemon did not report this value"),
        };
        Self { name, what, bound: "at_most", limit, unit, measured, outcome, note: note.into() }
    }

    pub(super) fn noted(mut self, is_so: bool, note: String) -> Self {
        if is_so {
            self.note = note;
        }
        self
    }
}
