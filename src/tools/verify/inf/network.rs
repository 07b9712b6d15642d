//! The port and the addresses of this machine: where the port listens, and which address HUB will use.

use super::{Report, daemon, not_checked};
use crate::{
    net::{self, NOT_A_URL, Origin},
    tools::probe::{Client, Credentials, listener::Listening, route},
};
use anyhow::Context as _;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

pub(super) const START_DAEMON: &str = "start the daemon (`sentinel run`); metrics.enabled must be true and metrics.port this port; \
                                       its log shows whether the port was in use";

/// Where the daemon is, as seen from this machine.
#[derive(Debug)]
pub(super) struct Endpoint {
    url: String,
    scheme: &'static str,
    host: IpAddr,
    port: u16,
    /// What listens on the port; `None` for another machine, or if the kernel does not show it.
    listening: Option<Listening>,
    is_here: bool,
}

impl Endpoint {
    /// The endpoint of a URL.
    pub(super) fn of(url: &str) -> anyhow::Result<Self> {
        let Origin { scheme, host, port } = Origin::of(url).context(NOT_A_URL)?;
        let host = route::resolve(&host)?;
        let is_here = route::is_own(host);
        let listening = if is_here { Listening::on(port) } else { None };
        Ok(Self { url: net::base_url(url).to_owned(), scheme, host, port, listening, is_here })
    }

    /// Whether it is on this machine.
    pub(super) fn is_here(&self) -> bool {
        self.is_here
    }

