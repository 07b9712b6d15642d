//! Which shard a symbol is in, and which member should own each shard. `planner` says when that may change.
//!
//! Sixteen shards are few: a rendezvous hash alone would give two members 5 and 11 of them now and then. So the weights decide
//! how many shards a member has, and the hash which ones it gets or gives away.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{cmp::Reverse, collections::BTreeMap, fmt};

/// The number of shards. Changing it needs all daemons of an account stopped.
pub const SHARDS: usize = 16;

/// A shard, 0 to 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard(u8);

impl Shard {
    /// A symbol's: SHA-256 of its name, modulo 16.
    pub fn of(symbol: &str) -> Self {
        // The digest is one large number, and its last byte says what is left of it.
        Self(Sha256::digest(symbol.as_bytes())[31] % SHARDS as u8)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SHARDS as u8).map(Self)
    }

    /// Its number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// A member that may own shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its share, compared with the others'; 0: it owns nothing, because it is drained.
    pub weight: u32,
    /// Whether it has been there long enough to be given shards.
    pub is_settled: bool,
}

/// Who should own each shard. Kept in etcd, so that all members go by the same one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    owners: [Option<String>; SHARDS],
}

impl Plan {
    /// Who should own a shard; `None` only if there is no member.
    pub fn owner(&self, shard: Shard) -> Option<&str> {
        self.owners[shard.index()].as_deref()
    }

    /// How many shards a member should own.
    pub fn load(&self, name: &str) -> usize {
        self.owners.iter().flatten().filter(|owner| *owner == name).count()
    }

    /// The plan after this one. A shard whose owner is gone or drained gets another one at once. All others stay, unless
    /// `may_rebalance` and every member is settled: then as few as possible move until each member has its share.
    pub fn next(&self, candidates: &[Candidate], may_rebalance: bool) -> Self {
        let present = candidates.iter().filter(|it| it.weight > 0);
        let mut members: BTreeMap<&str, Seat<'_>> = present.map(|it| (it.name.as_str(), Seat::new(it))).collect();
        let mut plan = self.clone();
        for owner in &mut plan.owners {
            *owner = owner.take().filter(|name| members.contains_key(name.as_str()));
        }
        plan.share_out(&mut members);
        if may_rebalance && members.values().all(|seat| seat.candidate.is_settled) {
            plan.give_away(&members);
        }
        let is_anybody_settled = members.values().any(|seat| seat.candidate.is_settled);
        members.retain(|_, seat| seat.candidate.is_settled || !is_anybody_settled);
        for shard in Shard::all() {
            if plan.owner(shard).is_none() {
                let room = |(name, seat): &(&&str, &Seat<'_>)| seat.quota as i64 - plan.load(name) as i64;
                // Those with room first, by the hash; if there is none left, the one that is over its share by least.
                let best = members.iter().max_by_key(|it| (room(it).min(1), it.1.score(shard)));
                plan.owners[shard.index()] = best.map(|(name, _)| (*name).to_owned());
            }
        }
        plan
    }

    /// How many shards each member should have: 16 by weight, rounded down, and the rest one by one to those with the largest
    /// remainder. Of equal ones it is the member that has more, so that less moves.
    fn share_out(&self, members: &mut BTreeMap<&str, Seat<'_>>) {
        let total: u64 = members.values().map(|seat| u64::from(seat.candidate.weight)).sum();
        let mut left = SHARDS;
        let mut order = Vec::new();
        for (name, seat) in &mut *members {
            let share = SHARDS as u64 * u64::from(seat.candidate.weight);
            seat.quota = (share / total) as usize;
            left -= seat.quota;
            order.push((Reverse(share % total), Reverse(self.load(name)), *name));
        }
        order.sort_unstable();
        for (_, _, name) in order.into_iter().take(left) {
            if let Some(seat) = members.get_mut(name) {
                seat.quota += 1;
            }
        }
    }

    /// Takes from each member what it has too much, those with its lowest scores.
    fn give_away(&mut self, members: &BTreeMap<&str, Seat<'_>>) {
        for (name, seat) in members {
            let mut own: Vec<_> = Shard::all().filter(|shard| self.owner(*shard) == Some(name)).collect();
            own.sort_by_key(|shard| Reverse(seat.score(*shard)));
            for shard in own.into_iter().skip(seat.quota) {
                self.owners[shard.index()] = None;
            }
        }
    }
}

/// A member while a plan is made.
struct Seat<'a> {
    candidate: &'a Candidate,
    /// Of its name.
    digest: [u8; 32],
    /// How many shards it should have.
    quota: usize,
}

impl<'a> Seat<'a> {
    fn new(candidate: &'a Candidate) -> Self {
        Self { candidate, digest: Sha256::digest(candidate.name.as_bytes()).into(), quota: 0 }
    }

    /// The rendezvous hash: how much it wants a shard. Each has two bytes of the digest.
    fn score(&self, shard: Shard) -> [u8; 2] {
        [self.digest[2 * shard.index()], self.digest[2 * shard.index() + 1]]
    }
}
