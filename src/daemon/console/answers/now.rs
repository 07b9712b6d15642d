//! The view Now: all that a person has to know first.

use super::{Answer, Body, answer, as_json, health, millis, sent, unread};
use crate::daemon::console::{
    app_state::AppState,
    facts::{Facts, SymbolFacts},
    halt::Halt,
    security::{Doors, user},
};
use actix_web::{HttpRequest, HttpResponse, web};
use sentinel_actors::{
    adapters::journal::{
        ConsoleReader, Decided, Latch, Ledgers, OrderShown, PositionCount, Pressed, ROWS_MAX, ReadError, Today,
    },
    metrics::health::CycleHealth,
};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};

/// Unresolved orders that are listed.
const UNRESOLVED_MAX: u32 = 50;
/// Bars that are older are recorded ones.
const RECORDED_S: i64 = 30 * 86_400;
/// Where the settings have no limit, orders in a row are counted up to this.
const FAILURES_MAX: u32 = 100;

/// What the journal says.
struct Rows {
    decisions: Vec<Decided>,
    signals: HashMap<String, Decided>,
    positions: HashMap<String, PositionCount>,
    unresolved: Vec<OrderShown>,
    today: (Today, Today),
    halt: Stopped,
}

/// What the journal says of a halt and of failed orders.
struct Stopped {
    pressed: Option<Pressed>,
    failures: u32,
    latch: Latch,
}

/// Why a daemon that sends nothing has no results.
const DRY_RUN: &str = "dry run: no order is sent";

/// Why there is no account on paper.
const PAPER_OFF: &str = "paper is off";

/// Whose figures, and when. `trouble`: why the gateway tells nothing of the account at present.
pub(super) fn ledgers(app: &AppState, trouble: Option<&String>) -> Ledgers {
    Ledgers {
        account: app.facts.journal_account.clone(),
        no_live: (!app.facts.is_live).then_some(DRY_RUN),
        no_paper: (!app.facts.has_paper).then_some(PAPER_OFF),
        trouble: trouble.cloned(),
        started_ms: millis(app.facts.started),
        digits: app.facts.symbols.iter().map(|symbol| (symbol.name.clone(), symbol.digits)).collect(),
        now_ms: millis(app.clock.now()),
    }
}

pub async fn now(request: HttpRequest, app: web::Data<AppState>, doors: web::Data<Doors>) -> HttpResponse {
    sent(make(&request, &app, &doors).await)
}

async fn make(request: &HttpRequest, app: &AppState, doors: &Doors) -> Answer {
    let health = health(app).await?;
    let since_ms = app.halt.since_ms();
    let (of, shared) = (ledgers(app, health.account_trouble.as_ref()), app.facts.clone());
    let of_now = of.now_ms / 1_000;
    let rows = app.reader.journal(move |journal| read(journal, &of, &shared, since_ms)).await;
    let Rows { decisions, mut signals, positions, unresolved, today, halt: stopped } = rows.map_err(unread)?;
    let halt = shown(app, since_ms, Some(stopped));
    let facts = &app.facts;
    let user = user(request);
    let newest_bar = decisions.iter().filter_map(|decision| decision.bar_close_s).max();
    let newest_cycle = decisions.first().map(|decision| decision.cycle_id);
    let mut decisions: HashMap<_, _> = decisions.into_iter().map(|it| (it.symbol.clone(), it)).collect();
    let symbols = shown_symbols(facts).map(|symbol| {
        let PositionCount { live, unknown, paper } = positions.get(&symbol.name).copied().unwrap_or_default();
        json!({
            "symbol": symbol.name, "gateway_name": symbol.gateway_name, "digits": symbol.digits,
            "positions_live": live, "positions_unknown": unknown, "positions_paper": paper,
            "decision": decisions.remove(&symbol.name), "signal": signals.remove(&symbol.name),
        })
    });
    let symbols: Vec<_> = symbols.collect();
    let cycle = health.last_cycle.as_ref().map(|cycle| {
        let detail = health.checks.iter().find(|check| check.name == "last_cycle").map(|check| check.detail.clone());
        json!({"finished_ms": millis(cycle.finished_at), "duration_ms": cycle.duration_seconds * 1e3,
               "outcome": cycle.outcome, "detail": detail.unwrap_or_default()})
    });
    let cycle_id = health.last_cycle.as_ref().and_then(|cycle| i64::try_from(cycle.cycle_id).ok()).or(newest_cycle);
    let is_due = !facts.is_back_to_back && !health.cycles_ended;
    let next_cycle = is_due.then(|| facts.schedule.next_after(app.clock.now())).flatten().map(millis);
    let due =
        is_due.then(|| facts.schedule.next_after(last_begin(health.last_cycle.as_ref(), facts.started))).flatten();
    let day = 86_400_000;
    let from_ms = millis(app.clock.now()).div_euclid(day) * day;
    let unresolved: Vec<_> = unresolved.iter().map(unresolved_row).collect();
    // Ages in a sentence change with every second; the state that they describe is elsewhere.
    let checks = |with_ages: bool| -> Vec<Value> {
        let checks = health.checks.iter().map(|check| {
            let detail = if check.name != "schedule" || with_ages { check.detail.as_str() } else { "" };
            json!({"name": check.name, "status": check.status, "detail": detail})
        });
        checks.collect()
    };
    let shown = |with_ages: bool| {
        let because = health.not_ready_because.as_ref().filter(|_| with_ages);
        json!({"status": health.status, "is_ready": health.ready, "not_ready_because": because, "checks": checks(with_ages)})
    };
    let body = json!({
        "daemon": {
            "version": facts.build.version, "revision": facts.build.revision, "mode": health.mode,
            "account": facts.account, "model": facts.model, "started_ms": millis(facts.started),
            "interval": facts.interval.as_str(), "interval_s": facts.interval.nominal_s(),
        },
        "user": {"name": user.as_ref().map(|user| &user.0), "is_operator": doors.is_operator(user.as_ref())},
        "period_s": facts.period.as_secs_f64(), "step_s": facts.step.as_secs_f64(), "next_cycle_ms": next_cycle,
        "due_ms": due.map(millis), "cycles_ended": health.cycles_ended,
        "cycle": cycle,
        "market": {"is_open": is_open(facts, newest_bar, of_now, health.is_market_open), "calendar": facts.calendar_name},
        "newest_bar_close_s": newest_bar, "next_bar_close_s": newest_bar.and_then(|newest| next_bar(facts, newest, of_now)),
        "halt": as_json(halt)?,
        "health": shown(false),
        "unresolved": unresolved,
        "today": {"from_ms": from_ms, "live": today.0, "paper": today.1},
        "symbols_total": facts.symbols.len(),
        "symbols": symbols,
    });
    answer(request, app, Body::new(cycle_id, body).passing("health", shown(true)))
}

