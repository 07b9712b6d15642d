//! SignalSender: turns decided signals into orders, at most one per symbol and bar, and reports what became of each.
//! The cycle sends [`OpenGateway`] while the model thinks, then [`SendSignals`]; nothing is ever sent twice.

use crate::{
    adapters::{
        gateway::{AwaitingReply, Dialect, GatewaySocket},
        inflight::{Endpoint, Inflight},
    },
    domain::{
        clock::Clock,
        guard::Suppression,
        instrument::{Instrument, Symbol},
        order::{Order, Outcome, client_order_id},
    },
    messages::{ActorName, CycleId, Event, OpenGateway, Ping, SendSignals, Signal, SignalReport, SignalResult},
};
use actix::{Actor, Context, Handler, Recipient, ResponseFuture, Supervised};
use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// What the SignalSender needs to know.
pub struct Config {
    /// What may be traded, and how.
    pub instruments: Arc<[Instrument]>,
    /// Whether orders leave; `false` is dry run.
    pub live: bool,
    /// Account, part of an order's identity.
    pub account: String,
    /// Name of the model, part of an order's identity.
    pub model_name: String,
    /// `tcp://host:port` of the gateway.
    pub address: String,
    /// How to talk to it.
    pub dialect: Box<dyn Dialect>,
    /// Longest time for one order, from connecting to the reply.
    pub deadline: Duration,
    /// The system clock: signatures carry its time, whatever clock the market follows.
    pub clock: Arc<dyn Clock>,
    /// Cancelled when the daemon stops: what is not sent by then stays unsent.
    pub shutdown: CancellationToken,
    /// Where requests under way are counted.
    pub inflight: Inflight,
    /// Who is told what happened.
    pub metrics: Recipient<Event>,
}

/// The actor.
pub struct SignalSender(Rc<Sender>);

impl SignalSender {
    /// Makes the actor.
    pub fn new(config: Config) -> Self {
        Self(Rc::new(Sender { config, opened: RefCell::default(), ordered: RefCell::default() }))
    }
}

impl Actor for SignalSender {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.do_send(Event::ActorStarted(ActorName::SignalSender));
    }
}

impl Supervised for SignalSender {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.0.config.metrics.do_send(Event::ActorRestarted(ActorName::SignalSender));
    }
}

impl Handler<Ping> for SignalSender {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<OpenGateway> for SignalSender {
    type Result = ();

    fn handle(&mut self, message: OpenGateway, _: &mut Self::Context) {
        self.0.open(message.cycle_id);
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
    /// The socket that is connecting for a cycle.
    opened: RefCell<Option<(CycleId, GatewaySocket)>>,
    ordered: RefCell<Ordered>,
}

/// The newest bar ordered per symbol. Account and model are the daemon's, so this is every identity that counts.
#[derive(Default)]
struct Ordered(HashMap<Symbol, i64>);

impl Ordered {
    /// Whether the one order of this symbol's bar, or a newer bar's, was made.
    fn has(&self, symbol: &Symbol, bar_close_time: i64) -> bool {
        self.0.get(symbol).is_some_and(|newest| *newest >= bar_close_time)
    }

    fn insert(&mut self, symbol: &Symbol, bar_close_time: i64) {
        self.0.insert(symbol.clone(), bar_close_time);
    }
}

/// What became of an order, and how long the gateway took if it answered.
struct Fate {
    outcome: Outcome,
    send_latency: Option<Duration>,
    gateway_roundtrip: Option<Duration>,
}

impl Fate {
    fn without_reply(outcome: Outcome) -> Self {
        Self { outcome, send_latency: None, gateway_roundtrip: None }
    }

    fn not_sent(reason: String) -> Self {
        Self::without_reply(Outcome::NotSent { reason })
    }
}

/// What the orders of one cycle share.
struct Cycle {
    id: CycleId,
    socket: Option<GatewaySocket>,
    is_unresolved: bool,
    /// The gateway took no order within its deadline; the rest of the cycle does not wait for it again.
    is_gateway_absent: bool,
}

impl Sender {
    fn open(&self, cycle_id: CycleId) {
        // Whatever the last cycle left goes first: a socket serves one cycle.
        drop(self.opened.take());
        if self.config.live && !self.config.shutdown.is_cancelled() {
            // A failure comes back, with an order to report it on, when there is one to send.
            let socket = GatewaySocket::connect(&self.config.address).ok();
            self.opened.replace(socket.map(|socket| (cycle_id, socket)));
        }
    }

    async fn send_signals(&self, message: SendSignals) -> Vec<SignalReport> {
        let opened = self.opened.take().filter(|(cycle_id, _)| *cycle_id == message.cycle_id);
        let mut cycle = Cycle {
            id: message.cycle_id,
            socket: opened.map(|(_, socket)| socket),
            is_unresolved: false,
            is_gateway_absent: false,
        };
        let mut reports = Vec::with_capacity(message.signals.len());
        for signal in message.signals {
            let result = match self.order(&signal, &mut cycle).await {
                Ok(result) => result,
                Err(suppression) => SignalResult::Suppressed(suppression),
            };
            reports.push(SignalReport { symbol: signal.symbol, side: signal.side, result });
        }
        if !reports.is_empty() {
            self.config.metrics.do_send(Event::SignalsHandled { reports: reports.clone() });
        }
        reports
    }

