//! What was decided, a row per symbol and cycle, and how long it is kept.

use super::{Store, broken, millis};
use crate::domain::{
    bar::Bar,
    drift::FirstConfidence,
    features::FEATURE_COUNT,
    instrument::Symbol,
    journal::{DecisionRecord, JournalError, Reason},
    sanitize::one_line,
};
use rusqlite::params;
use sha2::{Digest, Sha256};
use std::{collections::HashSet, time::Duration};
use uuid::Uuid;

const INSERT: &str = "
INSERT INTO decisions (cycle_id, symbol, bar_close_time, bars_sha256, features, p_sell, p_hold, p_buy, action,
                       suppressed, failed_stage, failure, order_id, market_now, close, threshold, failure_detail,
                       close_ids)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

const INSERT_CONFIDENCE: &str = "INSERT OR IGNORE INTO confidences VALUES (?1, ?2, ?3, ?4, ?5)";

/// Settled orders go with their time, except the newest of each symbol, which is what keeps older bars from being
/// ordered, and the fills that still count as open positions. Their events go with them.
const PRUNE_ORDERS: &str = "
DELETE FROM orders WHERE updated_at_ms < ?1 AND state NOT IN ('intent', 'sending', 'unknown')
AND NOT (state = 'filled' AND closes IS NULL AND closed_at_ms IS NULL)
AND EXISTS (SELECT 1 FROM orders AS newer WHERE newer.account = orders.account AND newer.model = orders.model
            AND newer.symbol = orders.symbol AND newer.bar_close_time > orders.bar_close_time AND newer.closes IS NULL)";

impl Store {
    /// Writes a cycle's decisions, made with this model, all or none. A power cut may take the newest: no order rests on them,
    /// and waiting for the disk in every minute costs as much as all else that the journal does in a cycle without an order.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn record_decisions(
        &mut self,
        cycle_id: u64,
        model: &str,
        records: &[DecisionRecord],
    ) -> Result<(), JournalError> {
        let cycle_id = i64::try_from(cycle_id).unwrap_or(i64::MAX);
        self.write_without_waiting(|transaction| {
            let mut insert = transaction.prepare_cached(INSERT).map_err(broken)?;
            let mut insert_confidence = transaction.prepare_cached(INSERT_CONFIDENCE).map_err(broken)?;
            for record in records {
                let probabilities = record.prediction.map(|prediction| prediction.probabilities());
                let (suppressed, failed_stage, failure) = match record.reason {
                    None => (None, None, None),
                    Some(Reason::Suppressed(reason)) => (Some(reason), None, None),
                    Some(Reason::Failed { stage, kind }) => (None, Some(stage), Some(kind)),
                };
                let row = params![
                    cycle_id,
                    record.symbol.as_str(),
                    record.bar_close_time,
                    record.window.as_deref().map(digest),
                    record.features.as_ref().map(|features| little_endian(&features.tabular)),
                    probabilities.map(|p| p[0]),
                    probabilities.map(|p| p[1]),
                    probabilities.map(|p| p[2]),
                    record.action.map(|action| action.as_str()),
                    suppressed,
                    failed_stage,
                    failure,
                    record.client_order_id.map(|id| id.to_string()),
                    record.market_now,
                    record.window.as_deref().and_then(|bars| Some(bars.last()?.close)),
                    record.threshold,
                    record.failure_detail.as_deref().map(one_line),
                    (!record.close_ids.is_empty()).then(|| joined(&record.close_ids)),
                ];
                insert.execute(row).map_err(broken)?;
                if let (Some(prediction), Some(bar_close_time)) = (record.prediction, record.bar_close_time) {
                    let confidence = prediction.likeliest().1;
                    let row = params![model, record.symbol.as_str(), bar_close_time, confidence, cycle_id];
                    insert_confidence.execute(row).map_err(broken)?;
                }
            }
            Ok(())
        })
    }

    /// The model's newest confidences, the first of each bar of these symbols: at most `count` of them, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn confidences(
        &self,
        model: &str,
        symbols: &[Symbol],
        count: usize,
    ) -> Result<Vec<FirstConfidence>, JournalError> {
        const NEWEST: &str = "SELECT symbol, bar_close_time, confidence FROM confidences WHERE model = ?1
                              ORDER BY bar_close_time DESC, symbol DESC";
        let wanted: HashSet<&str> = symbols.iter().map(Symbol::as_str).collect();
        let read = || {
            let mut select = self.connection.prepare(NEWEST)?;
            let mut rows = select.query([model])?;
            let mut newest = Vec::new();
            while newest.len() < count
                && let Some(row) = rows.next()?
            {
                let symbol = row.get_ref(0)?.as_str()?;
                if wanted.contains(symbol) {
                    let symbol = Symbol::new(symbol);
                    newest.push(FirstConfidence { symbol, bar_close_time: row.get(1)?, confidence: row.get(2)? });
                }
            }
            newest.reverse();
            Ok(newest)
        };
        read().map_err(broken)
    }

    /// Forgets decisions and settled orders older than `keep`. An unresolved order is never forgotten, nor is the
    /// newest of a symbol. Answers how many rows went.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn prune(&mut self, now: Duration, keep: Duration) -> Result<usize, JournalError> {
        let before = millis(now.saturating_sub(keep));
        self.write(|transaction| {
            let decisions = transaction.execute("DELETE FROM decisions WHERE cycle_id < ?1", [before]);
            let confidences = transaction.execute("DELETE FROM confidences WHERE cycle_id < ?1", [before]);
            let orders = transaction.execute(PRUNE_ORDERS, [before]);
            confidences.map_err(broken)?;
            Ok(decisions.map_err(broken)? + orders.map_err(broken)?)
        })
    }

    /// Close time of the newest bar that was decided on or ordered, unix seconds.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn newest_bar_close_time(&self) -> Result<Option<i64>, JournalError> {
        const NEWEST: &str = "SELECT max(newest) FROM (SELECT max(bar_close_time) AS newest FROM decisions
                              UNION ALL SELECT max(bar_close_time) FROM orders)";
        self.connection.query_row(NEWEST, [], |row| row.get(0)).map_err(broken)
    }
}

/// SHA-256 of a window: two decisions with the same digest saw the same bars.
fn digest(bars: &[Bar]) -> Vec<u8> {
    let mut sha = Sha256::new();
    for Bar { open_time, open, high, low, close, volume } in bars {
        let numbers = [open, high, low, close, volume].map(|number| number.to_le_bytes());
        sha.update(
            [open_time.to_le_bytes(), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]].as_flattened(),
        );
    }
    sha.finalize().to_vec()
}

fn joined(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")
}

fn little_endian(features: &[f64; FEATURE_COUNT]) -> Vec<u8> {
    features.iter().flat_map(|feature| feature.to_le_bytes()).collect()
}
