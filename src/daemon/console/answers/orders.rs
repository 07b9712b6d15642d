//! Orders, live and on paper, with their lives; and what is open.

use super::{Answer, Body, Query, answer, as_json, bad, health, newest_cycle, now::ledgers, sent, unread};
use crate::daemon::console::{app_state::AppState, security::failure};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use sentinel_actors::{
    adapters::journal::{Ledger, ROWS_MAX},
    domain::order_state::OrderState,
};
use serde_json::json;

pub async fn orders(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_orders(&request, &app).await)
}

async fn make_orders(request: &HttpRequest, app: &AppState) -> Answer {
    let query = Query::of(request)?;
    let (name, ledger) = match query.text("ledger") {
        None | Some("live") => ("live", Ledger::Live),
        Some("paper") => ("paper", Ledger::Paper),
        Some(_) => return Err(bad("ledger must be live or paper")),
    };
    let symbol = query.symbol(app)?.map(|symbol| symbol.name.clone());
    let state = query.text("state").map(str::to_owned);
    if state.as_ref().is_some_and(|state| state.parse::<OrderState>().is_err()) {
        return Err(bad("state must be intent, sending, filled, rejected, not_sent, unknown or expired"));
    }
    let (before, limit) = (query.number("before")?, query.limit()?);
    let page = app
        .reader
        .journal(move |journal| journal.orders_page(ledger, (symbol.as_deref(), state.as_deref()), (before, limit)));
    let page = page.await.map_err(unread)?;
    let cycle_id = newest_cycle(app, page.newest_cycle).await;
    let body = json!({"next_before": page.next_before, "ledger": name, "rows": as_json(page.rows)?});
    answer(request, app, Body::new(cycle_id, body))
}

pub async fn order(request: HttpRequest, app: web::Data<AppState>, id: web::Path<String>) -> HttpResponse {
    sent(make_order(&request, &app, id.into_inner()).await)
}

async fn make_order(request: &HttpRequest, app: &AppState, id: String) -> Answer {
    let story = app.reader.journal(move |journal| journal.order_story(&id)).await.map_err(unread)?;
    let story = story.ok_or_else(|| failure(StatusCode::NOT_FOUND, "not_found", "no order has this id"))?;
    let cycle_id = newest_cycle(app, story.newest_cycle).await;
    let body =
        json!({"order": as_json(story.order)?, "events": as_json(story.events)?, "decision": as_json(story.decision)?});
    answer(request, app, Body::new(cycle_id, body))
}

pub async fn positions(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_positions(&request, &app).await)
}

async fn make_positions(request: &HttpRequest, app: &AppState) -> Answer {
    let names = app.facts.gateway_names();
    let trouble = health(app).await?.account_trouble;
    let of = ledgers(app, trouble.as_ref());
    let positions = app.reader.journal(move |journal| journal.positions(&of, &names)).await;
    let mut positions = positions.map_err(unread)?;
    let cycle_id = newest_cycle(app, positions.newest_cycle).await;
    let total = positions.rows.len();
    positions.rows.truncate(ROWS_MAX);
    let body = json!({
        "seen_ms": positions.seen_ms, "trouble": positions.trouble, "total": total, "rows": as_json(positions.rows)?,
    });
    answer(request, app, Body::new(cycle_id, body))
}
