//! The session with the gateway: sends one order and receives its reply, within a deadline; also sends the queries before an
//! order. One session is used for one cycle.

mod exchange;

use super::{Config, claims::Claims, handshake_gate::HandshakeGate};
use crate::{
    adapters::{
        endpoint::Endpoint,
        gateway::{
            GatewaySocket, Query, QueryAnswer,
            handshake::{self, QueryError},
        },
    },
    domain::{
        clock::{Expiry, Moment},
        cluster::shared::OrderClaim,
        guard::{Obstacles, Suppression},
        instrument::Symbol,
        journal::AccountSnapshot,
        order::{Order, Outcome, close_order_id},
        order_manager::{GatewayPort, OrderResult},
        position::{HeldPosition, Position, Positions},
        reconcile::Unproven,
    },
    messages::{Event, NoteAccount},
};
use exchange::{Permit, not_sent};
use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};
use tracing::warn;
use uuid::Uuid;

/// The session of one cycle.
pub(super) struct GatewaySession<'a> {
    pub(super) config: &'a Config,
    pub(super) gate: &'a HandshakeGate,
    /// A socket without an open or unclear request, if there is one.
    socket: Option<GatewaySocket>,
    /// The gateway accepted nothing within its deadline; the rest of the cycle does not wait for it again.
    is_gateway_absent: bool,
    /// What the gateway reported about the account.
    pub(super) told: AccountSnapshot,
    /// Where orders are claimed, if each has to be.
    claims: Option<&'a Mutex<Claims>>,
    /// The claim that was prepared for the next order.
    order_claim: Option<OrderClaim>,
    /// Orders whose claims have no final outcome; see [`Claims::open_ids`].
    pub(super) open_ids: Vec<Uuid>,
    /// The account's equity for the limit on losses, asked for at most once.
    equity: Option<Option<f64>>,
}

