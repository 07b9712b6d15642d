//! `[cluster]`.

use super::{Found, is_identity};
use crate::{
    net::{Origin, is_loopback},
    settings::{ClusterMode, ClusterSettings, PlaintextSetting, Problem, Settings},
};
use sentinel_actors::{
    adapters::etcd::{self, Ca},
    domain::cluster::{LEASE_MAX, MARGIN},
    fetcher::MarketClock,
};
use std::{fs::File, io::Read, path::Path};

/// A bundle of authorities has a few hundred kilobytes.
const CA_BYTES_MAX: u64 = 1 << 20;

/// The ranges; and with a cluster, everything that it needs.
pub(super) fn cluster(settings: &Settings, found: &mut Found) {
    let cluster = &settings.cluster;
    let (shortest, longest) = (MARGIN.as_secs() + 3, LEASE_MAX.as_secs());
    let is_lease = (shortest..=longest).contains(&cluster.lease_s);
    found.unless(is_lease, "cluster.lease_s", format!("must be {shortest} to {longest} seconds"));
    // Two keep-alives in the time for which one is trusted.
    let most = cluster.lease_s.saturating_sub(MARGIN.as_secs()) / 2;
    found.unless(
        !is_lease || (1..=most).contains(&cluster.keepalive_s),
        "cluster.keepalive_s",
        format!(
            "must be 1 to {most} seconds with cluster.lease_s = {}: half of what a claim is trusted for",
            cluster.lease_s
        ),
    );
    let prefix = &cluster.prefix;
    let is_prefix = prefix.starts_with('/') && !prefix.ends_with('/') && prefix.len() <= 200;
    found.unless(
        is_prefix && prefix.bytes().all(|byte| byte.is_ascii_graphic()),
        "cluster.prefix",
        "must be a path such as /sentinel: printable ASCII without spaces, / at the beginning and not at the end",
    );
    let is_name = |name: &str| is_identity(name) && name.len() <= 100;
    found.unless(
        cluster.member.as_deref().is_none_or(is_name),
        "cluster.member",
        "must be 1 to 100 bytes, without a space at an end, '|' or control characters",
    );
    found.unless(
        cluster.mode != ClusterMode::Shared,
        "cluster.mode",
        "shared is not in this version: use guard, or off",
    );
    if cluster.mode == ClusterMode::Guard {
        guarded(cluster, found);
        found.unless(
            settings.schedule.clock == MarketClock::System,
            "schedule.clock",
            "bars does not go with cluster.mode = \"guard\", which compares the close of bars with the machine's clock",
        );
    }
}

fn guarded(cluster: &ClusterSettings, found: &mut Found) {
    let key = "cluster.endpoints";
    found.unless(
        (1..=9).contains(&cluster.endpoints.len()),
        key,
        "must have 1 to 9 URLs of etcd, such as [\"https://hub:2379\"]",
    );
    for endpoint in &cluster.endpoints {
        let plain = endpoint.split_once("://").is_some_and(|(_, rest)| !rest.contains(['/', '?', '#', '@']));
        let Some(origin) = Origin::of(endpoint).filter(|_| plain) else {
            found.unless(
                false,
                key,
                "each must be http://HOST:PORT or https://HOST:PORT, with nothing before or after it",
            );
            continue;
        };
        let is_safe = origin.scheme == "https" || is_loopback(&origin.host);
        found.unless(
            is_safe || cluster.plaintext == PlaintextSetting::Accepted,
            key,
            "http:// to another machine needs cluster.plaintext = \"accepted\", if everyone on the network may read and change \
             what etcd says; or use https://",
        );
    }
    let (set, missing) = match cluster.user {
        Some(_) => ("cluster.user", "cluster.password_file"),
        None => ("cluster.password_file", "cluster.user"),
    };
    found.unless(
        cluster.user.is_some() == cluster.password_file.is_some(),
        set,
        format!("needs {missing}: set both or none"),
    );
    found.unless(cluster.user.as_deref().is_none_or(|user| !user.is_empty()), "cluster.user", "must not be empty");
    if let Some(path) = &cluster.password_file
        && let Err(fault) = etcd::read_password(path)
    {
        found.unless(false, "cluster.password_file", fault);
    }
}

/// The certificate authority of `cluster.ca_file`; `None` if none is set, or nobody needs it.
pub(in crate::settings) fn authority(cluster: &ClusterSettings) -> Result<Option<Ca>, Problem> {
    let Some(path) = cluster.ca_file.as_deref().filter(|_| cluster.mode == ClusterMode::Guard) else { return Ok(None) };
    let named = |fault: String| Problem::new("cluster.ca_file", format!("{} {fault}", path.display()));
    let pem = read(path).map_err(|error| named(format!("cannot be read: {error}")))?;
    Ca::parse(&pem).map(Some).map_err(named)
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(CA_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}
