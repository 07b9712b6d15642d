//! A SignalSender between a real journal and a scripted gateway, and requests to it.

pub(super) mod scripted_gateway;

use super::*;
use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint, Inflight},
        gateway::{DialectKind, DialectParams, Peer, dialect},
        journal::{Identity, Store},
        system_clock::SystemClock,
    },
    domain::{
        breaker::BreakerPolicy,
        clock::Clock,
        cluster::{Authority, Unguarded},
        guard::{KillSwitch, Limits},
        instrument::{Instrument, Symbol},
        interval::Interval,
        order::Side,
        order_manager::Rules,
        order_state::OrderState,
        position::{AccountMode, Opposite},
    },
    journal::{self, Horizons, Journal, Opened},
    messages::{Flush, Telemetry},
};
use actix::Addr;
use scripted_gateway::Request;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// Short enough for a test, long enough for two busy cores.
pub(super) const DEADLINE: Duration = Duration::from_millis(400);
pub(super) const BAR: i64 = 1_500_000_000;

/// Stores every event.
#[derive(Default)]
struct Metrics(Arc<Mutex<Vec<Event>>>);

impl Actor for Metrics {
    type Context = Context<Self>;
}

impl Handler<Event> for Metrics {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.lock().unwrap().push(event);
    }
}

/// Of which nobody reads anything.
pub(super) fn telemetry() -> Telemetry {
    Telemetry::from(Metrics::default().start().recipient())
}

pub(super) struct Setup {
    pub kind: DialectKind,
    pub live: bool,
    pub deadline: Duration,
    pub rules: Rules,
    pub account_poll: Option<Duration>,
}

/// Nothing limits it.
pub(super) const RULES: Rules = Rules {
    limits: Limits {
        orders_per_hour_max: 0,
        orders_per_day_max: 0,
        cooldown: Duration::ZERO,
        positions_max: 0,
        loss_pct_per_day_max: 0.0,
        failures_in_a_row_max: 0,
        opposite: Opposite::Open,
    },
    account_mode: AccountMode::Hedging,
    proving_dialect: Some("v43"),
    decision_age_max: Duration::from_secs(5),
    waits_for_new_bar: false,
};
pub(super) const V43: Setup =
    Setup { kind: DialectKind::V43, live: true, deadline: DEADLINE, rules: RULES, account_poll: None };
pub(super) const PLACE_ORDER: Setup = Setup { kind: DialectKind::PlaceOrder, ..V43 };

pub(super) struct Running {
    pub folder: TempDir,
    pub journal: Addr<Journal>,
    pub sender: Addr<SignalSender>,
    pub shutdown: CancellationToken,
    pub inflight: Inflight,
    pub events: Arc<Mutex<Vec<Event>>>,
    pub metrics: Telemetry,
    pub halted: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Switch(Arc<AtomicBool>);

impl KillSwitch for Switch {
    fn is_halted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn order_journal(journal: &Addr<Journal>) -> JournalActorHandle {
    JournalActorHandle {
        standing: journal.clone().recipient(),
        history: journal.clone().recipient(),
        fills: journal.clone().recipient(),
        outcomes: journal.clone().recipient(),
        equity: journal.clone().recipient(),
        account: journal.clone().recipient(),
        write: journal.clone().recipient(),
    }
}

pub(super) fn instrument(name: &str) -> Instrument {
    Instrument {
        symbol: Symbol::new(name),
        ticker: format!("{name}.FOREX"),
        gateway_name: name.into(),
        threshold: 0.6,
        volume: 0.01,
        digits: 5,
        stop_loss: Some(0.002),
        take_profit: None,
    }
}

/// A BUY at this close, decided now.
pub(super) fn buy(name: &str, close: f64, bar_close_time: i64) -> Signal {
    Signal {
        instrument: Arc::new(instrument(name)),
        side: Side::Buy,
        confidence: 0.7,
        close,
        bar_close_time,
        begun_at: SystemClock.moment(),
    }
}

pub(super) type Shared<'a> = (&'a CancellationToken, &'a Inflight, &'a Telemetry, &'a Arc<AtomicBool>);

impl Setup {
    pub(super) fn config(&self, address: &str, shared: Shared<'_>, order_journal: JournalActorHandle) -> Config {
        Config {
            instruments: ["EURUSD", "GBPUSD", "USDJPY", "AUDUSD"].map(instrument).into(),
            live: self.live,
            other_names: Vec::new(),
            account: "demo".into(),
            model_name: "baseline".into(),
            peer: Peer::plain(address),
            dialect: dialect(self.kind, DialectParams::default()),
            deadline: self.deadline,
            clock: Arc::new(SystemClock),
            shutdown: shared.0.clone(),
            inflight: shared.1.clone(),
            metrics: shared.2.clone(),
            account_poll: self.account_poll,
            cycle_step: Duration::ZERO,
            rules: self.rules,
            kill_switch: Arc::new(Switch(shared.3.clone())),
            authority: Arc::new(Unguarded::default()),
            claims: None,
            breakers: Breakers::new(BreakerPolicy { failures: 3, pause: Duration::from_secs(60) }),
            journal: order_journal,
        }
    }

