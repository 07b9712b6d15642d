//! What was decided, a row per symbol and cycle.

use super::{
    Store,
    account_snapshots::{self, AccountReports},
    broken, millis,
    orders::and_open_orders,
    outcomes::{self, Due},
    paper::{self, PaperAnswer, PaperCycle},
};
use crate::domain::{
    bar::Bar,
    drift::FirstConfidence,
    features::{FEATURE_COUNT, SEQUENCE_BARS},
    guard::Suppression,
    instrument::Symbol,
    journal::{DecisionRecord, JournalError, Reason, Version},
    sanitize::one_line,
};
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use std::{collections::HashSet, sync::Arc};
use uuid::Uuid;

const INSERT: &str = "
INSERT INTO decisions (cycle_id, symbol, bar_close_time, bars_sha256, features, p_sell, p_hold, p_buy, action,
                       suppressed, failed_stage, failure, order_id, market_now, close, threshold, failure_detail,
                       close_ids, version_id, bars, sequence_sha256, judged_at_ms, paper_order_id, paper_suppressed)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24)";

const INSERT_VERSION: &str = "
INSERT INTO versions (config_hash, model_fingerprint, app_version, settings) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";

const VERSION_ID: &str = "
SELECT id FROM versions WHERE config_hash = ?1 AND model_fingerprint = ?2 AND app_version = ?3 AND settings = ?4";

const INSERT_CONFIDENCE: &str = "INSERT OR IGNORE INTO confidences VALUES (?1, ?2, ?3, ?4, ?5)";

/// What a cycle leaves in the journal.
#[derive(Debug, Clone, Copy)]
pub struct CycleRecord<'a> {
    /// The cycle.
    pub cycle_id: u64,
    /// Name of the model.
    pub model: &'a str,
    /// What the decisions were made with.
    pub version: Option<&'a Arc<Version>>,
    /// What was decided.
    pub decisions: &'a [DecisionRecord],
    /// The horizons of earlier decisions that ended.
    pub due: &'a [Due<'a>],
    /// What the gateway reported of the account.
    pub reported: Option<AccountReports<'a>>,
    /// What the account on paper did, if there is one.
    pub paper: Option<PaperCycle<'a>>,
}

/// What of a cycle could not be written, beside which its decisions are.
#[derive(Debug, Default)]
pub struct CycleFaults {
    /// What the account on paper did.
    pub paper: Option<JournalError>,
    /// What the gateway reported of the account, and what was counted from that.
    pub money: Option<JournalError>,
}

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
        let (version, due, reported, paper) = (None, &[], None, None);
        self.record_cycle(&CycleRecord { cycle_id, model, version, decisions: records, due, reported, paper }).map(drop)
    }

    /// Writes what a cycle leaves, all or none. What the account on paper did, or what was reported of the account, is left out if
    /// that cannot be written: the answer says so.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn record_cycle(&mut self, cycle: &CycleRecord<'_>) -> Result<CycleFaults, JournalError> {
        let CycleRecord { cycle_id, model, version, decisions, due, reported, paper } = *cycle;
        let cycle_id = i64::try_from(cycle_id).unwrap_or(i64::MAX);
        let known = self.version.take().filter(|(known, _)| version.is_some_and(|version| Arc::ptr_eq(known, version)));
        let work = |transaction: &Connection| {
            let paper_error = match &paper {
                Some(paper) => paper::write(transaction, model, paper).map_err(broken)?,
                None => None,
            };
            let answers = paper.filter(|_| paper_error.is_none()).map_or(&[][..], |paper| paper.answers);
            let version = match (known, version) {
                (None, Some(version)) => Some((version.clone(), version_id(transaction, version).map_err(broken)?)),
                (known, _) => known,
            };
            let version_id = version.as_ref().map(|(_, id)| *id);
            for (place, record) in decisions.iter().enumerate() {
                let answer = answers.get(place).copied().flatten();
                insert(transaction, record, (cycle_id, version_id), answer).map_err(broken)?;
                insert_confidence(transaction, record, (cycle_id, model)).map_err(broken)?;
            }
            outcomes::write(transaction, model, due).map_err(broken)?;
            let money_error = match reported {
                Some(reported) => account_snapshots::note_apart(transaction, reported).map_err(broken)?,
                None => None,
            };
            Ok((version, CycleFaults { paper: paper_error, money: money_error }))
        };
        let ((version, faults), open) = self.write_without_waiting(and_open_orders(work))?;
        (self.version, self.open) = (version, open);
        Ok(faults)
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

/// Writes a decision. `answer`: what the account on paper did about it.
fn insert(
    transaction: &Connection,
    record: &DecisionRecord,
    (cycle_id, version_id): (i64, Option<i64>),
    answer: PaperAnswer,
) -> rusqlite::Result<()> {
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
        record.window.as_deref().map(bars_sha256),
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
        version_id,
        record.window.as_deref().map(|bars| i64::try_from(bars.len()).unwrap_or(i64::MAX)),
        record.features.as_ref().map(|features| sequence_sha256(&features.sequence)),
        record.judged_at.map(millis),
        answer.and_then(Result::ok).map(|id| id.to_string()),
        answer.and_then(Result::err).map(Suppression::as_str),
    ];
    transaction.prepare_cached(INSERT)?.execute(row).map(drop)
}

/// Writes the confidence of a decision, if it is the first of its bar.
fn insert_confidence(
    transaction: &Connection,
    record: &DecisionRecord,
    (cycle_id, model): (i64, &str),
) -> rusqlite::Result<()> {
    let (Some(prediction), Some(bar_close_time)) = (record.prediction, record.bar_close_time) else { return Ok(()) };
    let row = params![model, record.symbol.as_str(), bar_close_time, prediction.likeliest().1, cycle_id];
    transaction.prepare_cached(INSERT_CONFIDENCE)?.execute(row).map(drop)
}

/// The row of this version, made if there is none.
fn version_id(transaction: &Connection, version: &Version) -> rusqlite::Result<i64> {
    let Version { config_hash, model_fingerprint, app_version, settings } = version;
    // 48 bits of it are used.
    let row = params![i64::try_from(*config_hash).unwrap_or(i64::MAX), model_fingerprint, app_version, settings];
    transaction.execute(INSERT_VERSION, row)?;
    transaction.query_row(VERSION_ID, row, |row| row.get(0))
}

/// SHA-256 of a window as the journal keeps it: two decisions with the same digest saw the same bars.
pub fn bars_sha256(bars: &[Bar]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for Bar { open_time, open, high, low, close, volume } in bars {
        let numbers = [open, high, low, close, volume].map(|number| number.to_le_bytes());
        sha.update(
            [open_time.to_le_bytes(), numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]].as_flattened(),
        );
    }
    sha.finalize().into()
}

/// SHA-256 of a sequence as it is sent: float32, little-endian, the oldest bar first.
pub fn sequence_sha256(sequence: &[[f32; FEATURE_COUNT]; SEQUENCE_BARS]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for row in sequence {
        sha.update(row.map(f32::to_le_bytes).as_flattened());
    }
    sha.finalize().into()
}

fn joined(ids: &[Uuid]) -> String {
    ids.iter().map(Uuid::to_string).collect::<Vec<_>>().join(",")
}

fn little_endian(features: &[f64; FEATURE_COUNT]) -> Vec<u8> {
    features.iter().flat_map(|feature| feature.to_le_bytes()).collect()
}
