//! SignalSender: turns decided signals into orders, at most one per symbol and bar, and reports what became of each.
//! The cycle sends [`OpenGateway`] while the bars are fetched, [`PrepareOrders`] while the model is asked, then
//! [`SendSignals`]; nothing is ever sent twice. Which order may go out is the [`OrderManager`]'s to say; here are its two neighbours,
//! the journal and the session with the gateway.

#[cfg(test)]
mod fixtures;
mod gateway_session;
mod handshake_gate;
mod order_journal;
#[cfg(test)]
mod tests;

use crate::{
    adapters::{
        endpoint::{Breakers, Inflight},
        gateway::{Dialect, GatewaySocket, Peer},
    },
    domain::{
        clock::Clock,
        exposure::{Doubt, KnownNames},
        guard::{KillSwitch, Suppression},
        instrument::Instrument,
        names::ActorName,
        order::{Order, Outcome, client_order_id},
        order_manager::{Fate, OrderManager, Rules},
        reconcile::{Proof, Unproven},
    },
    messages::{
        CycleId, Event, FlushUnwritten, OpenGateway, Ping, PrepareOrders, SendSignals, Signal, SignalReport,
        SignalResult, Telemetry,
    },
};
use actix::{Actor, Context, Handler, ResponseFuture};
use gateway_session::GatewaySession;
use handshake_gate::HandshakeGate;
pub use order_journal::JournalActorHandle;
use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What the SignalSender needs to know.
pub struct Config {
    /// What may be traded: the positions that are ours.
    pub instruments: Arc<[Instrument]>,
    /// Whether orders leave; `false` is dry run.
    pub live: bool,
    /// The broker's names of what others trade on this account: their positions are no doubt.
    pub other_names: Vec<String>,
    /// Account, part of an order's identity.
    pub account: String,
    /// Name of the model, part of an order's identity.
    pub model_name: String,
    /// Where the gateway is.
    pub peer: Peer,
    /// How to talk to it.
    pub dialect: Box<dyn Dialect>,
    /// Longest time for one order, from connecting to the reply.
    pub deadline: Duration,
    /// The system clock: signatures carry its time, whatever clock the market follows.
    pub clock: Arc<dyn Clock>,
    /// Limits of orders, and how the broker books them.
    pub rules: Rules,
    /// Stops orders from outside.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Leaves a failing gateway alone.
    pub breakers: Breakers,
    /// Cancelled when the daemon stops: what is not sent by then stays unsent.
    pub shutdown: CancellationToken,
    /// Where requests under way are counted.
    pub inflight: Inflight,
    /// Who is told what happened.
    pub metrics: Telemetry,
    /// Where every step of an order is written first.
    pub journal: JournalActorHandle,
}

/// The actor.
pub struct SignalSender(Rc<Sender>);