    pub(super) fn start(self, address: &str) -> Running {
        self.start_on(TempDir::new().unwrap(), address)
    }

    /// With a given clock.
    pub(super) fn start_by(self, clock: Arc<dyn Clock>, address: &str) -> Running {
        self.start_with(TempDir::new().unwrap(), clock, address)
    }

    pub(super) fn start_on(self, folder: TempDir, address: &str) -> Running {
        self.start_with(folder, Arc::new(SystemClock), address)
    }

    pub(super) fn start_with(self, folder: TempDir, clock: Arc<dyn Clock>, address: &str) -> Running {
        self.start_by_authority(folder, (clock, Arc::new(Unguarded::default())), address)
    }

    /// With an account that may be another daemon's.
    pub(super) fn start_by_authority(
        self,
        folder: TempDir,
        (clock, authority): (Arc<dyn Clock>, Arc<dyn Authority>),
        address: &str,
    ) -> Running {
        let metrics = Metrics::default();
        let (events, shutdown, inflight) = (metrics.0.clone(), CancellationToken::new(), Inflight::default());
        let metrics = Telemetry::from(metrics.start().recipient());
        let journal = journal::Config {
            path: folder.path().join("journal.db"),
            keep: Duration::from_secs(86_400),
            identity: Identity {
                account: "demo".into(),
                model: "baseline".into(),
                dialect: "v43",
                account_mode: AccountMode::Hedging,
            },
            waits_for_new_bar: false,
            version: Arc::default(),
            names: Arc::new([]),
            horizons: Horizons { bars: 4, interval: Interval::OneHour, calendar: Arc::default(), digits: Arc::new([]) },
            archive: None,
            paper: None,
            clock: Arc::new(SystemClock),
            metrics: metrics.clone(),
        };
        let opened = Opened::at(&journal.path, &journal.identity, SystemClock.now()).unwrap();
        let journal = Journal::start(journal, opened);
        let order_journal = order_journal(&journal);
        let halted = Arc::<AtomicBool>::default();
        let config = Config {
            clock,
            authority,
            ..self.config(address, (&shutdown, &inflight, &metrics, &halted), order_journal)
        };
        Running {
            folder,
            journal,
            sender: SignalSender::new(config).unwrap().start(),
            shutdown,
            inflight,
            events,
            metrics,
            halted,
        }
    }
}

impl Running {
    /// A whole cycle: first the handshake, then a BUY of each symbol at this bar.
    pub(super) async fn cycle(&self, cycle_id: CycleId, symbols: &[&str], bar_close_time: i64) -> Vec<SignalResult> {
        self.sender.send(OpenGateway { cycle_id, has_clock_stepped: false }).await.unwrap();
        self.send(cycle_id, symbols, bar_close_time).await
    }

    /// A cycle without a handshake before it.
    pub(super) async fn send(&self, cycle_id: CycleId, symbols: &[&str], bar_close_time: i64) -> Vec<SignalResult> {
        let signals = symbols.iter().map(|name| buy(name, 1.1, bar_close_time)).collect();
        let reports = self.sender.send(SendSignals { cycle_id, signals }).await.unwrap();
        assert_eq!(self.inflight.get(Endpoint::Gateway), 0, "nothing is under way after the answer");
        reports.into_iter().map(|report| report.result).collect()
    }

    /// The daemon ends, and another one starts on its journal.
    pub(super) async fn restart(self, setup: Setup, address: &str) -> Running {
        self.journal.send(Flush).await.unwrap();
        setup.start_on(self.folder, address)
    }

    pub(super) fn states(&self) -> Vec<OrderState> {
        let store = Store::open_existing(&self.folder.path().join("journal.db")).unwrap();
        store.orders(false).unwrap().iter().map(|row| row.state).collect()
    }

    pub(super) async fn one(&self, cycle_id: CycleId) -> SignalResult {
        self.cycle(cycle_id, &["EURUSD"], BAR + cycle_id as i64).await.remove(0)
    }
}

/// `filled`, `unknown` and so on, or the reason why there is no order.
pub(super) fn text(result: &SignalResult) -> &'static str {
    match result {
        SignalResult::Ordered { answer, .. } => answer.outcome.as_str(),
        SignalResult::Suppressed(suppression) => suppression.as_str(),
    }
}

pub(super) fn texts(results: &[SignalResult]) -> Vec<&'static str> {
    results.iter().map(text).collect()
}

pub(super) fn newest(requests: &[Request]) -> &Request {
    requests.last().unwrap()
}

pub(super) async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
