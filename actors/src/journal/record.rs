//! What a cycle leaves: its decisions, what came of earlier ones, and the account on paper.

use super::{Config, Journal, paper::Ended};
use crate::{
    adapters::journal::{CycleRecord, Identity, PaperCycle, Store, ToldOf},
    domain::names::{ActorName, DropReason},
    messages::RecordDecisions,
};
use actix::Handler;

impl Handler<RecordDecisions> for Journal {
    type Result = ();

    fn handle(&mut self, message: RecordDecisions, _: &mut Self::Context) {
        let RecordDecisions { cycle_id, decisions } = message;
        self.windows.take(&decisions);
        // First, and whatever the journal's disk says: the archive has a thread of its own.
        self.windows.offer(cycle_id, &self.config);
        let told = std::mem::take(&mut self.account);
        let windows = std::mem::take(&mut self.windows);
        let due = windows.due(&self.config.horizons);
        let at = self.config.clock.now();
        let (mut manager, answers) = self.on_paper(&decisions, at).unzip();
        let changes = manager.as_mut().and_then(|manager| self.apart(|_| Some(manager.changes())));
        let ended = changes.iter().flat_map(|(orders, _)| orders);
        let ended = ended.filter_map(|order| {
            Some(Ended { symbol: order.symbol.clone(), profit: order.exit?.profit, at: order.ended_at? })
        });
        let ended = ended.collect::<Vec<_>>();
        let record = |store: &mut Store, config: &Config| {
            let Identity { account, model, .. } = &config.identity;
            let told = ToldOf { account, names: &config.names, told: &told };
            let answers = answers.as_deref().unwrap_or_default();
            let paper = changes.as_ref();
            let paper = paper.map(|(orders, equity)| PaperCycle { account, answers, orders, equity: *equity, at });
            store.record_cycle(&CycleRecord {
                cycle_id,
                model,
                version: Some(&config.version),
                decisions: &decisions,
                due: &due,
                told: Some(told).filter(|told| !told.told.is_empty()),
                paper,
            })
        };
        // A failure is logged, counted and shown by `with_store`; there is nobody to answer.
        let is_told = !told.is_empty();
        let recorded = self.with_store(record);
        drop(due);
        self.windows = windows;
        if let Ok(faults) = &recorded {
            let is_whole = changes.is_some();
            self.put_back(manager.filter(|_| is_whole), faults.paper.as_ref());
            self.count_paper(&ended, at);
            self.windows.told();
            self.wrote();
            if is_told {
                self.count_money(faults.money.as_ref());
            }
            self.prune_if_due();
        } else {
            let reason = if self.is_closed { DropReason::Stale } else { DropReason::Full };
            self.config.metrics.dropped(ActorName::Journal, reason, decisions.len() as u64);
        }
        self.report();
    }
}
