//! What a cycle leaves: its decisions, what came of earlier ones, and the account on paper.

use super::{Config, Journal, paper::Ended};
use crate::{
    adapters::journal::{AccountReports, CycleFaults, CycleRecord, Identity, PaperAnswer, PaperCycle, Store},
    domain::{
        journal::JournalError,
        names::{ActorName, DropReason},
        paper::{PaperEquity, PaperOrder},
    },
    messages::RecordDecisions,
};
use actix::Handler;
use std::time::Duration;

/// The orders on paper that are new or have changed, and what the account is worth, if that has changed.
type Changes<'a> = (Vec<&'a PaperOrder>, Option<PaperEquity>);

impl Handler<RecordDecisions> for Journal {
    type Result = ();

    fn handle(&mut self, message: RecordDecisions, _: &mut Self::Context) {
        self.windows.take(&message.decisions);
        // First, and whatever the journal's disk says: the archive has a thread of its own.
        self.windows.offer(message.cycle_id, &self.config);
        let at = self.config.clock.now();
        let (mut manager, answers) = self.on_paper(&message.decisions, at).unzip();
        let changes = manager.as_mut().and_then(|manager| self.apart(|_| Some(manager.changes())));
        let (ended, is_whole) = (ended(changes.as_ref()), changes.is_some());
        let has_reports = !self.account.is_empty();
        // A failure is logged, counted and shown by `with_store`; there is nobody to answer.
        if let Ok(faults) = self.write_cycle(&message, (answers.as_deref(), changes.as_ref()), at) {
            self.put_back(manager.filter(|_| is_whole), faults.paper.as_ref());
            self.count_paper(&ended, at);
            self.windows.told();
            self.wrote();
            if has_reports {
                self.count_money(faults.money.as_ref());
            }
            self.prune_if_due();
        } else {
            let reason = if self.is_closed { DropReason::Stale } else { DropReason::Full };
            self.config.metrics.dropped(ActorName::Journal, reason, message.decisions.len() as u64);
        }
        self.report();
    }
}

impl Journal {
    /// Writes all that the cycle leaves, in one transaction. `answers`: what the account on paper did about each decision.
    fn write_cycle(
        &mut self,
        message: &RecordDecisions,
        (answers, changes): (Option<&[PaperAnswer]>, Option<&Changes<'_>>),
        at: Duration,
    ) -> Result<CycleFaults, JournalError> {
        let reports = std::mem::take(&mut self.account);
        let windows = std::mem::take(&mut self.windows);
        let due = windows.due(&self.config.horizons);
        let record = |store: &mut Store, config: &Config| {
            let Identity { account, model, .. } = &config.identity;
            let reported = AccountReports { account, names: &config.names, reports: &reports };
            let answers = answers.unwrap_or_default();
            store.record_cycle(&CycleRecord {
                cycle_id: message.cycle_id,
                model,
                version: Some(&config.version),
                decisions: &message.decisions,
                due: &due,
                reported: Some(reported).filter(|it| !it.reports.is_empty()),
                paper: changes.map(|(orders, equity)| PaperCycle { account, answers, orders, equity: *equity, at }),
            })
        };
        let recorded = self.with_store(record);
        drop(due);
        self.windows = windows;
        recorded
    }
}

/// The trades on paper that have ended, or were priced.
fn ended(changes: Option<&Changes<'_>>) -> Vec<Ended> {
    let orders = changes.into_iter().flat_map(|(orders, _)| orders);
    let ended = |order: &&PaperOrder| {
        Some(Ended { symbol: order.symbol.clone(), profit: order.exit?.profit, at: order.ended_at? })
    };
    orders.filter_map(ended).collect()
}
