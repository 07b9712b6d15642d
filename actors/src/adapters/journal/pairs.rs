//! The same signal at the gateway and on paper: what execution cost. Only trades that have ended on both sides are compared.

use super::{Store, broken};
use crate::domain::journal::JournalError;
use rusqlite::{Connection, params};
use std::ops::Range;

/// A signal is a symbol, a model and a bar. All that its order brought counts, whenever that was: what opening it cost, parts, the end.
/// It is compared only if what was closed is what was ordered, on both sides: on a netting account a position may have lots of other
/// orders and of trades by hand, whose profit is in the same figure; and of a ticket of several orders nobody knows whose it is. What
/// the balance has not shown yet waits. A row that was written before its order was known to be filled names none. A trade on paper
/// that was lost has no figure. It begins with what ended in the span, so that a long journal costs no more than a short one.
pub(super) const PAIRS: &str = "
WITH recent AS (
    SELECT it.id AS id FROM realised CROSS JOIN orders AS it ON it.account = ?1 AND it.ticket = realised.ticket
    WHERE realised.account = ?1 AND realised.at_ms >= ?2 AND realised.kind = 'close'
        AND it.state = 'filled' AND it.closes IS NULL
    UNION
    SELECT it.id FROM paper_orders AS paper CROSS JOIN orders AS it ON it.account = ?1 AND it.model = paper.model
        AND it.symbol = paper.symbol AND it.bar_close_time = paper.bar_close_time
    WHERE paper.account = ?1 AND paper.ended_at_ms >= ?2 AND paper.closes IS NULL
        AND it.state = 'filled' AND it.closes IS NULL
), ours AS (
    SELECT it.id AS id, it.symbol AS symbol, it.model AS model, it.bar_close_time AS bar_close_time, it.side AS side,
           it.ticket AS ticket, coalesce(it.filled_volume, it.volume) AS volume
    FROM recent CROSS JOIN orders AS it ON it.id = recent.id
    WHERE it.ticket > 0 AND 1 = (SELECT count(*) FROM orders AS same WHERE same.account = ?1 AND same.ticket = it.ticket
                                 AND same.state = 'filled' AND same.closes IS NULL)
), best AS (
    SELECT ours.*, it.at_ms AS at_ms, it.kind AS kind, it.profit AS profit, it.volume AS lots, it.is_settled AS is_settled,
           max(it.source) AS source
    FROM ours CROSS JOIN realised AS it ON it.account = ?1 AND it.ticket = ours.ticket
    WHERE coalesce(it.order_id, ours.id) = ours.id GROUP BY ours.id, it.at_ms
), live AS (
    SELECT symbol, model, bar_close_time, side, volume, max(iif(kind = 'close', at_ms, NULL)) AS ended_at_ms, sum(profit) AS profit,
           total(iif(kind = 'opening', 0, lots)) AS lots, max(kind <> 'opening' AND lots IS NULL) AS is_unclear,
           min(is_settled) AS is_settled, max(source = 'estimated') AS is_estimate
    FROM best GROUP BY id
)
SELECT live.symbol, max(live.ended_at_ms, paper.ended_at_ms), live.profit, paper.profit, paper.spread_points IS NULL,
       live.is_estimate
FROM live CROSS JOIN paper_orders AS paper ON paper.symbol = live.symbol AND paper.bar_close_time = live.bar_close_time
    AND paper.account = ?1 AND paper.model = live.model AND paper.side = live.side
WHERE live.ended_at_ms IS NOT NULL AND live.is_settled AND NOT live.is_unclear
    AND abs(live.lots - live.volume) < 1e-9 AND abs(live.lots - paper.volume) < 1e-9
    AND paper.closes IS NULL AND +paper.ended_at_ms IS NOT NULL AND paper.net_points IS NOT NULL
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
    /// Whether a part of that is an estimate.
    pub is_estimate: bool,
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
            is_estimate: row.get(5)?,
        })
    })?;
    rows.collect()
}
