//! Which process listens on a port of this machine, from `/proc`: addresses, process, user, start time.

use crate::net::is_loopback_address;
use chrono::{DateTime, TimeDelta, Utc};
use procfs::{
    ProcResult,
    net::{TcpState, tcp, tcp6},
    process::{FDTarget, Process, Stat, all_processes},
};
use std::{collections::HashSet, fs, net::IpAddr};

/// The sockets that listen on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// The addresses they are bound to.
    pub addresses: Vec<IpAddr>,
    inodes: HashSet<u64>,
}

/// A process that holds such a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: i32,
    /// Its name, as the kernel shortens it.
    pub name: String,
    /// Its command line, without what looks like a secret.
    pub command: String,
    /// The user's name, or the number if it has none.
    pub user: String,
    /// Its start time.
    pub started: DateTime<Utc>,
    /// Whether it is stopped by a signal (SIGSTOP) or a debugger: it holds its port and does nothing.
    pub is_stopped: bool,
}

/// The id of a stopped process with this name, of any user; `None` if there is none.
pub fn stopped(name: &str) -> Option<i32> {
    let stats = all_processes().ok()?.filter_map(|process| process.ok()?.stat().ok());
    stats.filter(|stat| stat.comm == name).find(is_stopped).map(|stat| stat.pid)
}

fn is_stopped(stat: &Stat) -> bool {
    matches!(stat.state, 'T' | 't')
}

impl Listening {
    /// The sockets that listen on this port, possibly none; `None` if there is no `/proc`.
    pub fn on(port: u16) -> Option<Self> {
        // A kernel without IPv6 has no tcp6.
        let entries = tcp().ok()?.into_iter().chain(tcp6().unwrap_or_default());
        let mut listening = Self { addresses: Vec::new(), inodes: HashSet::new() };
        for entry in entries.filter(|it| it.state == TcpState::Listen && it.local_address.port() == port) {
            let address = entry.local_address.ip();
            if !listening.addresses.contains(&address) {
                listening.addresses.push(address);
            }
            listening.inodes.insert(entry.inode);
        }
        Some(listening)
    }

    /// Whether no other machine can connect.
    pub fn is_loopback_only(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(|address| is_loopback_address(*address))
    }

    /// The process that holds the sockets; `None` if it is not visible: in another container, or another user's without root.
    pub fn owner(&self) -> Option<Owner> {
        let holds = |process: &Process| {
            let is_ours = |target: &FDTarget| matches!(target, FDTarget::Socket(inode) if self.inodes.contains(inode));
            process.fd().is_ok_and(|mut fds| fds.any(|fd| fd.is_ok_and(|fd| is_ours(&fd.target))))
        };
        let process = all_processes().ok()?.filter_map(Result::ok).find(holds)?;
        Owner::of(&process).ok()
    }
}

impl Owner {
    fn of(process: &Process) -> ProcResult<Self> {
        let uid = process.uid()?;
        let stat = process.stat()?;
        let ticks = stat.starttime as i64;
        let since_boot = TimeDelta::milliseconds(ticks.saturating_mul(1_000) / procfs::ticks_per_second() as i64);
        let booted = DateTime::from_timestamp(procfs::boot_time_secs()? as i64, 0).unwrap_or_default();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Ok(Self {
            pid: process.pid(),
            is_stopped: is_stopped(&stat),
            name: stat.comm,
            command: without_secrets(&process.cmdline()?),
            user: name_of(uid, &users).unwrap_or_else(|| uid.to_string()),
            started: booted + since_boot,
        })
    }
}

fn name_of(uid: u32, users: &str) -> Option<String> {
    let uid = uid.to_string();
    let mut entries = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    entries.find(|entry| entry.get(2) == Some(&uid.as_str())).and_then(|entry| Some((*entry.first()?).to_owned()))
}

/// A command line without the values of flags and parameters that may be secrets. Sentinel takes none this way, but another
/// program on the port might.
fn without_secrets(arguments: &[String]) -> String {
    const HINTS: [&str; 7] = ["token", "password", "passwd", "secret", "key", "auth", "credential"];
    let is_telling = |name: &str| {
        let name = name.to_ascii_lowercase();
        HINTS.iter().any(|hint| name.contains(hint)) && !name.ends_with("file")
    };
    let mut words = Vec::with_capacity(arguments.len());
    let mut hides_next = false;
    for argument in arguments {
        let is_flag = argument.starts_with('-');
        let shown = match argument.split_once('=') {
            Some((name, _)) if is_telling(name) => format!("{name}=..."),
            _ if hides_next && !is_flag => "...".to_owned(),
            _ if argument.contains('@') && argument.contains("://") => "...".to_owned(),
            _ => argument.clone(),
        };
        hides_next = is_flag && !argument.contains('=') && is_telling(argument);
        words.push(shown);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_socket_is_found_with_its_address_and_owner() {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let listening = Listening::on(port).unwrap();
        assert_eq!(listening.addresses, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert!(listening.is_loopback_only());
        let owner = listening.owner().unwrap();
        assert_eq!((owner.pid, owner.is_stopped), (std::process::id() as i32, false));
        assert!(!owner.name.is_empty());
        let age = Utc::now() - owner.started;
        assert!(age > TimeDelta::seconds(-2) && age < TimeDelta::hours(1), "{age}");
        drop(socket);
        let listening = Listening::on(port).unwrap();
        assert!(listening.addresses.is_empty() && !listening.is_loopback_only() && listening.owner().is_none());
    }

    #[test]
    fn a_command_line_is_shown_without_its_secrets() {
        let shown = |line: &str| without_secrets(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(shown("sentinel run --config /etc/s.toml --live"), "sentinel run --config /etc/s.toml --live");
        assert_eq!(shown("x --api-token abc -v"), "x --api-token ... -v");
        assert_eq!(shown("x --password=abc --key-file /k"), "x --password=... --key-file /k");
        assert_eq!(shown("x https://eodhd.com/api?api_token=abc"), "x https://eodhd.com/api?api_token=...");
        assert_eq!(shown("x --proxy http://me:abc@proxy:1"), "x --proxy ...");
        assert_eq!(shown("x --token --live"), "x --token --live");
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nsentinel:x:10001:10001::/:/bin/false\n";
        assert_eq!(name_of(10_001, users).as_deref(), Some("sentinel"));
        assert_eq!(name_of(1, users), None);
    }
}
