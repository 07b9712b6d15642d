//! What fills cost against the close that was decided on.

use super::Ledgers;
use crate::adapters::journal::console::decisions;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use std::collections::HashMap;

/// Fills against the close decided on; above 0 is worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Slippage {
    pub fills: u32,
    pub mean_points: f64,
    pub worst_points: f64,
}

pub(super) fn slippage(connection: &Connection, of: &Ledgers, from_ms: i64) -> rusqlite::Result<Option<Slippage>> {
    let sql = "SELECT symbol, bar_close_time, id, side, price FROM orders WHERE account = ?1 AND created_at_ms >= ?2
               AND state = 'filled' AND closes IS NULL AND price IS NOT NULL ORDER BY rowid DESC LIMIT 500";
    let mut select = connection.prepare_cached(sql)?;
    let fill = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?));
    let fills = select.query_map(params![of.account, from_ms], fill)?;
    let fills = fills.collect::<rusqlite::Result<Vec<((String, i64, String), String, f64)>>>()?;
    let keys: Vec<_> = fills.iter().map(|(key, ..)| key.clone()).collect();
    let closes = decisions::of_orders(connection, "order_id", &keys)?;
    let closes: HashMap<_, _> = closes.into_iter().filter_map(|it| Some((it.order_id?, it.close?))).collect();
    let points: Vec<f64> = fills
        .iter()
        .filter_map(|((symbol, _, id), side, price)| {
            let worse = price - closes.get(id)?;
            let points = worse * 10_f64.powi(i32::try_from(*of.digits.get(symbol)?).ok()?);
            Some(if side == "BUY" { points } else { -points })
        })
        .collect();
    let fills = u32::try_from(points.len()).unwrap_or(u32::MAX);
    Ok((fills > 0).then(|| Slippage {
        fills,
        mean_points: points.iter().sum::<f64>() / f64::from(fills),
        worst_points: points.iter().copied().fold(f64::MIN, f64::max),
    }))
}