impl SignalSender {
    /// Makes the actor.
    pub fn new(config: Config) -> Self {
        let manager =
            Mutex::new(OrderManager::new(config.rules, KnownNames::new(&config.instruments, &config.other_names)));
        let (gate, opened, doubts) = (HandshakeGate::default(), RefCell::default(), RefCell::default());
        Self(Rc::new(Sender { config, gate, opened, manager, doubts }))
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

impl Handler<FlushUnwritten> for SignalSender {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: FlushUnwritten, _: &mut Self::Context) -> Self::Result {
        let sender = self.0.clone();
        Box::pin(async move { sender.manager.lock().await.flush_unwritten(&sender.config.journal).await })
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
    /// The socket that is connecting or connected for a cycle.
    opened: RefCell<Option<(CycleId, GatewaySocket)>>,
    manager: Mutex<OrderManager>,
    /// What was last in doubt about open positions; said again only when it changes.
    doubts: RefCell<Vec<String>>,
}

impl Sender {
    /// What does not need a signal: connecting, the handshake, what the journal still lacks, orders of unknown fate.
    async fn open(&self, OpenGateway { cycle_id, has_clock_stepped }: OpenGateway) {
        // Whatever the last cycle left goes first: a socket serves one cycle.
        drop(self.opened.take());
        if !self.config.live || self.config.shutdown.is_cancelled() {
            return;
        }
        // A failure comes back, with an order to report it on, when there is one to send.
        let socket = GatewaySocket::connect(&self.config.peer).ok();
        let mut manager = self.manager.lock().await;
        if has_clock_stepped && self.gate.is_open() {
            self.gate.close(&self.config.metrics, "the wall clock jumped");
        }
        self.gate.try_open(&self.config).await;
        let mut session = GatewaySession::new(&self.config, &self.gate, socket);
        let now = self.config.clock.now();
        for (Unproven { id, symbol, .. }, proof) in manager.reconcile(&self.config.journal, &mut session, now).await {
            let (outcome, ticket) = match proof {
                Proof::Filled { ticket } => ("filled", Some(ticket)),
                Proof::Rejected => ("rejected", None),
            };
            warn!(
                cycle_id, %symbol, stage = "send", client_order_id = %id, outcome, ticket,
                "open positions prove what became of the order"
            );
        }
        session.note_account();
        self.opened.replace(session.into_socket().map(|socket| (cycle_id, socket)));
    }

    /// What the journal can say before there is a signal. The gateway is not asked: it would be in every cycle, and what is
    /// open is to be as new as can be.
    async fn prepare(&self) {
        if self.config.live && !self.config.shutdown.is_cancelled() {
            let mut manager = self.manager.lock().await;
            manager.prepare(&self.config.journal, self.config.clock.moment()).await;
        }
    }

    async fn send_signals(&self, message: SendSignals) -> Vec<SignalReport> {
        let cycle_id = message.cycle_id;
        let opened = self.opened.take().filter(|(opened_for, _)| *opened_for == cycle_id);
        let mut session = GatewaySession::new(&self.config, &self.gate, opened.map(|(_, socket)| socket));
        let mut manager = self.manager.lock().await;
        if self.config.live && !message.signals.is_empty() {
            // The Journal logs what fails; every order is then suppressed, `journal`.
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
            reports.push(SignalReport { symbol, side: signal.side, closes, judged_at, result });
        }
        session.note_account();
        if let Some(doubts) = manager.doubts() {
            self.say_doubts(cycle_id, doubts);
        }
        if !reports.is_empty() {
            self.config.metrics.report(Event::SignalsHandled { reports: reports.clone() });
        }
        reports
    }

    /// Says which open positions may be ours under another name: once, and again when that changes.
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

    /// Makes the one order of a signal, unless something forbids it.
    async fn order(
        &self,
        signal: &Signal,
        cycle_id: CycleId,
        manager: &mut OrderManager,
        session: &mut GatewaySession<'_>,
        closes: &mut Vec<(Order, Fate)>,
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
        for (close, fate) in &*closes {
            log_fate(cycle_id, close, &fate.outcome);
        }
        let fate = placed?;
        log_fate(cycle_id, &order, &fate.outcome);
        Ok(SignalResult::Ordered { order: Box::new(order), fate })
    }
}

fn log_dry_run(cycle_id: CycleId, order: &Order) {
    info!(
        cycle_id, symbol = %order.symbol, stage = "send", client_order_id = %order.client_order_id,
        side = order.side.as_str(), volume = order.volume, stop_loss = order.stop_loss,
        take_profit = order.take_profit, "dry run: the order stays here"
    );
}

/// The one log line of an order's fate.
fn log_fate(cycle_id: CycleId, order: &Order, outcome: &Outcome) {
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
            Some(filled_volume) => log!(warn, ticket, price, filled_volume, "order filled, not in the volume ordered"),
        },
        Outcome::Rejected { reason } => log!(warn, error = "rejected", reason, "order rejected"),
        Outcome::NotSent { reason } => log!(warn, error = "not_sent", reason, "order not sent"),
        Outcome::Unknown { reason } => {
            log!(error, error = "unknown", reason, "order may or may not have been executed; it is not sent again");
        }
    }
}