    /// What listens on the port; `None` for another machine, or if the kernel does not show it.
    pub(super) fn listening(&self) -> Option<&Listening> {
        self.listening.as_ref()
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Whether this URL works only on this machine.
    fn is_loopback(&self) -> bool {
        net::is_loopback_address(net::as_seen_here(self.host))
    }
}

/// HUB's address.
pub(super) fn hub(name: &str) -> io::Result<IpAddr> {
    route::resolve(name)
}

/// Connects to the port from this machine.
pub(super) async fn connect(endpoint: &Endpoint, deadline: Duration) -> io::Result<()> {
    daemon::connect(endpoint.host, endpoint.port, deadline).await
}

/// Whether the port listens, and where.
pub(super) fn port(endpoint: &Endpoint, hub: Option<&IpAddr>, connected: io::Result<()>, report: &mut Report) {
    let port = endpoint.port;
    if let Err(error) = connected {
        let elsewhere = endpoint.listening.as_ref().filter(|listening| !listening.addresses.is_empty());
        let elsewhere = elsewhere.map_or_else(String::new, |it| format!("; it listens on {}", words(&it.addresses)));
        let found = format!("{port} does not listen on {}: {error}{elsewhere}", endpoint.host);
        return report.failed("port", found, START_DAEMON);
    }
    let is_hub_here = hub.is_some_and(|hub| net::is_loopback_address(*hub));
    match &endpoint.listening {
        Some(listening) if listening.is_loopback_only() && !is_hub_here => {
            let found = format!("{port} listens on {} only, so HUB cannot connect", words(&listening.addresses));
            let advice = "metrics.bind = \"0.0.0.0\" (or SENTINEL__METRICS__BIND=0.0.0.0), then restart the daemon";
            report.failed("port", found, advice);
        }
        Some(listening) if !listening.addresses.is_empty() => {
            report.ok("port", format!("{port} listens on {}", words(&listening.addresses)))
        }
        // A container's published port, or another machine's port.
        _ => report.ok("port", format!("{port} accepts connections")),
    }
}

/// Whether the port also listens on IPv6, which iptables rules do not cover. A container's published port does unless an address is
/// given.
pub(super) fn ipv6(endpoint: &Endpoint, hub: Option<&IpAddr>, report: &mut Report) {
    let is_wanted = hub.is_some_and(IpAddr::is_ipv6);
    let addresses = endpoint.listening.iter().flat_map(|listening| &listening.addresses);
    let open = |address: &&IpAddr| matches!(address.to_canonical(), IpAddr::V6(v6) if !v6.is_loopback());
    let Some(address) = addresses.filter(open).find(|_| !is_wanted) else { return };
    let port = endpoint.port;
    report.note(
        "ipv6",
        format!(
            "{port} also listens on [{address}]. Machines on this network can reach it by IPv6, which iptables rules do not \
             cover. Publish it only on IPv4 (SENTINEL_ADDRESS in docker/.env, `--publish 0.0.0.0:{port}:8000`; without Docker \
             metrics.bind = \"0.0.0.0\"), or close it:\nip6tables -I INPUT ! -i lo -p tcp --dport {port} -j DROP"
        ),
    );
}

/// Which address HUB will use, and whether the metrics can be fetched through it.
pub(super) async fn address(
    endpoint: &Endpoint,
    hub: IpAddr,
    credentials: &Credentials,
    deadline: Duration,
    report: &mut Report,
) {
    let others = words(&route::outward_addresses().into_iter().map(IpAddr::from).collect::<Vec<_>>());
    let own = route::own_address_towards(hub).map(|own| SocketAddr::new(own, endpoint.port));
    let url = match own {
        // As given: a certificate may name the host and not its address.
        _ if !endpoint.is_loopback() => endpoint.url.clone(),
        Ok(own) => format!("{}://{own}", endpoint.scheme),
        Err(error) => {
            let found = format!("there is no route to HUB ({hub}): {error}; this machine's addresses: {others}");
            report.failed("address", found, "fix the network, or give HUB's address: --hub ADDRESS");
            return not_checked(report, &["from outside"], "the address is unknown");
        }
    };
    let mut found = format!("HUB ({hub}) will scrape {url}/metrics");
    if endpoint.is_loopback() && !others.is_empty() {
        found += &format!("; this machine's addresses: {others}");
    }
    if is_container() {
        found += "\nThis is inside a container: if it has a network of its own, HUB needs the host's address and the published \
                  port (--publish 8000:8000)";
    }
    report.ok("address", found);
    let fetched = match Client::new(&url, credentials, deadline) {
        Ok(client) => daemon::fetched(&client).await.map(|page| page.took),
        Err(error) => Err((format!("{error:#}"), "")),
    };
    match fetched {
        Ok(took) => {
            report.ok("from outside", format!("metrics fetched through {url} in {:.1} ms", took.as_secs_f64() * 1e3))
        }
        Err((found, advice)) => {
            let advice = if endpoint.is_loopback() {
                "metrics.bind must include this address (\"0.0.0.0\"); with TLS, the certificate must name it"
            } else {
                advice
            };
            report.failed("from outside", format!("{url}: {found}"), advice);
        }
    }
}

/// The firewall rule for HUB, for three firewalls. Whether one is needed cannot be seen from here.
pub(super) fn firewall(endpoint: &Endpoint, name: &str, hub: Option<&IpAddr>, report: &mut Report) {
    let (port, from) = (endpoint.port, hub.map_or_else(|| name.to_owned(), IpAddr::to_string));
    let (family, tables) = if hub.is_some_and(IpAddr::is_ipv6) { ("ip6", "ip6tables") } else { ("ip", "iptables") };
    let mut rules = format!(
        "TCP port {port} must be open for {from}; if a firewall runs here, use one of\n\
         nft insert rule inet filter input {family} saddr {from} tcp dport {port} accept\n\
         {tables} -I INPUT -p tcp -s {from} --dport {port} -j ACCEPT\n\
         ufw allow proto tcp from {from} to any port {port}"
    );
    if is_container() {
        rules += &format!(
            "\nA port that Docker publishes bypasses all of these and is open to every machine; this rule on its host restricts it to {from}:\n\
             {tables} -I DOCKER-USER -p tcp -m conntrack --ctorigdstport {port} --ctdir ORIGINAL ! -s {from} -j DROP"
        );
    }
    report.note("firewall", rules);
}

/// Whether this runs in a container of Docker or Podman.
fn is_container() -> bool {
    [".dockerenv", "run/.containerenv"].iter().any(|name| Path::new("/").join(name).exists())
}

fn words(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}