impl GatewayPort for GatewaySession<'_> {
    fn obstacles(&self) -> Obstacles {
        let config = self.config;
        Obstacles {
            is_halted: config.kill_switch.is_halted(),
            is_stopping: config.shutdown.is_cancelled(),
            is_not_holder: !config.authority.may_send(),
            bars_after: config.authority.bars_after(),
            // If the gateway is absent, the order gets the outcome `not_sent` instead.
            lacks_handshake: !self.gate.is_open() && !self.is_gateway_absent,
            is_breaker_open: !config.breakers.admits(Endpoint::Gateway),
        }
    }

    fn epoch(&self, symbol: &Symbol) -> Option<i64> {
        // That of the claim, which may be older than what is owned now; then nothing is sent.
        let prepared = self.order_claim.as_ref().map(|claim| claim.claim().epoch);
        prepared.or_else(|| self.config.authority.epoch(symbol))
    }

    fn is_alone_since(&self, order: &Unproven) -> bool {
        let authority = &self.config.authority;
        // As long as the claim has no final outcome, nobody else can have ordered the symbol.
        let is_ours =
            self.claims.is_none() || (authority.epoch(&order.symbol).is_some() && self.open_ids.contains(&order.id));
        is_ours && authority.may_send() && authority.bars_after().is_none_or(|until| order.bar_close_time > until)
    }

    async fn prepare_claim(&mut self, order: &Order, tickets_before: Option<&[i64]>) -> Result<(), Suppression> {
        let Some(claims) = self.claims else { return Ok(()) };
        let equity = self.equity_for_claim().await;
        self.order_claim = Some(claims.lock().await.prepare(order, tickets_before, equity).await?);
        Ok(())
    }

    async fn settle_claim(&mut self) {
        if let Some(claims) = self.claims {
            // What is not there now is written before the next order, or in the next cycle.
            claims.lock().await.settle().await;
        }
    }

    fn may_ask(&self) -> bool {
        let is_admitted = self.config.breakers.admits(Endpoint::Gateway);
        self.gate.is_open() && !self.is_gateway_absent && is_admitted && !self.config.shutdown.is_cancelled()
    }

    async fn exchange(
        &mut self,
        order: &Order,
        expiry: Expiry,
        epoch: Option<i64>,
    ) -> Result<OrderResult, Suppression> {
        // Also if it is not used: it is of this order only.
        let claim = self.order_claim.take();
        if self.is_gateway_absent {
            return Ok(not_sent("the gateway did not accept the previous request".into()));
        }
        let answer = match self.claims {
            None => {
                self.config.authority.note_order(order.client_order_id);
                self.send(order, expiry, Permit::Held(epoch)).await?
            }
            Some(claims) => {
                let is_its = |claim: &OrderClaim| claim.claim().order.client_order_id == order.client_order_id;
                let claim = claim.filter(is_its).ok_or(Suppression::NotHolder)?;
                self.send_claimed(order, expiry, claim, claims).await?
            }
        };
        self.config.breakers.note(Endpoint::Gateway, answer.send_latency.is_some());
        if matches!(answer.outcome, Outcome::NotSent { .. }) {
            self.is_absent("it did not accept an order");
        }
        Ok(answer)
    }

    async fn positions(&mut self) -> Result<Positions, Suppression> {
        let dialect = &self.config.dialect;
        if !dialect.kind().has_account() {
            return Ok(Positions::Untold);
        }
        let positions = match self.ask(Query::Positions).await {
            Ok(answer) => answer.held_positions().map_err(|error| error.to_string()),
            Err(QueryError::NoGateway { .. }) => {
                self.is_absent("it did not accept a query");
                return Ok(Positions::NoGateway);
            }
            Err(error @ QueryError::BadReply { .. }) => Err(error.to_string()),
            Err(_) if self.config.shutdown.is_cancelled() => return Err(Suppression::Shutdown),
            Err(error) => {
                warn!(
                    stage = "send",
                    error = error.kind(),
                    "no order: the query of the gateway's positions failed: {error}"
                );
                self.gate.close(&self.config.metrics, &format!("the query of its positions failed: {error}"));
                return Err(Suppression::Handshake);
            }
        };
        // Reported here, not where the list is used: a limit concerns one symbol, but this is the number for the whole
        // account.
        let is_told = |positions: &&Vec<HeldPosition>| dialect.kind().has_proof() || !positions.is_empty();
        // An empty list that proves nothing is not "no positions" in the journal, either.
        self.told.positions = positions.as_ref().ok().filter(is_told).cloned();
        let listed = self.told.positions.as_ref().map(Vec::len);
        self.config.metrics.report(Event::PositionsTold(listed));
        self.note_account();
        match positions {
            Ok(positions) if dialect.kind().has_proof() || !positions.is_empty() => {
                Ok(Positions::Known(positions.into_iter().map(|held| held.position).collect()))
            }
            Ok(_) => Ok(Positions::Untold),
            Err(reason) => {
                // The journal's fills cannot replace the list, because it does not know positions that a user or another
                // journal opened.
                warn!(
                    stage = "send",
                    error = "positions",
                    "no order: the list of open positions cannot be read: {reason}"
                );
                self.config.metrics.report(Event::PositionsChecked { trouble: Some(reason), doubts: Vec::new() });
                Err(Suppression::Positions)
            }
        }
    }

    async fn equity(&mut self) -> Option<f64> {
        let answer = self.ask(Query::Account).await;
        match &answer {
            Err(_) if self.config.shutdown.is_cancelled() => return None,
            Err(QueryError::NoGateway { .. }) => self.is_absent("it did not accept a query"),
            Err(error @ (QueryError::NoReply { .. } | QueryError::Socket(_))) => {
                self.gate.close(&self.config.metrics, &format!("the query of the account failed: {error}"));
            }
            Ok(_) | Err(_) => {}
        }
        let account = answer
            .map_err(|error| error.to_string())
            .and_then(|answer| answer.account().map_err(|error| error.to_string()));
        let equity = match account {
            Ok(account) => {
                let finite = |number: f64| Some(number).filter(|number| number.is_finite());
                self.told.balance = finite(account.balance);
                self.told.margin = account.margin.and_then(finite);
                self.told.currency = account.currency;
                finite(account.equity)
            }
            Err(reason) => {
                warn!(stage = "send", error = "no_equity", "the gateway did not report the account's equity: {reason}");
                None
            }
        };
        self.told.equity = equity;
        self.config.metrics.report(Event::EquityTold(equity));
        self.note_account();
        equity
    }

    async fn positions_twice(&mut self) -> Option<[Vec<Position>; 2]> {
        if !self.config.dialect.kind().has_proof() {
            return None;
        }
        // One new socket for both queries, because an order that is still queued on the old one must not come first.
        self.socket = None;
        let mut answers: [Vec<HeldPosition>; 2] = Default::default();
        for answer in &mut answers {
            *answer = self.ask(Query::Positions).await.ok()?.held_positions().ok()?;
        }
        self.config.metrics.report(Event::PositionsTold(Some(answers[1].len())));
        self.told.positions = Some(answers[1].clone());
        self.note_account();
        Some(answers.map(|held| held.into_iter().map(|held| held.position).collect()))
    }

    fn now(&self) -> Moment {
        self.config.clock.moment()
    }

    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid {
        let Config { account, model_name, .. } = self.config;
        close_order_id(account, &order.symbol, model_name, order.bar_close_time, ticket)
    }
}

