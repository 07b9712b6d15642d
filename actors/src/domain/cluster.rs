//! The claim on a trading account in etcd: which daemon may send orders, and until when. Pure: [`Guard`] says what to ask etcd
//! next and is told the answer, with the time as a parameter. The Guardian carries it out; the SignalSender asks the
//! [`ClaimCell`].
//!
//! Two keys belong to an account. The claim has a lease, so it ends with its holder. The other one, `last`, has none: the
//! holder rewrites it with every keep-alive. A daemon that takes the account over first lets the trust of whoever wrote `last`
//! run out, by its own clock, from the moment at which it saw that version of it. So two daemons never trust their claims at
//! the same time, even if etcd ends a lease early (as an etcd leader may after a stall) or a person deletes the claim.

mod authority;
mod guard;
pub mod shared;
#[cfg(test)]
mod tests;

pub use authority::{Authority, ClaimCell, Membership, Standing, Unguarded};
pub use guard::{Guard, Holder};

use crate::domain::sanitize::one_line;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A claim is trusted for this much less than its lease, for requests that are on their way and clocks that differ.
pub const MARGIN: Duration = Duration::from_secs(5);
/// The longest lease that settings allow. It bounds the trust of a holder whose record cannot be read.
pub const LEASE_MAX: Duration = Duration::from_secs(60);
/// Time between two looks at an account that is not held by this daemon, and before a failed request is repeated.
pub const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// The longest time for which one endpoint of etcd is waited for.
pub const PATIENCE_MAX: Duration = Duration::from_secs(2);

/// How long a claim lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Time to live of the lease.
    pub lease: Duration,
    /// Time between two keep-alives.
    pub keepalive: Duration,
}

impl Terms {
    /// How long the claim is trusted after the sending of a keep-alive.
    pub fn trust(&self) -> Duration {
        self.lease.saturating_sub(MARGIN)
    }

    /// How long one of so many endpoints has to answer a request. Of the trust that is left when a keep-alive is due, one half is
    /// for endpoints that hang: one, or as many as may be away while etcd still works. The other half is for those that answer.
    pub fn patience(&self, endpoints: usize) -> Duration {
        let spare = self.trust().saturating_sub(self.keepalive) / 2;
        let hanging = u32::try_from(endpoints.saturating_sub(1) / 2).unwrap_or(u32::MAX).max(1);
        (spare / hanging).min(PATIENCE_MAX)
    }
}

/// Who holds or held an account, as it is in etcd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The running process; every start has another one.
    pub instance: String,
    /// The daemon's name, for people.
    pub member: String,
    /// Its machine's name.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its journal. A daemon with the same journal knows all orders of this one.
    pub journal: String,
    /// When it took the account, unix seconds by its clock.
    pub since: i64,
    /// When this was written, unix seconds by its clock.
    pub at: i64,
    /// How long it trusts a keep-alive, milliseconds.
    pub trust_ms: u64,
    /// Bars that closed until then, unix seconds, may have been ordered by a daemon with another journal.
    pub bars_after: Option<i64>,
    /// Who held the account last with another journal and did not give it back, in words. Its orders may be unknown to everybody,
    /// until a person has looked and acknowledged it: then this is rewritten without it.
    #[serde(default)]
    pub before: Option<String>,
    /// Whether it gave the account back, after its last order was settled.
    #[serde(default)]
    pub released: bool,
    /// The newest order of the account in its journal. A journal that does not have it is an older copy, whatever its id says.
    /// `None` if it has none, or an earlier version wrote this.
    #[serde(default)]
    pub newest_order: Option<String>,
}

impl Record {
    /// `inf-1 on host inf (pid 17, version 0.1.0), since 2026-11-27 10:00:00 UTC`.
    pub fn in_words(&self) -> String {
        let Self { member, host, pid, version, since, .. } = self;
        let since = chrono::DateTime::from_timestamp(*since, 0);
        let since = since.map_or_else(String::new, |at| format!(", since {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
        one_line(&format!("{member} on host {host} (pid {pid}, version {version}){since}"))
    }
}

/// The time to live of a holder's lease, as far as that can be told from its record.
fn lease_of(record: Option<&Record>) -> Duration {
    let trust = record.map(|record| Duration::from_millis(record.trust_ms));
    trust.map_or(LEASE_MAX, |trust| trust.saturating_add(MARGIN).min(LEASE_MAX))
}

/// [`Record::in_words`], if it can be read.
fn in_words(record: Option<&Record>) -> String {
    record.map_or_else(|| "a daemon whose record in etcd cannot be read".into(), Record::in_words)
}

/// A key of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The revision that created it.
    pub create_revision: i64,
    /// The revision that changed it last.
    pub mod_revision: i64,
    /// Its lease; 0 if it has none.
    pub lease: i64,
    /// Its value; `None` if that cannot be read.
    pub record: Option<Record>,
}

/// Both keys of an account at one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The claim, if there is one; or else a member of [`shared`] mode, which keeps the account from being claimed, too.
    pub claim: Option<Stored>,
    /// Who wrote last, if anybody ever did.
    pub last: Option<Stored>,
}

/// A request to etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Read both keys.
    Look,
    /// A new lease.
    Grant {
        /// Its time to live.
        ttl: Duration,
    },
    /// If there is no claim, no member of [`shared`] mode, and `last` has this `mod_revision` (0: it does not exist), write both
    /// keys; else read them.
    Claim {
        /// The lease of the claim.
        lease: i64,
        /// The expected version of `last`.
        last_revision: i64,
        /// The value of both.
        record: Record,
    },
    /// Keep this lease alive.
    KeepAlive {
        /// The lease.
        lease: i64,
    },
    /// If the claim was created at this revision and `last` has this `mod_revision`, rewrite `last`; else read both. So a request
    /// that arrives late never replaces a later one.
    Beat {
        /// The claim's `create_revision`.
        epoch: i64,
        /// The expected version of `last`.
        last_revision: i64,
        /// The new value.
        record: Record,
    },
    /// If the claim has this lease, delete it and rewrite `last`; else read both. By its lease, because the revision of a claim
    /// whose answer is missing is not known; no other claim ever has it.
    Release {
        /// The lease of the claim.
        lease: i64,
        /// The new value.
        record: Record,
    },
    /// End this lease.
    Revoke {
        /// The lease.
        lease: i64,
    },
}

/// What etcd said. An answer that lacks something is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtcdAnswer {
    /// To a look.
    Seen(Seen),
    /// The lease.
    Granted {
        /// Its id.
        lease: i64,
        /// How long it lives, from when etcd granted it.
        ttl: Duration,
    },
    /// The transaction was made at this revision.
    Done {
        /// The revision.
        revision: i64,
    },
    /// The condition of the transaction did not hold.
    Refused(Seen),
    /// The lease lives for so long from when etcd was asked; `None` if it is gone.
    KeptAlive(Option<Duration>),
    /// The lease is gone.
    Revoked,
}
