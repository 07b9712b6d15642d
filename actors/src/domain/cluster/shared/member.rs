//! The life of a member, as a machine: look, take a lease, register, keep alive; after a loss all over again. Nothing is ordered
//! by a member that is not trusted, whatever it owns.

use super::{
    AccountState, View,
    key::{self, Span},
    records::{Member as Me, Value},
    transaction::{Answer, Change, Compare, Done, Request, Transaction},
};
use crate::domain::cluster::{Guard, LOOK_PERIOD, MARGIN, Record, Terms, guard::Base};
use std::time::Duration;

/// The journal in the records of all members: what they ordered is in etcd, and each knows it.
pub const JOURNAL: &str = "cluster.mode = shared";
/// Why a member halts the account when it joins.
const WITHOUT_DATA: &str = "etcd knew nothing of this account: it is the first start of its members, or etcd lost its data, and with \
    it orders, a halt and what the limits had counted; look at the account's orders first";
/// Why it does so when etcd has forgotten something that it has seen there.
const SET_BACK: &str = "etcd was set back to an earlier time, and has forgotten what happened since: orders, a halt and what the limits \
    had counted; look at the account's orders first";
/// Time between two looks at the cluster.
pub const VIEW_PERIOD: Duration = Duration::from_secs(2);
/// Who was not seen for so long is forgotten, seconds.
pub const SEEN_FOR_S: i64 = 86_400;
/// etcd takes at most 128 changes in a transaction.
const FORGOTTEN_AT_ONCE: usize = 50;
/// Whoever wrote within this time may still trust its lease, seconds: the longest one, and clocks that differ by minutes.
const TRUSTED_WITHIN_S: u64 = 600;
/// Who comes back within this time and did not leave has flapped, seconds.
const FLAPPED_WITHIN_S: u64 = 300;

#[derive(Debug, Clone)]
enum State {
    Looking,
    Granting(Base),
    Registering {
        base: Base,
        lease: i64,
        until: Duration,
    },
    /// `renewed`: when the last keep-alive was sent, and for how long the lease lives, until both is written down.
    In {
        lease: i64,
        epoch: i64,
        renewed: Option<(Duration, Duration)>,
        keepalive_at: Duration,
    },
    Revoking {
        lease: i64,
    },
}

/// The machine. One request at a time: [`Member::ask`], then [`Member::told`] or [`Member::failed`]. All times are
/// [`Clock::boottime`](crate::domain::clock::Clock::boottime) unless they are called wall.
#[derive(Debug, Clone)]
pub struct Member {
    me: Me,
    terms: Terms,
    state: State,
    view: View,
    /// Waits until whoever wrote `last` surely sends nothing any more, as a claim of the account does.
    before: Guard,
    /// etcd's newest revision that is known, on any connection; and what it was when the last request was sent.
    revision: i64,
    asked_on: i64,
    /// The newest version of `last` that is known. It falls if etcd is set back, also where revisions are made to grow.
    last_revision: i64,
    /// When the cluster was asked for that was read last.
    viewed_at: Duration,
    asked_at: Duration,
    due_at: Duration,
    from: Duration,
    until: Duration,
    trouble: Option<String>,
}

impl Member {
    /// A daemon that is no member yet. Of `me.record` only who it is counts.
    pub fn new(me: Me, terms: Terms) -> Self {
        let trust_ms = u64::try_from(terms.trust().as_millis()).unwrap_or(u64::MAX);
        let record = Record {
            journal: JOURNAL.into(),
            trust_ms,
            released: false,
            bars_after: None,
            before: None,
            newest_order: None,
            ..me.record
        };
        Self {
            before: Guard::new(record.clone(), terms),
            me: Me { record, has_flapped: false, has_left: false, ..me },
            terms,
            state: State::Looking,
            view: View::default(),
            revision: 0,
            asked_on: 0,
            last_revision: 0,
            viewed_at: Duration::ZERO,
            asked_at: Duration::ZERO,
            due_at: Duration::ZERO,
            from: Duration::ZERO,
            until: Duration::ZERO,
            trouble: None,
        }
    }

    /// When the next request is due.
    pub const fn due_at(&self) -> Duration {
        self.due_at
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.me.record.member
    }

    /// The running process.
    pub fn instance(&self) -> &str {
        &self.me.record.instance
    }

    /// The cluster, as last read.
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// Why it is no member, or the last request had no usable answer.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The `create_revision` of its key and its lease, as far as is known; `None` if it is no member. What it owned under another
    /// epoch is lost.
    pub const fn epoch(&self) -> Option<(i64, i64)> {
        match self.state {
            State::In { epoch, lease, .. } => Some((epoch, lease)),
            _ => None,
        }
    }

