//! For how long rows are kept, and how old ones go.

use super::{Store, broken, millis, paper, savepoint::apart};
use crate::domain::journal::JournalError;
use std::time::Duration;

/// Outcomes go with the first decisions on their bars.
const PRUNE_OUTCOMES: &str = "
DELETE FROM outcomes WHERE NOT EXISTS (SELECT 1 FROM confidences WHERE confidences.model = outcomes.model
AND confidences.symbol = outcomes.symbol AND confidences.bar_close_time = outcomes.bar_close_time)";

/// Settled orders go with their time, except the newest of each symbol, which is what keeps older bars from being
/// ordered, and the fills that still count as open positions. Their events go with them.
const PRUNE_ORDERS: &str = "
DELETE FROM orders WHERE updated_at_ms < ?1 AND state NOT IN ('intent', 'sending', 'unknown')
AND NOT (state = 'filled' AND closes IS NULL AND closed_at_ms IS NULL)
AND EXISTS (SELECT 1 FROM orders AS newer WHERE newer.account = orders.account AND newer.model = orders.model
            AND newer.symbol = orders.symbol AND newer.bar_close_time > orders.bar_close_time AND newer.closes IS NULL)";

/// The newest row of an account and its newest look stay: what was realised is counted from them.
const PRUNE_ACCOUNTS: &str = "
DELETE FROM account_snapshots WHERE at_ms < ?1 AND rowid NOT IN (SELECT max(rowid) FROM account_snapshots GROUP BY account, is_whole)";

/// What sums of money are made from is kept so long: all of a month that has just ended, at least.
const BOOKS: Duration = Duration::from_secs(63 * 86_400);

/// For how long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Decisions.
    pub decisions: Duration,
    /// Orders, live and on paper, and what was told of the account.
    pub books: Duration,
}

impl Keep {
    /// As set; but a month's profit and loss is never counted from a part of it.
    pub fn new(keep: Duration) -> Self {
        Self { decisions: keep, books: keep.max(BOOKS) }
    }
}

/// What was forgotten.
#[derive(Debug, Default, PartialEq)]
pub struct Pruned {
    /// How many decisions and orders.
    pub rows: usize,
    /// Why old rows of the account on paper are still there.
    pub paper: Option<JournalError>,
    /// Why others are that no order needs: outcomes, and what was told of the account.
    pub others: Option<JournalError>,
}

impl Store {
    /// Forgets old decisions and settled orders. An unresolved order is never forgotten, nor is the newest of a symbol. What no
    /// order needs stays if it cannot be deleted: the answer says so.
    ///
    /// # Errors
    /// [`JournalError::Failed`].
    pub fn prune(&mut self, now: Duration, keep: Keep) -> Result<Pruned, JournalError> {
        let [before, books] = [keep.decisions, keep.books].map(|keep| millis(now.saturating_sub(keep)));
        self.write(|transaction| {
            let decisions = transaction.execute("DELETE FROM decisions WHERE cycle_id < ?1", [before]);
            let confidences = transaction.execute("DELETE FROM confidences WHERE cycle_id < ?1", [before]);
            let orders = transaction.execute(PRUNE_ORDERS, [books]).map_err(broken)?;
            if orders > 0 {
                // A replay has to know that it cannot count them.
                transaction.execute("DELETE FROM forgotten", []).map_err(broken)?;
                transaction.execute("INSERT INTO forgotten VALUES (?1)", [books]).map_err(broken)?;
            }
            confidences.map_err(broken)?;
            let part = |all: &[&dyn Fn() -> rusqlite::Result<usize>]| {
                let mut all = all.iter();
                apart(transaction, || all.try_for_each(|delete| delete().map(drop)).map_err(broken)).map_err(broken)
            };
            let others =
                part(&[&|| transaction.execute(PRUNE_OUTCOMES, []), &|| transaction.execute(PRUNE_ACCOUNTS, [books])])?;
            let [trades, equities] = paper::PRUNE;
            let paper = part(&[&|| transaction.execute(trades, [books]), &|| transaction.execute(equities, [books])])?;
            Ok(Pruned { rows: decisions.map_err(broken)? + orders, paper, others })
        })
    }
}
