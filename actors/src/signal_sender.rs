//! SignalSender: turns decided signals into orders, at most one per symbol and bar, and reports the outcome of each. The
//! cycle sends [`OpenGateway`] while the bars are fetched, [`PrepareOrders`] while the model is called, then [`SendSignals`] and
//! [`LookAtAccount`].
//! Nothing is ever sent twice. The [`OrderManager`] decides which order may be sent; this module connects it to the journal
//! and the gateway.

mod account_poll;
mod claims;
mod config;
#[cfg(test)]
mod fixtures;
mod gateway_session;
mod handshake_gate;
mod order_journal;
mod order_log;
#[cfg(test)]
mod tests;

use crate::{
    domain::{
        exposure::{Doubt, KnownNames},
        guard::Suppression,
        names::ActorName,
        order::{Order, Outcome, Side, client_order_id},
        order_manager::{GatewayPort, OrderManager, OrderResult},
        reconcile::{Proof, Unproven},
    },
    messages::{
        CycleId, Event, FlushUnwritten, LookAtAccount, OpenGateway, OrdersFlushed, Ping, PrepareOrders, SendSignals,
        Signal, SignalReport, SignalResult,
    },
};
use account_poll::AccountPoll;
use actix::{Actor, Context, Handler, ResponseFuture};
use claims::Claims;
pub use claims::{ClaimsConfig, PATIENCE};
pub use config::Config;
use gateway_session::GatewaySession;
use handshake_gate::HandshakeGate;
pub use order_journal::JournalActorHandle;
use order_log::{log_dry_run, log_outcome};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    io,
    rc::Rc,
    time::Duration,
};
use tokio::sync::Mutex;
use tracing::{error, warn};
use uuid::Uuid;

const DAY_S: u64 = 86_400;
/// How long outcomes may take to be written to etcd when the daemon stops.
const FOLLOWING_MAX: Duration = Duration::from_millis(800);

/// The actor.
pub struct SignalSender(Rc<Sender>);

impl SignalSender {
    /// Creates the actor. Create it in the arbiter in which it runs, because its client of etcd must stay on one thread.
    ///
    /// # Errors
    /// Orders have to be claimed, and etcd cannot be reached over https; see [`Etcd::new`](crate::adapters::etcd::Etcd::new).
    pub fn new(config: Config) -> io::Result<Self> {
        let claims = config.claims.clone();
        let claims = claims.map(|claims| Claims::new(claims, config.clock.clone(), config.metrics.clone()));
        let claims = claims.transpose()?.map(Mutex::new);
        let manager =
            Mutex::new(OrderManager::new(config.rules, KnownNames::new(&config.instruments, &config.other_names)));
        let (gate, account_poll, doubts) = (HandshakeGate::default(), AccountPoll::default(), RefCell::default());
        let equity_day = Cell::new(None);
        Ok(Self(Rc::new(Sender { config, gate, account_poll, manager, claims, equity_day, doubts })))
    }
}

impl Actor for SignalSender {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.report(Event::ActorStarted(ActorName::SignalSender));
    }
}

impl Handler<Ping> for SignalSender {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<OpenGateway> for SignalSender {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: OpenGateway, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move { sender.open(message).await })
    }
}

impl Handler<PrepareOrders> for SignalSender {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: PrepareOrders, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move { sender.prepare().await })
    }
}

impl Handler<LookAtAccount> for SignalSender {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: LookAtAccount, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move { sender.look().await })
    }
}

impl Handler<FlushUnwritten> for SignalSender {
    type Result = ResponseFuture<OrdersFlushed>;

    fn handle(&mut self, _: FlushUnwritten, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move {
            let (mut manager, journal) = (sender.manager.lock().await, &sender.config.journal);
            let is_written = manager.flush_unwritten(journal).await;
            if let Some(claims) = &sender.claims {
                // If etcd is slow the next owner finds out: what became of the order is in the journal.
                let following = async { claims.lock().await.follow(journal).await };
                let _ = tokio::time::timeout(FOLLOWING_MAX, following).await;
            }
            OrdersFlushed { is_written, is_settled: manager.is_settled(journal).await }
        })
    }
}

impl Handler<SendSignals> for SignalSender {
    type Result = ResponseFuture<Vec<SignalReport>>;

