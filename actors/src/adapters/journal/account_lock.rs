//! The lock of a live account: two daemons with two journals know nothing of each other's orders, so on one machine only
//! one may trade an account at a gateway. A file in a place that does not depend on the journal or the working folder.

use super::files;
use sha2::{Digest, Sha256};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Write},
    net::IpAddr,
    path::{Path, PathBuf},
};

/// What every spelling of this machine's own address becomes.
const LOOPBACK: &str = "localhost";

/// Why a daemon may not trade live.
#[derive(Debug, thiserror::Error)]
pub enum AccountLockError {
    /// Another process does.
    #[error(
        "another daemon on this machine already trades account {account} at gateway {gateway}: {holder}. Two would order \
         the same bar twice; stop one of them. The lock is {}", path.display()
    )]
    Held {
        /// The account.
        account: String,
        /// The gateway, as this daemon has it.
        gateway: String,
        /// Which process, as far as it said.
        holder: String,
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be made or locked, so nobody can say whether another one does.
    #[error("the lock of the live account, {}: {detail}", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What the system says.
        detail: io::Error,
    },
}

/// Held for as long as it lives.
#[derive(Debug)]
pub struct AccountLock {
    _file: File,
}

impl AccountLock {
    /// Locks the file of this gateway and account in `place`, and writes into it who holds it. It stays behind, unlocked.
    ///
    /// One gateway is one lock however its address is spelled: loopback's names and numbers, capitals, a dot at the end,
    /// brackets. Two names that DNS has for one machine are two, and so are a name and its number.
    ///
    /// # Errors
    /// [`AccountLockError::Held`] if another process has it; else [`AccountLockError::Failed`].
    pub fn acquire(
        place: &Path,
        (host, port): (&str, u16),
        account: &str,
        journal: &Path,
    ) -> Result<Self, AccountLockError> {
        let host = plain(host);
        let digest = Sha256::digest(format!("{host}|{port}|{account}"));
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let path = place.join(format!("live-{name}.lock"));
        let failed = |detail: io::Error| AccountLockError::Failed { path: path.clone(), detail };
        let opened = files::private().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = opened.map_err(failed)?;
        files::tighten_one(&path);
        let gateway = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let (account, holder) = (account.to_owned(), holder(&mut file));
                return Err(AccountLockError::Held { account, gateway, holder, path });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let said = format!(
            "pid {}\naccount {account}\ngateway {gateway}\njournal {}\n",
            std::process::id(),
            journal.display()
        );
        file.set_len(0).and_then(|()| file.write_all(said.as_bytes())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Who wrote the file, for a person: `pid 17, journal /var/lib/sentinel/journal.db (ps -fp 17 shows it)`.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // What cannot be read is as good as not written.
    let _ = file.take(4_096).read_to_string(&mut text);
    let value = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()));
    match value("pid ").filter(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit())) {
        Some(pid) => {
            let journal = value("journal ").unwrap_or_else(|| "not known".into());
            format!("pid {pid}, journal {journal} (`ps -fp {pid}` shows it)")
        }
        None => "it has not written its pid yet".into(),
    }
}

/// One spelling of a host where that takes no question to anybody.
fn plain(host: &str) -> String {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_lowercase();
    if host == LOOPBACK || host.ends_with(".localhost") || host == "ip6-localhost" || host == "ip6-loopback" {
        return LOOPBACK.into();
    }
    match host.parse::<IpAddr>().map(|address| address.to_canonical()) {
        // To connect to the unspecified address is to connect to this machine.
        Ok(address) if address.is_loopback() || address.is_unspecified() => LOOPBACK.into(),
        Ok(address) => address.to_string(),
        Err(_) => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    fn acquire(place: &Path, host: &str, port: u16, account: &str) -> Result<AccountLock, AccountLockError> {
        AccountLock::acquire(place, (host, port), account, Path::new("/somewhere/journal.db"))
    }

    #[test]
    fn one_account_at_one_gateway_is_held_once_however_it_is_spelled() {
        let place = TempDir::new().unwrap();
        let held = acquire(place.path(), "127.0.0.1", 5555, "12").unwrap();
        for host in ["127.0.0.1", "localhost", "LOCALHOST.", "::1", "[::1]", "127.0.0.2", "::ffff:127.0.0.1", "0.0.0.0"]
        {
            let error = acquire(place.path(), host, 5555, "12").unwrap_err();
            let said = error.to_string();
            let pid = format!("pid {}", std::process::id());
            for part in ["account 12", "localhost:5555", &pid, "/somewhere/journal.db", "live-"] {
                assert!(said.contains(part), "{host}: {said}");
            }
        }
        let others =
            [("127.0.0.1", 5556, "12"), ("127.0.0.1", 5555, "13"), ("10.0.0.1", 5555, "12"), ("gtw", 5555, "12")];
        let _all = others.map(|(host, port, account)| acquire(place.path(), host, port, account).unwrap());
        for (host, port, account) in [("10.0.0.1", 5555, "12"), ("::ffff:10.0.0.1", 5555, "12"), ("GTW.", 5555, "12")] {
            assert!(acquire(place.path(), host, port, account).is_err(), "{host}");
        }
        drop(held);
        acquire(place.path(), "::1", 5555, "12").unwrap();
    }

    #[test]
    fn nobody_else_can_open_it_and_no_place_is_an_error() {
        let place = TempDir::new().unwrap();
        let _held = acquire(place.path(), "gtw", 1, "7").unwrap();
        let file = place.path().read_dir().unwrap().next().unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let error = acquire(&place.path().join("none"), "gtw", 1, "7").unwrap_err();
        assert!(matches!(error, AccountLockError::Failed { .. }));
    }
}
