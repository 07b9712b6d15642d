//! What the order manager needs from outside: a journal and a gateway. The SignalSender has the real ones, the account on paper
//! and tests have their own.

use crate::domain::{
    clock::{Expiry, Moment},
    exposure::Fill,
    guard::{Obstacles, Suppression},
    instrument::Symbol,
    journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
    order::{Order, Outcome},
    position::{Position, Positions},
    reconcile::Unproven,
};
use std::{future::ready, time::Duration};
use uuid::Uuid;

/// The journal, as the manager needs it. `Ok` always means: on disk.
pub trait OrderJournal {
    /// Settles what an earlier run left open, then returns the current state. With `must_write` it returns `Ok` only if a
    /// write succeeded.
    fn read_standing(&self, question: StandingQuestion) -> impl Future<Output = Result<Standing, JournalError>>;

    /// Earlier orders.
    fn history(&self) -> impl Future<Output = Result<History, JournalError>>;

    /// The account's fills that count as open positions, and those with these tickets.
    fn fills(&self, tickets: &[i64]) -> impl Future<Output = Result<Vec<Fill>, JournalError>>;

    /// Records the account's equity if it is the first of its day (UTC), and returns the day's first.
    fn first_equity(&self, equity: f64) -> impl Future<Output = Result<f64, JournalError>>;

    /// Writes steps of one order in one transaction: all of them or none.
    fn write(&self, steps: Vec<OrderStep>) -> impl Future<Output = Result<(), JournalError>>;
}

/// The connection to the gateway.
pub trait GatewayPort {
    /// What stands in the way of an order now.
    fn obstacles(&self) -> Obstacles;

    /// The claim under which orders of this symbol are sent, which the journal keeps with each of them; see
    /// [`Authority::epoch`](crate::domain::cluster::Authority::epoch).
    fn epoch(&self, _symbol: &Symbol) -> Option<i64> {
        None
    }

    /// Whether no other daemon can have traded the order's symbol since its bar closed. Otherwise a new position may be another
    /// daemon's, and proves nothing about this order.
    fn is_alone_since(&self, order: &Unproven) -> bool {
        !self.obstacles().is_from_before(order.bar_close_time)
    }

    /// Whether the order may be claimed, if every order needs a claim of its own; asked before anything is written about it.
    /// `tickets_before`: see [`Unproven::tickets_before`].
    ///
    /// # Errors
    /// The reason for which it may not.
    fn prepare_claim(
        &mut self,
        _order: &Order,
        _tickets_before: Option<&[i64]>,
    ) -> impl Future<Output = Result<(), Suppression>> {
        ready(Ok(()))
    }

    /// The outcome of the last [`Self::exchange`] is in the journal: whoever else has to know it is told, or later.
    fn settle_claim(&mut self) -> impl Future<Output = ()> {
        ready(())
    }

    /// Whether a query may be sent now: a halt stops orders, not queries.
    fn may_ask(&self) -> bool;

    /// Claims the order if that is needed, sends it once, and waits for its reply. Nothing is sent after `expiry`, nor under
    /// another claim than `epoch`.
    ///
    /// # Errors
    /// The reason for which no part of it was sent; then the order must not arrive later, either.
    fn exchange(
        &mut self,
        order: &Order,
        expiry: Expiry,
        epoch: Option<i64>,
    ) -> impl Future<Output = Result<OrderResult, Suppression>>;

    /// All open positions. After [`Positions::NoGateway`], `exchange` answers [`Outcome::NotSent`] and sends nothing.
    ///
    /// # Errors
    /// The reason for which nothing may be sent: the gateway accepted the query but did not answer it, or its answer cannot
    /// be read. Then the open positions are unknown, and no limit on them can be checked.
    fn positions(&mut self) -> impl Future<Output = Result<Positions, Suppression>>;

    /// The account's equity; `None` if the gateway does not report it.
    fn equity(&mut self) -> impl Future<Output = Option<f64>>;

    /// All open positions, queried twice on a new connection; `None` if the answers prove nothing.
    fn positions_twice(&mut self) -> impl Future<Output = Option<[Vec<Position>; 2]>>;

    /// Now, on both clocks: for the one wait that a step of the wall clock must not shorten, and for the age of a decision.
    fn now(&self) -> Moment;

    /// The id of the request to close this ticket before this order.
    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid;
}

/// The outcome of an order, and how long the gateway took if it answered.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderResult {
    /// The outcome that the reply proves.
    pub outcome: Outcome,
    /// From connecting to the reply; set for any readable reply to this order.
    pub send_latency: Option<Duration>,
    /// From the completed send to the reply; set if `send_latency` is set.
    pub gateway_roundtrip: Option<Duration>,
}

impl OrderResult {
    /// For an order without a readable reply.
    pub const fn without_reply(outcome: Outcome) -> Self {
        Self { outcome, send_latency: None, gateway_roundtrip: None }
    }
}
