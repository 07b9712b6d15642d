//! The life cycle of a daemon: start, run until something ends it, drain.

use super::{
    cluster::Claim,
    console::{self, Console, Facts},
    http::{Deps, Landing},
    port::Port,
    shutdown::{Drained, Ended, judge, log_end},
    start_lines,
    systemd::ServiceManager,
    watch::{wait_for_end, watch_actors, watch_guardian},
    wiring::{self, Shared, Started},
};
use crate::{process::build_info, settings::Resolved};
use actix::{Actor, Addr, Arbiter, Recipient};
use anyhow::Context as _;
use sentinel_actors::{
    adapters::system_clock::SystemClock,
    archive::Archivist,
    cycle::{Policy, Stages},
    domain::{
        clock::Clock,
        cluster::{Authority, Unguarded},
        names::ActorName,
        schedule::Schedule,
    },
    guardian::Guardian,
    journal::{Journal, Opened},
    messages::{Flush, FlushUnwritten, Ping, ReleaseClaim, Telemetry},
    metrics::{self, MetricsActor, Snapshot},
    scheduler::{Drain, Notice, Scheduler, SchedulerConfig},
};
use std::{net::SocketAddr, path::Path, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Added to the gateway's deadline, so that a late reply is still classified and counted.
const DRAIN_SLACK: Duration = Duration::from_millis(1_000);

/// How long the disk may take for the last writes.
const FLUSH_DEADLINE: Duration = Duration::from_millis(1_500);
/// How long giving back the account may take; after that the claim ends with its lease.
const RELEASE_DEADLINE: Duration = Duration::from_secs(3);
/// How long HTTP and the threads may take to end after that.
const STOP_SLACK: Duration = Duration::from_secs(2);

/// When cycles run. The demo has another plan than a daemon.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many to run; 0 for no limit.
    pub cycles_max: u64,
    /// How many of the first cycles run without a pause.
    pub back_to_back: u64,
    /// End the daemon after its cycles; without HTTP.
    pub once: bool,
}

impl Plan {
    /// The plan of the settings.
    pub fn from_settings(settings: &Resolved) -> Self {
        Self {
            schedule: settings.schedule.clone(),
            cycles_max: settings.cycles_max,
            back_to_back: if settings.back_to_back { u64::MAX } else { 0 },
            once: false,
        }
    }

    /// One cycle, then the end.
    #[must_use]
    pub fn once(self) -> Self {
        Self { cycles_max: 1, once: true, ..self }
    }
}

/// The running daemon. Lives on the actix `System` of the thread that started it.
pub struct Application {
    pings: Vec<(ActorName, Recipient<Ping>)>,
    scheduler: Addr<Scheduler>,
    journal: Addr<Journal>,
    archivist: Option<Archivist>,
    flush_unwritten: Recipient<FlushUnwritten>,
    /// `None` if no account is claimed.
    guardian: Option<Addr<Guardian>>,
    metrics: Metrics,
    notices: UnboundedReceiver<Notice>,
    shutdown: CancellationToken,
    port: Port,
    console: Console,
    once: bool,
    caught_up: Option<CaughtUp>,
    drain_deadline: Duration,
}

/// Called once the cycles without a pause are done, with the addresses on which the daemon listens then.
type CaughtUp = Box<dyn FnOnce(Listening)>;

/// Where a daemon listens; `None` where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// The metrics port.
    pub http: Option<SocketAddr>,
    /// The console.
    pub console: Option<SocketAddr>,
}

/// The MetricsActor, on a thread of its own: scrapes must not slow a cycle.
struct Metrics {
    actor: Addr<MetricsActor>,
    arbiter: Arbiter,
    snapshot: Snapshot,
    telemetry: Telemetry,
}

