//! The life of a daemon: start, run until something ends it, drain.

use super::{
    ending::{Drained, Ended, judge, say_end},
    http::{self, HttpConfig},
    start_lines,
    systemd::ServiceManager,
    watch::{heed, watch},
    wiring::{self, Shared, Started},
};
use crate::{process::build_info, settings::Resolved};
use actix::{Actor, Addr, Arbiter, Recipient};
use actix_web::dev::ServerHandle;
use anyhow::Context as _;
use sentinel_actors::{
    adapters::{breakers::Breakers, inflight::Inflight, system_clock::SystemClock},
    domain::{clock::Clock, drift::Drift, instrument::Symbol, schedule::Schedule},
    journal::{Journal, Opened},
    messages::{ActorName, Backlog, Flush, FlushUnwritten, Ping, Telemetry},
    metrics::{self, MetricsActor},
    scheduler::{Drain, Notice, Scheduler, SchedulerConfig},
};
use std::{cell::RefCell, net::SocketAddr, path::Path, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

/// Longer than the gateway's deadline by this: what an order already sent needs to be told apart and counted.
const DRAIN_SLACK: Duration = Duration::from_millis(1_000);

/// How long the disk may take for what is still to be written at the end.
const FLUSH_DEADLINE: Duration = Duration::from_millis(1_500);
/// What ending HTTP and the threads may take on top of that.
const STOP_SLACK: Duration = Duration::from_secs(2);

/// When cycles run, which the demo decides differently from a daemon.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many to run; 0 for no end.
    pub cycles_max: u64,
    /// How many follow each other without a pause first.
    pub back_to_back: u64,
    /// End the daemon after its cycles; no HTTP then.
    pub once: bool,
}

impl Plan {
    /// What the settings say.
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
    flush_unwritten: Recipient<FlushUnwritten>,
    metrics: Telemetry,
    metrics_arbiter: Arbiter,
    notices: UnboundedReceiver<Notice>,
    shutdown: CancellationToken,
    http: Rc<RefCell<Option<Serving>>>,
    once: bool,
    caught_up: Option<CaughtUp>,
    drain_deadline: Duration,
}

/// What is done once the cycles without a pause are through; it hears where HTTP listens then.
type CaughtUp = Box<dyn FnOnce(Option<SocketAddr>)>;

struct Serving {
    handle: ServerHandle,
    address: SocketAddr,
}

impl Application {
    /// Starts every actor and the HTTP side; the first cycle begins at once. `file` is where the settings were read, for the log.
    ///
    /// A taken port is no error: the daemon trades on and keeps trying.
    ///
    /// # Errors
    /// When another daemon runs on the journal, or it is no journal; and when an actor cannot be built, which no network
    /// condition can cause.
    pub fn start(settings: &Resolved, plan: Plan, file: Option<&Path>) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let inflight = Inflight::default();
        let breakers = Breakers::new(settings.breaker);
        let backlog = Backlog::default();
        let shutdown = CancellationToken::new();
        let symbols: Vec<Symbol> = settings.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
        let identity = wiring::identity(settings);
        let opened = Opened::at(&settings.journal.path, &identity, clock.now())?;
        // Before any cycle, so that the first lines of a log say what the rest is about.
        start_lines::say_settings(settings, file, plan.once);
        start_lines::say_unresolved(&opened.unresolved(), &settings.journal.path);
        // Weeks of hourly bars: a restart goes on with them.
        let known = opened.confidences(&identity.model, &symbols);
        let policy = wiring::policy(settings, clock.clone());
        let recorder = MetricsActor::new(metrics::Config {
            symbols,
            build: build_info(),
            config_hash: settings.hash,
            failed_share_max: settings.failed_share_max,
            drift: Drift::new(settings.reference.clone(), known),
            live: settings.purpose.gateway.is_live(),
            max_bar_age_s: settings.max_bar_age_s,
            kill_switch: policy.kill_switch.clone(),
            period: plan.schedule.period(clock.now()),
            inflight: inflight.clone(),
            breakers: breakers.clone(),
            backlog: backlog.clone(),
            clock: clock.clone(),
        })
        .context("the metrics cannot be set up")?;
        let snapshot = recorder.snapshot();
        // A thread of its own: scrapes must not slow a cycle.
        let metrics_arbiter = Arbiter::new();
        let metrics_actor = MetricsActor::start_in_arbiter(&metrics_arbiter.handle(), |_| recorder);
        let metrics = Telemetry::new(metrics_actor.clone().recipient(), backlog);

        let config = wiring::journal_config(settings, clock.clone(), metrics.clone());
        let journal = Journal::start(config, opened);
        let shared = Shared {
            clock: clock.clone(),
            inflight,
            breakers,
            kill_switch: policy.kill_switch.clone(),
            shutdown: shutdown.clone(),
            metrics: metrics.clone(),
            journal: journal.clone(),
        };
        let Started { stages, mut pings, flush_unwritten } = wiring::start(settings, &shared);
        let (notify, notices) = unbounded_channel();
        // `--once` ends with its cycle, and waits for no ping.
        let deadman = wiring::start_deadman(settings, &metrics).filter(|_| !plan.once);
        let scheduler = Scheduler::new(SchedulerConfig {
            schedule: plan.schedule,
            cycles_max: plan.cycles_max,
            back_to_back: plan.back_to_back,
            stages,
            policy,
            clock,
            shutdown: shutdown.clone(),
            notices: notify,
            deadman,
        })
        .start();
        pings.push((ActorName::Scheduler, scheduler.clone().recipient()));