    /// Whether it may rely on its lease at this time.
    pub fn is_trusted_at(&self, now: Duration) -> bool {
        self.epoch().is_some() && self.from <= now && now < self.until
    }

    /// From when and until when it is trusted if it is a member.
    pub const fn trust(&self) -> (Duration, Duration) {
        (self.from, self.until)
    }

    /// See [`Authority::bars_after`](crate::domain::cluster::Authority::bars_after).
    pub const fn bars_after(&self) -> Option<i64> {
        self.me.record.bars_after
    }

    /// The next request, sent at `now`, which is `wall_s` in unix seconds.
    pub fn ask(&mut self, now: Duration, wall_s: i64) -> Request {
        (self.asked_at, self.asked_on) = (now, self.revision);
        self.me.record.at = wall_s;
        match &self.state {
            State::Looking => Request::Transact(Transaction { reads: View::spans(), ..Transaction::default() }),
            State::Granting(_) => Request::Grant { ttl: self.terms.lease },
            State::Registering { base, lease, .. } => Request::Transact(self.registration(base, *lease, wall_s)),
            State::In { epoch, renewed: Some(_), .. } => Request::Transact(self.beat(*epoch, wall_s)),
            // After a time without etcd it looks before it writes: an etcd that was set back meanwhile shows it by what is there.
            State::In { lease, keepalive_at, .. }
                if now >= *keepalive_at && (now < self.until || self.viewed_at >= self.until) =>
            {
                Request::KeepAlive { lease: *lease }
            }
            State::In { .. } => Request::Transact(Transaction { reads: View::spans(), ..Transaction::default() }),
            State::Revoking { lease } => Request::Revoke { lease: *lease },
        }
    }

    /// Leaves: nothing may be sent from now on, and what it still owns is lost. Returns what to tell etcd, and the lease to
    /// revoke after that.
    pub fn leave(&mut self, wall_s: i64) -> Option<(Request, i64)> {
        if let State::Registering { lease, .. } = self.state {
            // A registration that is still on its way fails without its lease.
            self.lose(Duration::MAX);
            return Some((Request::Revoke { lease }, lease));
        }
        let (epoch, lease) = self.epoch()?;
        let mut me = Me { has_left: true, ..self.me.clone() };
        me.record.at = wall_s;
        self.lose(Duration::MAX);
        let (member, seen) = (key::member(self.name()), key::seen(self.name()));
        let changes = vec![Change::Delete(Span::one(&member)), Change::put(seen, Value::Member(Box::new(me)))];
        let compare = vec![Compare::Created(member, epoch)];
        Some((Request::Transact(Transaction { compare, changes, reads: Vec::new() }), lease))
    }

    /// The last request had no usable answer at `now`. It may have been carried out.
    pub fn failed(&mut self, now: Duration, fault: String) {
        self.trouble = Some(fault);
        self.due_at = now + LOOK_PERIOD;
        match &mut self.state {
            // It may have registered. It is asked again with the same lease: then that is found, or done.
            State::Registering { lease, until, .. } if *until <= now => self.state = State::Revoking { lease: *lease },
            State::Granting(_) | State::Revoking { .. } => self.state = State::Looking,
            State::In { renewed, keepalive_at, .. } => {
                if renewed.take().is_some() {
                    *keepalive_at = now;
                }
            }
            State::Registering { .. } | State::Looking => {}
        }
    }

    /// etcd's answer to the last request at `now`, which is `wall_s` in unix seconds.
    pub fn told(&mut self, now: Duration, wall_s: i64, answer: &Answer) {
        self.trouble = None;
        self.due_at = now;
        if let Answer::Done(done) = answer
            && !done.read.is_empty()
        {
            self.view = View::new(done);
            self.viewed_at = self.asked_at;
            let is_lower = done.revision > 0 && done.revision < self.asked_on;
            let last_revision = self.view.last().map_or(0, |last| last.mod_revision);
            let has_gone_back = is_lower || last_revision < self.last_revision;
            self.last_revision = last_revision;
            if has_gone_back {
                self.forget(now, done.revision);
                return;
            }
            self.note_revision(done.revision);
        }
        match (self.state.clone(), answer) {
            (State::Looking, Answer::Done(_)) => self.looked(now, wall_s),
            (State::Granting(base), Answer::Granted { lease, ttl }) => {
                self.state = State::Registering { base, lease: *lease, until: self.trusted_until(self.asked_at, *ttl) };
            }
            (State::Registering { base, lease, until }, Answer::Done(_)) => self.registered(&base, lease, until),
            (State::In { lease, epoch, .. }, Answer::KeptAlive(Some(ttl))) => {
                let keepalive_at = self.asked_at + self.terms.keepalive;
                self.state = State::In { lease, epoch, renewed: Some((self.asked_at, *ttl)), keepalive_at };
            }
            (State::In { .. }, Answer::KeptAlive(None)) => self.lose(now),
            (State::In { .. }, Answer::Done(done)) => self.viewed(now, done),
            (State::Revoking { .. }, _) => {
                self.state = State::Looking;
                self.due_at = now + LOOK_PERIOD;
            }
            (_, _) => self.failed(now, "etcd answered something else than was asked".into()),
        }
    }

