//! When the plan may change, as one member sees it: at once for a shard without an owner; otherwise at most once in 60 s.
//!
//! Every member proposes; a transaction on the plan's version takes one of the proposals. Times are counted from when this member
//! saw a version first, so that wall clocks do not matter, and a member that has just come waits longest.

use super::{
    View, key,
    records::Value,
    shards::{Candidate, Plan},
    transaction::{Change, Compare, Transaction},
};
use std::{collections::HashMap, time::Duration};

/// The plan is rebalanced at most once in this time.
pub const REBALANCE_PAUSE: Duration = Duration::from_secs(60);
/// A member that came back soon after it was gone gets shards of others only after this time.
pub const SETTLES_AFTER_FLAP: Duration = Duration::from_secs(300);

/// What a member knows of the times of plan and members.
#[derive(Debug, Clone, Default)]
pub struct Planner {
    /// The plan's version, and since when it is known.
    plan: Option<(i64, Duration)>,
    /// The same for each member.
    members: HashMap<String, (i64, Duration)>,
}

impl Planner {
    /// Takes what was read at `now`, boottime.
    pub fn note(&mut self, now: Duration, view: &View) {
        let version = view.plan_revision();
        if self.plan.is_none_or(|(known, _)| known != version) {
            self.plan = Some((version, now));
        }
        let known = std::mem::take(&mut self.members);
        for (name, entry) in view.members() {
            let since = known.get(&name).filter(|(created, _)| *created == entry.create_revision);
            let since = since.map_or(now, |(_, since)| *since);
            self.members.insert(name, (entry.create_revision, since));
        }
    }

    /// The change of the plan that is due at `now`, if any. `epoch` is that of the member `name`, which proposes it.
    pub fn proposal(&self, now: Duration, (name, epoch): (&str, i64), view: &View) -> Option<Transaction> {
        let (version, since) = self.plan?;
        let next = self.next(now, view, now >= since + REBALANCE_PAUSE);
        (next != view.plan()).then(|| Transaction {
            compare: vec![Compare::Changed(key::PLAN.into(), version), Compare::Created(key::member(name), epoch)],
            changes: vec![Change::put(key::PLAN, Value::Plan(Box::new(next)))],
            reads: View::spans(),
        })
    }

    fn next(&self, now: Duration, view: &View, may_rebalance: bool) -> Plan {
        let candidates: Vec<_> = view
            .members()
            .map(|(name, entry)| {
                let member = match &entry.value {
                    Some(Value::Member(member)) => Some(&**member),
                    _ => None,
                };
                let since = self.members.get(&name).map_or(now, |(_, since)| *since);
                // A record that cannot be read is a later version's; it counts as an ordinary member.
                let has_flapped = member.is_some_and(|it| it.has_flapped);
                let weight = member.map_or(1, |it| it.weight.clamp(1, 100));
                Candidate {
                    weight: if view.is_drained(&name) || view.differs_from(&name).is_some() { 0 } else { weight },
                    is_settled: !has_flapped || now >= since + SETTLES_AFTER_FLAP,
                    name,
                }
            })
            .collect();
        view.plan().next(&candidates, may_rebalance)
    }
}
