//! An etcd in memory, for the simulations: keys with revisions, leases, and transactions as etcd carries them out.

use crate::domain::cluster::{
    Ask, EtcdAnswer, Record, Seen, Stored,
    shared::{Answer, Change, Compare, Done, Entry, Key, Request, Span, Transaction, Value, key},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

#[derive(Default, Clone)]
pub struct FakeEtcd {
    pub revision: i64,
    /// When they end, and for how long they live, milliseconds.
    pub leases: HashMap<i64, (u64, u64)>,
    pub next_lease: i64,
    pub keys: BTreeMap<Key, Entry>,
}

impl FakeEtcd {
    /// What is left of it when its disk is replaced. Ids of leases are random, so they are never used again.
    pub fn emptied(&self) -> Self {
        Self { next_lease: self.next_lease, ..Self::default() }
    }

    /// It begins again with an older copy of its data, in which the leases live as long as at their begin.
    pub fn set_back_to(&mut self, copy: &Self, now_ms: u64) {
        let next_lease = self.next_lease;
        *self = Self { next_lease, ..copy.clone() };
        for (ends_at, lives_ms) in self.leases.values_mut() {
            *ends_at = now_ms + *lives_ms;
        }
    }

    /// Deletes the keys whose lease has ended.
    pub fn expire(&mut self, now_ms: u64) {
        self.leases.retain(|_, (ends_at, _)| now_ms < *ends_at);
        let before = self.keys.len();
        self.keys.retain(|_, entry| entry.lease == 0 || self.leases.contains_key(&entry.lease));
        if self.keys.len() < before {
            self.revision += 1;
        }
    }

    /// The keys of a span.
    pub fn read(&self, span: &Span) -> Vec<Entry> {
        let mut all = self.keys.range(span.from.clone()..span.to.clone()).map(|(_, entry)| entry.clone());
        if span.is_newest { all.next_back().into_iter().collect() } else { all.collect() }
    }

    /// `None`: an answer that is no answer, as a write with a lease that is gone has.
    pub fn answer(&mut self, request: &Request, now_ms: u64) -> Option<Answer> {
        self.expire(now_ms);
        Some(match request {
            Request::Grant { ttl } => {
                self.next_lease += 1;
                let lives_ms = ttl.as_millis() as u64;
                self.leases.insert(self.next_lease, (now_ms + lives_ms, lives_ms));
                Answer::Granted { lease: self.next_lease, ttl: *ttl }
            }
            Request::KeepAlive { lease } => Answer::KeptAlive(self.leases.get_mut(lease).map(|(ends_at, lives_ms)| {
                *ends_at = now_ms + *lives_ms;
                Duration::from_millis(*lives_ms)
            })),
            Request::Revoke { lease } => {
                self.leases.remove(lease);
                self.expire(now_ms);
                Answer::Revoked
            }
            Request::Transact(transaction) => Answer::Done(self.transact(transaction)?),
        })
    }

    pub fn transact(&mut self, transaction: &Transaction) -> Option<Done> {
        let is_made = transaction.compare.iter().all(|compare| self.holds(compare));
        if is_made && !transaction.changes.is_empty() {
            let is_dead = |it: &Change| matches!(it, Change::Put { lease, .. } if *lease != 0 && !self.leases.contains_key(lease));
            if transaction.changes.iter().any(is_dead) {
                return None;
            }
            self.revision += 1;
            transaction.changes.iter().for_each(|change| self.change(change));
        }
        Some(Done {
            is_made,
            revision: self.revision,
            read: transaction.reads.iter().map(|span| self.read(span)).collect(),
        })
    }

    fn holds(&self, compare: &Compare) -> bool {
        match compare {
            Compare::Absent(span) => self.read(span).is_empty(),
            Compare::Created(key, at) => self.keys.get(key).map_or(0, |entry| entry.create_revision) == *at,
            Compare::Changed(key, at) => self.keys.get(key).map_or(0, |entry| entry.mod_revision) == *at,
            Compare::CreatedAfter(span, after) => {
                let read = self.read(span);
                !read.is_empty() && read.iter().all(|entry| entry.create_revision > *after)
            }
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Delete(span) => self.keys.retain(|key, _| !span.has(key)),
            Change::Put { key, value, lease } => {
                let created = self.keys.get(key).map_or(self.revision, |entry| entry.create_revision);
                let entry = Entry {
                    key: key.clone(),
                    create_revision: created,
                    mod_revision: self.revision,
                    lease: *lease,
                    value: Some(value.clone()),
                };
                self.keys.insert(key.clone(), entry);
            }
        }
    }

    /// The same for a daemon in guard mode.
    pub fn answer_guard(&mut self, ask: Ask, now_ms: u64) -> Option<EtcdAnswer> {
        let put = |key: &str, record: Record, lease| Change::Put {
            key: key.into(),
            value: Value::Record(Box::new(record)),
            lease,
        };
        let (compare, changes) = match ask {
            Ask::Look => (Vec::new(), Vec::new()),
            Ask::Claim { lease, last_revision, record } => (
                vec![
                    Compare::Absent(Span::one(key::CLAIM)),
                    Compare::Changed(key::LAST.into(), last_revision),
                    Compare::Absent(Span::folder(key::MEMBERS)),
                ],
                vec![put(key::CLAIM, record.clone(), lease), put(key::LAST, record, 0)],
            ),
            Ask::Beat { epoch, last_revision, record } => (
                vec![Compare::Created(key::CLAIM.into(), epoch), Compare::Changed(key::LAST.into(), last_revision)],
                vec![put(key::LAST, record, 0)],
            ),
            Ask::Release { lease, record } => {
                // etcd compares the lease itself; here it stands for the claim that was made with it.
                let claim = self.keys.get(key::CLAIM).filter(|claim| claim.lease == lease);
                let created = claim.map_or(i64::MIN, |claim| claim.create_revision);
                (
                    vec![Compare::Created(key::CLAIM.into(), created)],
                    vec![Change::Delete(Span::one(key::CLAIM)), put(key::LAST, record, 0)],
                )
            }
            Ask::Grant { ttl } => return guards(self.answer(&Request::Grant { ttl }, now_ms)?),
            Ask::KeepAlive { lease } => return guards(self.answer(&Request::KeepAlive { lease }, now_ms)?),
            Ask::Revoke { lease } => return guards(self.answer(&Request::Revoke { lease }, now_ms)?),
        };
        let is_look = changes.is_empty();
        let reads = vec![Span::one(key::CLAIM), Span::one(key::LAST), Span::folder(key::MEMBERS)];
        self.expire(now_ms);
        let done = self.transact(&Transaction { compare, changes, reads })?;
        let seen = || Seen { claim: done.one(0).or(done.one(2)).map(stored), last: done.one(1).map(stored) };
        Some(match done.is_made {
            _ if is_look => EtcdAnswer::Seen(seen()),
            true => EtcdAnswer::Done { revision: self.revision },
            false => EtcdAnswer::Refused(seen()),
        })
    }
}

fn guards(answer: Answer) -> Option<EtcdAnswer> {
    match answer {
        Answer::Granted { lease, ttl } => Some(EtcdAnswer::Granted { lease, ttl }),
        Answer::KeptAlive(ttl) => Some(EtcdAnswer::KeptAlive(ttl)),
        Answer::Revoked => Some(EtcdAnswer::Revoked),
        Answer::Done(_) => None,
    }
}

fn stored(entry: &Entry) -> Stored {
    let record = match &entry.value {
        Some(Value::Record(record)) => Some((**record).clone()),
        Some(Value::Member(member)) => Some(member.record.clone()),
        _ => None,
    };
    let Entry { create_revision, mod_revision, lease, .. } = *entry;
    Stored { create_revision, mod_revision, lease, record }
}