/// When the last cycle began: the one after it is or was due from then on. A clock that was set back since has left the id in
/// the future, but not the end.
fn last_begin(cycle: Option<&CycleHealth>, started: Duration) -> Duration {
    cycle.map_or(started, |cycle| Duration::from_millis(cycle.cycle_id).min(cycle.finished_at))
}

/// Whether the market is open now, which the last cycle does not know: a schedule may rest for days. Recorded bars have a time of
/// their own, which only the cycle knows.
fn is_open(facts: &Facts, newest_close_s: Option<i64>, now_s: i64, in_cycle: Option<bool>) -> Option<bool> {
    match newest_close_s {
        Some(close_s) if now_s - close_s < RECORDED_S => Some(facts.calendar.is_open(now_s)),
        _ => in_cycle,
    }
}

/// When the bar after the newest one closes, unix seconds; `None` if it has, as of recorded bars, or while the market is closed.
fn next_bar(facts: &Facts, newest_close_s: i64, now_s: i64) -> Option<i64> {
    let (interval, calendar) = (facts.interval, &facts.calendar);
    let close_s = interval.due_at(newest_close_s, calendar);
    let is_open = calendar.expects_bar(close_s - interval.nominal_s(), close_s, interval.source_s());
    (close_s > now_s && is_open).then_some(close_s)
}

/// As many symbols as an answer has rows.
fn shown_symbols(facts: &Facts) -> impl Iterator<Item = &SymbolFacts> {
    facts.symbols.iter().take(ROWS_MAX)
}

fn unresolved_row(order: &OrderShown) -> Value {
    json!({"id": order.id, "symbol": order.symbol, "side": order.side, "volume": order.volume, "since_ms": order.updated_ms,
           "reason": order.reason})
}

fn read(journal: &mut ConsoleReader, of: &Ledgers, facts: &Facts, since_ms: Option<i64>) -> Result<Rows, ReadError> {
    let signals = journal.newest_signals(shown_symbols(facts).map(|symbol| symbol.name.as_str()))?;
    Ok(Rows {
        decisions: journal.newest_decisions()?,
        signals: signals.into_iter().map(|signal| (signal.symbol.clone(), signal)).collect(),
        positions: journal.positions(of, &facts.gateway_names())?.counts(),
        unresolved: journal.unresolved(UNRESOLVED_MAX)?,
        today: journal.today(of)?,
        halt: stopped(journal, &of.account, since_ms, facts.failures_max)?,
    })
}

/// Who made the file that was made at this time, and how many orders in a row were not filled.
fn stopped(
    journal: &mut ConsoleReader,
    account: &str,
    since_ms: Option<i64>,
    failures_max: u32,
) -> Result<Stopped, ReadError> {
    let pressed = match since_ms {
        Some(at_ms) => journal.halt_at(at_ms)?,
        None => None,
    };
    let most = if failures_max == 0 { FAILURES_MAX } else { failures_max };
    // The count after the latch: an order that fails between the two makes the page's number old, never new.
    let latch = journal.latch(account, failures_max)?;
    Ok(Stopped { pressed, failures: journal.failures_in_a_row(account, most)?, latch })
}

/// HALT of the contract, numbered with what the journal said. Who made a file is told of the file that was asked about only.
fn shown(app: &AppState, since_ms: Option<i64>, stopped: Option<Stopped>) -> Halt {
    let seen = app.halt.look(stopped.as_ref().map(|stopped| stopped.latch));
    let failures = stopped.as_ref().map(|stopped| stopped.failures);
    let pressed = stopped.and_then(|stopped| stopped.pressed).filter(|_| seen.since_ms == since_ms);
    app.halt.shown(seen, pressed, failures)
}

/// The answer of a button: the state of the kill switch now, also if the journal cannot be read.
/// `doubts` say what is not certain of the press.
pub async fn halt_now(app: &AppState, doubts: &[String]) -> HttpResponse {
    let since_ms = app.halt.since_ms();
    let (account, failures_max) = (app.facts.journal_account.clone(), app.facts.failures_max);
    let read = app.reader.journal(move |journal| stopped(journal, &account, since_ms, failures_max)).await;
    let halt = shown(app, since_ms, read.ok());
    let cycle_id = super::newest_cycle(app, None).await;
    let now_ms = super::now_ms(app);
    HttpResponse::Ok()
        .json(json!({"schema": 1, "now_ms": now_ms, "cycle_id": cycle_id, "halt": halt, "doubts": doubts}))
}
