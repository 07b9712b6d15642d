//! The orders before a decision, as the OrderManager counted them.

use sentinel_actors::{
    adapters::journal::{EarlierOrder, Store},
    domain::{
        instrument::InstrumentKey,
        journal::{History, JournalError},
    },
};
use std::{collections::HashMap, time::Duration};

/// Orders count for this long, milliseconds.
const DAY_MS: i64 = 86_400_000;

/// All orders of a journal, and those before the decision that was looked at last.
#[derive(Debug)]
pub struct Earlier {
    orders: Vec<EarlierOrder>,
    /// Settled orders of before this time may be missing, unix milliseconds.
    forgotten_before: Option<i64>,
    live_since: HashMap<String, Duration>,
    histories: HashMap<(String, String), Histories>,
}

/// An account's and model's, and how many orders they have in them.
///
/// A daemon that goes on counts an order from when the rules before it were asked; one that was restarted counts it from when it
/// was written, some milliseconds later. Both are kept.
#[derive(Debug, Default)]
struct Histories {
    counted: usize,
    judged: History,
    written: History,
}

impl Earlier {
    /// Reads all orders.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn read(store: &Store) -> Result<Self, JournalError> {
        let orders = store.earlier_orders()?;
        let mut live_since = HashMap::new();
        for order in &orders {
            if !live_since.contains_key(&order.account)
                && let Some(since) = store.live_since(&order.account)?
            {
                live_since.insert(order.account.clone(), since);
            }
        }
        let forgotten_before = store.orders_forgotten_before()?;
        Ok(Self { orders, forgotten_before, live_since, histories: HashMap::new() })
    }

    /// Whether orders that counted in this cycle may be missing.
    pub fn is_incomplete_at(&self, cycle_id: i64) -> bool {
        self.forgotten_before.is_some_and(|before| cycle_id < before.saturating_add(DAY_MS))
    }

    /// What was ordered before the decision of this row, which comes after the one asked about last.
    pub fn before(&mut self, decision: i64, account: &str, model: &str) -> [&History; 2] {
        let key = (account.to_owned(), model.to_owned());
        let live_since = self.live_since.get(account).copied().unwrap_or_default();
        let histories = self.histories.entry(key).or_insert_with(|| {
            let history = || History { live_since, ..History::default() };
            Histories { counted: 0, judged: history(), written: history() }
        });
        while let Some(order) = self.orders.get(histories.counted).filter(|order| order.after_decision < decision) {
            histories.counted += 1;
            if order.account == account {
                let at = order.judged_at_ms.unwrap_or(order.created_at_ms);
                count(&mut histories.judged, order, model, at);
                count(&mut histories.written, order, model, order.created_at_ms);
            }
        }
        [&histories.judged, &histories.written]
    }
}

fn count(history: &mut History, order: &EarlierOrder, model: &str, at_ms: i64) {
    let at = Duration::from_millis(u64::try_from(at_ms).unwrap_or(0));
    let keys = InstrumentKey::both(&order.gateway_name, &order.symbol);
    if order.model == model {
        history.note(keys, order.bar_close_time, at);
    } else {
        // The order of another model counts for the limits, but not as an order of this bar.
        history.newest_at.extend(keys.map(|key| (key, at)));
    }
    history.orders.push_back(at);
    // Twice as long as any limit looks back: the wall clock may have been set.
    while history.orders.front().is_some_and(|oldest| at.saturating_sub(*oldest) > Duration::from_secs(2 * 86_400)) {
        history.orders.pop_front();
    }
}
