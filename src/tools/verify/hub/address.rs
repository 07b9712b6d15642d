//! Host and port of a URL, to compare URLs.

use crate::{
    net::{Origin, is_loopback},
    tools::probe::route::{is_own, resolve},
};

/// The address of a server. A loopback address depends on the machine that uses it.
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

    /// Whether it is the machine that uses the address.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost"
    }

    /// Whether it is on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.is_loopback() || resolve(&self.host).is_ok_and(|address| address.is_loopback() || is_own(address))
    }

    /// The address of `url` as used by the server at this address; `None` if it has no host.
    pub(super) fn resolve_url(&self, url: &str) -> Option<Self> {
        let found = Self::of(url)?;
        if found.is_loopback() && !self.is_here() {
            Some(Self { host: self.host.clone(), ..found })
        } else {
            Some(found)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Address {
        Address::of(url).unwrap()
    }

    #[test]
    fn spellings_of_loopback_are_equal_and_ports_have_defaults() {
        for same in ["http://127.0.0.1:9093/api/v2/alerts", "http://[::1]:9093", "http://LOCALHOST:9093/"] {
            assert_eq!(of(same), of("http://localhost:9093"), "{same}");
        }
        assert_eq!((of("http://hub").port, of("https://hub").port), (80, 443));
        assert_eq!(Address::of("/metrics"), None);
    }

    #[test]
    fn addresses_with_a_common_prefix_differ() {
        assert_ne!(of("http://10.0.0.1:800"), of("http://10.0.0.1:8000"));
        assert_ne!(of("http://10.0.0.1:8000"), of("http://10.0.0.10:8000"));
    }

    #[test]
    fn loopback_is_the_machine_that_uses_it() {
        let there = of("http://192.0.2.7:9090");
        assert_eq!(there.resolve_url("http://localhost:9093"), Some(of("http://192.0.2.7:9093")));
        assert_eq!(of("http://127.0.0.1:9090").resolve_url("http://localhost:9093"), Some(of("http://127.0.0.1:9093")));
        assert_eq!(there.resolve_url("http://192.0.2.8:9093"), Some(of("http://192.0.2.8:9093")));
        assert!(!there.is_here() && of("http://127.0.0.2:1").is_here());
    }
}
