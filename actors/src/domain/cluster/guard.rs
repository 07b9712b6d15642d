//! The life of a claim, as a machine: look, take a lease, claim, keep alive; after a loss all over again. `base` decides on
//! what a claim is built and how long it has to wait, `standing` says what others are told.

mod base;
mod standing;

use super::{Ask, EtcdAnswer, LOOK_PERIOD, MARGIN, Record, Seen, Stored, Terms};
pub(super) use base::Base;
pub use standing::Holder;
use std::{collections::HashSet, time::Duration};
use uuid::Uuid;

#[derive(Debug, Clone)]
enum State {
    Looking,
    Granting(Base),
    Claiming {
        base: Base,
        lease: i64,
        until: Duration,
    },
    /// `written` is the version of `last` that this daemon wrote.
    Holding {
        lease: i64,
        epoch: i64,
        written: i64,
        renewed: Option<(Duration, Duration)>,
    },
    Revoking {
        lease: i64,
    },
}

/// The machine. One request at a time: [`Guard::ask`], then [`Guard::told`] or [`Guard::failed`]. All times are
/// [`Clock::boottime`](crate::domain::clock::Clock::boottime) unless they are called wall.
#[derive(Debug, Clone)]
pub struct Guard {
    me: Record,
    /// The orders in its journal.
    orders: HashSet<String>,
    terms: Terms,
    state: State,
    /// When the last request was sent, and when the next one is due.
    asked_at: Duration,
    due_at: Duration,
    /// What `last` is, and since when. All of it, because an etcd that lost its data begins with revision 1 again.
    last: Option<(Option<Stored>, Duration)>,
    /// The newest version of `last` that is known; 0 if there was none.
    newest: i64,
    /// When an older one was found after it, if the account was not held since: etcd was set back to an earlier time, or lost its
    /// data. Whoever held the account since that time is forgotten there.
    gone_back_at: Option<Duration>,
    holder: Option<Holder>,
    /// Of all claims that were asked for: one whose answer was lost may have been made.
    settles_at: Duration,
    from: Duration,
    until: Duration,
    /// The end of the trust that was lost; before it no other daemon can have sent anything.
    held_until: Duration,
    fault: Option<String>,
    /// Why it does not even try to take the account.
    halt: Option<String>,
}

impl Guard {
    /// A daemon that does not hold its account. Of `me` only who it is counts.
    pub fn new(me: Record, terms: Terms) -> Self {
        let trust_ms = u64::try_from(terms.trust().as_millis()).unwrap_or(u64::MAX);
        Self {
            me: Record { trust_ms, released: false, bars_after: None, before: None, ..me },
            orders: HashSet::new(),
            terms,
            state: State::Looking,
            asked_at: Duration::ZERO,
            due_at: Duration::ZERO,
            last: None,
            newest: 0,
            gone_back_at: None,
            holder: None,
            settles_at: Duration::ZERO,
            from: Duration::ZERO,
            until: Duration::ZERO,
            held_until: Duration::ZERO,
            fault: None,
            halt: None,
        }
    }

    /// The journal has this order, which is its newest one.
    pub fn ordered(&mut self, id: Uuid) {
        let id = id.to_string();
        if self.me.newest_order.as_ref() != Some(&id) {
            self.orders.insert(id.clone());
            self.me.newest_order = Some(id);
        }
    }

    /// Whether this daemon's journal has all orders of whoever wrote this. The id alone does not say so: a folder may have been copied,
    /// or an older copy of it be in its place.
    fn has_same_journal(&self, record: &Record) -> bool {
        record.journal == self.me.journal && record.newest_order.as_ref().is_none_or(|id| self.orders.contains(id))
    }

    /// When the next request is due.
    pub const fn due_at(&self) -> Duration {
        self.due_at
    }

    /// Another daemon that holds the account, as last seen.
    pub const fn holder(&self) -> Option<&Holder> {
        self.holder.as_ref()
    }

    /// Why the last request had no usable answer.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Why it does not even try to take the account; see [`Guard::stand_back`].
    pub fn halt(&self) -> Option<&str> {
        self.halt.as_deref()
    }

    /// Instead of the lease that it has just asked for: the account is halted in etcd, for this reason, since it was shared. It looks
    /// again later.
    pub fn stand_back(&mut self, now: Duration, halt: String) {
        (self.fault, self.halt) = (None, Some(halt));
        self.lose(now + LOOK_PERIOD);
    }

    /// Whether the claim is ours, as far as is known. It may not be trusted yet, or no longer.
    pub const fn is_holder(&self) -> bool {
        matches!(self.state, State::Holding { .. })
    }

    /// Whether an order may be sent at this time.
    pub fn may_send_at(&self, now: Duration) -> bool {
        self.is_holder() && self.from <= now && now < self.until
    }

    /// See [`Authority::bars_after`](super::Authority::bars_after).
    pub const fn bars_after(&self) -> Option<i64> {
        self.me.bars_after
    }

