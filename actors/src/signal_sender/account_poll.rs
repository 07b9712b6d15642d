//! Asks the gateway for account and positions from time to time, for the record: no order depends on the answer, and a
//! failure costs none.

use super::{
    Config,
    gateway_session::{GatewaySession, Seen},
    handshake_gate::HandshakeGate,
};
use crate::{adapters::gateway::handshake::QueryError, domain::order_manager::GatewayPort, messages::Event};
use std::{
    cell::{Cell, RefCell},
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// After a question without an answer it is asked again after so many times the usual pause: each such question closes the
/// gate until the next handshake.
const PAUSE_AFTER_SILENCE: u32 = 10;
/// Cycles do not begin to the millisecond: this much earlier, as a part of the pause, is not too early.
const EARLY: u32 = 10;

/// When it was asked last, and what was seen.
#[derive(Debug, Default)]
pub(super) struct AccountPoll {
    /// Monotonic; `None` before the first time.
    due: Cell<Option<Instant>>,
    seen: RefCell<Option<Seen>>,
    /// Why it failed, as last logged; it is logged again only if it changes.
    trouble: RefCell<String>,
}

impl AccountPoll {
    /// Asks if it is due and the gateway may be asked. If it did not answer, the handshake is made again at once: what costs
    /// no order in the next cycle costs none in this one, either.
    pub(super) async fn run(&self, config: &Config, gate: &HandshakeGate, session: &mut GatewaySession<'_>) {
        let Some(every) = config.account_poll.filter(|_| config.dialect.kind().has_account()) else { return };
        let now = Instant::now();
        if self.due.get().is_some_and(|due| now < due) || !session.may_ask() {
            return;
        }
        self.due.set(Some(now + every - every / EARLY));
        let seen = self.seen.take();
        let error = match session.look(seen.as_ref()).await {
            Ok(seen) => {
                self.seen.replace(Some(seen));
                if !self.trouble.take().is_empty() {
                    info!(stage = "send", "the gateway tells account and positions again");
                }
                return;
            }
            Err(_) if config.shutdown.is_cancelled() => return,
            Err(error) => error,
        };
        config.metrics.report(Event::AccountPollFailed);
        let trouble = error.to_string();
        if *self.trouble.borrow() != trouble {
            warn!(
                stage = "send",
                error = error.kind(),
                "profit and loss is not up to date: the gateway does not tell account and positions: {trouble}"
            );
            self.trouble.replace(trouble);
        }
        if !matches!(error, QueryError::BadReply { .. }) {
            self.due.set(Some(now + pause(every)));
        }
        if matches!(error, QueryError::NoReply { .. } | QueryError::Socket(_)) {
            gate.try_open(config).await;
        }
    }
}

fn pause(every: Duration) -> Duration {
    every.saturating_mul(PAUSE_AFTER_SILENCE)
}
