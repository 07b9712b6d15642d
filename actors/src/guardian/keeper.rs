//! Carries out what the [`Guard`] asks for, tells the [`ClaimCell`], and logs what changes.

use super::claim_log::{ClaimState, Sentence, sentences};
use crate::{
    adapters::etcd::{self, Etcd, EtcdError},
    domain::{
        clock::Clock,
        cluster::{
            Ask, ClaimCell, EtcdAnswer, Guard, Holder, Record, Standing, Terms,
            shared::{Answer, Request, Span, Transaction, halt_in, key},
        },
    },
};
use std::{io, sync::Arc, time::Duration};
use tracing::{error, info, warn};
use uuid::Uuid;

/// etcd ends a lease up to so much later than it says, and a look takes its time.
pub(super) const LEASE_SLACK: Duration = Duration::from_secs(3);

/// The configuration of a claim.
#[derive(Clone)]
pub struct Config {
    /// Where etcd is, and which account.
    pub etcd: etcd::Config,
    /// Who this daemon is.
    pub me: Record,
    /// How long the claim lasts.
    pub terms: Terms,
    /// The system's clock.
    pub clock: Arc<dyn Clock>,
    /// Where everybody else looks.
    pub cell: ClaimCell,
    /// The account's orders in this daemon's journal, oldest first.
    pub orders: Vec<Uuid>,
}

/// How an attempt to take the account at the start ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is ours.
    Ours,
    /// Another daemon holds it, in words, and is alive.
    Others(String),
    /// Another daemon holds it, in words. It did not show that it is alive, and its lease did not end.
    Silent(String),
    /// etcd does not answer, for this reason; it goes on being tried.
    NoAnswer(String),
    /// Nobody may order for the account, for this reason; it is taken when that is over.
    Halted(String),
}

/// A claim on its way.
pub struct Keeper {
    guard: Guard,
    etcd: Etcd,
    account: String,
    lease: Duration,
    clock: Arc<dyn Clock>,
    cell: ClaimCell,
    /// As it was last logged.
    logged: Option<ClaimState>,
}

impl Keeper {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// See [`Etcd::new`].
    pub fn new(config: Config) -> io::Result<Self> {
        let Config { etcd, me, terms, clock, cell, orders } = config;
        let account = etcd.account.clone();
        let (mut guard, etcd) = (Guard::new(me, terms), Etcd::new(etcd)?);
        orders.into_iter().for_each(|id| guard.ordered(id));
        Ok(Self { guard, etcd, account, lease: terms.lease, clock, cell, logged: None })
    }

    /// Waits until the next request is due, sends it, and publishes what follows from its answer.
    pub async fn step(&mut self) {
        let (now, due_at) = (self.clock.boottime(), self.guard.due_at());
        let from = self.guard.standing(now).from;
        // Also when orders may be sent for the first time, so that it is said.
        let until = if now < from { due_at.min(from) } else { due_at };
        if let Some(wait) = until.checked_sub(now).filter(|wait| !wait.is_zero()) {
            self.clock.sleep(wait).await;
        }
        if self.clock.boottime() < due_at {
            self.publish();
            return;
        }
        self.note_order();
        let ask = self.guard.ask(self.clock.boottime(), self.clock.now_unix());
        if matches!(ask, Ask::Grant { .. }) {
            // A halt of the members holds for who trades the account after them, too.
            match self.halt().await {
                Ok(None) => {}
                Ok(Some(halt)) => {
                    self.guard.stand_back(self.clock.boottime(), halt);
                    self.publish();
                    return;
                }
                Err(error) => {
                    self.note(Err(error));
                    return;
                }
            }
        }
        let answered = self.etcd.perform(&ask).await;
        self.note(answered);
    }

    /// Why nobody may order for the account, as etcd says it.
    async fn halt(&mut self) -> Result<Option<String>, EtcdError> {
        let reads = vec![Span::one(key::STATE)];
        let request = Request::Transact(Transaction { reads, ..Transaction::default() });
        // A transaction has no other answer.
        let Answer::Done(done) = self.etcd.perform_shared(&request).await? else { return Ok(None) };
        Ok(halt_in(done.one(0)))
    }

    fn note_order(&mut self) {
        if let Some(id) = self.cell.newest_order() {
            self.guard.ordered(id);
        }
    }

