//! What other machines call this daemon: its name in etcd, and the address at which Prometheus reaches its metrics.

use super::Resolved;
use crate::{
    net::{authority, without_brackets},
    process::host_name,
};
use sentinel_actors::domain::cluster::shared::Target;
use std::net::IpAddr;

impl<P> Resolved<P> {
    /// `cluster.member`, or the name of the machine.
    pub fn member_name(&self) -> String {
        self.cluster.member.clone().unwrap_or_else(host_name)
    }

    /// `HOST:PORT` at which Prometheus reaches the metrics: `cluster.address`, or else where they listen; on all addresses, the
    /// name of the machine. `None` if they do not listen, or on a port that the system chooses.
    pub fn advertised(&self) -> Option<String> {
        let metrics = &self.metrics;
        let is_any = without_brackets(&metrics.bind).parse::<IpAddr>().is_ok_and(|address| address.is_unspecified());
        let host = if is_any { host_name() } else { metrics.bind.clone() };
        let listens = metrics.enabled && metrics.port != 0;
        self.cluster.address.clone().or_else(|| listens.then(|| authority(&host, metrics.port)))
    }

    /// This daemon as a target of Prometheus, if it has an address.
    pub fn own_target(&self) -> Option<Target> {
        Some(Target::new(&self.member_name(), &host_name(), &self.advertised()?, &self.cluster.region))
    }
}
