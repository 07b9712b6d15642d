//! The end of a daemon: its reason, what is missing in the journal, and the last line of the log.

use sentinel_actors::{
    domain::{journal::OrderStep, order::Outcome, order_state::OrderState},
    messages::Flushed,
};

/// Why the daemon ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Its one cycle ran.
    Once {
        /// Whether it failed (`sentinel_actors::domain::cycle_outcome::judge` says when).
        failed: bool,
        /// Whether some symbols failed, too few to make it a failed one.
        degraded: bool,
        /// Whether what was decided is in the journal.
        is_recorded: bool,
    },
    /// An actor stopped responding.
    StageGone(&'static str),
    /// It was asked to, or its cycle ran, and an order's outcome is only in the log.
    OutcomeLost,
}

/// What the journal has at the end.
pub(crate) struct Drained {
    /// Whether everything was written.
    pub(crate) is_journalled: bool,
    /// Whether an order's outcome is neither in the journal nor in a file next to it.
    pub(crate) is_outcome_lost: bool,
}

/// Logs what is missing in the journal. `flushed`: its answer, if it was closed in time.
pub(crate) fn judge(flushed: Option<Flushed>, are_outcomes_written: bool) -> Drained {
    let Some(Flushed { is_written, lost }) = flushed else {
        tracing::error!("the journal was not closed in time; the next start settles what is missing in it");
        if !are_outcomes_written {
            tracing::error!(
                error = "journal",
                "an order's outcome may be lost: check the account; the log names the order"
            );
        }
        return Drained { is_journalled: false, is_outcome_lost: !are_outcomes_written };
    };
    for step in &lost {
        let OrderStep::Outcome(order, outcome) = step else { continue };
        let id = order.client_order_id;
        let (ticket, resolution) = match outcome {
            Outcome::Filled { ticket, .. } => (*ticket, format!("filled --ticket {ticket}")),
            _ => (0, "rejected".to_owned()),
        };
        tracing::error!(
            error = "journal", client_order_id = %id, symbol = %order.symbol, side = order.side.as_str(),
            volume = order.volume, outcome = OrderState::of(outcome).as_str(), ticket,
            "the order's outcome is not on disk, so the next start will treat it as unknown. Repair the disk, start once, then \
             run: sentinel orders resolve {id} {resolution} --note \"from the log\""
        );
    }
    Drained { is_journalled: is_written, is_outcome_lost: !lost.is_empty() }
}

/// The last line of the log. For `--once` it has the result of the cycle, like the exit code.
pub(crate) fn log_end(ended: &Ended) {
    match ended {
        Ended::Once { is_recorded: false, .. } => {
            tracing::error!(error = "journal", "stopped: what the cycle decided could not be written to the journal")
        }
        Ended::Once { failed: true, .. } => tracing::error!("stopped: the cycle failed"),
        Ended::Once { degraded: true, .. } => {
            tracing::warn!("stopped: the cycle was degraded, because some symbols failed; earlier lines name them");
        }
        Ended::OutcomeLost => {
            tracing::error!(
                error = "journal",
                "stopped: an order's outcome is not on disk; earlier lines name the order"
            )
        }
        Ended::Once { .. } | Ended::Stopped | Ended::StageGone(_) => tracing::info!("stopped"),
    }
}
