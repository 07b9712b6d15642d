//! The result of a cycle: the only rule for it, and which symbols failed. The cycle, `/readyz`, `/health`, the counter of
//! failed cycles and the exit code of `--once` all use it.

use crate::domain::{instrument::Symbol, names::Step};

/// How a cycle went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CycleOutcome {
    /// No symbol failed.
    Ok,
    /// Some symbols failed, but not too many.
    Degraded,
    /// All symbols failed, or too many.
    Failed,
}

impl CycleOutcome {
    /// The word in logs and `/health`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Failed => "failed",
        }
    }
}

/// A symbol that failed in a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolFailure {
    /// The symbol.
    pub symbol: Symbol,
    /// The first step in which it failed.
    pub step: Step,
    /// Kind of the error, as in logs: `404`, `timeout`, `unknown`.
    pub kind: &'static str,
}

/// The complete rule:
///
/// A symbol *fails* in a cycle if one of its stages fails (no usable bars, no features, no usable answer from the model), if
/// its order or one of its closes is `not_sent` or `unknown`, or if a stage that it needs panics or has stopped. HOLD, an
/// order that a rule suppressed, a rejection by the gateway and a closed market are not failures.
///
/// A cycle has *failed* if all symbols failed, or if more than `failed_share_max` (`health.failed_share_max`, a ratio in
/// 0..=1) of its symbols failed. If fewer symbols failed, but at least one, it is *degraded*. With one symbol, every failure
/// is a failed cycle.
pub fn judge(symbols: usize, failed: usize, failed_share_max: f64) -> CycleOutcome {
    #[allow(clippy::cast_precision_loss)] // numbers of symbols
    let share = failed as f64 / symbols.max(1) as f64;
    match failed {
        0 => CycleOutcome::Ok,
        _ if failed >= symbols || share > failed_share_max => CycleOutcome::Failed,
        _ => CycleOutcome::Degraded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CycleOutcome::{Degraded, Failed, Ok};

    #[test]
    fn a_cycle_fails_by_the_share_of_its_symbols() {
        for (symbols, failed, share_max, expected) in [
            (10, 0, 0.5, Ok),
            (10, 1, 0.5, Degraded),
            (10, 5, 0.5, Degraded),
            (10, 6, 0.5, Failed),
            (50, 1, 0.5, Degraded),
            (2, 1, 0.5, Degraded),
            (10, 1, 0.0, Failed),
            (10, 9, 1.0, Degraded),
            (10, 10, 1.0, Failed),
            (10, 0, 0.0, Ok),
        ] {
            assert_eq!(judge(symbols, failed, share_max), expected, "{failed} of {symbols}, {share_max}");
        }
    }

    #[test]
    fn with_one_symbol_every_failure_is_a_failed_cycle() {
        for share_max in [0.0, 0.5, 1.0] {
            assert_eq!((judge(1, 1, share_max), judge(1, 0, share_max)), (Failed, Ok));
        }
    }
}
