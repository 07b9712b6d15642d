//! The session with the gateway: one order out, its reply in, all within a deadline; and the questions that come before an
//! order. One session serves one cycle.

use super::{Config, handshake_gate::HandshakeGate};
use crate::{
    adapters::{
        endpoint::Endpoint,
        fail_points::reach,
        gateway::{
            AwaitingReply, GatewaySocket, Query, QueryAnswer,
            handshake::{self, QueryError},
        },
    },
    domain::{
        clock::{Expiry, Moment},
        guard::Suppression,
        journal::AccountSnapshot,
        names::{ActorName, DropReason},
        order::{Order, Outcome, close_order_id},
        order_manager::{Fate, GatewayPort},
        position::{Position, Positions},
    },
    messages::{Event, NoteAccount},
};
use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};
use tokio::time::{Instant, timeout_at};
use tracing::warn;
use uuid::Uuid;

/// How often the kill switch is looked at while an order waits for a connection.
const HALT_PERIOD: Duration = Duration::from_millis(50);

/// The session of one cycle.
pub(super) struct GatewaySession<'a> {
    config: &'a Config,
    gate: &'a HandshakeGate,
    /// A socket that is beyond doubt, if there is one.
    socket: Option<GatewaySocket>,
    /// The gateway took nothing within its deadline; the rest of the cycle does not wait for it again.
    is_gateway_absent: bool,
    /// What the gateway told of the account.
    told: AccountSnapshot,
}

