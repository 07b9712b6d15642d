//! Every actor's configuration, in the order of the pipeline, and the start of the stages. They share the thread that calls
//! `start`. The Journal, which waits for the disk, has its own thread, and so has the Deadman, which waits for an outside service.

use super::{console::BODY_BYTES_MAX, http::HttpConfig};
use crate::{
    net,
    process::build_info,
    settings::{Recorded, Resolved, Symbol as SymbolSettings},
};
use actix::{Actor, Addr, Arbiter, Recipient};
use sentinel_actors::{
    adapters::{
        archive::Queue,
        endpoint::{Breakers, Inflight},
        gateway::{self, DialectKind, DialectParams},
        halt_file::HaltFile,
        journal::Identity,
    },
    archive,
    cycle::{Policy, Stages},
    deadman::{self, Deadman},
    domain::{
        clock::Clock,
        cluster::{Authority, Unguarded},
        drift::Drift,
        guard::KillSwitch,
        instrument::{Instrument, InstrumentKey, Symbol},
        names::ActorName,
        order_manager::Rules,
        paper::PaperTerms,
        profit::{Figures, PaperFigures},
    },
    feature_builder::{self, FeatureBuilder},
    fetcher::{self, Fetcher},
    journal::{self, Horizons, Journal, Opened, PaperConfig},
    messages::{Backlog, CycleWentWell, FlushUnwritten, Ping, Telemetry},
    metrics,
    predictor::{self, Predictor},
    signal_sender::{self, JournalActorHandle, SignalSender},
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// How old a decision may be when its order is sent, in addition to the deadlines of the model and the gateway: time for asking
/// for positions and for writing to a slow disk. If it is older, the process or the machine was suspended.
const DECISION_SLACK: Duration = Duration::from_secs(10);

/// Twenty open pages, each with the six requests that a browser sends at once.
const CONSOLE_CONNECTIONS_MAX: usize = 128;

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
pub fn start(settings: &Resolved, shared: &Shared) -> Started {
    let fetcher = Fetcher::new(fetcher_config(settings, shared)).start();
    let time_columns = settings.time_columns;
    let builder = feature_builder::Config { time_columns, metrics: shared.metrics.clone() };
    let builder = FeatureBuilder::new(builder).start();
    let predictor = Predictor::new(predictor_config(settings, shared)).start();
    let sender = SignalSender::new(sender_config(settings, shared)).start();
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
    Started { stages, pings, flush_unwritten }
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

fn fetcher_config(settings: &Resolved, shared: &Shared) -> fetcher::Config {
    let data = &settings.data;
    fetcher::Config {
        instruments: settings.instruments.clone(),
        interval: data.interval,
        lookback_bars: data.lookback_bars,
        base_url: net::base_url(&data.base_url).to_owned(),
        token: settings.purpose.token.clone(),
        poll: settings.poll,
        overdue_poll_s: data.overdue_poll_s,
        deadline: Duration::from_millis(data.deadline_ms),
        body_bytes_max: data.body_bytes_max,
        concurrency: data.concurrency,
        market_clock: settings.market_clock,
        calendar: settings.calendar.clone(),
        on_gap: data.on_gap,
        jump_max: data.jump_max,
        clock: shared.clock.clone(),
        inflight: shared.inflight.clone(),
        breakers: shared.breakers.clone(),
        metrics: shared.metrics.clone(),
    }
}

fn predictor_config(settings: &Resolved, shared: &Shared) -> predictor::Config {
    let model = &settings.model;
    predictor::Config {
        base_url: model.base_url(),
        tabular: model.tabular,
        rows_per_request: model.rows_per_request,
        deadline: Duration::from_millis(model.deadline_ms),
        body_bytes_max: model.body_bytes_max,
        inflight: shared.inflight.clone(),
        breakers: shared.breakers.clone(),
        metrics: shared.metrics.clone(),
    }
}

/// The configuration of the MetricsActor. `period` is the time between two due cycles.
pub fn metrics_config(settings: &Resolved, period: Duration, opened: &Opened, policy: &Policy) -> metrics::Config {
    let symbols: Vec<_> = settings.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    // They are from weeks of hourly bars, so a restart continues with them.
    let known = opened.confidences(&settings.model.name, &symbols);
    metrics::Config {
        symbols,
        build: build_info(),
        config_hash: settings.hash,
        failed_share_max: settings.failed_share_max,
        drift: Drift::new(settings.reference.clone(), known),
        live: settings.purpose.gateway.is_live(),
        money: money(settings, opened, policy.clock.now()),
        paper: paper_figures(settings, opened, policy.clock.now()),
        max_bar_age_s: settings.max_bar_age_s,
        kill_switch: policy.kill_switch.clone(),
        authority: Arc::new(Unguarded),
        period,
        inflight: Inflight::default(),
        breakers: Breakers::new(settings.breaker),
        backlog: Backlog::default(),
        clock: policy.clock.clone(),
    }
}

/// The account's money as the journal knows it; none in a dry run, which has no account.
fn money(settings: &Resolved, opened: &Opened, now: Duration) -> Option<Figures> {
    let gateway = &settings.purpose.gateway;
    gateway.is_live().then(|| opened.money(gateway.account(), &gateway_names(settings), now))?
}

/// What was realised on paper today; none without an account on paper.
fn paper_figures(settings: &Resolved, opened: &Opened, now: Duration) -> Option<PaperFigures> {
    if !settings.paper.enabled {
        return None;
    }
    opened.paper_figures(&identity(settings).account, now)
}

/// The rules for decisions.
pub fn policy(settings: &Resolved, clock: Arc<dyn Clock>) -> Policy {
    Policy {
        instruments: settings.instruments.iter().cloned().map(Arc::new).collect(),
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

fn sender_config(settings: &Resolved, shared: &Shared) -> signal_sender::Config {
    let gateway = &settings.gateway;
    let kind = settings.purpose.gateway.dialect();
    let params = DialectParams { comment: gateway.comment.clone(), magic: Some(gateway.magic) };
    signal_sender::Config {
        instruments: settings.instruments.clone(),
        live: settings.purpose.gateway.is_live(),
        other_names: gateway.other_names.clone(),
        account: settings.purpose.gateway.account().to_owned(),
        model_name: settings.model.name.clone(),
        peer: settings.peer(),
        dialect: gateway::dialect(kind, params),
        deadline: Duration::from_millis(gateway.deadline_ms),
        clock: shared.clock.clone(),
        shutdown: shared.shutdown.clone(),
        inflight: shared.inflight.clone(),
        metrics: shared.metrics.clone(),
        account_poll: Some(Duration::from_secs(gateway.account_poll_s)).filter(|every| !every.is_zero()),
        rules: Rules {
            limits: settings.limits(),
            account_mode: gateway.account_mode,
            proving_dialect: kind.has_proof().then(|| kind.as_str()),
            decision_age_max: decision_age_max(settings),
            waits_for_new_bar: settings.journal.waits_for_new_bar,
        },
        kill_switch: shared.kill_switch.clone(),
        authority: shared.authority.clone(),
        breakers: shared.breakers.clone(),
        journal: order_journal(&shared.journal),
    }
}

/// How the SignalSender reaches the Journal.
pub fn order_journal(journal: &Addr<Journal>) -> JournalActorHandle {
    JournalActorHandle {
        standing: journal.clone().recipient(),
        history: journal.clone().recipient(),
        fills: journal.clone().recipient(),
        equity: journal.clone().recipient(),
        account: journal.clone().recipient(),
        write: journal.clone().recipient(),
    }
}

/// The configuration of the Archivist; `None` if no bars are kept.
pub fn archive_config(settings: &Resolved, clock: Arc<dyn Clock>, metrics: Telemetry) -> Option<archive::Config> {
    let base_url = &settings.data.base_url;
    Some(archive::Config {
        path: settings.archive.as_ref()?.path.clone(),
        keep: settings.archive.as_ref()?.keep,
        interval: settings.data.interval,
        // Its host and port; settings let no user or password into it.
        source: base_url.split("://").last().and_then(|rest| rest.split('/').next()).unwrap_or(base_url).into(),
        clock,
        metrics,
    })
}

/// The configuration of the Journal.
///
/// # Errors
/// The settings cannot be recorded with decisions; no setting is known to do that.
pub fn journal_config(
    settings: &Resolved,
    clock: Arc<dyn Clock>,
    metrics: Telemetry,
    archive: Option<Queue>,
) -> serde_json::Result<journal::Config> {
    let digits = settings.instruments.iter().map(|instrument| (instrument.symbol.clone(), instrument.digits));
    Ok(journal::Config {
        version: Arc::new(Recorded::version(settings, build_info().version)?),
        names: gateway_names(settings),
        horizons: Horizons {
            bars: settings.study.horizon_bars,
            interval: settings.data.interval,
            calendar: settings.calendar.clone(),
            digits: digits.collect(),
        },
        archive,
        paper: paper_config(settings),
        path: settings.journal.path.clone(),
        keep: settings.journal.keep,
        identity: identity(settings),
        waits_for_new_bar: settings.journal.waits_for_new_bar,
        clock,
        metrics,
    })
}

/// The broker's name of each symbol.
fn gateway_names(settings: &Resolved) -> Arc<[(InstrumentKey, Symbol)]> {
    let name = |it: &Instrument| (InstrumentKey::of(&it.gateway_name), it.symbol.clone());
    settings.instruments.iter().map(name).collect()
}

/// The configuration of the account on paper; `None` if there is none.
fn paper_config(settings: &Resolved) -> Option<Arc<PaperConfig>> {
    let paper = &settings.paper;
    let terms = PaperTerms {
        triple_day: settings.study.triple_swap_day,
        horizon_bars: paper.horizon_bars,
        start: paper.balance,
        account_mode: settings.gateway.account_mode,
        opposite: settings.guards.opposite,
    };
    let priced = |(instrument, symbol): (&Instrument, &SymbolSettings)| {
        (instrument.clone(), settings.study.costs(symbol, instrument.digits))
    };
    let config = PaperConfig {
        instruments: settings.instruments.iter().zip(&settings.symbols.0).map(priced).collect(),
        limits: settings.limits(),
        terms,
        money: settings.money.clone(),
    };
    paper.enabled.then(|| Arc::new(config))
}

/// The deadlines of all requests to the model, one more for the rows that it refuses, and of the gateway, and some slack.
fn decision_age_max(settings: &Resolved) -> Duration {
    let requests = settings.instruments.len().div_ceil(settings.model.rows_per_request.max(1));
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    let model = Duration::from_millis(settings.model.deadline_ms).saturating_mul(requests.saturating_add(1));
    model + Duration::from_millis(settings.gateway.deadline_ms) + DECISION_SLACK
}

/// The daemon's part of an order's identity, and what the journal keeps with it.
pub fn identity(settings: &Resolved) -> Identity {
    let gateway = &settings.purpose.gateway;
    let dialect = gateway.said_dialect().map_or("", DialectKind::as_str);
    let (account, account_mode) = (gateway.account().to_owned(), settings.gateway.account_mode);
    Identity { account, model: settings.model.name.clone(), dialect, account_mode }
}

/// The configuration of the console's port. Its limits are its own: a browser keeps a few connections.
pub fn console_config(settings: &Resolved) -> HttpConfig {
    let console = &settings.console;
    HttpConfig {
        host: console.bind.clone(),
        port: console.port,
        connections_max: CONSOLE_CONNECTIONS_MAX,
        header_deadline: Duration::from_millis(settings.metrics.header_deadline_ms),
        connection_deadline: Duration::from_millis(settings.metrics.connection_deadline_ms),
        body_bytes_max: BODY_BYTES_MAX,
        ask_deadline: Duration::from_millis(settings.metrics.ask_deadline_ms),
        protection: settings.console_protection.clone(),
    }
}

/// The configuration of the port.
pub fn http_config(settings: &Resolved) -> HttpConfig {
    let metrics = &settings.metrics;
    HttpConfig {
        host: metrics.bind.clone(),
        port: metrics.port,
        connections_max: metrics.connections_max,
        header_deadline: Duration::from_millis(metrics.header_deadline_ms),
        connection_deadline: Duration::from_millis(metrics.connection_deadline_ms),
        body_bytes_max: 0,
        ask_deadline: Duration::from_millis(metrics.ask_deadline_ms),
        protection: settings.protection.clone(),
    }
}