    /// Makes the one order of a signal, unless something forbids it.
    async fn order(&self, signal: &Signal, cycle: &mut Cycle) -> Result<SignalResult, Suppression> {
        let Config { account, model_name, .. } = &self.config;
        let id = client_order_id(account, &signal.symbol, model_name, signal.bar_close_time);
        let instrument = self.config.instruments.iter().find(|instrument| instrument.symbol == signal.symbol);
        let Some(instrument) = instrument else {
            // The cycle decides on configured symbols only, so this is a defect; and a doubt means no order.
            error!(cycle_id = cycle.id, symbol = %signal.symbol, stage = "send", error = "unknown_symbol", "no order");
            return Err(Suppression::Halted);
        };
        let order = Order::new(id, instrument, signal.side, signal.confidence, signal.close, signal.bar_close_time);
        let order = order.map_err(|bad_stop| {
            error!(cycle_id = cycle.id, symbol = %signal.symbol, stage = "send", error = "bad_stop", "no order: {bad_stop}");
            Suppression::Halted
        })?;
        if !self.config.live {
            log_dry_run(cycle.id, &order);
            return Err(Suppression::DryRun);
        }
        if self.ordered.borrow().has(&order.symbol, order.bar_close_time) {
            return Err(Suppression::AlreadyOrdered);
        }
        if cycle.is_unresolved {
            return Err(Suppression::Unresolved);
        }
        if self.config.shutdown.is_cancelled() {
            return Err(Suppression::Shutdown);
        }
        // Noted before anything is sent: whatever happens from here on, this bar is not ordered again.
        self.ordered.borrow_mut().insert(&order.symbol, order.bar_close_time);
        let fate = if cycle.is_gateway_absent {
            Fate::not_sent("the gateway did not take the order before this one".into())
        } else {
            self.exchange(&order, &mut cycle.socket).await?
        };
        let Fate { outcome, send_latency, gateway_roundtrip } = fate;
        cycle.is_unresolved = matches!(outcome, Outcome::Unknown { .. });
        cycle.is_gateway_absent = matches!(outcome, Outcome::NotSent { .. });
        log_fate(cycle.id, &order, &outcome);
        Ok(SignalResult::Ordered { order: Box::new(order), outcome, send_latency, gateway_roundtrip })
    }

    /// Sends the order and waits for its reply, all within the deadline. Shutdown ends it only before the send.
    async fn exchange(&self, order: &Order, socket: &mut Option<GatewaySocket>) -> Result<Fate, Suppression> {
        let started = Instant::now();
        let deadline = started + self.config.deadline;
        let request = self.config.dialect.open_order(order, self.config.clock.now());
        let socket_of_cycle = socket.take();
        let send = async {
            let connecting = socket_of_cycle.map_or_else(|| GatewaySocket::connect(&self.config.address), Ok)?;
            connecting.send(request).await
        };
        let sent = tokio::select! {
            // In this order: a send that has just completed counts, even if the shutdown came in the same moment.
            biased;
            sent = timeout_at(deadline, send) => sent,
            () = self.config.shutdown.cancelled() => return Err(Suppression::Shutdown),
        };
        let awaiting = match sent {
            Ok(Ok(awaiting)) => awaiting,
            Ok(Err(error)) => return Ok(Fate::not_sent(error.to_string())),
            Err(_) => {
                let Config { address, deadline, .. } = &self.config;
                return Ok(Fate::not_sent(format!("no gateway at {address} within {} ms", deadline.as_millis())));
            }
        };
        let _inflight = self.config.inflight.enter(Endpoint::Gateway);
        Ok(self.fate(order, awaiting, started, deadline, socket).await)
    }

    /// What the reply to a sent order proves; a socket that is beyond doubt is kept for the next order.
    async fn fate(
        &self,
        order: &Order,
        awaiting: AwaitingReply,
        started: Instant,
        deadline: Instant,
        socket: &mut Option<GatewaySocket>,
    ) -> Fate {
        let sent_at = Instant::now();
        let (reply, next) = match timeout_at(deadline, awaiting.reply()).await {
            Ok(Ok(replied)) => replied,
            Ok(Err(error)) => return Fate::without_reply(Outcome::Unknown { reason: error.to_string() }),
            Err(_) => {
                let reason = format!("no reply within {} ms", self.config.deadline.as_millis());
                return Fate::without_reply(Outcome::Unknown { reason });
            }
        };
        let replied_at = Instant::now();
        let dialect = &self.config.dialect;
        let verdict = dialect.classify(order, &reply);
        if !verdict.is_ours {
            return Fate::without_reply(verdict.outcome);
        }
        if dialect.echoes_id() && !matches!(verdict.outcome, Outcome::Unknown { .. }) {
            *socket = Some(next);
        }
        Fate {
            outcome: verdict.outcome,
            send_latency: Some(replied_at - started),
            gateway_roundtrip: Some(replied_at - sent_at),
        }
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
                side = order.side.as_str(), volume = order.volume, outcome = outcome.as_str(), $($rest)*
            )
        };
    }
    match outcome {
        Outcome::Filled { ticket, price } => log!(info, ticket, price, "order filled"),
        Outcome::Rejected { reason } => log!(warn, error = "rejected", reason, "order rejected"),
        Outcome::NotSent { reason } => log!(warn, error = "not_sent", reason, "order not sent"),
        Outcome::Unknown { reason } => {
            log!(error, error = "unknown", reason, "order may or may not have been executed; it is not sent again");
        }
    }
}

#[cfg(test)]
mod scripted_gateway;
#[cfg(test)]
mod tests;
