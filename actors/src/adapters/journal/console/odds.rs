//! Odds: what became of each bar of a symbol, with what is most telling of the decisions on it.

use super::{
    ConsoleReader, ReadError,
    decisions::{COLUMNS, Decided, TELLING, decided},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// What a row of odds says of paper.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct PaperMark {
    pub mark: &'static str,
    pub reason: Option<String>,
    pub order_id: Option<String>,
    pub price: Option<f64>,
    pub side: Option<String>,
}

/// A bar that was decided on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct OddsRow {
    pub bar_close_s: i64,
    pub close: Option<f64>,
    pub p_sell: Option<f64>,
    pub p_hold: Option<f64>,
    pub p_buy: Option<f64>,
    pub threshold: f64,
    pub action: Option<String>,
    pub mark: &'static str,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub order_id: Option<String>,
    pub price: Option<f64>,
    pub paper: Option<PaperMark>,
}

/// A page of them, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct OddsPage {
    /// The newest cycle of all.
    pub newest_cycle: Option<i64>,
    /// The rows.
    pub rows: Vec<OddsRow>,
    /// Where the next page begins.
    pub next_before: Option<i64>,
}

impl ConsoleReader {
    /// A page of odds, one row for each bar of the symbol that was decided on by this model.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn odds(&self, model: &str, symbol: &str, before: Option<i64>, limit: usize) -> Result<OddsPage, ReadError> {
        self.read(|connection| {
            let newest_cycle = super::newest_cycle(connection)?;
            let before = before.unwrap_or(i64::MAX);
            let (bars, has_more) = bars(connection, (model, symbol), before, limit)?;
            let mut rows = Vec::with_capacity(bars.len());
            for (bar, first) in &bars {
                rows.extend(odds_row(connection, symbol, *bar, *first)?);
            }
            let next_before = bars.last().map(|(bar, _)| *bar).filter(|_| has_more);
            Ok(OddsPage { newest_cycle, rows, next_before })
        })
    }
}

/// The bars, the newest first, each with the cycle of its first decision; and whether there are more.
#[allow(clippy::type_complexity)]
fn bars(
    connection: &Connection,
    (model, symbol): (&str, &str),
    before: i64,
    limit: usize,
) -> rusqlite::Result<(Vec<(i64, Option<i64>)>, bool)> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut predicted = connection.prepare_cached(
        "SELECT bar_close_time, cycle_id FROM confidences WHERE model = ?1 AND symbol = ?2 AND bar_close_time < ?3
         ORDER BY bar_close_time DESC LIMIT ?4",
    )?;
    let predicted = predicted.query_map(params![model, symbol, before, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut bars = predicted.collect::<rusqlite::Result<Vec<(i64, Option<i64>)>>>()?;
    // Bars for which the model never answered.
    let mut failed = connection.prepare_cached(&format!(
        "SELECT DISTINCT bar_close_time FROM decisions WHERE symbol = ?1 AND bar_close_time < ?2 AND {TELLING}
         ORDER BY bar_close_time DESC LIMIT ?3"
    ))?;
    let failed = failed.query_map(params![symbol, before, most], |row| row.get::<_, i64>(0))?;
    for bar in failed.collect::<rusqlite::Result<Vec<_>>>()? {
        bars.push((bar, None));
    }
    bars.sort_by(|one, other| other.0.cmp(&one.0).then(other.1.is_some().cmp(&one.1.is_some())));
    bars.dedup_by_key(|(bar, _)| *bar);
    let has_more = bars.len() > limit;
    bars.truncate(limit);
    Ok((bars, has_more))
}

fn odds_row(connection: &Connection, symbol: &str, bar: i64, first: Option<i64>) -> rusqlite::Result<Option<OddsRow>> {
    let telling = telling(connection, symbol, bar)?;
    let first = match first {
        Some(cycle) => {
            let sql = format!("SELECT {COLUMNS} FROM decisions WHERE symbol = ?1 AND cycle_id = ?2 LIMIT 1");
            connection.prepare_cached(&sql)?.query_row(params![symbol, cycle], decided).optional()?
        }
        None => None,
    };
    // The first decision may have been forgotten, and then a later one may be all there is.
    let Some(odds) = first.or_else(|| telling.clone()) else { return Ok(None) };
    let shown = telling.unwrap_or_else(|| odds.clone());
    let order = shown.order_id.as_deref().map(|id| order(connection, id)).transpose()?.flatten();
    let (order_reason, price) = order.unwrap_or_default();
    let paper = paper_mark(connection, (symbol, bar), &shown)?;
    let (mark, reason) = match (shown.result, shown.order_state.as_deref()) {
        ("sent", Some("filled")) => ("sent", None),
        ("sent", Some("rejected" | "not_sent" | "expired")) => ("refused", order_reason),
        ("sent", _) => ("unknown", order_reason),
        ("failed", _) => {
            ("failed", shown.failure.as_ref().map(|it| it.detail.clone().unwrap_or_else(|| it.kind.clone())))
        }
        ("suppressed", _) => ("suppressed", shown.reason.clone()),
        _ => ("hold", shown.reason.clone()),
    };
    let Decided { p_sell, p_hold, p_buy, threshold, close, .. } = odds;
    let Decided { action, rule, order_id, .. } = shown;
    Ok(Some(OddsRow {
        bar_close_s: bar,
        close,
        p_sell,
        p_hold,
        p_buy,
        threshold,
        action,
        mark,
        reason,
        rule,
        order_id,
        price,
        paper,
    }))
}

/// What counts most of a bar's decisions: an order, then a signal that was stopped, then a failure.
fn telling(connection: &Connection, symbol: &str, bar: i64) -> rusqlite::Result<Option<Decided>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM decisions WHERE symbol = ?1 AND bar_close_time = ?2 AND {TELLING}
         ORDER BY CASE WHEN order_id IS NOT NULL THEN 0 WHEN paper_order_id IS NOT NULL THEN 1 WHEN failure IS NULL THEN 2
         ELSE 3 END, cycle_id LIMIT 1"
    );
    connection.prepare_cached(&sql)?.query_row(params![symbol, bar], decided).optional()
}

/// Why it was not filled, and the price of its fill.
fn order(connection: &Connection, id: &str) -> rusqlite::Result<Option<(Option<String>, Option<f64>)>> {
    let mut select = connection.prepare_cached("SELECT reason, price FROM orders WHERE id = ?1")?;
    select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The paper order of the bar, which another decision may have made than the one that is shown: paper meets its own limits. Else
/// what is said of paper by the shown one.
fn paper_mark(
    connection: &Connection,
    (symbol, bar): (&str, i64),
    shown: &Decided,
) -> rusqlite::Result<Option<PaperMark>> {
    let nothing = PaperMark { mark: "suppressed", reason: None, order_id: None, price: None, side: None };
    let sql = format!(
        "SELECT paper_order_id, entry_price, coalesce(side, action)
         FROM decisions LEFT JOIN paper_orders ON paper_orders.id = paper_order_id
         WHERE decisions.symbol = ?1 AND decisions.bar_close_time = ?2 AND {TELLING} AND paper_order_id IS NOT NULL
         ORDER BY cycle_id LIMIT 1"
    );
    let order = |row: &Row<'_>| {
        let (order_id, price, side) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(PaperMark { mark: "sent", order_id, price, side, ..nothing.clone() })
    };
    let found = connection.prepare_cached(&sql)?.query_row(params![symbol, bar], order).optional()?;
    let stopped = |reason| PaperMark { reason: Some(reason), side: shown.action.clone(), ..nothing.clone() };
    Ok(found.or_else(|| shown.paper_reason.clone().map(stopped)))
}