    /// Takes the cluster as another transaction of this connection read it; [`Member::ask`] was not asked for that one.
    pub(super) fn saw(&mut self, now: Duration, done: &Done) {
        self.view = View::new(done);
        let last_revision = self.view.last().map_or(0, |last| last.mod_revision);
        if last_revision < self.last_revision {
            self.last_revision = last_revision;
            self.forget(now, done.revision);
            return;
        }
        self.last_revision = last_revision;
        self.note_revision(done.revision);
        self.check(now);
    }

    /// etcd's newest revision that is known. No answer to a request that is sent now is older.
    pub const fn revision(&self) -> i64 {
        self.revision
    }

    /// etcd has answered at this revision, on any connection.
    pub fn note_revision(&mut self, revision: i64) {
        self.revision = self.revision.max(revision);
    }

    /// etcd has forgotten what this member has seen there. Others may have ordered in its shards since, and still trust their leases,
    /// so it begins anew, as if it had never been there; and a person has to look.
    fn forget(&mut self, now: Duration, revision: i64) {
        let lease = match self.state {
            State::In { lease, .. } | State::Registering { lease, .. } | State::Revoking { lease } => Some(lease),
            State::Looking | State::Granting(_) => None,
        };
        self.lose(now);
        self.revision = revision;
        self.before.set_gone_back(Some(now));
        self.trouble =
            Some("etcd has forgotten what this member has seen there: it was set back to an earlier time".into());
        if let Some(lease) = lease {
            self.state = State::Revoking { lease };
        }
    }

    /// Loses the membership if its key is gone, or somebody else's.
    fn check(&mut self, now: Duration) {
        if let Some((epoch, lease)) = self.epoch()
            && self.view.member(self.name()).is_none_or(|it| it.create_revision != epoch)
        {
            self.lose(now);
            // What is left of it must not keep others away.
            self.state = State::Revoking { lease };
        }
    }

    fn looked(&mut self, now: Duration, wall_s: i64) {
        self.due_at = now + LOOK_PERIOD;
        let last = self.view.last();
        let base = self.before.base_of_member((now, wall_s), last.as_ref(), self.is_first());
        if let Some(guard) = self.view.guard() {
            let who = guard.record.map_or_else(|| "a daemon that cannot be read".into(), |record| record.in_words());
            self.trouble = Some(format!("{who} holds the account with cluster.mode = \"guard\""));
            return;
        }
        match self.view.member(self.name()) {
            None => {
                self.due_at = now;
                self.state = State::Granting(base);
            }
            // Left from an answer that was lost.
            Some(entry) if self.is_mine(entry.value.as_ref()) => self.state = State::Revoking { lease: entry.lease },
            Some(_) => {
                self.trouble =
                    Some(format!("another live daemon is the member {}, or was until just now", self.name()));
            }
        }
    }

    fn registration(&self, base: &Base, lease: i64, wall_s: i64) -> Transaction {
        let mut me = self.me.clone();
        (me.record.since, me.record.bars_after) = (wall_s, base.bars_after);
        me.record.before.clone_from(&base.before);
        me.has_flapped = self.has_flapped(wall_s);
        let (member, seen) = (key::member(self.name()), key::seen(self.name()));
        let mut compare = vec![
            Compare::Absent(Span::one(key::CLAIM)),
            Compare::Absent(Span::one(&member)),
            Compare::Changed(key::LAST.into(), base.last_revision),
        ];
        if !self.is_first() {
            // Those whose orders it relies on are still there.
            compare.push(Compare::CreatedAfter(Span::folder(key::MEMBERS), 0));
        }
        let mut changes = vec![
            Change::Put { key: member, value: Value::Member(Box::new(me.clone())), lease },
            self.last(me.record.clone()),
            Change::put(seen, Value::Member(Box::new(me))),
        ];
        if (base.last_revision == 0 || self.before.has_gone_back())
            && let Some((version, halted)) = self.halted_without_data(base, wall_s)
        {
            compare.push(Compare::Changed(key::STATE.into(), version));
            changes.push(Change::put(key::STATE, Value::State(Box::new(halted))));
        }
        Transaction { compare, changes, reads: View::spans() }
    }