impl Metrics {
    fn start(config: metrics::Config) -> anyhow::Result<Self> {
        let (backlog, clock) = (config.backlog.clone(), config.clock.clone());
        let recorder = MetricsActor::new(config).context("the metrics cannot be set up")?;
        let snapshot = recorder.snapshot();
        let arbiter = Arbiter::new();
        let actor = MetricsActor::start_in_arbiter(&arbiter.handle(), |_| recorder);
        let telemetry = Telemetry::new(actor.clone().recipient(), backlog, clock);
        Ok(Self { actor, arbiter, snapshot, telemetry })
    }
}

impl Application {
    /// Starts every actor and HTTP; the first cycle begins at once. `file` is the settings file, for the log; `claim` is that on
    /// the account, as far as it has come.
    ///
    /// A port that is in use is not an error: the daemon trades and tries the port again.
    ///
    /// # Errors
    /// When another daemon uses the journal, or the file is not a journal; and when an actor cannot be built, which no network
    /// condition can cause.
    pub fn start(settings: &Resolved, plan: Plan, file: Option<&Path>, claim: Option<Claim>) -> anyhow::Result<Self> {
        Self::start_with(settings, plan, file, Self::open_journal(settings)?, claim)
    }

    /// Opens and locks the journal, before the account is taken: who cannot use it must not keep the account from others.
    ///
    /// # Errors
    /// When another daemon uses the journal, or the file is not a journal.
    pub fn open_journal(settings: &Resolved) -> anyhow::Result<Opened> {
        Ok(Opened::at(&settings.journal.path, &wiring::identity(settings), SystemClock.now())?)
    }

    /// [`Application::start`] with a journal that is open.
    ///
    /// # Errors
    /// When an actor cannot be built, which no network condition can cause.
    pub fn start_with(
        settings: &Resolved,
        plan: Plan,
        file: Option<&Path>,
        opened: Opened,
        claim: Option<Claim>,
    ) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let started = clock.now();
        // Before any cycle, so that a log begins with the settings.
        start_lines::say_settings(settings, file, plan.once);
        start_lines::say_unresolved(&opened.unresolved(), &settings.journal.path);

