//! Host and port of a URL, and whether two URLs mean the same listener.

use crate::{
    net::{Origin, is_loopback},
    tools::probe::route::{is_own, resolve},
};

/// Where a server listens. A loopback address is each machine's own, so it counts with the machine that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// In lower case; each spelling of loopback is `localhost`.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads a URL; `None` if it has no host.
    pub(super) fn of(url: &str) -> Option<Self> {
        let Origin { host, port, .. } = Origin::of(url)?;
        let host = if is_loopback(&host) { "localhost".into() } else { host.to_ascii_lowercase() };
        Some(Self { host, port })
    }

    /// Whether it means the machine that says it.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
    }

    /// Whether it is on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.is_loopback() || resolve(&self.host).is_ok_and(|address| address.is_loopback() || is_own(address))
    }

    /// What `url` means when the server at this address says it; `None` if it has no host.
    pub(super) fn hears(&self, url: &str) -> Option<Self> {
        let said = Self::of(url)?;
        if said.is_loopback() && !self.is_here() { Some(Self { host: self.host.clone(), ..said }) } else { Some(said) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Address {
        Address::of(url).unwrap()
    }

    #[test]
    fn loopback_has_many_names_and_a_port_one_number() {
        for same in ["http://127.0.0.1:9093/api/v2/alerts", "http://[::1]:9093", "http://LOCALHOST:9093/"] {
            assert_eq!(of(same), of("http://localhost:9093"), "{same}");
        }
        assert_eq!((of("http://hub").port, of("https://hub").port), (80, 443));
        assert_eq!(Address::of("/metrics"), None);
    }

    #[test]
    fn what_only_begins_alike_is_another() {
        assert_ne!(of("http://10.0.0.1:800"), of("http://10.0.0.1:8000"));
        assert_ne!(of("http://10.0.0.1:8000"), of("http://10.0.0.10:8000"));
    }

    #[test]
    fn loopback_is_the_machine_of_the_one_that_says_it() {
        let there = of("http://192.0.2.7:9090");
        assert_eq!(there.hears("http://localhost:9093"), Some(of("http://192.0.2.7:9093")));
        assert_eq!(of("http://127.0.0.1:9090").hears("http://localhost:9093"), Some(of("http://127.0.0.1:9093")));
        assert_eq!(there.hears("http://192.0.2.8:9093"), Some(of("http://192.0.2.8:9093")));
        assert!(!there.is_here() && of("http://127.0.0.2:1").is_here());
    }
}
