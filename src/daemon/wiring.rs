//! Every actor's configuration, in the order of the pipeline, and the start of the stages. They share the thread that calls
//! `start`. The Journal, which waits for the disk, has its own thread, and so has the Deadman, which waits for an outside service.

mod ports;
mod records;
mod stages;

use crate::settings::Resolved;
use actix::{Actor, Addr, Arbiter, Recipient};
use anyhow::Context as _;
pub use ports::{console_config, http_config};
pub use records::{archive_config, identity, journal_config, metrics_config};
use sentinel_actors::{
    adapters::{
        endpoint::{Breakers, Inflight},
        halt_file::HaltFile,
    },
    cycle::{Policy, Stages},
    deadman::{self, Deadman},
    domain::{
        clock::Clock,
        cluster::{Authority, shared::MemberCell},
        guard::KillSwitch,
        names::ActorName,
    },
    feature_builder::{self, FeatureBuilder},
    fetcher::Fetcher,
    journal::Journal,
    messages::{CycleWentWell, FlushUnwritten, Ping, Telemetry},
    predictor::Predictor,
    signal_sender::SignalSender,
};
use stages::{fetcher_config, predictor_config, sender_config};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// What the stages share.
pub struct Shared {
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Requests in flight.
    pub inflight: Inflight,
    /// The circuit breakers of the endpoints.
    pub breakers: Breakers,
    /// The kill switch.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Whether this daemon may send orders for its account.
    pub authority: Arc<dyn Authority>,
    /// What it owns, if the account is shared with other daemons.
    pub members: Option<MemberCell>,
    /// Cancelled at shutdown: orders that are not sent yet are not sent.
    pub shutdown: CancellationToken,
    /// Receives the events.
    pub metrics: Telemetry,
    /// Keeps decisions and orders.
    pub journal: Addr<Journal>,
}

/// The stages that run.
pub struct Started {
    /// How a cycle reaches them.
    pub stages: Stages,
    /// How each of them is pinged.
    pub pings: Vec<(ActorName, Recipient<Ping>)>,
    /// Writes what is still missing in the journal at the end.
    pub flush_unwritten: Recipient<FlushUnwritten>,
}

/// Starts the stages. None is restarted: if one panics, the daemon ends.
///
/// # Errors
/// There are no trusted roots for https to etcd.
pub fn start(settings: &Resolved, shared: &Shared) -> anyhow::Result<Started> {
    let fetcher = Fetcher::new(fetcher_config(settings, shared)).start();
    let time_columns = settings.time_columns;
    let builder = feature_builder::Config { time_columns, metrics: shared.metrics.clone() };
    let builder = FeatureBuilder::new(builder).start();
    let predictor = Predictor::new(predictor_config(settings, shared)).start();
    let sender =
        SignalSender::new(sender_config(settings, shared)).context("etcd cannot be reached over https")?.start();
    let pings = vec![
        (ActorName::Fetcher, fetcher.clone().recipient()),
        (ActorName::FeatureBuilder, builder.clone().recipient()),
        (ActorName::Predictor, predictor.clone().recipient()),
        (ActorName::SignalSender, sender.clone().recipient()),
        (ActorName::Journal, shared.journal.clone().recipient()),
    ];
    let flush_unwritten = sender.clone().recipient();
    let stages = Stages {
        fetch: fetcher.recipient(),
        build: builder.recipient(),
        predict: predictor.recipient(),
        open: sender.clone().recipient(),
        prepare: sender.clone().recipient(),
        send: sender.clone().recipient(),
        look: sender.recipient(),
        record: shared.journal.clone().recipient(),
        settled: shared.journal.clone().recipient(),
        metrics: shared.metrics.clone(),
    };
    Ok(Started { stages, pings, flush_unwritten })
}

/// The rules for decisions.
pub fn policy(settings: &Resolved, clock: Arc<dyn Clock>, members: Option<MemberCell>) -> Policy {
    Policy {
        members,
        instruments: settings.instruments().cloned().map(Arc::new).collect(),
        clock,
        interval: settings.data.interval,
        max_bar_age_s: settings.max_bar_age_s,
        calendar: settings.calendar.clone(),
        kill_switch: Arc::new(HaltFile::new(settings.guards.halt_file.clone())),
        volume_max: settings.guards.volume_max,
        failed_share_max: settings.failed_share_max,
        has_clock_stepped: false,
    }
}

/// Starts the Deadman, if it has a URL. Its thread is not joined at the end: no ping is waited for.
pub fn start_deadman(settings: &Resolved, metrics: &Telemetry) -> Option<Recipient<CycleWentWell>> {
    let config = deadman::Config {
        source: settings.deadman.source()?,
        every: Duration::from_secs(settings.deadman.every_s),
        deadline: Duration::from_millis(settings.deadman.deadline_ms),
        metrics: metrics.clone(),
    };
    Some(Deadman::start_in_arbiter(&Arbiter::new().handle(), |_| Deadman::new(config)).recipient())
}
