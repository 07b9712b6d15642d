//! One account, one daemon per machine: before a daemon starts, its state directory is created and its account is locked.

use crate::settings::{Gateway, Resolved, make_state_directory};
use anyhow::{Context, anyhow, bail};
use sentinel_actors::adapters::journal::AccountLock;

/// What to do if the environment names no state directory.
const NAME_ONE: &str = "set STATE_DIRECTORY (or XDG_STATE_HOME, or HOME) to the absolute path of a permanent folder";

/// Creates the state directory if the journal or the lock needs it, and in live mode takes the account's lock, which is held
/// until the process ends.
///
/// # Errors
/// The working folder has a journal of an earlier version, and no setting says which one counts. In live mode: another daemon
/// trades the account at this gateway, or there is no state directory for the lock.
pub(super) fn prepare(settings: &Resolved) -> anyhow::Result<Option<AccountLock>> {
    let journal = &settings.journal;
    if journal.is_default && journal.state_directory.is_none() {
        tracing::warn!(
            "the journal is in the working folder, so a start in another folder will not find its orders: {NAME_ONE}, \
             or name the journal with --journal"
        );
    }
    if let Some(old) = journal.old() {
        // A new journal does not know the orders of the old one and would let their bars be ordered again. A dry run does not
        // start either: it would create the new journal, and the old one could then not be moved there.
        bail!("{}", old.message());
    }
    let made = match &journal.state_directory {
        Some(directory) if settings.purpose.gateway.is_live() || journal.is_default => make_state_directory(directory)
            .with_context(|| format!("the folder {} cannot be created", directory.display())),
        _ => Ok(()),
    };
    let Gateway::Live { account, .. } = &settings.purpose.gateway else {
        if let Err(error) = made {
            // The Journal actor logs failed writes and keeps trying.
            tracing::warn!("{error:#}");
        }
        return Ok(None);
    };
    let no_lock =
        "live mode needs a folder for the lock that keeps a second daemon on this machine from trading the account";
    made.with_context(|| format!("{no_lock}; {NAME_ONE}"))?;
    let directory = journal.state_directory.as_deref().ok_or_else(|| anyhow!("{no_lock}: {NAME_ONE}"))?;
    let gateway = &settings.gateway;
    Ok(Some(AccountLock::acquire(directory, (&gateway.host, gateway.port), account, &journal.path)?))
}
