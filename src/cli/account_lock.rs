//! One account, one daemon, per machine: the place of the journal and of the live lock, looked after before a daemon starts.

use crate::settings::{Gateway, Resolved, make_state_directory};
use anyhow::{Context, anyhow, bail};
use sentinel_actors::adapters::journal::AccountLock;

/// What to do where the environment names no place.
const NAME_ONE: &str = "set STATE_DIRECTORY (or XDG_STATE_HOME, or HOME) to an absolute path of a folder that stays";

/// Makes the place where the default journal lies, says what was left elsewhere, and in live mode takes the account's
/// lock, to be held until the process ends.
///
/// # Errors
/// An earlier version's journal lies in the working folder, and no setting says which one counts. In live mode: another
/// daemon trades the account at this gateway; there is no place for the lock.
pub(super) fn prepare(settings: &Resolved) -> anyhow::Result<Option<AccountLock>> {
    let journal = &settings.journal;
    if journal.is_default && journal.state_directory.is_none() {
        tracing::warn!(
            "the journal is in the working folder, so a start from another folder knows nothing of its orders: {NAME_ONE}, \
             or name the journal with --journal"
        );
    }
    if let Some(old) = journal.old() {
        // With a journal that does not know the old one's orders, their bars would be ordered again. A dry run does not
        // start either: it would make that journal, and the old one could not be moved to its place any more.
        bail!("{}", old.message());
    }
    let made = match &journal.state_directory {
        Some(directory) if settings.purpose.gateway.is_live() || journal.is_default => make_state_directory(directory)
            .with_context(|| format!("the folder {} cannot be made", directory.display())),
        _ => Ok(()),
    };
    let Gateway::Live { account, .. } = &settings.purpose.gateway else {
        if let Err(error) = made {
            // The Journal says what it cannot write, and goes on trying.
            tracing::warn!("{error:#}");
        }
        return Ok(None);
    };
    let no_lock =
        "live mode keeps a lock on the machine, so that no second daemon trades the account, and has no place for it";
    made.with_context(|| format!("{no_lock}; {NAME_ONE}"))?;
    let directory = journal.state_directory.as_deref().ok_or_else(|| anyhow!("{no_lock}: {NAME_ONE}"))?;
    let gateway = &settings.gateway;
    Ok(Some(AccountLock::acquire(directory, (&gateway.host, gateway.port), account, &journal.path)?))
}
