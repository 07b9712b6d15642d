//! Which hosts and URLs a setting may have.

use crate::net::{is_loopback, without_brackets};
use awc::http::Uri;
use std::net::Ipv6Addr;

const NO_URL: &str = "must be an http:// or https:// URL, such as https://eodhd.com";

/// What is wrong with a host, if anything. An IPv6 address may be in brackets.
pub(super) fn host_fault(host: &str) -> Option<&'static str> {
    const RULE: &str = "must be a host name or an IP address";
    let address = without_brackets(host);
    if address.contains('%') {
        return Some(
            "must be an address without a zone (%...): use an address of the other machine that is unique in your network",
        );
    }
    if address.contains(':') || address != host {
        let has_port = address.split(':').count() == 2;
        let fault = if has_port { "must be a host without a port: the port is a separate setting" } else { RULE };
        return address.parse::<Ipv6Addr>().is_err().then_some(fault);
    }
    let is_plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    (!is_plain).then_some(RULE)
}

/// What is wrong with the market's address, if anything. The text does not contain the address, which may have a secret in it.
pub(super) fn market_fault(url: &str) -> Option<&'static str> {
    if url.contains('@') {
        return Some("must not contain a user or a password: EODHD needs only the key, and addresses appear in logs");
    }
    if url.contains(['?', '#']) {
        return Some(
            "must not have a query or a fragment (? or #): Sentinel appends the path and the query of its requests",
        );
    }
    let Ok(uri) = url.parse::<Uri>() else { return Some(NO_URL) };
    let is_http = match uri.scheme_str() {
        Some("https") => false,
        Some("http") => true,
        _ => return Some(NO_URL),
    };
    let host = uri.host().unwrap_or_default();
    // The library ignores an invalid port, and the usual one would be used.
    let has_port = uri.authority().is_some_and(|authority| authority.as_str().len() > host.len());
    if without_brackets(host).is_empty()
        || host_fault(host).is_some()
        || (has_port && uri.port_u16().is_none_or(|port| port == 0))
    {
        return Some(NO_URL);
    }
    (is_http && !is_loopback(host)).then_some(
        "must be https://, because the key would be sent in plaintext; http:// is only for a market on this machine (127.0.0.1, \
         localhost). Another machine needs TLS; SSL_CERT_FILE can name your own CA",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for host in
            ["hub", "hub.example", "gateway_1", "10.0.0.1", "::1", "[::1]", "fd00::7", "[fd00::7]", "::ffff:10.0.0.1"]
        {
            assert_eq!(host_fault(host), None, "{host}");
        }
        for host in [
            "",
            "a host",
            "hub/x",
            "http://hub",
            "[::1",
            "::1]",
            "[10.0.0.1]",
            "[hub]",
            "::g",
            "1:2:3",
            "a@b",
            "h\u{fc}b",
        ] {
            assert!(host_fault(host).is_some(), "{host}");
        }
        assert!(host_fault("fe80::1%eth0").unwrap().contains("zone"));
        assert!(host_fault("[fe80::1%25eth0]").unwrap().contains("zone"));
        assert!(host_fault("hub:5001").unwrap().contains("port"));
    }

    #[test]
    fn the_markets_address_has_no_secret_and_uses_tls() {
        for url in [
            "https://eodhd.com",
            "HTTPS://eodhd.com/",
            "https://eodhd.com:8443/proxy/eodhd",
            "https://[fd00::1]:8443",
            "http://localhost:8081",
            "http://127.0.0.1:8081/",
            "http://[::1]:8081",
        ] {
            assert_eq!(market_fault(url), None, "{url}");
        }
        for (url, word) in [
            ("https://alice:PW@eodhd.com", "password"),
            ("https://token@eodhd.com", "password"),
            ("http://alice:P/W@127.0.0.1", "password"),
            ("https://eodhd.com?api_token=PW", "query"),
            ("https://eodhd.com/#PW", "fragment"),
            ("http://eodhd.com", "https://"),
            ("http://10.0.0.1:8081", "https://"),
            ("http://[fd00::1]:8081", "https://"),
            ("http://127.0.0.1.example", "https://"),
            ("ftp://127.0.0.1", "URL"),
            ("eodhd.com", "URL"),
            ("https://", "URL"),
            ("https:///x", "URL"),
            ("https://:80", "URL"),
            ("https://eodhd.com:99999", "URL"),
            ("https://eodhd.com:", "URL"),
            ("https://eodhd.com:0", "URL"),
            ("https://[::1", "URL"),
            ("https://eod hd.com", "URL"),
            ("https://eodhd.com/\u{e4}", "URL"),
            ("", "URL"),
        ] {
            let fault = market_fault(url).unwrap_or_else(|| panic!("{url} is accepted"));
            assert!(fault.contains(word) && !fault.contains("PW"), "{url}: {fault}");
        }
    }
}
