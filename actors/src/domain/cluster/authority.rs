//! Whether orders may be sent, as the SignalSender asks it right before each of them: no network, no waiting.

use super::shared::Shard;
use crate::domain::{clock::Clock, instrument::Symbol};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use uuid::Uuid;

/// Says whether this daemon may send orders for its account.
pub trait Authority: fmt::Debug + Send + Sync {
    /// Whether an order may be sent now.
    fn may_send(&self) -> bool;

    /// Bars that closed until then (unix seconds) are not ordered: another daemon may have ordered them.
    fn bars_after(&self) -> Option<i64>;

    /// The claim under which orders of this symbol may be sent: etcd's revision that created it, so that no later claim has the
    /// same. `None` if none is held, or needed. In guard mode it is the account's; in shared mode that of the symbol's shard.
    fn epoch(&self, symbol: &Symbol) -> Option<i64>;

    /// What is known; `None` if nobody is asked.
    fn standing(&self) -> Option<Standing>;

    /// For how long orders may still be sent without another answer of etcd; zero if they may not be.
    fn remaining(&self) -> Duration;

    /// An order is in the journal, and is about to be sent.
    fn note_order(&self, _: Uuid) {}

    /// How this daemon is as a member of a cluster; `None` if it is none.
    fn membership(&self) -> Option<Membership> {
        None
    }
}

/// With `cluster.mode = "off"`: nobody is asked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unguarded {
    /// See [`Authority::bars_after`]: others may have ordered before, while the account was shared or guarded.
    pub bars_after: Option<i64>,
}

impl Authority for Unguarded {
    fn may_send(&self) -> bool {
        true
    }

    fn bars_after(&self) -> Option<i64> {
        self.bars_after
    }

    fn epoch(&self, _: &Symbol) -> Option<i64> {
        None
    }

    fn standing(&self) -> Option<Standing> {
        None
    }

    fn remaining(&self) -> Duration {
        Duration::MAX
    }
}

/// What a daemon knows about its claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Orders may be sent from then on, on [`Clock::boottime`].
    pub from: Duration,
    /// And before then. Not after `from` while the account is not held.
    pub until: Duration,
    /// See [`Authority::bars_after`].
    pub bars_after: Option<i64>,
    /// See [`Authority::epoch`].
    pub epoch: Option<i64>,
    /// Who held the account before and did not give it back, in words, until a person acknowledges it; see
    /// [`Record::before`](super::Record::before).
    pub before: Option<String>,
    /// Whether etcd answered the last request.
    pub is_etcd_up: bool,
    /// Whether the claim in etcd is ours, as far as is known.
    pub is_holder: bool,
    /// Why no order may be sent, or would not be if this continues; `None` if all is well.
    pub trouble: Option<String>,
}

impl Standing {
    /// Whether an order may be sent at this time of [`Clock::boottime`].
    pub fn may_send_at(&self, now: Duration) -> bool {
        self.is_holder && self.from <= now && now < self.until
    }
}

/// How a member is, for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Live members, as last read.
    pub members: usize,
    /// Every shard, and whether it is ours under a lease that is trusted.
    pub shards: Vec<(Shard, bool)>,
    /// How often the plan changed while this member looked on.
    pub rebalances: u64,
    /// Claims without a final outcome that this member knows.
    pub claims_open: usize,
    /// Why no member may claim an order, as the state in etcd says it; `None` if they may.
    pub halt: Option<String>,
}

/// Shared by the Guardian, which writes it, and all who ask.
#[derive(Clone)]
pub struct ClaimCell {
    standing: Arc<Mutex<Standing>>,
    newest_order: Arc<Mutex<Option<Uuid>>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for ClaimCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClaimCell").field(&self.read()).finish()
    }
}

impl ClaimCell {
    /// A claim that is not held.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { standing: Arc::default(), newest_order: Arc::default(), clock }
    }

    /// Replaces what is known.
    pub fn set(&self, standing: Standing) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = standing;
    }

    /// The newest order of this process; see [`Authority::note_order`].
    pub fn newest_order(&self) -> Option<Uuid> {
        *self.newest_order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Authority for ClaimCell {
    fn may_send(&self) -> bool {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        // Read after the lock, which may have been waited for.
        standing.may_send_at(self.clock.boottime())
    }

    fn bars_after(&self) -> Option<i64> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).bars_after
    }

    fn epoch(&self, _: &Symbol) -> Option<i64> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).epoch
    }

    fn standing(&self) -> Option<Standing> {
        Some(self.read())
    }

    fn note_order(&self, id: Uuid) {
        *self.newest_order.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    fn remaining(&self) -> Duration {
        let (standing, now) = (self.read(), self.clock.boottime());
        if standing.may_send_at(now) { standing.until - now } else { Duration::ZERO }
    }
}
