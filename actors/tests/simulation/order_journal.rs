//! The core's way to the journal: the real store on a real file, whose disk fails when the run says so.

use crate::world::{Shared, step};
use sentinel_actors::{
    adapters::journal::{Identity, Keep, Store},
    domain::{
        exposure::Fill,
        journal::{History, JournalError, OrderStep, Standing, StandingQuestion},
        order_manager::OrderJournal,
        reconcile::Proof,
    },
};
use std::{cell::RefCell, path::Path, time::Duration};

pub struct SimOrderJournal {
    world: Shared,
    store: RefCell<Store>,
    identity: Identity,
}

impl SimOrderJournal {
    pub fn open(world: &Shared, path: &Path, identity: Identity) -> Self {
        let store = Store::open(path).unwrap();
        Self { world: world.clone(), store: RefCell::new(store), identity }
    }

    /// Uses the store. It may fail before anything is written, or after, so that only the answer is lost; and what
    /// fails may go on failing for a while.
    async fn call<T>(
        &self,
        what: &str,
        work: impl FnOnce(&mut Store, &Identity, Duration) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        step(&self.world, what).await;
        let broken = || Err(JournalError::Failed("as scripted".into()));
        let (done, is_lost) = {
            let mut world = self.world.borrow_mut();
            let chance = world.plan.disk;
            if world.fails(chance / 3.0) {
                let longest = 2 * world.plan.cycle_ms;
                world.disk_broken_until_ms = world.now_ms + world.rng.between(1, longest);
            }
            let is_broken = !world.is_calm && world.now_ms < world.disk_broken_until_ms;
            if is_broken || world.fails(chance) {
                world.count("journal: not written");
                world.say("  fails");
                return broken();
            }
            let done = work(&mut self.store.borrow_mut(), &self.identity, world.wall());
            world.refresh(&self.store.borrow());
            let is_lost = world.fails(chance);
            if is_lost {
                world.count("journal: answer lost");
                world.say("  its answer is lost");
            }
            (done, is_lost)
        };
        step(&self.world, "  done").await;
        if is_lost { broken() } else { done }
    }

    /// Forgets what is old.
    pub async fn prune(&self, keep: Duration) {
        let keep = Keep { decisions: keep, books: keep };
        let _ = self.call("prune", |store, _, now| store.prune(now, keep)).await;
    }
}

impl OrderJournal for SimOrderJournal {
    async fn read_standing(&self, question: StandingQuestion) -> Result<Standing, JournalError> {
        let standing =
            self.call("take standing", |store, identity, now| store.read_standing(identity, question, now)).await?;
        self.world.borrow_mut().invariants.stock_taken(standing.taken_at);
        Ok(standing)
    }

    async fn history(&self) -> Result<History, JournalError> {
        let history = self.call("history", |store, identity, now| store.history(identity, now)).await?;
        self.world.borrow_mut().invariants.live_since(history.live_since);
        Ok(history)
    }

    async fn fills(&self, tickets: &[i64]) -> Result<Vec<Fill>, JournalError> {
        self.call("fills", |store, identity, _| store.fills(identity, tickets)).await
    }

    async fn first_equity(&self, equity: f64) -> Result<f64, JournalError> {
        self.call("equity", |store, identity, now| {
            let first = store.first_equity(identity, equity, now)?;
            Ok((first, now))
        })
        .await
        .map(|(first, now)| {
            self.world.borrow_mut().invariants.equity_noted(now.as_secs() / 86_400, first);
            first
        })
    }

    async fn write(&self, steps: Vec<OrderStep>) -> Result<(), JournalError> {
        let step = steps.last().unwrap();
        let what = match step {
            OrderStep::Intent { .. } => "intent",
            OrderStep::Sending(..) => "intent and sending",
            OrderStep::Outcome(..) => "outcome",
            OrderStep::GivenUp(..) => "given up",
            OrderStep::Proven(_, Proof::Filled { .. }) => "proven: filled",
            OrderStep::Proven(_, Proof::Rejected) => "proven: rejected",
            OrderStep::TakenOver(_) | OrderStep::Reported(..) => "of another member",
        };
        let id = step.id();
        let is_sending = matches!(step, OrderStep::Sending(..));
        let done =
            self.call(&format!("{what} {id}"), |store, identity, now| store.order_steps(&steps, identity, now)).await;
        let is_broken = done.as_ref().is_err_and(JournalError::is_broken);
        let is_outcome = matches!(step, OrderStep::Outcome(..) | OrderStep::GivenUp(..));
        if !matches!(step, OrderStep::Proven(..)) && (is_broken || is_outcome) {
            self.world.borrow_mut().invariants.owes(id, is_broken);
        }
        if is_sending {
            match &done {
                // The journal had nothing of it, so nothing of it was ever sent.
                Ok(()) => self.world.borrow_mut().invariants.begins(id),
                // The core must not send it now.
                Err(_) => self.world.borrow_mut().invariants.knows(id),
            }
        }
        if done.is_ok() && matches!(step, OrderStep::Proven(..)) {
            let is_close = self.world.borrow().invariants.rows().iter().any(|row| row.id == id && row.closes.is_some());
            self.world.borrow_mut().count(if is_close { "proven: closed" } else { what });
        }
        done
    }
}