    fn note(&mut self, answered: Result<EtcdAnswer, EtcdError>) {
        let now = self.clock.boottime();
        match answered {
            Ok(answer) => self.guard.told(now, self.clock.now_unix(), answer),
            Err(error) => self.guard.failed(now, error.to_string()),
        }
        self.publish();
    }

    /// Takes the account before the daemon starts. Another daemon's claim may be that of a dead one: it is watched until its
    /// holder shows that it lives, or its lease must have ended. `must_settle`: also waits until orders may be sent.
    pub async fn take(&mut self, must_settle: bool) -> Taken {
        let began = self.clock.boottime();
        let mut is_told = false;
        loop {
            self.step().await;
            let now = self.clock.boottime();
            if let Some(fault) = self.guard.fault() {
                // A daemon that has one cycle cannot try again later.
                if must_settle && now < began + self.lease {
                    continue;
                }
                return Taken::NoAnswer(fault.to_owned());
            }
            if self.guard.is_holder() && (!must_settle || now >= self.guard.standing(now).from) {
                return Taken::Ours;
            }
            if let Some(halt) = self.guard.halt() {
                return Taken::Halted(halt.to_owned());
            }
            let Some(holder) = self.guard.holder() else { continue };
            if holder.is_alive {
                return Taken::Others(holder.in_words());
            }
            // By its own lease, twice: that begins again when etcd's leader changes.
            let wait = holder.lease() * 2 + LEASE_SLACK;
            if now > began + wait {
                return Taken::Silent(holder.in_words());
            }
            if !std::mem::replace(&mut is_told, true) {
                info!(
                    account = self.account,
                    "waiting up to {} s to see whether {} is alive: it holds the account",
                    wait.as_secs(),
                    holder.in_words()
                );
            }
        }
    }

    /// Gives the claim back, if it is held or may be. Nothing is sent after it began. Returns whether etcd confirmed it; if not,
    /// the claim ends with its lease. `is_settled`: see [`ReleaseClaim`](crate::messages::ReleaseClaim).
    pub async fn release(&mut self, is_settled: bool) -> bool {
        self.note_order();
        let released = self.guard.release(self.clock.boottime(), self.clock.now_unix(), is_settled);
        self.cell
            .set(Standing { trouble: Some("no order is sent: the daemon is stopping".into()), ..Standing::default() });
        let Some((ask, lease)) = released else { return true };
        let done = self.etcd.perform(&ask).await;
        let account = self.account.as_str();
        let Ok(answer) = done else {
            let lease_s = self.lease.as_secs();
            let said = "the account could not be given back in etcd: another daemon can take it in";
            warn!(account, error = "cluster", "{said} {lease_s} s");
            return false;
        };
        if matches!(answer, EtcdAnswer::Done { .. }) {
            let kept =
                if is_settled { "" } else { ", with orders of unknown outcome: see `sentinel orders --unresolved`" };
            info!(account, "the account was given back in etcd{kept}");
        } else {
            info!(account, "this daemon has no claim on the account in etcd any more");
        }
        // A request for a claim that is still on its way fails without its lease. A lease that is not revoked ends by itself.
        let _ = self.etcd.perform(&Ask::Revoke { lease }).await;
        true
    }

    /// Says what is known: to the cell, and to the log if it changed.
    fn publish(&mut self) {
        let now = self.clock.boottime();
        let standing = self.guard.standing(now);
        self.cell.set(standing.clone());
        let state = ClaimState {
            is_holder: standing.is_holder,
            may_send: standing.may_send_at(now),
            is_etcd_up: standing.is_etcd_up,
            holder: self.guard.holder().map(Holder::in_words),
            has_dead: standing.before.is_some(),
            halt: self.guard.halt().map(str::to_owned),
        };
        let before = self.logged.replace(state.clone());
        let account = self.account.as_str();
        for sentence in sentences(before.as_ref(), &state, standing.trouble.as_deref(), self.guard.before()) {
            match sentence {
                Sentence::Holds => info!(
                    account,
                    bars_after = standing.bars_after.and_then(utc),
                    "this daemon holds the account in etcd, and orders may be sent"
                ),
                Sentence::Info(text) => info!(account, "{text}"),
                Sentence::Warn(text) => warn!(account, error = "cluster", "{text}"),
                Sentence::Error(text) => error!(account, error = "cluster", "{text}"),
            }
        }
    }
}

/// A time in unix seconds, for the log.
fn utc(at: i64) -> Option<String> {
    let at = chrono::DateTime::from_timestamp(at, 0)?;
    Some(at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