        let http = Rc::new(RefCell::new(None));
        if settings.metrics.enabled && !plan.once {
            let asked = http::Deps {
                metrics: metrics_actor.clone().recipient(),
                health: metrics_actor.recipient(),
                scheduler: scheduler.clone().recipient(),
                snapshot,
            };
            let retry_pause = Duration::from_millis(settings.metrics.bind_retry_ms);
            serve_or_keep_trying(wiring::http_config(settings), asked, retry_pause, http.clone());
        }
        Ok(Self {
            pings,
            scheduler,
            journal,
            flush_unwritten,
            metrics,
            metrics_arbiter,
            notices,
            shutdown,
            http,
            once: plan.once,
            caught_up: None,
            drain_deadline: Duration::from_millis(settings.gateway.deadline_ms) + DRAIN_SLACK,
        })
    }

    /// Has this done once, when the plan's cycles without a pause are through or no cycle is due any more; it hears where
    /// HTTP listens then.
    pub fn when_caught_up(&mut self, act: impl FnOnce(Option<SocketAddr>) + 'static) {
        self.caught_up = Some(Box::new(act));
    }

    /// Where HTTP listens; `None` while it does not.
    pub fn address(&self) -> Option<SocketAddr> {
        self.http.borrow().as_ref().map(|serving| serving.address)
    }

    /// Runs until `shutdown` completes, the one cycle of `--once` has run, or a stage is gone; then drains.
    ///
    /// # Errors
    /// None today: every way a running daemon can end has its [`Ended`].
    pub async fn run_until_stopped(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<Ended> {
        let service_manager = Rc::new(ServiceManager::from_environment());
        let attended = self.attend(service_manager.clone());
        let (mut caught_up, http) = (self.caught_up.take(), self.http.clone());
        let mut say_caught_up = move || {
            if let Some(act) = caught_up.take() {
                let address = http.borrow().as_ref().map(|serving| serving.address);
                act(address);
            }
        };
        let ended = tokio::select! {
            () = shutdown => Ended::Stopped,
            gone = watch(&self.pings, &self.metrics) => Ended::StageGone(gone),
            ended = heed(&mut self.notices, self.once, &mut say_caught_up) => ended,
        };
        if let Ended::StageGone(actor) = ended {
            tracing::error!(actor, "cannot answer any more: the daemon ends, to be started afresh");
        }
        service_manager.stopping(self.drain_deadline + FLUSH_DEADLINE * 2 + STOP_SLACK);
        let Drained { is_journalled, is_fate_lost } = self.drain().await;
        attended.abort();
        let ended = match ended {
            _ if is_fate_lost => Ended::FateLost,
            Ended::Once { failed, degraded, .. } => Ended::Once { failed, degraded, is_recorded: is_journalled },
            ended => ended,
        };
        say_end(&ended);
        Ok(ended)
    }

    /// Until the very end: a watchdog does not wait for a drain.
    fn attend(&self, service_manager: Rc<ServiceManager>) -> JoinHandle<()> {
        let stages = self.pings.iter().map(|(_, stage)| stage.clone()).collect();
        let scheduler = self.scheduler.clone().recipient();
        actix_rt::spawn(async move { service_manager.attend(stages, scheduler).await })
    }

    /// No new cycle; an order already sent is waited for; then HTTP and the threads end.
    async fn drain(self) -> Drained {
        self.shutdown.cancel();
        if tokio::time::timeout(self.drain_deadline, self.scheduler.send(Drain)).await.is_err() {
            tracing::error!("a cycle did not end in time; an order under way may have been executed");
        }
        let is_paid = matches!(
            tokio::time::timeout(FLUSH_DEADLINE, self.flush_unwritten.send(FlushUnwritten)).await,
            Ok(Ok(true))
        );
        // Closed only now: every order's fate and the last cycle's decisions are in it.
        let flushed = tokio::time::timeout(FLUSH_DEADLINE, self.journal.send(Flush)).await;
        let drained = judge(flushed.ok().and_then(Result::ok), is_paid);
        let serving = self.http.borrow_mut().take();
        if let Some(Serving { handle, .. }) = serving {
            // Not gracefully: that waits a second for every scraper that keeps its connection.
            handle.stop(false).await;
        }
        self.metrics_arbiter.stop();
        if self.metrics_arbiter.join().is_err() {
            tracing::error!("the metrics thread panicked");
        }
        drained
    }
}

/// Binds now, or says once that it cannot and tries again for as long as the daemon runs.
fn serve_or_keep_trying(config: HttpConfig, asked: http::Deps, pause: Duration, serving: Rc<RefCell<Option<Serving>>>) {
    let address = format!("{}:{}", config.host, config.port);
    let attempt = move || -> std::io::Result<()> {
        let (server, address) = http::serve(&config, asked.clone())?;
        tracing::info!(%address, "serving /metrics and /health");
        *serving.borrow_mut() = Some(Serving { handle: server.handle(), address });
        actix_rt::spawn(async move {
            if let Err(error) = server.await {
                tracing::error!(error = %error, "HTTP ended; trading goes on without it");
            }
        });
        Ok(())
    };
    let Err(error) = attempt() else { return };
    tracing::error!(error = %error, address, "cannot listen for HTTP: trading goes on without it, and the port is tried again");
    actix_rt::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            if attempt().is_ok() {
                return;
            }
        }
    });
}