    /// The account's state as who finds no `last` writes it, with the version that it replaces: halted until a person has looked,
    /// because a first start and lost data look the same, and with the data went a halt and what the limits had counted. The same if
    /// etcd was set back. `None` if nobody can order anyway.
    fn halted_without_data(&self, base: &Base, wall_s: i64) -> Option<(i64, AccountState)> {
        let (version, state) = self.view.state().filter(|(_, state)| state.halt.is_none())?;
        let why = if base.last_revision == 0 { WITHOUT_DATA } else { SET_BACK };
        Some((version, state.halted(self.name().into(), why.into(), wall_s)))
    }

    /// Whether the read says that this process is a member now, with this lease, whatever the transaction said.
    fn registered(&mut self, base: &Base, lease: i64, until: Duration) {
        let own = self.view.member(self.name()).filter(|it| it.lease == lease && self.is_mine(it.value.as_ref()));
        let Some((epoch, Some(Value::Member(me)))) = own.map(|it| (it.create_revision, it.value.clone())) else {
            self.state = State::Revoking { lease };
            return;
        };
        self.me = *me;
        self.before.set_gone_back(None);
        (self.from, self.until) = (base.settles_at, until);
        self.state = State::In { lease, epoch, renewed: None, keepalive_at: self.asked_at + self.terms.keepalive };
    }

    /// Writes `last` with every keep-alive, so that a daemon in guard mode, or a new member, can tell when the trust of all members
    /// has ended. Also forgets who was not seen for long.
    fn beat(&self, epoch: i64, wall_s: i64) -> Transaction {
        let (member, seen) = (key::member(self.name()), key::seen(self.name()));
        let is_old = |it: &Me| it.record.at < wall_s.saturating_sub(SEEN_FOR_S);
        let old =
            self.view.seen().filter(|(name, it)| name != self.name() && it.is_some_and(is_old)).take(FORGOTTEN_AT_ONCE);
        let mut changes: Vec<_> = old.map(|(name, _)| Change::Delete(Span::one(&key::seen(&name)))).collect();
        changes.push(self.last(self.me.record.clone()));
        changes.push(Change::put(seen, Value::Member(Box::new(self.me.clone()))));
        Transaction { compare: vec![Compare::Created(member, epoch)], changes, reads: View::spans() }
    }

    /// Writes `last`. Its time never goes back, because a guard that comes later leaves all bars until then to the members, and
    /// another one's clock may be ahead. Its trust is the longest of all who may still have one: a member with a longer lease may be
    /// cut off, and not be in `members/` any more.
    fn last(&self, record: Record) -> Change {
        let may_trust = |it: &&Me| !it.has_left && it.record.at.abs_diff(record.at) < TRUSTED_WITHIN_S;
        let others = self.view.seen().filter_map(|(_, it)| it).filter(may_trust).map(|it| it.record.trust_ms);
        let record = Record { trust_ms: others.fold(record.trust_ms, u64::max), ..record };
        let written = self.view.last().and_then(|last| last.record).map_or(i64::MIN, |record| record.at);
        Change::put(key::LAST, Value::Record(Box::new(Record { at: record.at.max(written), ..record })))
    }

    fn viewed(&mut self, now: Duration, done: &Done) {
        if let State::In { renewed, keepalive_at, .. } = &mut self.state {
            self.due_at = (*keepalive_at).min(now + VIEW_PERIOD);
            if let Some((asked_at, ttl)) = renewed.take().filter(|_| done.is_made) {
                self.until = self.until.max(self.trusted_until(asked_at, ttl));
            }
        }
        self.check(now);
    }

    /// Whether nobody was a member when it looked: then it leaves the bars until now alone.
    fn is_first(&self) -> bool {
        self.view.members().next().is_none()
    }

    fn has_flapped(&self, wall_s: i64) -> bool {
        let mut seen = self.view.seen().filter(|(name, _)| name == self.name());
        seen.any(|(_, it)| it.is_some_and(|it| !it.has_left && it.record.at.abs_diff(wall_s) < FLAPPED_WITHIN_S))
    }

    fn is_mine(&self, value: Option<&Value>) -> bool {
        matches!(value, Some(Value::Member(member)) if member.record.instance == self.me.record.instance)
    }

    fn lose(&mut self, now: Duration) {
        (self.state, self.from, self.until, self.due_at) = (State::Looking, Duration::ZERO, Duration::ZERO, now);
    }

    /// By the sending of the request and not by its answer, which may be late.
    fn trusted_until(&self, asked_at: Duration, ttl: Duration) -> Duration {
        asked_at + ttl.min(self.terms.lease).saturating_sub(MARGIN)
    }
}
