//! The same signal at the gateway and on paper: what execution cost. Only trades that have ended on both sides are compared.

use super::{Store, broken};
use crate::domain::journal::JournalError;
use rusqlite::{Connection, params};
use std::ops::Range;

/// A signal is a symbol, a model and a bar. All that its order brought counts, whenever that was: what opening it cost, parts, the end.
/// A ticket of several orders, as on a netting account, is none of theirs alone. A trade on paper that was lost has no figure.
const PAIRS: &str = "
WITH ours AS (
    SELECT id, symbol, model, bar_close_time, side, ticket FROM orders
    WHERE account = ?1 AND state = 'filled' AND closes IS NULL AND ticket > 0 GROUP BY ticket HAVING count(*) = 1
), best AS (
    SELECT ours.id AS id, realised.at_ms AS at_ms, realised.kind AS kind, realised.profit AS profit, max(realised.source)
    FROM ours JOIN realised ON realised.account = ?1 AND realised.ticket = ours.ticket AND realised.order_id = ours.id
    GROUP BY ours.id, realised.at_ms
), live AS (
    SELECT id, max(iif(kind = 'close', at_ms, NULL)) AS ended_at_ms, sum(profit) AS profit FROM best GROUP BY id
)
SELECT ours.symbol, max(live.ended_at_ms, paper.ended_at_ms) AS at_ms, live.profit, paper.profit, paper.spread_points IS NULL
FROM live JOIN ours ON ours.id = live.id
JOIN paper_orders AS paper ON paper.symbol = ours.symbol AND paper.bar_close_time = ours.bar_close_time
    AND paper.account = ?1 AND paper.model = ours.model AND paper.side = ours.side
WHERE live.ended_at_ms IS NOT NULL AND paper.closes IS NULL AND paper.ended_at_ms IS NOT NULL AND paper.net_points IS NOT NULL
    AND max(live.ended_at_ms, paper.ended_at_ms) >= ?2 AND max(live.ended_at_ms, paper.ended_at_ms) < ?3
ORDER BY 2";

/// A signal whose trades have ended on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The symbol.
    pub symbol: String,
    /// When the later of the two ended, unix milliseconds.
    pub at_ms: i64,
    /// What it brought at the gateway, in the account's currency.
    pub live: f64,
    /// And on paper; `None`: not known in money.
    pub paper: Option<f64>,
    /// Whether paper was charged no costs.
    pub is_before_costs: bool,
}

impl Store {
    /// The signals of which the later trade ended in this span, unix milliseconds.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn pairs(&self, account: &str, span: Range<i64>) -> Result<Vec<Pair>, JournalError> {
        pairs(&self.connection, account, &span).map_err(broken)
    }
}

/// The same, oldest first.
pub(super) fn pairs(connection: &Connection, account: &str, span: &Range<i64>) -> rusqlite::Result<Vec<Pair>> {
    let mut select = connection.prepare_cached(PAIRS)?;
    let rows = select.query_map(params![account, span.start, span.end], |row| {
        Ok(Pair {
            symbol: row.get(0)?,
            at_ms: row.get(1)?,
            live: row.get(2)?,
            paper: row.get(3)?,
            is_before_costs: row.get(4)?,
        })
    })?;
    rows.collect()
}
