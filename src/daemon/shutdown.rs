//! The end of a daemon: why, what the journal lacks then, and the last line of the log.

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
    /// An actor could not answer any more.
    StageGone(&'static str),
    /// It was asked to, or its cycle ran, and what became of an order is known to nothing but the log.
    FateLost,
}

/// What the journal has in the end.
pub(crate) struct Drained {
    /// All that it was told last.
    pub(crate) is_journalled: bool,
    /// What became of an order is neither in it nor kept beside it.
    pub(crate) is_fate_lost: bool,
}

/// Says what the journal lacks. `is_paid`: no order's fate was owed to it.
pub(crate) fn judge(flushed: Option<Flushed>, is_paid: bool) -> Drained {
    let Some(Flushed { is_written, lost }) = flushed else {
        tracing::error!("the journal was not closed in time; what it lacks is settled at the next start");
        if !is_paid {
            tracing::error!(
                error = "journal",
                "what became of an order may be lost: look at the account; the log names it"
            );
        }
        return Drained { is_journalled: false, is_fate_lost: !is_paid };
    };
    for step in &lost {
        let OrderStep::Outcome(order, outcome) = step else { continue };
        let id = order.client_order_id;
        let (ticket, way_out) = match outcome {
            Outcome::Filled { ticket, .. } => (*ticket, format!("filled --ticket {ticket}")),
            _ => (0, "rejected".to_owned()),
        };
        tracing::error!(
            error = "journal", client_order_id = %id, symbol = %order.symbol, side = order.side.as_str(),
            volume = order.volume, outcome = OrderState::of(outcome).as_str(), ticket,
            "what became of the order is not on disk, and the next start will take it for unknown. Mend the disk, start \
             once, then: sentinel orders resolve {id} {way_out} --note \"from the log\""
        );
    }
    Drained { is_journalled: is_written, is_fate_lost: !lost.is_empty() }
}

/// The last line: it says how the one cycle of `--once` went, as its exit code does.
pub(crate) fn log_end(ended: &Ended) {
    match ended {
        Ended::Once { is_recorded: false, .. } => {
            tracing::error!(error = "journal", "stopped: what the cycle decided could not be written to the journal")
        }
        Ended::Once { failed: true, .. } => tracing::error!("stopped: the cycle failed"),
        Ended::Once { degraded: true, .. } => {
            tracing::warn!("stopped: the cycle was degraded, some symbols failed; the lines before name them");
        }
        Ended::FateLost => {
            tracing::error!(
                error = "journal",
                "stopped: what became of an order is not on disk; the lines before name it"
            )
        }
        Ended::Once { .. } | Ended::Stopped | Ended::StageGone(_) => tracing::info!("stopped"),
    }
}