        let policy = wiring::policy(settings, clock.clone());
        let authority: Arc<dyn Authority> = match &claim {
            Some(claim) => Arc::new(claim.cell.clone()),
            None => Arc::new(Unguarded),
        };
        let mut config = wiring::metrics_config(settings, plan.schedule.period(clock.now()), &opened, &policy);
        config.authority = authority.clone();
        let (inflight, breakers) = (config.inflight.clone(), config.breakers.clone());
        let metrics = Metrics::start(config)?;
        let archivist = start_archivist(settings, &clock, &metrics);
        let queue = archivist.as_ref().map(Archivist::queue);
        let journal = wiring::journal_config(settings, clock.clone(), metrics.telemetry.clone(), queue)
            .context("the settings cannot be recorded")?;
        let journal = Journal::start(journal, opened);
        let shared = Shared {
            clock,
            inflight,
            breakers,
            kill_switch: policy.kill_switch.clone(),
            authority,
            shutdown: CancellationToken::new(),
            metrics: metrics.telemetry.clone(),
            journal,
        };
        let Started { stages, mut pings, flush_unwritten } = wiring::start(settings, &shared);
        let (once, schedule) = (plan.once, plan.schedule.clone());
        let (scheduler, notices) = start_scheduler(settings, plan, &shared, stages, policy);
        pings.push((ActorName::Scheduler, scheduler.clone().recipient()));
        pings.push((ActorName::Metrics, metrics.actor.clone().recipient()));
        let console = if settings.console.enabled && !once {
            let facts = Facts::of(settings, schedule, started, build_info());
            open_console(settings, &metrics, &shared, facts)
        } else {
            Console::default()
        };
        let has_port = settings.metrics.enabled && !once;
        let port = if has_port { open_port(settings, &metrics, &scheduler, &console) } else { Port::default() };
        Ok(Self {
            pings,
            scheduler,
            journal: shared.journal,
            archivist,
            flush_unwritten,
            guardian: claim.map(start_guardian),
            metrics,
            notices,
            shutdown: shared.shutdown,
            port,
            console,
            once,
            caught_up: None,
            drain_deadline: Duration::from_millis(settings.gateway.deadline_ms) + DRAIN_SLACK,
        })
    }

    /// Sets what is called once, when the plan's cycles without a pause are done or no further cycle is due. It gets the
    /// addresses on which the daemon listens then.
    pub fn when_caught_up(&mut self, act: impl FnOnce(Listening) + 'static) {
        self.caught_up = Some(Box::new(act));
    }

    /// Where HTTP listens; `None` while it does not.
    pub fn address(&self) -> Option<SocketAddr> {
        self.port.address()
    }

    /// Where the console listens; `None` while it does not.
    pub fn console_address(&self) -> Option<SocketAddr> {
        self.console.address()
    }

    /// Runs until `shutdown` completes, the one cycle of `--once` has run, or a stage is gone; then drains.
    ///
    /// # Errors
    /// None at present: every way in which a running daemon ends has its [`Ended`].
    pub async fn run_until_stopped(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<Ended> {
        let service_manager = Rc::new(ServiceManager::from_environment());
        let attended = self.attend(service_manager.clone());
        let (mut caught_up, port, console) = (self.caught_up.take(), self.port.clone(), self.console.clone());
        let mut say_caught_up = move || {
            if let Some(act) = caught_up.take() {
                act(Listening { http: port.address(), console: console.address() });
            }
        };
        let ended = tokio::select! {
            () = shutdown => Ended::Stopped,
            gone = watch_actors(&self.pings, &self.metrics.telemetry) => Ended::StageGone(gone),
            gone = watch_guardian(self.guardian.clone().map(Addr::recipient)) => Ended::StageGone(gone),
            ended = wait_for_end(&mut self.notices, self.once, &mut say_caught_up) => ended,
        };
        if let Ended::StageGone(actor) = ended {
            tracing::error!(actor, "actor stopped responding: shutting down for a restart");
        }
        let release = self.guardian.as_ref().map_or(Duration::ZERO, |_| RELEASE_DEADLINE);
        service_manager.stopping(self.drain_deadline + FLUSH_DEADLINE * 3 + release + STOP_SLACK);
        let Drained { is_journalled, is_outcome_lost } = self.drain().await;
        attended.abort();
        let ended = match ended {
            _ if is_outcome_lost => Ended::OutcomeLost,
            Ended::Once { failed, degraded, .. } => Ended::Once { failed, degraded, is_recorded: is_journalled },
            ended => ended,
        };
        log_end(&ended);
        Ok(ended)
    }

    /// Feeds the watchdog until the process ends: a drain must not look like a daemon that hangs.
    fn attend(&self, service_manager: Rc<ServiceManager>) -> JoinHandle<()> {
        let stages = self.pings.iter().map(|(_, stage)| stage.clone()).collect();
        let scheduler = self.scheduler.clone().recipient();
        actix_rt::spawn(async move { service_manager.attend(stages, scheduler).await })
    }

    /// Starts no new cycle, waits for an order that was already sent, then ends HTTP and the threads.
    async fn drain(self) -> Drained {
        self.shutdown.cancel();
        let is_drained = tokio::time::timeout(self.drain_deadline, self.scheduler.send(Drain)).await;
        if is_drained.is_err() {
            tracing::error!("a cycle did not end in time; an order in flight may have been executed");
        }
        let orders = tokio::time::timeout(FLUSH_DEADLINE, self.flush_unwritten.send(FlushUnwritten)).await;
        let orders = orders.ok().and_then(Result::ok);
        let is_written = orders.is_some_and(|orders| orders.is_written);
        // Before the journal, whose last connection has to be the Journal's.
        self.console.close().await;
        // Closed only now, when every order's outcome and the last cycle's decisions are in it.
        let flushed = tokio::time::timeout(FLUSH_DEADLINE, self.journal.send(Flush)).await;
        let drained = judge(flushed.ok().and_then(Result::ok), is_written);
        if let Some(guardian) = &self.guardian {
            // An order that may still be on its way keeps the account: the claim then ends with its lease.
            if matches!(is_drained, Ok(Ok(_))) {
                let is_settled = orders.is_some_and(|orders| orders.is_settled) && !drained.is_outcome_lost;
                let _ = tokio::time::timeout(RELEASE_DEADLINE, guardian.send(ReleaseClaim { is_settled })).await;
            } else {
                tracing::warn!(
                    "the account is not given back in etcd, because a cycle did not end; its lease ends by itself"
                );
            }
        }
        // After the journal, which offers it the last cycle's bars.
        if let Some(archivist) = self.archivist
            && tokio::time::timeout(FLUSH_DEADLINE, archivist.close()).await.is_err()
        {
            tracing::warn!("the bar archive was not closed in time; the newest bars may be missing in it");
        }
        self.port.close().await;
        self.metrics.arbiter.stop();
        if self.metrics.arbiter.join().is_err() {
            tracing::error!("the metrics thread panicked");
        }
        drained
    }
}