    fn handle(&mut self, message: SendSignals, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move { sender.send_signals(message).await })
    }
}

/// The part of the actor that its futures share.
struct Sender {
    config: Config,
    gate: HandshakeGate,
    account_poll: AccountPoll,
    manager: Mutex<OrderManager>,
    /// Where orders are claimed, if each has to be. Locked after `manager`.
    claims: Option<Mutex<Claims>>,
    /// The day whose first equity is in etcd, days since the unix epoch.
    equity_day: Cell<Option<u64>>,
    /// The last doubts about open positions; they are logged again only if they change.
    doubts: RefCell<Vec<String>>,
}

impl Sender {
    /// The tasks that do not need a signal: the handshake, unwritten steps, orders of unknown outcome.
    async fn open(&self, OpenGateway { cycle_id, has_clock_stepped }: OpenGateway) {
        if !self.config.live || self.config.shutdown.is_cancelled() {
            return;
        }
        let mut manager = self.manager.lock().await;
        if has_clock_stepped && self.gate.is_open() {
            self.gate.close(&self.config.metrics, "the wall clock jumped");
        }
        self.gate.try_open(&self.config).await;
        // Connects only if it has a question: most cycles have no order, and a connection is a quarter of what a cycle costs.
        let mut session = GatewaySession::new(&self.config, &self.gate, self.claims.as_ref());
        let now = self.config.clock.now();
        if let Some(claims) = &self.claims {
            session.open_ids = self.compare(&mut manager, claims).await;
            self.note_equity(&mut session, claims, now).await;
        }
        for (Unproven { id, symbol, .. }, proof) in manager.reconcile(&self.config.journal, &mut session, now).await {
            let (outcome, ticket) = match proof {
                Proof::Filled { ticket } => ("filled", Some(ticket)),
                Proof::Rejected => ("rejected", None),
            };
            warn!(
                cycle_id, %symbol, stage = "send", client_order_id = %id, outcome, ticket,
                "open positions prove the outcome of the order"
            );
        }
        if let Some(claims) = &self.claims {
            claims.lock().await.follow(&self.config.journal).await;
        }
    }

    /// Takes over what other members left, and learns what they know of orders of unknown outcome. Answers which of these may be
    /// proven by open positions.
    async fn compare(&self, manager: &mut OrderManager, claims: &Mutex<Claims>) -> Vec<Uuid> {
        let (order_journal, mut claims) = (&self.config.journal, claims.lock().await);
        // The Journal logs the error. The shards stay as they are until it works.
        let _ = claims.take_over(manager, order_journal).await;
        claims.find_own().await;
        let unproven = manager.unproven(order_journal).await;
        if claims.compare(&unproven, order_journal).await { claims.open_ids() } else { Vec::new() }
    }

    /// Asks for the day's first equity if the account's limits need it, because the next order may be hours away.
    async fn note_equity(&self, session: &mut GatewaySession<'_>, claims: &Mutex<Claims>, now: Duration) {
        let day = now.as_secs() / DAY_S;
        if self.equity_day.get() == Some(day) || !session.may_ask() {
            return;
        }
        if let Some(equity) = session.equity_for_claim().await
            && claims.lock().await.note_equity(equity).await
        {
            self.equity_day.set(Some(day));
        }
    }

    /// Asks for account and positions, for the record. Orders and this never ask the gateway at the same time: it has a short
    /// limit of its own, by which it can delay the next cycle's.
    async fn look(&self) {
        if self.config.live && !self.config.shutdown.is_cancelled() {
            let _no_order = self.manager.lock().await;
            let mut session = GatewaySession::new(&self.config, &self.gate, self.claims.as_ref());
            self.account_poll.run(&self.config, &mut session).await;
            session.note_account();
        }
    }

    /// Reads the journal's state before there is a signal. The gateway is not queried here: that would be in every cycle, and
    /// the list of open positions must be as new as possible.
    async fn prepare(&self) {
        if self.config.live && !self.config.shutdown.is_cancelled() {
            let mut manager = self.manager.lock().await;
            manager.prepare(&self.config.journal, self.config.clock.moment()).await;
        }
    }

