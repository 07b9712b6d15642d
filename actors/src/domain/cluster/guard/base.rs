//! What a new claim is built on: the version that it replaces, how long it waits for the holder before, and which bars it leaves
//! to that one.

use super::{
    super::{LEASE_MAX, MARGIN, Record, Stored},
    Guard,
};
use std::time::Duration;

/// A daemon that dies again and again must not make the record longer and longer.
const BEFORE_CHARS_MAX: usize = 500;

/// A wall clock may be set by this much while its daemon holds the account, seconds.
const SKEW_S: i64 = 5;

/// What must hold when the account is claimed, as decided before the request is sent.
#[derive(Debug, Clone)]
pub(in super::super) struct Base {
    /// The version of `last` on which the rest depends.
    pub(in super::super) last_revision: i64,
    /// When the trust of whoever wrote it has ended.
    pub(in super::super) settles_at: Duration,
    pub(in super::super) bars_after: Option<i64>,
    /// See `Record::before`.
    pub(in super::super) before: Option<String>,
}

impl Base {
    /// What `me` writes with the claim, at `wall_s` in unix seconds.
    pub(super) fn record(&self, wall_s: i64, me: Record) -> Record {
        Record { since: wall_s, bars_after: self.bars_after, before: self.before.clone(), ..me }
    }
}

impl Guard {
    /// What the claim of an account that nobody holds is built on. `is_unsure`: orders may be unknown even if `last` is of the same
    /// journal.
    pub(super) fn base(&self, (now, wall_s): (Duration, i64), last: Option<&Stored>, is_unsure: bool) -> Base {
        let Some(last) = last else {
            if now < self.held_until {
                // etcd lost its data while this daemon held the account.
                let settles_at = self.settles_at.max(now);
                return Base {
                    last_revision: 0,
                    settles_at,
                    bars_after: self.me.bars_after,
                    before: self.me.before.clone(),
                };
            }
            // The first daemon of this account; or etcd lost its data, and a daemon with any lease still trusts its claim.
            let settles_at = now + longest(LEASE_MAX - MARGIN);
            let after = wall_s.saturating_add(whole_seconds(settles_at - now) + 1 + SKEW_S);
            let (bars_after, before) = (self.me.bars_after.max(Some(after)), self.me.before.clone());
            return Base { last_revision: 0, settles_at, bars_after, before };
        };
        // Also while this daemon still trusted its claim: another one may have had the account already, and waited for its turn.
        let is_unsure = is_unsure || self.has_gone_back();
        let record = last.record.as_ref();
        let seen_at = match &self.last {
            Some((Some(known), seen_at)) if known == last => *seen_at,
            _ => now,
        };
        let trust = record.map_or(LEASE_MAX, |record| Duration::from_millis(record.trust_ms).min(LEASE_MAX));
        let settles_at = match record {
            Some(record) if record.released => now,
            Some(record) if record.instance == self.me.instance => self.settles_at.max(now),
            _ => (seen_at + longest(trust)).max(now),
        };
        // Whoever is forgotten may have had any lease.
        let forgotten_until = self.gone_back_at.map(|at| self.settles_at.max(at + longest(LEASE_MAX - MARGIN)));
        let settles_at = forgotten_until.map_or(settles_at, |until| until.max(settles_at));
        let bars_after = match record {
            Some(record) if self.has_same_journal(record) && !is_unsure => record.bars_after,
            _ => {
                // By this clock; and by the clock of whoever wrote `last`, which may be far from this one.
                let here = wall_s.saturating_add(whole_seconds(settles_at - now));
                let there = record.map_or(i64::MIN, |record| {
                    record.at.saturating_add(if record.released { 0 } else { whole_seconds(trust) })
                });
                let before = record.and_then(|record| record.bars_after).unwrap_or(i64::MIN);
                Some(here.max(there).saturating_add(1 + SKEW_S).max(before))
            }
        };
        let before = match record {
            Some(record) if record.released || self.has_same_journal(record) => record.before.clone(),
            Some(record) => Some(with_earlier(record)),
            None => Some("a daemon whose record in etcd cannot be read".into()),
        };
        // Never less than this daemon has gone by before.
        let bars_after = bars_after.max(self.me.bars_after);
        Base { last_revision: last.mod_revision, settles_at, bars_after, before }
    }
}

/// A holder that did not give the account back, and those before it that nobody has acknowledged yet.
fn with_earlier(record: &Record) -> String {
    let named = record
        .before
        .as_ref()
        .map_or_else(|| record.in_words(), |before| format!("{}; before it {before}", record.in_words()));
    named.chars().take(BEFORE_CHARS_MAX).collect()
}

fn whole_seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// How long a trust may last by this clock, if the other one is slower.
fn longest(trust: Duration) -> Duration {
    trust + trust / 10
}
