//! Checks that a target has the labels that alerts, dashboard and history use, and that they are unique.

use super::{super::Report, identity, prometheus::Prometheus, scrape_target::Target};
use sentinel_actors::domain::sanitize::one_line;

/// Labels that must be set to any value.
const SET: [&str; 3] = ["instance", "node", "region"];
/// Labels that must differ between targets.
const OWN: [&str; 2] = ["instance", "node"];
/// The same for every Sentinel.
const COMPONENT: (&str, &str) = ("component", "trading");

/// Checks that the labels are set.
pub(super) fn check(target: &Target, job: &str, prometheus: &Prometheus, report: &mut Report) {
    let mut wrong = Vec::new();
    let address = target.0["discoveredLabels"]["__address__"].as_str().unwrap_or_default();
    for name in SET {
        match target.label(name) {
            "" => wrong.push(format!("{name} is missing")),
            // Prometheus's default; a new address would begin a new history.
            it if name == "instance" && it == address => {
                wrong.push(format!("instance is the address, {:?}: give it a name", one_line(it)));
            }
            _ => {}
        }
    }
    for (name, expected) in [COMPONENT, ("job", job)] {
        match target.label(name) {
            it if it == expected => {}
            "" => wrong.push(format!("{name} is missing; it must be {expected:?}")),
            it => wrong.push(format!("{name} is {:?}, not {expected:?}", one_line(it))),
        }
    }
    if wrong.is_empty() {
        let names = ["job", "instance", "component", "node", "region"];
        let right = names.map(|name| format!("{name}={:?}", one_line(target.label(name)))).join(", ");
        report.ok("labels", right);
    } else {
        let advice = format!(
            "set them under the job's static_configs, as in config/monitoring/prometheus.yml; then {}",
            prometheus.reload()
        );
        report.failed("labels", wrong.join("\n"), advice);
    }
}

/// Checks that no other target of the job has the same instance or node, and that no other daemon is stored under its labels.
pub(super) async fn unique(prometheus: &Prometheus, target: &Target, all: &[Target], report: &mut Report) {
    let advice = format!(
        "all alerts and rules are per instance and node: give each target its own entry in the job's static_configs, with its \
         own instance and node; then {}. Series stored until then stay mixed",
        prometheus.reload()
    );
    let shared = all.iter().filter_map(|other| shared(target, other)).collect::<Vec<_>>();
    if !shared.is_empty() {
        return report.failed("unique", shared.join("\n"), advice);
    }
    match identity::interleaved(prometheus, target, target.interval()).await {
        Ok(None) => {
            let job = target.label("job");
            let count = all.iter().filter(|other| other.label("job") == job).count();
            report.ok("unique", format!("of {count} targets of job {job}, no other has its instance or its node"));
        }
        Ok(Some(found)) => {
            let advice = format!("{advice}. If it was just corrected, try again in a minute");
            report.failed("unique", found, advice);
        }
        Err(why) => report.failed("unique", why, "see Prometheus's log"),
    }
}

/// The labels that another target must not share but does.
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
    (!same.is_empty()).then(|| format!("{url} also has {}", same.join(" and ")))
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
    fn shared_labels_are_reported() {
        let one = target("http://a", "j", "inf", "n");
        assert_eq!(shared(&one, &one), None);
        assert_eq!(shared(&one, &target("http://b", "j", "inf-2", "n-2")), None);
        assert_eq!(shared(&one, &target("http://b", "other", "inf", "n")), None);
        let shared_with = |other: &Target| shared(&one, other).unwrap();
        assert!(shared_with(&target("http://b", "j", "inf", "n")).starts_with("http://b has the same labels"));
        assert_eq!(shared_with(&target("http://b", "j", "inf", "n-2")), "http://b also has instance=\"inf\"");
        assert_eq!(shared_with(&target("http://b", "j", "inf-2", "n")), "http://b also has node=\"n\"");
        assert_eq!(shared_with(&target("http://a", "j", "inf", "n-2")), "http://a also has instance=\"inf\"");
    }
}