/// On a thread of its own, which is not joined: nothing waits for etcd.
fn start_guardian(claim: Claim) -> Addr<Guardian> {
    Guardian::start_in_arbiter(&Arbiter::new().handle(), |_| Guardian::new(claim.keeper))
}

/// A daemon that has no thread for it trades without it.
fn start_archivist(settings: &Resolved, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Option<Archivist> {
    let config = wiring::archive_config(settings, clock.clone(), metrics.telemetry.clone())?;
    Archivist::start(config)
        .inspect_err(|error| tracing::error!(stage = "archive", error = "archive", "no bars are archived: {error}"))
        .ok()
}

fn start_scheduler(
    settings: &Resolved,
    plan: Plan,
    shared: &Shared,
    stages: Stages,
    policy: Policy,
) -> (Addr<Scheduler>, UnboundedReceiver<Notice>) {
    let (notify, notices) = unbounded_channel();
    let scheduler = Scheduler::new(SchedulerConfig {
        schedule: plan.schedule,
        cycles_max: plan.cycles_max,
        back_to_back: plan.back_to_back,
        stages,
        policy,
        clock: shared.clock.clone(),
        shutdown: shared.shutdown.clone(),
        notices: notify,
        // `--once` ends with its cycle, and waits for no ping.
        deadman: wiring::start_deadman(settings, &shared.metrics).filter(|_| !plan.once),
    });
    (scheduler.start(), notices)
}

fn open_console(settings: &Resolved, metrics: &Metrics, shared: &Shared, facts: Facts) -> Console {
    let deps = console::Deps {
        health: metrics.actor.clone().recipient(),
        metrics: metrics.actor.clone().recipient(),
        press: shared.journal.clone().recipient(),
        clock: shared.clock.clone(),
        facts: Arc::new(facts),
    };
    let pause = Duration::from_millis(settings.metrics.bind_retry_ms);
    Console::open(wiring::console_config(settings), deps, pause)
}

fn open_port(settings: &Resolved, metrics: &Metrics, scheduler: &Addr<Scheduler>, console: &Console) -> Port {
    let config = wiring::console_config(settings);
    let deps = Deps {
        landing: Landing::new(&build_info(), console.address().map(|address| console::url(address, &config))),
        metrics: metrics.actor.clone().recipient(),
        health: metrics.actor.clone().recipient(),
        scheduler: scheduler.clone().recipient(),
        snapshot: metrics.snapshot.clone(),
    };
    Port::open(wiring::http_config(settings), deps, Duration::from_millis(settings.metrics.bind_retry_ms))
}
