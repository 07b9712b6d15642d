//! All that etcd knows of an account, read at one revision, and how long the members' leases still live.

use sentinel_actors::{
    adapters::etcd::{Etcd, EtcdError},
    domain::cluster::shared::{
        AccountState, Answer, Claim, Done, Entry, MemberRecord, Request, SEEN_FOR_S, Span, Transaction, Value, View,
        key,
    },
};
use std::{collections::BTreeMap, time::Duration};

/// The account in etcd, whatever the mode.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::tools) struct AccountView {
    /// The guard and the members.
    pub(in crate::tools) view: View,
    /// What all members count and obey; `None` if it is not readable.
    pub(in crate::tools) state: Option<AccountState>,
    /// The claims without a final outcome, by key; those of a later version that cannot be read are `None`.
    pub(in crate::tools) open: Vec<(String, Option<Claim>)>,
    /// For how long each live member's lease still lives, by name; `None` if it is gone.
    pub(in crate::tools) leases: BTreeMap<String, Option<Duration>>,
}

/// A member, live or seen within a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tools) struct SeenMember {
    /// Its name.
    pub(in crate::tools) name: String,
    /// What it wrote last; `None` if it is not readable.
    pub(in crate::tools) record: Option<MemberRecord>,
    /// Whether it has a lease.
    pub(in crate::tools) is_live: bool,
}

impl AccountView {
    /// Reads it.
    ///
    /// # Errors
    /// etcd gave no usable answer.
    pub(in crate::tools) async fn read(etcd: &mut Etcd) -> Result<Self, EtcdError> {
        let transaction = Request::Transact(Transaction { reads: Self::spans(), ..Transaction::default() });
        // A transaction has no other answer.
        let Answer::Done(done) = etcd.perform_shared(&transaction).await? else { return Ok(Self::default()) };
        let mut account = Self::new(&done);
        for (name, lease) in account.view.members().map(|(name, entry)| (name, entry.lease)).collect::<Vec<_>>() {
            let left = etcd.lease_left(lease).await?;
            account.leases.insert(name, left);
        }
        Ok(account)
    }

    /// What to read for it.
    pub(in crate::tools) fn spans() -> Vec<Span> {
        View::spans().into_iter().chain([Span::folder(key::OPEN)]).collect()
    }

    /// From what was read; the leases are not.
    pub(in crate::tools) fn new(done: &Done) -> Self {
        let view = View::new(done);
        let claim = |entry: &Entry| match &entry.value {
            Some(Value::Claim(claim)) => Some((**claim).clone()),
            _ => None,
        };
        let open = done.span(View::spans().len()).iter().map(|entry| (entry.key.clone(), claim(entry))).collect();
        Self { state: view.state().map(|(_, state)| state), view, open, leases: BTreeMap::new() }
    }

    /// The live members and those that were seen within a day before `now_s` (unix seconds), by name.
    pub(in crate::tools) fn members(&self, now_s: i64) -> Vec<SeenMember> {
        let mut all = BTreeMap::new();
        for (name, record) in self.view.seen() {
            if record.is_none_or(|it| it.record.at >= now_s.saturating_sub(SEEN_FOR_S)) {
                all.insert(name, (record.cloned(), false));
            }
        }
        for (name, entry) in self.view.members() {
            let registered = match &entry.value {
                Some(Value::Member(member)) => Some((**member).clone()),
                _ => None,
            };
            // What it wrote last is newer than what it registered with.
            let seen = all.remove(&name).and_then(|(record, _)| record);
            all.insert(name, (seen.or(registered), true));
        }
        all.into_iter().map(|(name, (record, is_live))| SeenMember { name, record, is_live }).collect()
    }
}
