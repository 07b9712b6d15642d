//! Where a command finds the daemon of its machine, by the daemon's settings.

use super::{MetricsSettings, Settings, Sources, protection::Protection};
use crate::net;
use crate::process::output::complain;
use std::net::IpAddr;

/// The daemon's URL and the host of HUB, by the daemon's settings; the built-in ones if these cannot be used.
pub fn url_and_hub() -> (String, String) {
    let settings = Settings::load_unchecked(&Sources::beside_daemon(None)).or_else(|error| {
        complain(&format!(
            "sentinel: note: the daemon's settings cannot be used, so the built-in addresses are: {error}"
        ));
        Settings::load_unchecked(&Sources::default())
    });
    let Ok(Settings { metrics, model, .. }) = settings else { return Default::default() };
    (url(&metrics), model.host)
}

/// The URL of a daemon with these settings, from its own machine.
pub fn url(metrics: &MetricsSettings) -> String {
    let protection = metrics.web_config_file.as_deref().and_then(|path| Protection::load(path).ok());
    let scheme = if protection.is_some_and(|protection| protection.has_tls()) { "https" } else { "http" };
    format!("{scheme}://{}", address(metrics))
}

/// Host and port of a daemon with these settings, from its own machine.
fn address(metrics: &MetricsSettings) -> String {
    let host = net::without_brackets(&metrics.bind);
    let seen = host.parse::<IpAddr>().map(|address| net::as_seen_here(address).to_string());
    net::authority(seen.as_deref().unwrap_or(host), metrics.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_is_bound_to_all_addresses_is_asked_on_loopback() {
        let sources = Sources { flags: vec![("metrics.port", "8123".into())], ..Sources::default() };
        let mut metrics = Settings::load_unchecked(&sources).unwrap().metrics;
        for (bind, wanted) in [
            ("0.0.0.0", "127.0.0.1:8123"),
            ("::", "[::1]:8123"),
            ("[::1]", "[::1]:8123"),
            ("10.0.0.7", "10.0.0.7:8123"),
            ("inf", "inf:8123"),
        ] {
            metrics.bind = bind.into();
            assert_eq!(address(&metrics), wanted);
        }
    }
}
