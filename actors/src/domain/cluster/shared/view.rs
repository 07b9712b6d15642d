//! What a member reads of the cluster in one transaction: who is there, who owns what, who should, and whether all are halted.

use super::{
    account::AccountState,
    key::{self, Span},
    records::{Member, Owner, Value},
    settlement::state_in,
    shards::{Plan, Shard},
    transaction::{Done, Entry},
};
use crate::domain::{cluster::Stored, sanitize::one_line};

/// All of it at one revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    claim: Option<Entry>,
    last: Option<Entry>,
    plan: Option<Entry>,
    members: Vec<Entry>,
    seen: Vec<Entry>,
    drained: Vec<Entry>,
    shards: Vec<Entry>,
    state: Option<Entry>,
}

impl View {
    /// What to read for it.
    pub fn spans() -> Vec<Span> {
        let folders = [key::MEMBERS, key::SEEN, key::DRAIN, key::SHARDS].map(Span::folder);
        let ones = [key::CLAIM, key::LAST, key::PLAN].map(Span::one);
        ones.into_iter().chain(folders).chain([Span::one(key::STATE)]).collect()
    }

    /// From what was read.
    pub fn new(done: &Done) -> Self {
        let [claim, last, plan] = [0, 1, 2].map(|index| done.one(index).cloned());
        let [members, seen, drained, shards] = [3, 4, 5, 6].map(|index| done.span(index).to_vec());
        Self { claim, last, plan, members, seen, drained, shards, state: done.one(7).cloned() }
    }

    /// A daemon in guard mode that holds the account.
    pub fn guard(&self) -> Option<Stored> {
        self.claim.as_ref().map(stored)
    }

    /// Who wrote last.
    pub fn last(&self) -> Option<Stored> {
        self.last.as_ref().map(stored)
    }

    /// What all members count and obey, and its version (0: it was never written); `None` if it cannot be read.
    pub fn state(&self) -> Option<(i64, AccountState)> {
        state_in(self.state.as_ref())
    }

    /// Why no member may claim an order, in words: a halt, or a state that this version cannot read.
    pub fn halt(&self) -> Option<String> {
        halt_in(self.state.as_ref())
    }

    /// The plan; without one nobody should own anything.
    pub fn plan(&self) -> Plan {
        match self.plan.as_ref().and_then(|entry| entry.value.as_ref()) {
            Some(Value::Plan(plan)) => (**plan).clone(),
            _ => Plan::default(),
        }
    }

    /// The version of the plan; 0 if there is none.
    pub fn plan_revision(&self) -> i64 {
        self.plan.as_ref().map_or(0, |entry| entry.mod_revision)
    }

    /// The live members, by name.
    pub fn members(&self) -> impl Iterator<Item = (String, &Entry)> {
        self.members.iter().map(|entry| (entry.name(), entry))
    }

    /// A live member.
    pub fn member(&self, name: &str) -> Option<&Entry> {
        let wanted = key::member(name);
        self.members.iter().find(|entry| entry.key == wanted)
    }

    /// The members that were there and did not begin anew since: who, and what they wrote last.
    pub fn seen(&self) -> impl Iterator<Item = (String, Option<&Member>)> {
        self.seen.iter().map(|entry| {
            let member = match &entry.value {
                Some(Value::Member(member)) => Some(&**member),
                _ => None,
            };
            (entry.name(), member)
        })
    }

    /// Whose settings count if members have different ones: the oldest live member that owns a shard; if none does, the oldest.
    /// So who joins with others never takes anything from those that trade.
    fn settled_member(&self) -> Option<(&str, &str)> {
        let owns =
            |name: &str| Shard::all().any(|shard| self.owner(shard).flatten().is_some_and(|it| it.member == name));
        let known = self.members.iter().filter_map(|entry| match &entry.value {
            Some(Value::Member(member)) if !member.settings.is_empty() => {
                let name = member.record.member.as_str();
                Some((!owns(name), entry.create_revision, (name, member.settings.as_str())))
            }
            _ => None,
        });
        known.min().map(|(_, _, settled)| settled)
    }

    /// Who has other settings than this live member, if it must own nothing because of that.
    pub fn differs_from(&self, name: &str) -> Option<&str> {
        let Some(Value::Member(own)) = &self.member(name)?.value else {
            return None;
        };
        let (settled, settings) = self.settled_member()?;
        (!own.settings.is_empty() && own.settings != settings).then_some(settled)
    }

    /// When this name was last written to `seen/`, as a revision; 0 if it never was.
    pub fn seen_revision(&self, name: &str) -> i64 {
        let wanted = key::seen(name);
        self.seen.iter().find(|entry| entry.key == wanted).map_or(0, |entry| entry.mod_revision)
    }

    /// Whether a member shall own nothing.
    pub fn is_drained(&self, name: &str) -> bool {
        let wanted = key::drain(name);
        self.drained.iter().any(|entry| entry.key == wanted)
    }

    /// The key of a shard's owner.
    pub fn shard(&self, shard: Shard) -> Option<&Entry> {
        let wanted = key::shard(shard);
        self.shards.iter().find(|entry| entry.key == wanted)
    }

    /// Who owns a shard; inside `None` if that cannot be read.
    pub fn owner(&self, shard: Shard) -> Option<Option<&Owner>> {
        self.shard(shard).map(|entry| match &entry.value {
            Some(Value::Owner(owner)) => Some(owner),
            _ => None,
        })
    }
}

/// Why no order may be sent for the account, in words, as the key of its state says it: a halt, or that this version cannot read it.
pub fn halt_in(entry: Option<&Entry>) -> Option<String> {
    let Some((_, state)) = state_in(entry) else {
        return Some(
            "the account's state in etcd cannot be read, so no order is sent: a later version wrote it".into(),
        );
    };
    let halt = state.halt?;
    let (who, reason) = (one_line(&halt.who), one_line(&halt.reason));
    Some(format!("halted in etcd for all members by {who}: {reason}; `sentinel cluster resume` ends it"))
}

fn stored(entry: &Entry) -> Stored {
    let record = match &entry.value {
        Some(Value::Record(record)) => Some((**record).clone()),
        _ => None,
    };
    let Entry { create_revision, mod_revision, lease, .. } = *entry;
    Stored { create_revision, mod_revision, lease, record }
}
