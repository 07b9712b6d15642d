//! Hosts and URLs: how they are written, what is in them, and whether they mean this machine.

use awc::http::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The error for a text that [`Origin::of`] refuses.
pub const NOT_A_URL: &str = "not a URL of a server: use http://HOST:PORT or https://HOST:PORT";

/// `host:port`, with the brackets that an IPv6 address needs, whether the host has them or not.
pub fn authority(host: &str, port: u16) -> String {
    match without_brackets(host).parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]:{port}"),
        Err(_) => format!("{host}:{port}"),
    }
}

/// The host without the brackets of an IPv6 address.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Whether a host is this machine itself, by its name or its address.
pub fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || without_brackets(host).parse().is_ok_and(is_loopback_address)
}

/// The same of an address. An IPv4 address that is written as IPv6 counts as well.
pub fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The address at which this machine reaches a server that is bound to `address`: `0.0.0.0` and `::` cannot be
/// connected to.
pub fn as_seen_here(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// Scheme, host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Without brackets, spelled as in the URL.
    pub host: String,
    /// The scheme's own port if the URL names none.
    pub port: u16,
}

impl Origin {
    /// Reads a URL; `None` if it is not http or https, or has no host.
    pub fn of(url: &str) -> Option<Self> {
        let uri = url.parse::<Uri>().ok()?;
        let (scheme, usual_port) = match uri.scheme_str()? {
            "http" => ("http", 80),
            "https" => ("https", 443),
            _ => return None,
        };
        let host = uri.host().map(without_brackets).filter(|host| !host.is_empty())?;
        Some(Self { scheme, host: host.to_owned(), port: uri.port_u16().unwrap_or(usual_port) })
    }
}

/// A base URL, to which a path is appended: without a slash at its end.
pub fn base_url(url: &str) -> &str {
    url.trim_end_matches('/')
}

/// A daemon's base URL. People copy the address of /metrics.
pub fn without_metrics_path(url: &str) -> &str {
    let url = base_url(url);
    base_url(url.strip_suffix("/metrics").unwrap_or(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_gets_its_brackets_once() {
        for host in ["::1", "[::1]", "0:0:0:0:0:0:0:1"] {
            assert_eq!(authority(host, 5555), "[::1]:5555");
        }
        assert_eq!(authority("hub.example", 80), "hub.example:80");
        assert_eq!(authority("10.0.0.1", 80), "10.0.0.1:80");
    }

    #[test]
    fn this_machine_has_many_names() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "10.0.0.1", "::", "0.0.0.0", "127.1", "", "::ffff:10.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_server_on_every_address_is_reached_on_loopback() {
        let seen = |address: &str| as_seen_here(address.parse().unwrap()).to_string();
        assert_eq!(["0.0.0.0", "::", "10.0.0.7"].map(seen), ["127.0.0.1", "::1", "10.0.0.7"]);
    }

    #[test]
    fn an_origin_has_a_scheme_a_host_and_a_port() {
        let origin = |url| Origin::of(url).map(|it| (it.scheme, it.host, it.port));
        assert_eq!(origin("http://hub"), Some(("http", "hub".into(), 80)));
        assert_eq!(origin("HTTPS://Hub/x?y"), Some(("https", "Hub".into(), 443)));
        assert_eq!(origin("http://[::1]:9093/api"), Some(("http", "::1".into(), 9_093)));
        for url in ["", "/metrics", "hub:80", "ftp://hub", "http://", "http:///metrics", "http://a b"] {
            assert_eq!(origin(url), None, "{url}");
        }
    }

    #[test]
    fn a_copied_address_of_the_metrics_means_their_daemon() {
        for url in ["http://a:1", "http://a:1/", "http://a:1/metrics", "http://a:1/metrics/"] {
            assert_eq!(without_metrics_path(url), "http://a:1");
        }
        assert_eq!(without_metrics_path("http://a/proxy/metrics"), "http://a/proxy");
    }
}
