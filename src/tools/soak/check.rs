//! One threshold and how it came out.

use serde::Serialize;

/// Bytes of a MiB.
pub(super) const MIB: f64 = 1_048_576.0;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Passed,
    Failed,
    /// The run was too short to say; it speaks neither for nor against.
    NotJudged,
}

/// A threshold and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    /// `at_least` or `at_most`.
    pub(super) bound: &'static str,
    pub(super) limit: f64,
    pub(super) unit: &'static str,
    /// `None` if it is not known, which is not 0.
    pub(super) measured: Option<f64>,
    pub(super) outcome: Outcome,
    /// What the numbers alone do not say; may be empty.
    pub(super) note: String,
}

impl Check {
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
            None => (Outcome::Failed, "not known: the daemon showed no such value"),
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