impl<'a> GatewaySession<'a> {
    /// A session that connects when there is something to send.
    pub(super) fn new(config: &'a Config, gate: &'a HandshakeGate, claims: Option<&'a Mutex<Claims>>) -> Self {
        Self {
            config,
            gate,
            socket: None,
            is_gateway_absent: false,
            told: AccountSnapshot::default(),
            claims,
            order_claim: None,
            open_ids: Vec::new(),
            equity: None,
        }
    }

    /// The equity, if the account's limits in etcd need it.
    pub(super) async fn equity_for_claim(&mut self) -> Option<f64> {
        let has_limit = self.config.claims.as_ref().is_some_and(|claims| claims.limits.loss_pct_per_day_max > 0.0);
        if !has_limit {
            return None;
        }
        if let Some(equity) = self.equity {
            return equity;
        }
        let equity = self.equity().await;
        self.equity = Some(equity);
        equity
    }

    /// Gives the journal what the gateway has just reported about the account. At once: the journal notes the time, and what was
    /// reported before an order must not look as if it were from after it. Nothing waits for this.
    pub(super) fn note_account(&mut self) {
        let told = std::mem::take(&mut self.told);
        if told.is_told() {
            self.config.journal.account.do_send(NoteAccount(told));
        }
    }

    pub(super) fn is_absent(&mut self, why: &str) {
        self.is_gateway_absent = true;
        let Config { peer, deadline, metrics, .. } = self.config;
        self.gate.close(metrics, &format!("no gateway at {} within {} ms: {why}", peer.address, deadline.as_millis()));
    }

    /// Sends a query, which is given up when the daemon stops. The socket is kept if the answer was valid.
    async fn ask(&mut self, question: Query) -> Result<QueryAnswer, QueryError> {
        let deadline = self.config.deadline;
        self.ask_until(question, (Instant::now() + deadline, deadline)).await
    }

    /// The same until this moment; with the limit that an error names.
    pub(super) async fn ask_until(
        &mut self,
        question: Query,
        limit: (Instant, Duration),
    ) -> Result<QueryAnswer, QueryError> {
        let Config { dialect, peer, clock, shutdown, inflight, .. } = self.config;
        let socket = self.socket.take().map_or_else(|| GatewaySocket::connect(peer), Ok)?;
        let _inflight = inflight.enter(Endpoint::Gateway);
        let asking = handshake::ask_on(socket, &**dialect, question, limit, &**clock);
        let (answered, socket) = tokio::select! {
            answered = asking => answered?,
            () = shutdown.cancelled() => return Err(QueryError::NoReply { deadline: limit.1 }),
        };
        self.socket = Some(socket);
        Ok(answered.answer)
    }
}
