//! Decisions, bars and odds, page by page.

use super::{Answer, Body, Query, answer, as_json, newest_cycle, sent, unread};
use crate::daemon::console::{app_state::AppState, security::failure};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use sentinel_actors::domain::{bar::Bar, calendar::Calendar, interval::Interval};
use serde_json::{Value, json};

pub async fn decisions(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_decisions(&request, &app).await)
}

async fn make_decisions(request: &HttpRequest, app: &AppState) -> Answer {
    let query = Query::of(request)?;
    let symbol = query.symbol(app)?.map(|symbol| symbol.name.clone());
    let (before, limit) = (query.number("before")?, query.limit()?);
    let page = app.reader.journal(move |journal| journal.decided(symbol.as_deref(), before, limit)).await;
    let page = page.map_err(unread)?;
    let cycle_id = newest_cycle(app, page.newest_cycle).await;
    let body = json!({"next_before": page.next_before, "rows": as_json(page.rows)?});
    answer(request, app, Body::new(cycle_id, body))
}

pub async fn odds(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_odds(&request, &app).await)
}

async fn make_odds(request: &HttpRequest, app: &AppState) -> Answer {
    let query = Query::of(request)?;
    let symbol = query.required_symbol(app)?.name.clone();
    let (before, limit) = (query.number("before")?, query.limit()?);
    let (name, model) = (symbol.clone(), app.facts.model.clone());
    let page = app.reader.journal(move |journal| journal.odds(&model, &name, before, limit)).await.map_err(unread)?;
    let cycle_id = newest_cycle(app, page.newest_cycle).await;
    let body = json!({"next_before": page.next_before, "symbol": symbol, "rows": as_json(page.rows)?});
    answer(request, app, Body::new(cycle_id, body))
}

pub async fn bars(request: HttpRequest, app: web::Data<AppState>) -> HttpResponse {
    sent(make_bars(&request, &app).await)
}

async fn make_bars(request: &HttpRequest, app: &AppState) -> Answer {
    let query = Query::of(request)?;
    let symbol = query.required_symbol(app)?;
    let (before, limit) = (query.number("before")?, query.limit()?);
    if app.facts.archive.is_none() {
        let message = "no bars are kept: archive.enabled is false";
        return Err(failure(StatusCode::NOT_FOUND, "not_found", message));
    }
    let (interval, name, calendar) = (app.facts.interval, symbol.name.clone(), app.facts.calendar.clone());
    let read = app.reader.archive(move |archive| {
        // A bar closes after it opens, so no bar that closes before this opens later; two more for long and short days.
        let found = archive.newest(&name, interval, before.unwrap_or(i64::MAX), limit + 2)?;
        let is_before = |bar: &Bar| before.is_none_or(|before| bar.close_time(interval, &calendar) < before);
        Ok(found.into_iter().filter(is_before).collect::<Vec<_>>())
    });
    let calendar = &app.facts.calendar;
    let close = |bar: &Bar| bar.close_time(interval, calendar);
    let (bars, gaps, has_more) = page(read.await.map_err(unread)?.unwrap_or_default(), limit, interval, calendar);
    let next_before = bars.last().map(close).filter(|_| has_more);
    let row = |bar: &Bar| json!([close(bar), bar.open, bar.high, bar.low, bar.close, bar.volume]);
    let rows: Vec<_> = bars.iter().map(row).collect();
    let body = json!({
        "next_before": next_before, "symbol": symbol.name, "interval": interval.as_str(),
        "interval_s": interval.nominal_s(), "digits": symbol.digits,
        "columns": ["bar_close_s", "open", "high", "low", "close", "volume"], "rows": rows, "gaps": gaps,
    });
    let cycle_id = newest_cycle(app, None).await;
    answer(request, app, Body::new(cycle_id, body))
}

/// The bars of a page, the newest first, with the gaps between them and before the next page; and whether there is one.
fn page(mut bars: Vec<Bar>, limit: usize, interval: Interval, calendar: &Calendar) -> (Vec<Bar>, Vec<Value>, bool) {
    bars.truncate(limit + 1);
    let gaps = bars.windows(2).filter_map(|pair| gap(pair, interval, calendar)).collect();
    let has_more = bars.len() > limit;
    bars.truncate(limit);
    (bars, gaps, has_more)
}

/// Between a bar and the older one after it: the bars that the market should have had there.
fn gap(pair: &[Bar], interval: Interval, calendar: &Calendar) -> Option<Value> {
    /// No longer gap is counted to its end.
    const MISSING_MAX: u32 = 100_000;
    let (newer, older) = (&pair[0], &pair[1]);
    let (from_s, until_s) = (older.close_time(interval, calendar), newer.close_time(interval, calendar));
    let (mut at, mut missing) = (from_s, 0);
    while at < newer.open_time && missing < MISSING_MAX && interval.is_due(at, newer.open_time, calendar) {
        let next = interval.due_at(at, calendar);
        if next <= at || next > newer.open_time {
            break;
        }
        // A bar that lies wholly in a closed market is not missing.
        missing += u32::from(calendar.expects_bar(next - interval.nominal_s(), next, interval.source_s()));
        at = next;
    }
    (missing > 0).then(|| json!({"from_s": from_s, "until_s": until_s, "missing": missing}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open_time: i64) -> Bar {
        Bar { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 }
    }

    #[test]
    fn a_gap_at_the_end_of_a_page_belongs_to_it() {
        const HOUR: i64 = 3_600;
        // Wednesday 2026-01-07 12:00 UTC; the hours 10 and 11 are missing.
        let noon = 1_767_787_200;
        let bars: Vec<_> = [0, 3, 4].map(|hours| bar(noon - hours * HOUR)).into();
        for (limit, expected) in [(1, (1, 1, true)), (2, (2, 1, true)), (3, (3, 1, false))] {
            let (page, gaps, has_more) = page(bars.clone(), limit, Interval::OneHour, &Calendar::fx());
            assert_eq!((page.len(), gaps.len(), has_more), expected, "{limit}");
            assert_eq!(gaps[0]["missing"], 2);
        }
    }

    #[test]
    fn a_weekend_is_no_gap_and_missing_hours_are_counted() {
        const HOUR: i64 = 3_600;
        // Friday 2026-01-09 20:00 and 21:00 UTC are the week's last hours; Sunday's first is 22:00.
        let friday = 1_767_988_800;
        let missing = |older: i64, newer: i64| {
            let gap = gap(&[bar(newer), bar(older)], Interval::OneHour, &Calendar::fx());
            gap.map(|gap| {
                (gap["from_s"].as_i64().unwrap(), gap["until_s"].as_i64().unwrap(), gap["missing"].as_u64().unwrap())
            })
        };
        assert_eq!(missing(friday, friday + HOUR), None);
        assert_eq!(missing(friday + HOUR, friday + 50 * HOUR), None);
        assert_eq!(missing(friday - 3 * HOUR, friday), Some((friday - 2 * HOUR, friday + HOUR, 2)));
        assert_eq!(
            missing(friday, friday + 51 * HOUR),
            Some((friday + HOUR, friday + 52 * HOUR, 2)),
            "each side of a weekend"
        );
    }
}
