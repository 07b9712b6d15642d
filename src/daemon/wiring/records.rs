//! The configurations of what keeps a record: Journal, Archivist, the account on paper, and MetricsActor.

use crate::{
    process::build_info,
    settings::{Recorded, Resolved, ResolvedSymbol},
};
use actix::Addr;
use sentinel_actors::{
    adapters::{
        archive::Queue,
        endpoint::{Breakers, Inflight},
        gateway::DialectKind,
        journal::Identity,
    },
    archive,
    cycle::Policy,
    domain::{
        clock::Clock,
        cluster::Unguarded,
        drift::Drift,
        instrument::{Instrument, InstrumentKey, Symbol},
        paper::PaperTerms,
        profit::{Figures, PaperFigures},
    },
    journal::{self, Horizons, Journal, Opened, PaperConfig},
    messages::{Backlog, Telemetry},
    metrics,
    signal_sender::JournalActorHandle,
};
use std::{sync::Arc, time::Duration};

/// The configuration of the MetricsActor. `period` is the time between two due cycles.
pub fn metrics_config(settings: &Resolved, period: Duration, opened: &Opened, policy: &Policy) -> metrics::Config {
    let symbols: Vec<_> = settings.instruments().map(|instrument| instrument.symbol.clone()).collect();
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
        authority: Arc::new(Unguarded::default()),
        claim: settings.claim_of(settings.purpose.gateway.account()),
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

/// How the SignalSender reaches the Journal.
pub fn order_journal(journal: &Addr<Journal>) -> JournalActorHandle {
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
    let digits = settings.instruments().map(|instrument| (instrument.symbol.clone(), instrument.digits));
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
    settings.instruments().map(name).collect()
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
    let priced = |ResolvedSymbol { instrument, table, .. }: &ResolvedSymbol| {
        (instrument.clone(), settings.study.costs(table, instrument.digits))
    };
    let config = PaperConfig {
        instruments: settings.symbols.iter().map(priced).collect(),
        limits: settings.limits(),
        terms,
        money: settings.money.clone(),
    };
    paper.enabled.then(|| Arc::new(config))
}

/// The daemon's part of an order's identity, and what the journal keeps with it.
pub fn identity(settings: &Resolved) -> Identity {
    let gateway = &settings.purpose.gateway;
    let dialect = gateway.said_dialect().map_or("", DialectKind::as_str);
    let (account, account_mode) = (gateway.account().to_owned(), settings.gateway.account_mode);
    Identity { account, model: settings.model.name.clone(), dialect, account_mode }
}
