//! Where the console is reached: set by the thread that opens it, and read by the port that leads there.

use crate::net::as_seen_here;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where the console is reached, for other threads. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct ConsoleLink {
    address: Arc<Mutex<Option<SocketAddr>>>,
    is_secure: bool,
}

impl ConsoleLink {
    /// It does not listen yet.
    pub(super) fn new(is_secure: bool) -> Self {
        Self { is_secure, ..Self::default() }
    }

    /// Its URL for a person on this machine, and whether it leads to this machine only; `None` while it does not listen.
    pub fn now(&self) -> Option<(String, bool)> {
        let address = self.address()?;
        let scheme = if self.is_secure { "https" } else { "http" };
        let ip = as_seen_here(address.ip());
        Some((format!("{scheme}://{}/console/", SocketAddr::new(ip, address.port())), ip.is_loopback()))
    }

    /// It listens here from now on. Returns whether that is new.
    pub(in super::super) fn set(&self, address: SocketAddr) -> bool {
        self.lock().replace(address) != Some(address)
    }

    /// Where it listens; `None` while it does not.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<SocketAddr>> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
