//! Starts the parts of the daemon that are no stage of a cycle: metrics, archive, claim, Scheduler, console and port.

use super::Plan;
use crate::{
    daemon::{
        cluster::Claim,
        console::{self, Console, Facts},
        discovery::Discovery,
        http::{Deps, Landing},
        port::Port,
        wiring::{self, Shared},
    },
    process::build_info,
    settings::Resolved,
};
use actix::{Actor, Addr, Arbiter};
use anyhow::Context as _;
use sentinel_actors::{
    archive::Archivist,
    cycle::{Policy, Stages},
    domain::clock::Clock,
    guardian::Guardian,
    messages::Telemetry,
    metrics::{self, MetricsActor, Snapshot},
    scheduler::{Notice, Scheduler, SchedulerConfig},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The MetricsActor, on a thread of its own: scrapes must not slow a cycle.
pub(super) struct Metrics {
    pub(super) actor: Addr<MetricsActor>,
    pub(super) arbiter: Arbiter,
    pub(super) snapshot: Snapshot,
    pub(super) telemetry: Telemetry,
}

impl Metrics {
    pub(super) fn start(config: metrics::Config) -> anyhow::Result<Self> {
        let (backlog, clock) = (config.backlog.clone(), config.clock.clone());
        let recorder = MetricsActor::new(config).context("the metrics cannot be set up")?;
        let snapshot = recorder.snapshot();
        let arbiter = Arbiter::new();
        let actor = MetricsActor::start_in_arbiter(&arbiter.handle(), |_| recorder);
        let telemetry = Telemetry::new(actor.clone().recipient(), backlog, clock);
        Ok(Self { actor, arbiter, snapshot, telemetry })
    }
}

/// On a thread of its own, which is not joined: nothing waits for etcd.
pub(super) fn start_guardian(claim: Claim) -> Addr<Guardian> {
    Guardian::start_in_arbiter(&Arbiter::new().handle(), |_| Guardian::new(claim.keeping))
}

/// A daemon that has no thread for it trades without it.
pub(super) fn start_archivist(settings: &Resolved, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Option<Archivist> {
    let config = wiring::archive_config(settings, clock.clone(), metrics.telemetry.clone())?;
    Archivist::start(config)
        .inspect_err(|error| tracing::error!(stage = "archive", error = "archive", "no bars are archived: {error}"))
        .ok()
}

pub(super) fn start_scheduler(
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

pub(super) fn open_console(settings: &Resolved, metrics: &Metrics, shared: &Shared, facts: Facts) -> Console {
    let deps = console::Deps {
        health: metrics.actor.clone().recipient(),
        metrics: metrics.actor.clone().recipient(),
        press: shared.journal.clone().recipient(),
        telemetry: metrics.telemetry.clone(),
        clock: shared.clock.clone(),
        facts: Arc::new(facts),
    };
    let pause = Duration::from_millis(settings.metrics.bind_retry_ms);
    Console::open(wiring::console_config(settings), deps, pause)
}

pub(super) fn open_port(
    settings: &Resolved,
    metrics: &Metrics,
    scheduler: &Addr<Scheduler>,
    console: &Console,
) -> anyhow::Result<Port> {
    let deps = Deps {
        discovery: Discovery::of(settings).context("etcd cannot be reached over https")?,
        landing: Landing::new(build_info(), console.link()),
        metrics: metrics.actor.clone().recipient(),
        health: metrics.actor.clone().recipient(),
        scheduler: scheduler.clone().recipient(),
        snapshot: metrics.snapshot.clone(),
    };
    let pause = Duration::from_millis(settings.metrics.bind_retry_ms);
    Ok(Port::open(wiring::http_config(settings), deps, pause))
}
