//! The lines of the log about orders.

use crate::{
    domain::order::{Order, Outcome},
    messages::CycleId,
};
use tracing::{error, info, warn};

pub(super) fn log_dry_run(cycle_id: CycleId, order: &Order) {
    info!(
        cycle_id, symbol = %order.symbol, stage = "send", client_order_id = %order.client_order_id,
        side = order.side.as_str(), volume = order.volume, stop_loss = order.stop_loss,
        take_profit = order.take_profit, "dry run: order not sent"
    );
}

/// The only log line with an order's outcome.
pub(super) fn log_outcome(cycle_id: CycleId, order: &Order, outcome: &Outcome) {
    macro_rules! log {
        ($level:ident, $($rest:tt)*) => {
            $level!(
                cycle_id, symbol = %order.symbol, stage = "send", client_order_id = %order.client_order_id,
                side = order.side.as_str(), volume = order.volume, closes = order.closes, outcome = outcome.as_str(), $($rest)*
            )
        };
    }
    match outcome {
        Outcome::Filled { ticket, price, .. } => match outcome.other_volume(order.volume) {
            None => log!(info, ticket, price, "order filled"),
            Some(filled_volume) => {
                log!(warn, ticket, price, filled_volume, "order filled, but with another volume than ordered")
            }
        },
        Outcome::Rejected { reason } => log!(warn, error = "rejected", reason, "order rejected"),
        Outcome::NotSent { reason } => log!(warn, error = "not_sent", reason, "order not sent"),
        Outcome::Unknown { reason } => {
            log!(error, error = "unknown", reason, "order may or may not have been executed; it is not sent again");
        }
    }
}
