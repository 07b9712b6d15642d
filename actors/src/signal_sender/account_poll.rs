//! Asks the gateway for account and positions from time to time, for the record: no order depends on the answer, and a
//! failure costs none.

use super::{Config, gateway_session::GatewaySession};
use crate::{
    adapters::gateway::{AccountState, Query, handshake::QueryError},
    domain::{journal::AccountSnapshot, order_manager::GatewayPort, position::HeldPosition, profit::cents, side::Side},
    messages::Event,
};
use std::{
    cell::{Cell, RefCell},
    time::Duration,
};
use tokio::time::Instant;
use tracing::{info, warn};

/// All questions of one look together take at most this: so long the orders of the next cycle may have to wait.
const LIMIT: Duration = Duration::from_secs(1);
/// After a question without an answer it is asked again after so many times the usual pause.
const PAUSE_AFTER_SILENCE: u32 = 10;
/// Cycles do not begin to the millisecond: this much earlier, as a part of the pause, is not too early.
const EARLY: u32 = 10;

/// How often account and positions are asked for until both are of one moment.
const LOOKS_MAX: u32 = 3;

/// What a look saw, as far as a change of it means that something was opened or closed.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    balance: f64,
    /// Ticket, whether it is a BUY, and lots.
    open: Vec<(i64, bool, f64)>,
}

impl Seen {
    fn of(account: &AccountState, positions: &[HeldPosition]) -> Self {
        let open =
            positions.iter().map(|HeldPosition { position: it, .. }| (it.ticket, it.side == Side::Buy, it.volume));
        let mut open: Vec<_> = open.collect();
        open.sort_by_key(|(ticket, ..)| *ticket);
        Self { balance: cents(account.balance), open }
    }
}

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
    /// Asks if it is due and the gateway may be asked. If it does not answer, the gate stays as it is: the next order or
    /// handshake has its own, longer deadline and says what the gateway is worth.
    pub(super) async fn run(&self, config: &Config, session: &mut GatewaySession<'_>) {
        let Some(every) = config.account_poll.filter(|_| config.dialect.kind().has_account()) else { return };
        let now = Instant::now();
        if self.due.get().is_some_and(|due| now < due) || !session.may_ask() {
            return;
        }
        self.due.set(Some(now + every - every / EARLY));
        let seen = self.seen.take();
        let limit = config.deadline.min(LIMIT);
        let error = match look(session, seen.as_ref(), (now + limit, limit), every.max(config.cycle_step)).await {
            Ok(seen) => {
                self.seen.replace(Some(seen));
                if !self.trouble.take().is_empty() {
                    info!(stage = "send", "the gateway reports account and positions again");
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
                "profit and loss is not up to date: the gateway does not report account and positions: {trouble}"
            );
            self.trouble.replace(trouble);
        }
        if !matches!(error, QueryError::BadReply { .. }) {
            self.due.set(Some(now + pause(every)));
        }
    }
}

fn pause(every: Duration) -> Duration {
    every.saturating_mul(PAUSE_AFTER_SILENCE)
}

/// Asks for account and positions, for the record only: no order depends on the answer. `known` is the balance and what was open
/// at the last look: if something changed, the account is asked for again, because a position may have been closed between the
/// two questions. `every`: how often this is done at most.
///
/// # Errors
/// Why one of the questions has no usable answer.
async fn look(
    session: &mut GatewaySession<'_>,
    known: Option<&Seen>,
    limit: (Instant, Duration),
    every: Duration,
) -> Result<Seen, QueryError> {
    let mut account = ask_account(session, limit).await?;
    let mut is_whole = false;
    let mut positions = Vec::new();
    for _ in 0..LOOKS_MAX {
        let answered = session.ask_until(Query::Positions, limit).await?;
        let bad = |reason| QueryError::BadReply { reason, roundtrip: Duration::ZERO };
        positions = answered.held_positions().map_err(bad)?;
        if known.is_some_and(|known| *known == Seen::of(&account, &positions)) {
            is_whole = true;
            break;
        }
        let later = ask_account(session, limit).await?;
        is_whole = cents(later.balance) == cents(account.balance);
        account = later;
        if is_whole {
            break;
        }
    }
    // Where an empty list proves nothing, an account without open profit confirms it. That is enough for money, not for
    // an order.
    let is_flat = account.balance > 0.0 && cents(account.equity) == cents(account.balance);
    let is_told = session.config.dialect.kind().has_proof() || !positions.is_empty() || is_flat;
    let seen = Seen::of(&account, &positions);
    session.config.metrics.report(Event::EquityTold(Some(account.equity)));
    session.config.metrics.report(Event::PositionsTold(is_told.then_some(positions.len())));
    session.told = AccountSnapshot {
        balance: Some(account.balance),
        equity: Some(account.equity),
        margin: account.margin,
        positions: is_told.then_some(positions),
        currency: account.currency,
        is_whole: is_whole && is_told,
        every: Some(every),
    };
    Ok(seen)
}

async fn ask_account(session: &mut GatewaySession<'_>, limit: (Instant, Duration)) -> Result<AccountState, QueryError> {
    let answered = session.ask_until(Query::Account, limit).await?;
    answered.account().map_err(|reason| QueryError::BadReply { reason, roundtrip: Duration::ZERO })
}
