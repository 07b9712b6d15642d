//! The daemon's place in etcd: the claim on its account, or its membership among the daemons that share it. Who it says it is, and
//! how it takes that place before it starts.

use crate::{
    process::host_name,
    settings::{ClusterMode, Gateway, Recorded, Resolved},
};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::{
        journal::{bars_of_others, ids_of_orders, journal_id, note_others},
        system_clock::SystemClock,
    },
    domain::{
        clock::Clock,
        cluster::{
            Authority, ClaimCell, Record, Unguarded,
            shared::{Member, MemberCell, MemberRecord, Ownership},
        },
    },
    guardian::{self, Keeper, Keeping, MemberConfig, MemberKeeper, Taken},
};
use std::sync::Arc;
use uuid::Uuid;

/// What a daemon with `cluster.mode = "off"` goes by: only which bars others may have ordered before it was alone.
///
/// # Errors
/// The file beside the journal that says so can be neither read nor written.
pub fn alone(settings: &Resolved) -> anyhow::Result<Unguarded> {
    if !settings.purpose.gateway.is_live() {
        return Ok(Unguarded::default());
    }
    let (journal, now_s) = (&settings.journal.path, SystemClock.now_unix());
    let bars_after = bars_of_others(journal, now_s).with_context(|| {
        format!("{}.others says until when other daemons ordered, and cannot be used", journal.display())
    })?;
    if let Some(until) = bars_after.filter(|until| *until >= now_s) {
        tracing::warn!(
            until,
            "the account was in etcd until now, so others may have ordered for it: bars that closed before are left alone"
        );
    }
    Ok(Unguarded { bars_after })
}

/// The place, and where the rest of the daemon sees whether it is held.
pub struct Claim {
    /// Works on it.
    pub keeping: Keeping,
    /// Whether orders may be sent.
    pub authority: Arc<dyn Authority>,
    /// What this daemon owns, if it shares the account.
    pub members: Option<MemberCell>,
}

impl Claim {
    /// That of a live daemon with `cluster.mode = "guard"` or `"shared"`; `None` for all others. Asks nobody yet.
    ///
    /// # Errors
    /// The journal's id cannot be kept beside it, or there are no trusted roots for https.
    pub fn of(settings: &Resolved) -> anyhow::Result<Option<Self>> {
        let Gateway::Live { account, .. } = &settings.purpose.gateway else { return Ok(None) };
        if settings.cluster.mode != ClusterMode::Off {
            let journal = &settings.journal.path;
            note_others(journal).with_context(|| format!("{}.others cannot be written", journal.display()))?;
        }
        let claim = match settings.cluster.mode {
            ClusterMode::Off => return Ok(None),
            ClusterMode::Guard => Self::guard(settings, account)?,
            ClusterMode::Shared => Self::member(settings, account)?,
        };
        Ok(Some(claim))
    }

