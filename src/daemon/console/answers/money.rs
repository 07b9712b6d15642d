//! What was earned and the curves of equity; and what the model's odds were worth.

use super::{
    Answer, Body, Query, answer, as_json, bad, newest_cycle, no_actor, now::ledgers, samples::Samples, sent, unread,
};
use crate::daemon::console::{app_state::AppState, facts::Facts};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Datelike, Days, NaiveTime, Utc};
use sentinel_actors::{adapters::journal::Range, domain::drift::CONFIDENCES};
use serde_json::{Value, json};

/// The bins where no reference has others.
const BOUNDS: [f64; 7] = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

pub async fn money(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_money(&request, &app).await)
}

async fn make_money(request: &HttpRequest, app: &AppState) -> Answer {
    // Without the MetricsActor the journal's figures stay, each with its time.
    let trouble = app.health.answer().await.and_then(|health| health.account_trouble);
    let of = ledgers(app, trouble.as_ref());
    let starts = starts(of.now_ms).ok_or_else(|| bad("the daemon's clock is out of range"))?;
    let rows = app.reader.journal(move |journal| journal.money(&of, &starts)).await.map_err(unread)?;
    let cycle_id = newest_cycle(app, rows.newest_cycle).await;
    let body = json!({
        "account": as_json(rows.account)?, "paper_start": rows.paper_start, "periods": as_json(rows.periods)?,
        "days": as_json(rows.days)?, "symbols": as_json(rows.symbols)?, "unexplained": as_json(rows.unexplained)?,
        "slippage": as_json(rows.slippage)?,
    });
    answer(request, app, Body::new(cycle_id, body))
}

/// When today, this week (a Monday) and this month began in UTC, unix milliseconds.
fn starts(now_ms: i64) -> Option<[(&'static str, i64); 3]> {
    let today = DateTime::<Utc>::from_timestamp_millis(now_ms)?.date_naive();
    let week = today.checked_sub_days(Days::new(u64::from(today.weekday().num_days_from_monday())))?;
    let month = today.with_day(1)?;
    let begin = |day: chrono::NaiveDate| day.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    Some([("today", begin(today)), ("week", begin(week)), ("month", begin(month))])
}

pub async fn equity(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_equity(&request, &app).await)
}

async fn make_equity(request: &HttpRequest, app: &AppState) -> Answer {
    let query = Query::of(request)?;
    let name = query.text("range").unwrap_or("month");
    let range = Range::ALL.into_iter().find(|(known, _)| *known == name);
    let (name, range) = range.ok_or_else(|| bad("range must be day, week, month or all"))?;
    let trouble = app.health.answer().await.and_then(|health| health.account_trouble);
    let of = ledgers(app, trouble.as_ref());
    let curves = app.reader.journal(move |journal| journal.equity(&of, range)).await.map_err(unread)?;
    let cycle_id = newest_cycle(app, curves.newest_cycle).await;
    let body = json!({
        "range": name, "trouble": curves.trouble, "live": as_json(curves.live)?, "paper": as_json(curves.paper)?,
    });
    answer(request, app, Body::new(cycle_id, body))
}

pub async fn model(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_model(&request, &app).await)
}

async fn make_model(request: &HttpRequest, app: &AppState) -> Answer {
    let facts = &app.facts;
    let (name, horizon) = (facts.model.clone(), facts.horizon_bars);
    let rows = app.reader.journal(move |journal| journal.model(&name, horizon)).await.map_err(unread)?;
    let text = app.metrics.answer().await.ok_or_else(no_actor)?;
    let samples = Samples::of(&text.text);
    let observations = rows.confidences.len();
    // It is 0 in the metrics until there are enough, which would look like none.
    let psi = samples.get("sentinel_prediction_drift_psi");
    let psi = psi.filter(|_| facts.reference.is_some() && observations >= CONFIDENCES);
    let thresholds: Vec<_> =
        facts.symbols.iter().map(|symbol| json!({"symbol": symbol.name, "threshold": symbol.threshold})).collect();
    let cycle_id = newest_cycle(app, rows.newest_cycle).await;
    let body = json!({
        "name": facts.model, "address": facts.model_address, "since_ms": rows.since_ms, "trained_until": facts.trained_until,
        "horizon_bars": facts.horizon_bars,
        "drift": {"psi": psi, "observations": observations, "has_reference": facts.reference.is_some()},
        "histogram": histogram(facts, &rows.confidences),
        "calibration": as_json(rows.calibration)?, "outcomes": as_json(rows.outcomes)?, "thresholds": thresholds,
    });
    answer(request, app, Body::new(cycle_id, body))
}

fn histogram(facts: &Facts, confidences: &[f64]) -> Option<Value> {
    if confidences.is_empty() {
        return None;
    }
    let bounds = facts.reference.as_ref().map_or(&BOUNDS[..], |reference| reference.bounds());
    let mut counts = vec![0_u32; bounds.len()];
    for confidence in confidences {
        let bin = bounds.partition_point(|bound| bound < confidence).min(counts.len() - 1);
        counts[bin] += 1;
    }
    let shares: Vec<_> = counts.iter().map(|count| f64::from(*count) / confidences.len() as f64).collect();
    let reference = facts.reference.as_ref().map(|reference| reference.shares());
    Some(json!({"count": confidences.len(), "bounds": bounds, "shares": shares, "reference": reference}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_and_may_begin_before_the_month() {
        // Tuesday 2025-12-02 12:00 UTC.
        let starts = starts(1_764_676_800_000).unwrap();
        let days =
            starts.map(|(name, at)| format!("{name} {}", DateTime::from_timestamp_millis(at).unwrap().format("%a %F")));
        assert_eq!(days, ["today Tue 2025-12-02", "week Mon 2025-12-01", "month Mon 2025-12-01"]);
        // Sunday 2025-11-30.
        let week = super::starts(1_764_504_000_000).unwrap()[1].1;
        assert_eq!(DateTime::from_timestamp_millis(week).unwrap().format("%a %F").to_string(), "Mon 2025-11-24");
    }
}