    async fn send_signals(&self, message: SendSignals) -> Vec<SignalReport> {
        let cycle_id = message.cycle_id;
        let mut session = GatewaySession::new(&self.config, &self.gate, self.claims.as_ref());
        let mut manager = self.manager.lock().await;
        if self.config.live && !message.signals.is_empty() {
            // The Journal logs the error; every order is then suppressed with the reason `journal`.
            let _ = manager.begin(&self.config.journal, self.config.clock.moment()).await;
        }
        let mut reports = Vec::with_capacity(message.signals.len());
        for signal in message.signals {
            let mut closes = Vec::new();
            let judged_at = manager.judged_at().filter(|_| self.config.live);
            let result = match self.order(&signal, cycle_id, &mut manager, &mut session, &mut closes).await {
                Ok(result) => result,
                Err(suppression) => SignalResult::Suppressed(suppression),
            };
            let symbol = signal.instrument.symbol.clone();
            let slippage_points = slippage_points(&signal, &result);
            reports.push(SignalReport { symbol, side: signal.side, closes, judged_at, slippage_points, result });
        }
        if let Some(doubts) = manager.doubts() {
            self.say_doubts(cycle_id, doubts);
        }
        if !reports.is_empty() {
            self.config.metrics.report(Event::SignalsHandled { reports: reports.clone() });
        }
        reports
    }

    /// Logs which open positions may be ours under another name: once, and again when that changes.
    fn say_doubts(&self, cycle_id: CycleId, doubts: &[Doubt]) {
        let texts: BTreeSet<String> = doubts.iter().map(Doubt::to_string).collect();
        let texts = Vec::from_iter(texts);
        self.config.metrics.report(Event::PositionsChecked { trouble: None, doubts: texts.clone() });
        let before = self.doubts.replace(texts.clone());
        for doubt in texts.iter().filter(|doubt| !before.contains(doubt)) {
            warn!(
                cycle_id,
                stage = "send",
                error = "doubtful_position",
                "{doubt}: it counts as open until it is closed. If the name is ours, make it the symbol's gateway_name; if somebody \
                 else trades it here, put it into gateway.other_names; if the order's own position is gone: sentinel orders closed"
            );
        }
    }

    /// Places the order of a signal, unless a rule forbids it.
    async fn order(
        &self,
        signal: &Signal,
        cycle_id: CycleId,
        manager: &mut OrderManager,
        session: &mut GatewaySession<'_>,
        closes: &mut Vec<(Order, OrderResult)>,
    ) -> Result<SignalResult, Suppression> {
        let Config { account, model_name, .. } = &self.config;
        let Signal { instrument, side, confidence, close, bar_close_time, .. } = signal;
        let id = client_order_id(account, &instrument.symbol, model_name, *bar_close_time);
        let order = Order::new(id, instrument, *side, *confidence, *close, *bar_close_time);
        let order = order.map_err(|bad_stop| {
            error!(cycle_id, symbol = %instrument.symbol, stage = "send", error = "bad_stop", "no order: {bad_stop}");
            Suppression::BadStop
        })?;
        let order = if self.config.dialect.kind().says_terms() { order } else { order.without_terms() };
        if !self.config.live {
            log_dry_run(cycle_id, &order);
            return Err(Suppression::DryRun);
        }
        let placed = manager.place(&order, signal.begun_at, (&self.config.journal, session), closes).await;
        for (close, answer) in &*closes {
            log_outcome(cycle_id, close, &answer.outcome);
        }
        let answer = placed?;
        log_outcome(cycle_id, &order, &answer.outcome);
        Ok(SignalResult::Ordered { order: Box::new(order), answer })
    }
}

/// By how much the fill is worse than the close that was decided on, in units of the last decimal place; `None` if there is no
/// fill or its price is not told.
fn slippage_points(signal: &Signal, result: &SignalResult) -> Option<f64> {
    let SignalResult::Ordered { answer: OrderResult { outcome: Outcome::Filled { price, .. }, .. }, .. } = result
    else {
        return None;
    };
    let price = price.filter(|price| *price > 0.0)?;
    let points = 10_f64.powi(i32::try_from(signal.instrument.digits).unwrap_or(0));
    let worse = match signal.side {
        Side::Buy => price - signal.close,
        Side::Sell => signal.close - price,
    };
    Some(worse * points)
}
