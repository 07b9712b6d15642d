//! The configurations of the stages that a cycle passes through.

use super::Shared;
use crate::{daemon::wiring::records::order_journal, net, settings::Resolved};
use sentinel_actors::{
    adapters::{
        etcd,
        gateway::{self, DialectParams},
    },
    domain::{cluster::shared::MemberCell, guard::Limits, order_manager::Rules},
    fetcher, predictor,
    signal_sender::{self, ClaimsConfig, PATIENCE},
};
use std::time::Duration;

/// How old a decision may be when its order is sent, in addition to the deadlines of the model and the gateway: time for asking
/// for positions and for writing to a slow disk. If it is older, the process or the machine was suspended.
const DECISION_SLACK: Duration = Duration::from_secs(10);

pub(super) fn fetcher_config(settings: &Resolved, shared: &Shared) -> fetcher::Config {
    let data = &settings.data;
    fetcher::Config {
        instruments: settings.instruments().cloned().collect(),
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

pub(super) fn predictor_config(settings: &Resolved, shared: &Shared) -> predictor::Config {
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

pub(super) fn sender_config(settings: &Resolved, shared: &Shared) -> signal_sender::Config {
    let gateway = &settings.gateway;
    let kind = settings.purpose.gateway.dialect();
    let params = DialectParams { comment: gateway.comment.clone(), magic: Some(gateway.magic) };
    signal_sender::Config {
        instruments: settings.instruments().cloned().collect(),
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
        cycle_step: settings.schedule.step(shared.clock.now()),
        rules: Rules {
            limits: if shared.members.is_some() { of_one_member(settings.limits()) } else { settings.limits() },
            account_mode: gateway.account_mode,
            proving_dialect: kind.has_proof().then(|| kind.as_str()),
            decision_age_max: decision_age_max(settings),
            waits_for_new_bar: settings.journal.waits_for_new_bar,
        },
        kill_switch: shared.kill_switch.clone(),
        authority: shared.authority.clone(),
        claims: shared.members.clone().map(|cell| claims_config(settings, cell)),
        breakers: shared.breakers.clone(),
        journal: order_journal(&shared.journal),
    }
}

/// What a member of a cluster compares by itself: open positions. All else is counted for the account in etcd, where orders of
/// this member that were refused do not count.
const fn of_one_member(limits: Limits) -> Limits {
    Limits {
        orders_per_hour_max: 0,
        orders_per_day_max: 0,
        cooldown: Duration::ZERO,
        loss_pct_per_day_max: 0.0,
        failures_in_a_row_max: 0,
        ..limits
    }
}

fn claims_config(settings: &Resolved, cell: MemberCell) -> ClaimsConfig {
    let etcd = settings.etcd(settings.purpose.gateway.account());
    ClaimsConfig {
        etcd: etcd::Config { patience: etcd.patience.min(PATIENCE), ..etcd },
        cell,
        limits: settings.limits(),
        account_mode: settings.gateway.account_mode,
        dialect: settings.purpose.gateway.dialect().as_str(),
    }
}

/// The deadlines of all requests to the model, one more for the rows that it refuses, and of the gateway, and some slack.
fn decision_age_max(settings: &Resolved) -> Duration {
    let requests = settings.symbols.len().div_ceil(settings.model.rows_per_request.max(1));
    let requests = u32::try_from(requests).unwrap_or(u32::MAX);
    let model = Duration::from_millis(settings.model.deadline_ms).saturating_mul(requests.saturating_add(1));
    model + Duration::from_millis(settings.gateway.deadline_ms) + DECISION_SLACK
}