    fn guard(settings: &Resolved, account: &str) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let cell = ClaimCell::new(clock.clone());
        let journal = &settings.journal.path;
        let id = journal_id(journal).with_context(|| {
            format!(
                "the id of the journal, which cluster.mode = \"guard\" needs, cannot be kept in {}.id",
                journal.display()
            )
        })?;
        // A folder may have been copied to another machine.
        let me = Record { journal: format!("{}/{id}", host_name()), ..record(settings, &*clock) };
        let (etcd, terms) = (settings.etcd(account), settings.cluster.terms());
        let orders = ids_of_orders(journal, account)
            .with_context(|| format!("the orders in {} cannot be read", journal.display()))?;
        let keeper = Keeper::new(guardian::Config { etcd, me, terms, clock, cell: cell.clone(), orders });
        let keeping = Keeping::Claim(Box::new(keeper.context(NO_ROOTS)?));
        Ok(Self { keeping, authority: Arc::new(cell), members: None })
    }

    fn member(settings: &Resolved, account: &str) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (cluster, terms) = (&settings.cluster, settings.cluster.terms());
        let me = MemberRecord {
            record: record(settings, &*clock),
            weight: cluster.weight,
            address: settings.advertised().unwrap_or_default(),
            region: cluster.region.clone(),
            has_flapped: false,
            has_left: false,
            settings: Recorded::of(settings).fingerprint_of_members()?,
        };
        let cell = MemberCell::new(Ownership::new(Member::new(me, terms)), clock.clone());
        let keeper = MemberKeeper::new(MemberConfig { etcd: settings.etcd(account), terms, clock, cell: cell.clone() });
        let keeping = Keeping::Membership(Box::new(keeper.context(NO_ROOTS)?));
        Ok(Self { keeping, authority: Arc::new(cell.clone()), members: Some(cell) })
    }

    /// Takes the place before anything else starts. Without etcd the daemon starts, too, and sends no order until it has it.
    /// `must_settle`: waits until orders may be sent, for a daemon that has only one cycle.
    ///
    /// # Errors
    /// Another daemon is in the way; it is named. A daemon that has only one cycle cannot be a member.
    pub async fn take(&mut self, settings: &Resolved, must_settle: bool) -> anyhow::Result<()> {
        let account = settings.purpose.gateway.account();
        match &mut self.keeping {
            Keeping::Claim(keeper) => taken(keeper.take(must_settle).await, settings, must_settle)?,
            Keeping::Membership(_) if must_settle => bail!(
                "--once does not go with cluster.mode = \"shared\": a member takes the symbols that the others leave to it, from \
                 cycle to cycle. Use guard, or start it without --once"
            ),
            Keeping::Membership(keeper) => joined(keeper.join().await, keeper, settings)?,
        }
        if !self.authority.standing().is_some_and(|standing| standing.is_holder) {
            tracing::warn!(
                account,
                error = "cluster",
                "starting without a place in etcd: no order is sent until this daemon has it"
            );
        }
        Ok(())
    }
}

const NO_ROOTS: &str = "etcd cannot be reached over https";

fn taken(taken: Taken, settings: &Resolved, must_settle: bool) -> anyhow::Result<()> {
    let account = settings.purpose.gateway.account();
    match taken {
        Taken::Ours => Ok(()),
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
        Taken::Halted(why) if must_settle => bail!("no order can be sent: {why}"),
        Taken::Halted(_) => Ok(()),
        Taken::NoAnswer(why) if must_settle => bail!("no order can be sent, because etcd does not answer: {why}"),
        Taken::NoAnswer(_) => Ok(()),
    }
}

fn joined(joined: Taken, keeper: &MemberKeeper, settings: &Resolved) -> anyhow::Result<()> {
    let account = settings.purpose.gateway.account();
    let is_guard = keeper.rival().is_some_and(|rival| rival.is_guard);
    match joined {
        // A member joins all the same; its claims are refused.
        Taken::Ours | Taken::NoAnswer(_) | Taken::Halted(_) => Ok(()),
        Taken::Others(who) if is_guard => bail!(
            "account {account} is held in etcd by {who}, whose cluster.mode is \"guard\". It shares the account with nobody: stop \
             it, and start it again with cluster.mode = \"shared\""
        ),
        Taken::Others(who) => bail!(
            "another live daemon has the same name in the cluster of account {account}: {who}. Each member needs its own \
             cluster.member"
        ),
        Taken::Silent(who) => bail!(
            "{who} is in the way in etcd, below {}, and did not show that it is dead: its lease did not end in time. If it is, try \
             again",
            settings.cluster.prefix
        ),
    }
}

/// Who this daemon is.
fn record(settings: &Resolved, clock: &dyn Clock) -> Record {
    let (host, now) = (host_name(), clock.now_unix());
    Record {
        instance: Uuid::new_v4().to_string(),
        member: settings.member_name(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").into(),
        journal: String::new(),
        host,
        since: now,
        at: now,
        trust_ms: 0,
        bars_after: None,
        before: None,
        released: false,
        newest_order: None,
    }
}