    /// See [`Record::before`].
    pub fn before(&self) -> Option<&str> {
        self.me.before.as_deref()
    }

    /// See [`Authority::epoch`](super::Authority::epoch).
    pub const fn epoch(&self) -> Option<i64> {
        match self.state {
            State::Holding { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    /// The next request, sent at `now`, which is `wall_s` in unix seconds.
    pub fn ask(&mut self, now: Duration, wall_s: i64) -> Ask {
        self.asked_at = now;
        self.me.at = wall_s;
        match &self.state {
            State::Looking => Ask::Look,
            State::Granting(_) => Ask::Grant { ttl: self.terms.lease },
            State::Claiming { base, lease, .. } => {
                self.settles_at = self.settles_at.max(base.settles_at);
                let record = base.record(wall_s, self.me.clone());
                Ask::Claim { lease: *lease, last_revision: base.last_revision, record }
            }
            State::Holding { lease, renewed: None, .. } => Ask::KeepAlive { lease: *lease },
            State::Holding { epoch, written, .. } => {
                Ask::Beat { epoch: *epoch, last_revision: *written, record: self.me.clone() }
            }
            State::Revoking { lease } => Ask::Revoke { lease: *lease },
        }
    }

    /// Ends the claim: nothing may be sent from now on. `is_settled`: the outcomes of all orders are known. Returns what to tell
    /// etcd, and the lease to revoke after that. Also of a claim whose answer is still missing, because it may have been made.
    pub fn release(&mut self, now: Duration, wall_s: i64, is_settled: bool) -> Option<(Ask, i64)> {
        let me = Record { at: wall_s, ..self.me.clone() };
        let (record, from, lease) = match &self.state {
            State::Holding { lease, .. } => (me, self.from, *lease),
            State::Claiming { base, lease, .. } => (base.record(wall_s, me), base.settles_at, *lease),
            State::Revoking { lease } => {
                let lease = *lease;
                self.lose(Duration::MAX);
                return Some((Ask::Revoke { lease }, lease));
            }
            // A lease whose id is not known ends by itself, and nothing is kept with it.
            State::Looking | State::Granting(_) => return None,
        };
        // Only who has waited for the holder before can say that no other daemon sends any more.
        let released = is_settled && now >= from;
        self.lose(Duration::MAX);
        Some((Ask::Release { lease, record: Record { released, ..record } }, lease))
    }

    /// The last request had no usable answer at `now`. It may have been carried out.
    pub fn failed(&mut self, now: Duration, fault: String) {
        self.fault = Some(fault);
        self.due_at = now + LOOK_PERIOD;
        match &mut self.state {
            // A claim may have been made. It is asked again with the same lease: then it is found, or made.
            State::Claiming { lease, until, .. } if *until <= now => self.state = State::Revoking { lease: *lease },
            State::Granting(_) | State::Revoking { .. } => self.state = State::Looking,
            State::Holding { renewed, .. } => *renewed = None,
            State::Claiming { .. } | State::Looking => {}
        }
    }

    /// etcd's answer to the last request at `now`, which is `wall_s` in unix seconds.
    pub fn told(&mut self, now: Duration, wall_s: i64, answer: EtcdAnswer) {
        self.fault = None;
        self.due_at = now;
        match (self.state.clone(), answer) {
            (State::Looking, EtcdAnswer::Seen(seen)) => self.looked(now, wall_s, &seen),
            (State::Granting(base), EtcdAnswer::Granted { lease, ttl }) => {
                self.state = State::Claiming { base, lease, until: self.trusted_until(self.asked_at, ttl) };
            }
            (State::Claiming { base, lease, until }, EtcdAnswer::Done { revision }) => {
                self.hold(&base, (lease, revision, revision), until, wall_s);
            }
            (State::Claiming { base, lease, until }, EtcdAnswer::Refused(seen)) => match self.own(&seen, lease) {
                // The answer to an earlier request was lost.
                Some((epoch, written)) => {
                    self.hold(&base, (lease, epoch, written), until, wall_s);
                    self.adopt(&seen);
                }
                None => {
                    self.note(now, &seen);
                    self.state = State::Revoking { lease };
                }
            },
            (State::Holding { lease, epoch, written, .. }, EtcdAnswer::KeptAlive(Some(ttl))) => {
                self.state = State::Holding { lease, epoch, written, renewed: Some((self.asked_at, ttl)) };
            }
            (State::Holding { lease, epoch, renewed: Some((asked_at, ttl)), .. }, EtcdAnswer::Done { revision }) => {
                self.until = self.until.max(self.trusted_until(asked_at, ttl));
                self.newest = revision;
                self.state = State::Holding { lease, epoch, written: revision, renewed: None };
                self.due_at = asked_at + self.terms.keepalive;
            }
            (State::Holding { .. }, EtcdAnswer::KeptAlive(None)) => self.lose(now),
            (State::Holding { lease, epoch, written, renewed }, EtcdAnswer::Refused(seen)) => {
                if let Some((claimed, earlier)) = self.own(&seen, lease)
                    && claimed == epoch
                    && earlier > written
                {
                    // The answer to an earlier request was lost, or a person acknowledged the holder before. It is written again,
                    // with the time as it is now.
                    self.state = State::Holding { lease, epoch, written: earlier, renewed };
                    self.newest = earlier;
                    self.adopt(&seen);
                    return;
                }
                self.lose(now);
                self.note(now, &seen);
                // What is left of it must not keep others away.
                self.state = State::Revoking { lease };
            }
            (State::Revoking { .. }, _) => {
                self.state = State::Looking;
                self.due_at = now + LOOK_PERIOD;
            }
            (_, _) => self.failed(now, "etcd answered something else than was asked".into()),
        }
    }

    /// What a member of shared mode builds on. It waits for whoever wrote `last` as a claim does, but claims nothing here.
    /// `is_first`: no other member is there. Since the last one left, daemons that ask nobody may have ordered, or etcd may have
    /// been restored from an earlier time.
    pub(super) fn base_of_member(
        &mut self,
        (now, wall_s): (Duration, i64),
        last: Option<&Stored>,
        is_first: bool,
    ) -> Base {
        self.note(now, &Seen { claim: None, last: last.cloned() });
        let base = self.base((now, wall_s), last, is_first);
        self.settles_at = self.settles_at.max(base.settles_at);
        base
    }

    /// etcd has forgotten something that was seen there, whatever `last` says. A member that registers waits and leaves bars alone
    /// because of that, until it has registered.
    pub(super) const fn set_gone_back(&mut self, at: Option<Duration>) {
        self.gone_back_at = at;
    }

    /// See [`Guard::set_gone_back`].
    pub(super) const fn has_gone_back(&self) -> bool {
        self.gone_back_at.is_some()
    }

    fn lose(&mut self, now: Duration) {
        self.held_until = self.held_until.max(self.until);
        (self.state, self.from, self.until, self.due_at) = (State::Looking, Duration::ZERO, Duration::ZERO, now);
    }

    fn trusted_until(&self, asked_at: Duration, ttl: Duration) -> Duration {
        asked_at + ttl.min(self.terms.lease).saturating_sub(MARGIN)
    }

    /// The revisions of the claim and of `last`, if this daemon wrote both.
    fn own(&self, seen: &Seen, lease: i64) -> Option<(i64, i64)> {
        let claim = seen.claim.as_ref().filter(|claim| claim.lease == lease)?;
        let last = seen.last.as_ref()?;
        let is_mine = |stored: &Stored| stored.record.as_ref().is_some_and(|it| it.instance == self.me.instance);
        (is_mine(claim) && is_mine(last)).then_some((claim.create_revision, last.mod_revision))
    }

    /// What is reported of the holder before: a person may have acknowledged it in the record that this daemon wrote.
    fn adopt(&mut self, seen: &Seen) {
        self.me.before = seen.last.as_ref().and_then(|last| last.record.as_ref()?.before.clone());
    }

    fn hold(&mut self, base: &Base, (lease, epoch, written): (i64, i64, i64), until: Duration, wall_s: i64) {
        (self.holder, self.halt) = (None, None);
        (self.me.since, self.me.bars_after, self.me.before) = (wall_s, base.bars_after, base.before.clone());
        (self.from, self.until) = (base.settles_at, until);
        (self.newest, self.gone_back_at) = (written, None);
        self.state = State::Holding { lease, epoch, written, renewed: None };
    }

    fn looked(&mut self, now: Duration, wall_s: i64, seen: &Seen) {
        self.note(now, seen);
        match &seen.claim {
            None => self.state = State::Granting(self.base((now, wall_s), seen.last.as_ref(), false)),
            // Left from an answer that was lost.
            Some(Stored { lease, record: Some(record), .. }) if record.instance == self.me.instance => {
                self.state = State::Revoking { lease: *lease };
            }
            Some(_) => self.due_at = now + LOOK_PERIOD,
        }
    }

    /// Remembers which version of `last` was seen since when, and who holds the account.
    fn note(&mut self, now: Duration, seen: &Seen) {
        let revision = seen.last.as_ref().map_or(0, |last| last.mod_revision);
        if revision < self.newest {
            self.gone_back_at = Some(now);
        }
        self.newest = revision;
        let is_new = self.last.as_ref().is_none_or(|(known, _)| *known != seen.last);
        let was_known = self.last.is_some();
        if is_new {
            self.last = Some((seen.last.clone(), now));
        }
        let others = seen
            .claim
            .as_ref()
            .filter(|claim| claim.record.as_ref().is_none_or(|record| record.instance != self.me.instance));
        self.holder = others.map(|claim| {
            let was_alive =
                self.holder.as_ref().is_some_and(|holder| holder.epoch == claim.create_revision && holder.is_alive);
            Holder {
                epoch: claim.create_revision,
                record: claim.record.clone(),
                is_alive: was_alive || (is_new && was_known),
            }
        });
    }
}
