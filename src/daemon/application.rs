//! The life cycle of a daemon: start, run until something ends it, drain.

mod drain;
mod plan;
mod start;

use super::{
    cluster::{self, Claim},
    console::{Console, Facts},
    port::Port,
    shutdown::{Drained, Ended, log_end},
    start_lines,
    systemd::ServiceManager,
    watch::{wait_for_end, watch_actors, watch_guardian},
    wiring::{self, Shared, Started},
};
use crate::{process::build_info, settings::Resolved};
use actix::{Addr, Recipient};
use anyhow::Context as _;
use drain::{FLUSH_DEADLINE, RELEASE_DEADLINE};
pub use plan::Plan;
use sentinel_actors::{
    adapters::system_clock::SystemClock,
    archive::Archivist,
    cycle::Policy,
    domain::{clock::Clock, cluster::Authority, names::ActorName},
    guardian::Guardian,
    journal::{Journal, Opened},
    messages::{FlushUnwritten, Ping},
    scheduler::{Notice, Scheduler},
};
use start::{Metrics, open_console, open_port, start_archivist, start_guardian, start_scheduler};
use std::{net::SocketAddr, path::Path, rc::Rc, sync::Arc, time::Duration};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Added to the gateway's deadline, so that a late reply is still classified and counted.
const DRAIN_SLACK: Duration = Duration::from_millis(1_000);
/// How long HTTP and the threads may take to end after that.
const STOP_SLACK: Duration = Duration::from_secs(2);

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

        let members = claim.as_ref().and_then(|claim| claim.members.clone());
        let policy = wiring::policy(settings, clock, members);
        let authority: Arc<dyn Authority> = match &claim {
            Some(claim) => claim.authority.clone(),
            None => Arc::new(cluster::alone(settings)?),
        };
        let (metrics, shared, archivist) = start_recorders(settings, &plan, opened, &policy, authority)?;
        let Started { stages, mut pings, flush_unwritten } = wiring::start(settings, &shared)?;
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
        let port = if has_port { open_port(settings, &metrics, &scheduler, &console)? } else { Port::default() };
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
}

/// Starts what keeps a record of the stages: the MetricsActor, the Archivist and the Journal.
fn start_recorders(
    settings: &Resolved,
    plan: &Plan,
    opened: Opened,
    policy: &Policy,
    authority: Arc<dyn Authority>,
) -> anyhow::Result<(Metrics, Shared, Option<Archivist>)> {
    let clock = policy.clock.clone();
    let mut config = wiring::metrics_config(settings, plan.schedule.period(clock.now()), &opened, policy);
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
        members: policy.members.clone(),
        shutdown: CancellationToken::new(),
        metrics: metrics.telemetry.clone(),
        journal,
    };
    Ok((metrics, shared, archivist))
}
