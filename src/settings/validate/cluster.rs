//! `[cluster]`.

use super::{Found, is_identity};
use crate::{
    net::{Origin, is_loopback},
    settings::{ClusterMode, ClusterSettings, PlaintextSetting, Problem, Settings, TrialSetting},
};
use sentinel_actors::{
    adapters::{
        etcd::{Ca, PASSWORD_BYTES_MAX, password_in},
        gateway::DialectKind,
        http::Identity,
        patient_file::read,
    },
    domain::{
        cluster::{LEASE_MAX, MARGIN},
        position::Opposite,
    },
    fetcher::MarketClock,
};

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
    found.unless((1..=100).contains(&cluster.weight), "cluster.weight", "must be 1 to 100");
    let is_address = |text: &str| {
        text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty()
                && port.parse::<u16>().is_ok_and(|port| port > 0)
                && text.bytes().all(|it| it.is_ascii_graphic())
        })
    };
    found.unless(cluster.address.as_deref().is_none_or(is_address), "cluster.address", "must be HOST:PORT");
    let is_plain = |text: &str| text.len() <= 100 && !text.chars().any(char::is_control);
    found.unless(is_plain(&cluster.region), "cluster.region", "must be at most 100 bytes without control characters");
    if cluster.mode != ClusterMode::Off {
        guarded(cluster, found);
        found.unless(
            settings.schedule.clock == MarketClock::System,
            "schedule.clock",
            "bars does not go with cluster.mode, which compares the close of bars with the machine's clock",
        );
    }
}

/// What a daemon that shares its account needs besides a way to etcd.
pub(in crate::settings) fn member(settings: &Settings, found: &mut Found) {
    if settings.cluster.mode != ClusterMode::Shared {
        return;
    }
    found.unless(
        settings.trading.live,
        "cluster.mode",
        "is for live mode only: start with --live, or set it to off or guard",
    );
    found.unless(
        settings.cluster.trial == TrialSetting::Accepted,
        "cluster.trial",
        "must be \"accepted\" with cluster.mode = \"shared\", which is a trial and not for real money yet: see \"Shared mode is a trial\" \
         in actors/README.md. With real money use guard",
    );
    found.unless(
        settings.cluster.member.is_some(),
        "cluster.member",
        "is needed with cluster.mode = \"shared\": a name that no other member has, and the same after each start",
    );
    let (guards, dialect) = (&settings.guards, settings.gateway.dialect);
    let is_limited = guards.positions_max > 0 || guards.opposite != Opposite::Open;
    found.unless(
        !is_limited || dialect.is_none_or(DialectKind::has_proof),
        "guards.positions_max",
        "with cluster.mode = \"shared\" needs gateway.dialect = \"v43\": another member's positions are only in the gateway's list. \
         Or set guards.positions_max = 0 and guards.opposite = \"open\"",
    );
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
    both_or_none(
        ("cluster.user", cluster.user.is_some()),
        ("cluster.password_file", cluster.password_file.is_some()),
        found,
    );
    both_or_none(
        ("cluster.cert_file", cluster.cert_file.is_some()),
        ("cluster.key_file", cluster.key_file.is_some()),
        found,
    );
    let is_https = cluster.endpoints.iter().any(|url| Origin::of(url).is_some_and(|origin| origin.scheme == "https"));
    found.unless(
        cluster.cert_file.is_none() || is_https,
        "cluster.cert_file",
        "is for https, and no endpoint is https://",
    );
    found.unless(cluster.user.as_deref().is_none_or(|user| !user.is_empty()), "cluster.user", "must not be empty");
    if let Some(path) = &cluster.password_file
        && let Err(fault) = read(path, PASSWORD_BYTES_MAX).and_then(|bytes| password_in(&bytes))
    {
        found.unless(false, "cluster.password_file", format!("the password file {fault}"));
    }
}

fn both_or_none(
    (first, has_first): (&'static str, bool),
    (second, has_second): (&'static str, bool),
    found: &mut Found,
) {
    let (set, missing) = if has_first { (first, second) } else { (second, first) };
    found.unless(has_first == has_second, set, format!("needs {missing}: set both or none"));
}

/// The certificate authority of `cluster.ca_file`; `None` if none is set, or nobody needs it.
pub(in crate::settings) fn authority(cluster: &ClusterSettings) -> Result<Option<Ca>, Problem> {
    let Some(path) = cluster.ca_file.as_deref().filter(|_| cluster.mode != ClusterMode::Off) else { return Ok(None) };
    let named = |fault: String| Problem::new("cluster.ca_file", format!("{} {fault}", path.display()));
    read(path, CA_BYTES_MAX).and_then(|pem| Ca::parse(&pem)).map(Some).map_err(named)
}

/// The certificate of `cluster.cert_file` with its key; `None` if none is set, or nobody needs it.
pub(in crate::settings) fn certificate(cluster: &ClusterSettings) -> Result<Option<Identity>, Problem> {
    let files = cluster.cert_file.as_deref().zip(cluster.key_file.as_deref());
    let Some((certificate, key)) = files.filter(|_| cluster.mode != ClusterMode::Off) else { return Ok(None) };
    let named = |fault: String| Problem::new("cluster.cert_file", fault);
    let identity = Identity::read(certificate, key).map_err(named)?;
    let (certificate, key) = (certificate.display(), key.display());
    identity.check().map_err(|fault| named(format!("{certificate} with {key} {fault}")))?;
    Ok(Some(identity))
}
