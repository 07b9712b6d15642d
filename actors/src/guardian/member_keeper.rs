//! Carries out what a member of a cluster asks etcd for, and logs what changes. What it knows is in a [`MemberCell`].

use super::keeper::{LEASE_SLACK, Taken};
use crate::{
    adapters::etcd::{self, Etcd},
    domain::{
        clock::Clock,
        cluster::{
            Authority, Terms,
            shared::{MemberCell, Phase, Request, Rival, Shard},
        },
    },
};
use std::{io, sync::Arc, time::Duration};
use tracing::{error, info, warn};

/// How often it looks whether a request is due: a cycle may make one due at any time.
const POLL: Duration = Duration::from_millis(200);

/// The configuration of a membership.
#[derive(Clone)]
pub struct MemberConfig {
    /// Where etcd is, and which account.
    pub etcd: etcd::Config,
    /// How long the lease lasts.
    pub terms: Terms,
    /// The system's clock.
    pub clock: Arc<dyn Clock>,
    /// The machines.
    pub cell: MemberCell,
}

/// A membership on its way.
pub struct MemberKeeper {
    cell: MemberCell,
    etcd: Etcd,
    account: String,
    lease: Duration,
    clock: Arc<dyn Clock>,
    /// As it was last logged.
    logged: Option<MemberState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct MemberState {
    is_member: bool,
    may_send: bool,
    is_etcd_up: bool,
    rival: Option<Rival>,
    owned: Vec<Shard>,
    halt: Option<String>,
}

impl MemberKeeper {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// See [`Etcd::new`].
    pub fn new(config: MemberConfig) -> io::Result<Self> {
        let MemberConfig { etcd, terms, clock, cell } = config;
        let account = etcd.account.clone();
        Ok(Self { cell, etcd: Etcd::new(etcd)?, account, lease: terms.lease, clock, logged: None })
    }

    /// Sends the next request if it is due, or waits a moment; then says what changed.
    pub async fn step(&mut self) {
        let wait = self.cell.due_in();
        if wait.is_zero() {
            let request = self.cell.ask();
            let answered = self.etcd.perform_shared(&request).await;
            self.cell.told(answered.as_ref().map_err(ToString::to_string));
        } else {
            self.clock.sleep(wait.min(POLL)).await;
        }
        self.say();
    }

    /// Becomes a member before the daemon starts. Who is in the way may be dead: it is watched until it shows that it lives, or its
    /// lease must have ended.
    pub async fn join(&mut self) -> Taken {
        // The first that was seen of whoever is in the way, and when.
        let mut known: Option<(Rival, Duration)> = None;
        loop {
            self.step().await;
            let now = self.clock.boottime();
            if self.cell.is_member() {
                return Taken::Ours;
            }
            if let Some(fault) = self.cell.fault().filter(|_| self.cell.was_asked()) {
                return Taken::NoAnswer(fault);
            }
            let Some(rival) = self.cell.rival() else { continue };
            match &known {
                Some((first, _)) if first.epoch == rival.epoch && first.written != rival.written => {
                    return Taken::Others(rival.in_words());
                }
                Some((first, since)) if first.epoch == rival.epoch => {
                    // By its own lease, twice: that begins again when etcd's leader changes.
                    if now > *since + rival.lease() * 2 + LEASE_SLACK {
                        return Taken::Silent(rival.in_words());
                    }
                }
                _ => {
                    let wait = rival.lease() * 2 + LEASE_SLACK;
                    info!(
                        account = self.account,
                        "waiting up to {} s to see whether {} is alive: it {}",
                        wait.as_secs(),
                        rival.in_words(),
                        if rival.is_guard { "holds the account" } else { "has the same name" }
                    );
                    known = Some((rival, now));
                }
            }
        }
    }

    /// Who is in the way, if somebody is.
    pub fn rival(&self) -> Option<Rival> {
        self.cell.rival()
    }

    /// Leaves, if it is a member or may be one. Nothing is sent after it began; its shards are free at once. Returns whether etcd
    /// confirmed it; if not, they are free when its lease ends.
    pub async fn leave(&mut self) -> bool {
        let Some((request, lease)) = self.cell.leave() else { return true };
        let account = self.account.as_str();
        let left = self.etcd.perform_shared(&request).await;
        // What it still owns ends with the lease.
        let revoked = self.etcd.perform_shared(&Request::Revoke { lease }).await;
        if left.and(revoked).is_ok() {
            info!(account, "this daemon has left the cluster in etcd, and its shards are free");
            return true;
        }
        let lease_s = self.lease.as_secs();
        warn!(
            account,
            error = "cluster",
            "leaving the cluster failed: the other members take its shards in {lease_s} s"
        );
        false
    }

    /// Logs what changed.
    fn say(&mut self) {
        let standing = self.cell.standing().unwrap_or_default();
        let held = self.cell.held();
        let state = MemberState {
            is_member: standing.is_holder,
            may_send: self.cell.may_send(),
            is_etcd_up: standing.is_etcd_up,
            rival: self.cell.rival().map(Rival::at_any_time),
            owned: held.iter().filter(|(_, phase)| *phase == Phase::Owned).map(|(shard, _)| *shard).collect(),
            halt: self.cell.membership().and_then(|membership| membership.halt),
        };
        let before = self.logged.replace(state.clone());
        if before.as_ref() == Some(&state) {
            return;
        }
        let account = self.account.as_str();
        if before.as_ref().map_or(&[][..], |before| &before.owned) != state.owned {
            let shards: Vec<_> = state.owned.iter().map(Shard::to_string).collect();
            info!(account, shards = %shards.join(","), "shards that this member may order: {} of 16", shards.len());
        }
        match (before.as_ref().and_then(|before| before.halt.as_ref()), &state.halt) {
            (known, Some(halt)) if known != Some(halt) => warn!(account, error = "cluster", "{halt}"),
            (Some(_), None) => info!(account, "the halt in etcd is over: all members may order again"),
            _ => {}
        }
        let was_member = before.as_ref().is_some_and(|before| before.is_member);
        let is_said = before
            .is_some_and(|it| MemberState { owned: state.owned.clone(), halt: state.halt.clone(), ..it } == state);
        match (&standing.trouble, &state) {
            _ if is_said => {}
            (None, _) => {
                info!(account, "this daemon is a member of the account's cluster in etcd, and orders may be sent")
            }
            (Some(trouble), MemberState { is_etcd_up: false, .. }) => warn!(account, error = "cluster", "{trouble}"),
            (Some(trouble), MemberState { is_member: true, .. }) => {
                info!(account, "this daemon is a member; {trouble}")
            }
            (Some(trouble), _) if was_member => {
                error!(account, error = "cluster", "the membership is lost in etcd: {trouble}");
            }
            (Some(trouble), _) => info!(account, "{trouble}"),
        }
    }
}
