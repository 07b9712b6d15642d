//! Where Prometheus finds the members: a list of targets as its HTTP and file discovery take it (http_sd, file_sd).
//!
//! A target that leaves the list has no `up == 0`, and pages nobody. So a member stays in it for 24 h after it was last seen, whether
//! it lives, has died or has left.

use super::{SEEN_FOR_S, View, records::Member, records::Value};
use crate::domain::cluster::Record;
use serde::Serialize;
use std::collections::BTreeMap;

/// A target with its labels: those of config/monitoring/prometheus.yml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    /// `HOST:PORT`; always one, so that every member has labels of its own.
    pub targets: [String; 1],
    /// By name.
    pub labels: BTreeMap<&'static str, String>,
}

impl Target {
    /// A daemon's. `name` becomes its `instance`; alerts distinguish daemons by that and by `node`. Without a region there is no such
    /// label.
    pub fn new(name: &str, host: &str, address: &str, region: &str) -> Self {
        let labels = [("instance", name), ("component", "trading"), ("node", host), ("region", region)];
        let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
        Self { targets: [address.to_owned()], labels: labels.map(|(label, value)| (label, value.to_owned())).collect() }
    }

    fn of(member: &Member) -> Option<Self> {
        let Record { member: name, host, .. } = &member.record;
        // A member that opens no port has no address.
        (!member.address.is_empty()).then(|| Self::new(name, host, &member.address, &member.region))
    }
}

/// The targets of all members that are live, or were seen within 24 h before `now_s` (unix seconds), by name.
pub fn targets(view: &View, now_s: i64) -> Vec<Target> {
    let is_recent = |member: &&Member| member.record.at >= now_s.saturating_sub(SEEN_FOR_S);
    let seen = view.seen().filter_map(|(name, member)| Some((name, member.filter(is_recent)?)));
    let live = view.members().filter_map(|(name, entry)| match &entry.value {
        Some(Value::Member(member)) => Some((name, &**member)),
        _ => None,
    });
    let all: BTreeMap<_, _> = seen.chain(live).collect();
    all.values().filter_map(|member| Target::of(member)).collect()
}