impl GatewayPort for GatewaySession<'_> {
    fn objection(&self) -> Option<Suppression> {
        let config = self.config;
        let rules = [
            (config.shutdown.is_cancelled(), Suppression::Shutdown),
            (config.kill_switch.is_halted(), Suppression::Halted),
            // An absent gateway is no doubt: the order is not sent, and says so.
            (!self.gate.is_open() && !self.is_gateway_absent, Suppression::Handshake),
            (!config.breakers.admits(Endpoint::Gateway), Suppression::Breaker),
        ];
        rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
    }

    fn may_ask(&self) -> bool {
        let is_admitted = self.config.breakers.admits(Endpoint::Gateway);
        self.gate.is_open() && !self.is_gateway_absent && is_admitted && !self.config.shutdown.is_cancelled()
    }

    async fn exchange(&mut self, order: &Order, expiry: Expiry) -> Result<Fate, Suppression> {
        if self.is_gateway_absent {
            return Ok(not_sent("the gateway did not take what came before".into()));
        }
        let fate = self.send(order, expiry).await?;
        self.config.breakers.note(Endpoint::Gateway, fate.send_latency.is_some());
        if matches!(fate.outcome, Outcome::NotSent { .. }) {
            self.is_absent("it did not take an order");
        }
        Ok(fate)
    }

    async fn positions(&mut self) -> Result<Positions, Suppression> {
        let dialect = &self.config.dialect;
        if !dialect.kind().has_account() {
            return Ok(Positions::Untold);
        }
        let positions = match self.ask(Query::Positions).await {
            Ok(answer) => answer.positions().map_err(|error| error.to_string()),
            Err(QueryError::NoGateway { .. }) => {
                self.is_absent("it did not take a question");
                return Ok(Positions::NoGateway);
            }
            Err(error @ QueryError::BadReply { .. }) => Err(error.to_string()),
            Err(_) if self.config.shutdown.is_cancelled() => return Err(Suppression::Shutdown),
            Err(error) => {
                warn!(
                    stage = "send",
                    error = error.kind(),
                    "no order: the gateway was asked for its positions: {error}"
                );
                self.gate.close(&self.config.metrics, &format!("asked for its positions: {error}"));
                return Err(Suppression::Handshake);
            }
        };
        // Here and not where the list is used: a limit of one symbol is not what the account holds.
        self.told.positions = positions.as_ref().ok().cloned();
        let is_told = |positions: &&Vec<Position>| dialect.kind().has_proof() || !positions.is_empty();
        let listed = positions.as_ref().ok().filter(is_told).map(Vec::len);
        self.config.metrics.report(Event::PositionsTold(listed));
        match positions {
            Ok(positions) if dialect.kind().has_proof() || !positions.is_empty() => Ok(Positions::Known(positions)),
            Ok(_) => Ok(Positions::Untold),
            Err(reason) => {
                // The journal knows nothing of what a person or another journal opened, so its fills are no substitute.
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
            Err(QueryError::NoGateway { .. }) => self.is_absent("it did not take a question"),
            Err(error @ (QueryError::NoReply { .. } | QueryError::Socket(_))) => {
                self.gate.close(&self.config.metrics, &format!("asked for the account: {error}"));
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
                finite(account.equity)
            }
            Err(reason) => {
                warn!(stage = "send", error = "no_equity", "the gateway does not tell the account's equity: {reason}");
                None
            }
        };
        self.told.equity = equity;
        self.config.metrics.report(Event::EquityTold(equity));
        equity
    }

    async fn positions_twice(&mut self) -> Option<[Vec<Position>; 2]> {
        if !self.config.dialect.kind().has_proof() {
            return None;
        }
        // One new socket for both: what a queued order left on the old one must not be in the way.
        self.socket = None;
        let mut answers = [Vec::new(), Vec::new()];
        for answer in &mut answers {
            *answer = self.ask(Query::Positions).await.ok()?.positions().ok()?;
        }
        self.config.metrics.report(Event::PositionsTold(Some(answers[1].len())));
        self.told.positions = Some(answers[1].clone());
        Some(answers)
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
    /// A session that starts with the socket opened for the cycle, if there is one.
    pub(super) fn new(config: &'a Config, gate: &'a HandshakeGate, socket: Option<GatewaySocket>) -> Self {
        Self { config, gate, socket, is_gateway_absent: false, told: AccountSnapshot::default() }
    }

    /// Tells the journal what the gateway told of the account, if it was asked. The order of its messages keeps this behind
    /// the steps of orders, and nobody waits for it.
    pub(super) fn note_account(&mut self) {
        let told = std::mem::take(&mut self.told);
        if told.is_told() {
            self.config.journal.account.do_send(NoteAccount(told));
        }
    }

    /// The socket, for the next session of the cycle.
    pub(super) fn into_socket(self) -> Option<GatewaySocket> {
        self.socket
    }

    fn is_absent(&mut self, why: &str) {
        self.is_gateway_absent = true;
        let Config { peer, deadline, metrics, .. } = self.config;
        self.gate.close(metrics, &format!("no gateway at {} within {} ms: {why}", peer.address, deadline.as_millis()));
    }

    /// Asks something harmless, given up when the daemon stops. The socket is kept if its answer was the right one.
    async fn ask(&mut self, question: Query) -> Result<QueryAnswer, QueryError> {
        let Config { dialect, peer, deadline, clock, shutdown, inflight, .. } = self.config;
        let socket = self.socket.take().map_or_else(|| GatewaySocket::connect(peer), Ok)?;
        let _inflight = inflight.enter(Endpoint::Gateway);
        let limit = (Instant::now() + *deadline, *deadline);
        let asking = handshake::ask_on(socket, &**dialect, question, limit, &**clock);
        let (answered, socket) = tokio::select! {
            answered = asking => answered?,
            () = shutdown.cancelled() => return Err(QueryError::NoReply { deadline: *deadline }),
        };
        self.socket = Some(socket);
        Ok(answered.answer)
    }

    /// Sends the order and waits for its reply, all within the deadline. Shutdown ends it only before the send.
    async fn send(&mut self, order: &Order, expiry: Expiry) -> Result<Fate, Suppression> {
        let config = self.config;
        let started = Instant::now();
        let deadline = started + config.deadline;
        let signed_at = config.clock.now();
        let request = match order.closes {
            None => config.dialect.open_order(order, signed_at),
            Some(ticket) => match config.dialect.close_position(order, ticket, signed_at) {
                Some(request) => request,
                None => return Ok(not_sent(format!("{} cannot close a position", config.dialect.kind()))),
            },
        };
        let socket_of_cycle = self.socket.take();
        reach("send.before");
        let mut send = pin!(async {
            let connecting = socket_of_cycle.map_or_else(|| GatewaySocket::connect(&config.peer), Ok)?;
            connecting.send(request).await
        });
        // Looked at before each step of the send: a process that was stopped while it waited for the connection must not
        // hand over an old order when it goes on.
        let in_time = poll_fn(|cx| match expiry.is_over(config.clock.moment()) {
            true => Poll::Ready(Err(Suppression::StaleDecision)),
            false => send.as_mut().poll(cx).map(Ok),
        });
        let sent = tokio::select! {
            // In this order: a send that has just completed counts, even if the shutdown came in the same moment.
            biased;
            sent = timeout_at(deadline, in_time) => sent.map_or(Ok(None), |sent| sent.map(Some))?,
            () = config.shutdown.cancelled() => return Err(Suppression::Shutdown),
            () = halted(config) => return Err(Suppression::Halted),
        };
        let awaiting = match sent {
            Some(Ok(awaiting)) => awaiting,
            Some(Err(error)) => return Ok(not_sent(error.to_string())),
            None => {
                let (address, deadline) = (&config.peer.address, config.deadline);
                return Ok(not_sent(format!("no gateway at {address} within {} ms", deadline.as_millis())));
            }
        };
        reach("send.after");
        let _inflight = config.inflight.enter(Endpoint::Gateway);
        Ok(self.fate(order, awaiting, started, deadline).await)
    }

    /// What the reply to a sent order proves; a socket that is beyond doubt is kept for the next order.
    async fn fate(&mut self, order: &Order, awaiting: AwaitingReply, started: Instant, deadline: Instant) -> Fate {
        let sent_at = Instant::now();
        let (reply, next) = match timeout_at(deadline, awaiting.reply()).await {
            Ok(Ok(replied)) => replied,
            Ok(Err(error)) => return unknown(error.to_string()),
            Err(_) => return unknown(format!("no reply within {} ms", self.config.deadline.as_millis())),
        };
        let replied_at = Instant::now();
        reach("reply.after");
        let dialect = &self.config.dialect;
        let verdict = dialect.classify(order, &reply);
        if !verdict.is_ours {
            self.config.metrics.dropped(ActorName::SignalSender, DropReason::Invalid, 1);
            return Fate::without_reply(verdict.outcome);
        }
        if dialect.echoes_id() && !matches!(verdict.outcome, Outcome::Unknown { .. }) {
            self.socket = Some(next);
        }
        Fate {
            outcome: verdict.outcome,
            send_latency: Some(replied_at - started),
            gateway_roundtrip: Some(replied_at - sent_at),
        }
    }
}

/// Completes when the kill switch is on: an order that waits for a connection must not outlive a halt.
async fn halted(config: &Config) {
    while !config.kill_switch.is_halted() {
        tokio::time::sleep(HALT_PERIOD).await;
    }
}

const fn not_sent(reason: String) -> Fate {
    Fate::without_reply(Outcome::NotSent { reason })
}

const fn unknown(reason: String) -> Fate {
    Fate::without_reply(Outcome::Unknown { reason })
}
