//! The labels of a target: is all of it set that alerts, dashboard and history are keyed by, and is it its own?

use super::{super::Report, identity, prometheus::Prometheus, scrape_target::Target};
use sentinel_actors::domain::sanitize::one_line;

/// Free, and needed: `instance` and `node` are each target's own.
const SET: [&str; 3] = ["instance", "node", "region"];
const OWN: [&str; 2] = ["instance", "node"];
/// What part of the whole this is; every Sentinel is one.
const COMPONENT: (&str, &str) = ("component", "trading");

/// Whether the labels are there.
pub(super) fn check(target: &Target, job: &str, prometheus: &Prometheus, report: &mut Report) {
    let mut wrong = Vec::new();
    let address = target.0["discoveredLabels"]["__address__"].as_str().unwrap_or_default();
    for name in SET {
        match target.label(name) {
            "" => wrong.push(format!("{name} is missing")),
            // What Prometheus takes when nobody says one: a new address would begin a new history.
            it if name == "instance" && it == address => {
                wrong.push(format!("instance is only the address, {:?}: give it a name", one_line(it)));
            }
            _ => {}
        }
    }
    for (name, expected) in [COMPONENT, ("job", job)] {
        match target.label(name) {
            it if it == expected => {}
            "" => wrong.push(format!("{name} is missing, it has to be {expected:?}")),
            it => wrong.push(format!("{name} is {:?}, not {expected:?}", one_line(it))),
        }
    }
    if wrong.is_empty() {
        let names = ["job", "instance", "component", "node", "region"];
        let right = names.map(|name| format!("{name}={:?}", one_line(target.label(name)))).join(", ");
        report.ok("labels", right);
    } else {
        let way_out = format!(
            "set them under the job's static_configs, as config/monitoring/prometheus.yml does; then {}",
            prometheus.reload()
        );
        report.failed("labels", wrong.join("\n"), way_out);
    }
}

/// Whether no other target of the job has its instance or its node, and no other daemon is stored under its labels.
pub(super) async fn unique(prometheus: &Prometheus, target: &Target, all: &[Target], report: &mut Report) {
    let way_out = format!(
        "every alert and every rule is per instance and node: give each target an entry of its own in the job's \
         static_configs, with an instance and a node of its own; then {}. Series that were stored meanwhile stay mixed",
        prometheus.reload()
    );
    let shared = all.iter().filter_map(|other| shared(target, other)).collect::<Vec<_>>();
    if !shared.is_empty() {
        return report.failed("unique", shared.join("\n"), way_out);
    }
    match identity::interleaved(prometheus, target, target.interval()).await {
        Ok(None) => {
            let job = target.label("job");
            let count = all.iter().filter(|other| other.label("job") == job).count();
            report.ok("unique", format!("of {count} targets of job {job}, no other has its instance or its node"));
        }
        Ok(Some(found)) => {
            let way_out = format!("{way_out}. Was it corrected just now? Then try again in a minute");
            report.failed("unique", found, way_out);
        }
        Err(why) => report.failed("unique", why, "see Prometheus's log"),
    }
}

/// What another target has in common with it that it must not.
fn shared(target: &Target, other: &Target) -> Option<String> {
    let is_itself = target.url() == other.url() && target.0["scrapePool"] == other.0["scrapePool"];
    if is_itself && target.0["labels"] == other.0["labels"] || target.label("job") != other.label("job") {
        return None;
    }
    let url = one_line(other.url());
    if target.0["labels"] == other.0["labels"] {
        return Some(format!("{url} has the same labels, so the series of both are mixed"));
    }
    let same = OWN.into_iter().filter(|name| !target.label(name).is_empty() && target.label(name) == other.label(name));
    let same = same.map(|name| format!("{name}={:?}", one_line(target.label(name)))).collect::<Vec<_>>();
    (!same.is_empty()).then(|| format!("{url} has {}, too", same.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(url: &str, job: &str, instance: &str, node: &str) -> Target {
        let labels = json!({"job": job, "instance": instance, "node": node});
        Target(json!({"scrapeUrl": url, "scrapePool": "pool", "labels": labels}))
    }

    #[test]
    fn what_two_targets_share_is_said() {
        let one = target("http://a", "j", "inf", "n");
        assert_eq!(shared(&one, &one), None);
        assert_eq!(shared(&one, &target("http://b", "j", "inf-2", "n-2")), None);
        assert_eq!(shared(&one, &target("http://b", "other", "inf", "n")), None);
        let said = |other: &Target| shared(&one, other).unwrap();
        assert!(said(&target("http://b", "j", "inf", "n")).starts_with("http://b has the same labels"));
        assert_eq!(said(&target("http://b", "j", "inf", "n-2")), "http://b has instance=\"inf\", too");
        assert_eq!(said(&target("http://b", "j", "inf-2", "n")), "http://b has node=\"n\", too");
        assert_eq!(said(&target("http://a", "j", "inf", "n-2")), "http://a has instance=\"inf\", too");
    }
}
