//! The daemon's claim on its account in etcd: who it says it is, and how it takes the account before it starts.

use crate::settings::{ClusterMode, Gateway, Resolved};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::{journal::journal_id, system_clock::SystemClock},
    domain::{
        clock::Clock,
        cluster::{ClaimCell, Record},
    },
    guardian::{self, Keeper, Taken},
};
use std::{fs, sync::Arc};
use uuid::Uuid;

/// A claim, and where the rest of the daemon sees whether it is held.
pub struct Claim {
    /// Works on it.
    pub keeper: Keeper,
    /// What it knows.
    pub cell: ClaimCell,
}

impl Claim {
    /// The claim of a live daemon with `cluster.mode = "guard"`; `None` for all others. Asks nobody yet.
    ///
    /// # Errors
    /// The journal's id cannot be kept beside it, or there are no trusted roots for https.
    pub fn of(settings: &Resolved) -> anyhow::Result<Option<Self>> {
        let (Gateway::Live { account, .. }, ClusterMode::Guard) = (&settings.purpose.gateway, settings.cluster.mode)
        else {
            return Ok(None);
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let cell = ClaimCell::new(clock.clone());
        let journal = &settings.journal.path;
        let id = journal_id(journal).with_context(|| {
            format!(
                "the id of the journal, which cluster.mode = \"guard\" needs, cannot be kept in {}.id",
                journal.display()
            )
        })?;
        let host = host_name();
        let now = clock.now_unix();
        let me = Record {
            instance: Uuid::new_v4().to_string(),
            member: settings.cluster.member.clone().unwrap_or_else(|| host.clone()),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            // A folder may have been copied to another machine.
            journal: format!("{host}/{id}"),
            host,
            since: now,
            at: now,
            trust_ms: 0,
            bars_after: None,
            before: None,
            released: false,
        };
        let etcd = settings.etcd(account);
        let keeper =
            Keeper::new(guardian::Config { etcd, me, terms: settings.cluster.terms(), clock, cell: cell.clone() });
        Ok(Some(Self { keeper: keeper.context("etcd cannot be reached over https")?, cell }))
    }

    /// Takes the account before anything else starts. Without etcd the daemon starts, too, and sends no order until it holds the
    /// account. `must_settle`: waits until orders may be sent, for a daemon that has only one cycle.
    ///
    /// # Errors
    /// Another daemon holds the account; it is named.
    pub async fn take(&mut self, settings: &Resolved, must_settle: bool) -> anyhow::Result<()> {
        let account = settings.purpose.gateway.account();
        match self.keeper.take(must_settle).await {
            Taken::Ours => {}
            Taken::Others(holder) => bail!(
                "another daemon already trades account {account}: {holder}. Two would order the same bar twice; stop one of them. \
                 The claim is in etcd, below {}",
                settings.cluster.prefix
            ),
            Taken::Silent(holder) => bail!(
                "account {account} is held in etcd by {holder}, who did not show that it is dead: its claim did not end in time. \
                 If it is, try again; if its claim has no lease (`sentinel cluster status`), delete the key claim in etcd, below {}",
                settings.cluster.prefix
            ),
            Taken::NoAnswer(why) if must_settle => bail!("no order can be sent, because etcd does not answer: {why}"),
            Taken::NoAnswer(_) => tracing::warn!(
                account,
                error = "cluster",
                "starting without etcd: no order is sent until this daemon holds its account there"
            ),
        }
        Ok(())
    }
}

/// The name of this machine.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "a machine without a name".into() } else { name.to_owned() }
}
