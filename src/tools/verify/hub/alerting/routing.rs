//! Checks Alertmanager's routes and inhibitions against config/monitoring/alertmanager.yml. Other names of receivers and additional
//! routes and inhibit_rules are allowed.

use super::{
    super::{super::Report, rules::Wanted, scrape_target::Target},
    configuration::Configuration,
};
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const OURS: &str = include_str!("../../../../../config/monitoring/alertmanager.yml");
pub(super) const NAMES: [&str; 2] = ["inhibition", "routes"];
/// The severity of alerts that only inhibit others and notify no one.
const SILENT: &str = "none";
/// Most items of a list that are shown.
const SHOWN_MAX: usize = 5;

/// Judges the running configuration in Alertmanager's status.
pub(super) fn check(status: &Value, at: &str, target: Option<&Target>, wanted: &Wanted, report: &mut Report) {
    let text = status["config"]["original"].as_str().unwrap_or_default();
    let read = |text| Configuration::read(text).map_err(|why| one_line(&why));
    let (running, ours) = match (read(text), read(OURS)) {
        (Ok(running), Ok(ours)) => (running, ours),
        (Err(why), _) | (_, Err(why)) => {
            for name in NAMES {
                let advice = "check that Alertmanager's configuration has what config/monitoring/alertmanager.yml has";
                report.warning(name, format!("the running configuration cannot be judged: {why}"), advice);
            }
            return;
        }
    };
    inhibition(&running, &ours, at, report);
    routes(&running, &alerts(target, wanted), at, report);
}

fn inhibition(running: &Configuration, ours: &Configuration, at: &str, report: &mut Report) {
    let missing = ours.inhibitions.difference(&running.inhibitions).collect::<Vec<_>>();
    let all = ours.inhibitions.len();
    if missing.is_empty() {
        return report.ok(NAMES[0], format!("has all {all} of Sentinel's inhibit_rules"));
    }
    let mut lines = vec![format!(
        "{} of Sentinel's {all} inhibit_rules are missing, so one cause sends several messages",
        missing.len()
    )];
    if missing.len() < all {
        lines.extend(missing.iter().take(SHOWN_MAX).map(|one| one_line(&one.to_string())));
        lines.extend(missing.len().checked_sub(SHOWN_MAX + 1).map(|rest| format!("and {} more", rest + 1)));
    }
    let advice = format!(
        "copy the inhibit_rules of this version's config/monitoring/alertmanager.yml into Alertmanager's configuration; then {}",
        reload(at)
    );
    report.failed(NAMES[0], lines.join("\n"), advice);
}

/// An alert's name and its labels.
type Alert = (String, BTreeMap<String, String>);

/// The wanted alerts with the labels of this target.
fn alerts(target: Option<&Target>, wanted: &Wanted) -> Vec<Alert> {
    let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    let of_target = target.and_then(|target| target.0["labels"].as_object()).into_iter().flatten().filter_map(text);
    let of_target = of_target.collect::<BTreeMap<_, _>>();
    let alert = |rule: &super::super::rules::Rule| {
        // An alert that reads no series, such as the heartbeat, has none of the target's labels.
        let reads_series = rule.expression.as_ref().is_none_or(|it| !it.selected().is_empty());
        let mut labels = if reads_series { of_target.clone() } else { BTreeMap::new() };
        labels.extend(rule.labels.clone());
        labels.insert("alertname".into(), rule.name.clone());
        (rule.name.clone(), labels)
    };
    wanted.rules.iter().filter(|rule| rule.kind == "alerting").map(alert).collect()
}

/// Reports the receivers of each severity; wrong ones with the names of the alerts.
fn routes(running: &Configuration, alerts: &[Alert], at: &str, report: &mut Report) {
    let (mut right, mut wrong) = (BTreeSet::new(), BTreeMap::<String, Vec<&str>>::new());
    for (name, labels) in alerts {
        let severity = labels.get("severity").map(String::as_str).unwrap_or_default();
        let receivers = match running.receivers(labels) {
            Ok(receivers) => receivers,
            Err(why) => {
                let advice = "check that the routes are those of config/monitoring/alertmanager.yml";
                return report.warning(NAMES[1], format!("not judged: {}", one_line(&why)), advice);
            }
        };
        let is_notified = receivers.iter().any(|receiver| running.is_notified(receiver));
        let to = one_line(&receivers.into_iter().collect::<Vec<_>>().join(" and "));
        match (severity == SILENT, is_notified) {
            (true, false) | (false, true) => drop(right.insert(format!("{severity} goes to {to}"))),
            (true, true) => {
                let line = format!("severity {severity} goes to {to}, which sends messages that should not be sent");
                wrong.entry(line).or_default().push(name);
            }
            (false, false) => {
                let line = format!("severity {severity} goes to {to}, which has no integration, so no message is sent");
                wrong.entry(line).or_default().push(name);
            }
        }
    }
    if wrong.is_empty() {
        return report.ok(NAMES[1], right.into_iter().collect::<Vec<_>>().join(", "));
    }
    let line = |(line, names): (String, Vec<&str>)| match names.len().checked_sub(SHOWN_MAX + 1) {
        Some(rest) => format!("{line}: {} and {} more", names[..SHOWN_MAX].join(", "), rest + 1),
        None => format!("{line}: {}", names.join(", ")),
    };
    let advice = format!(
        "as in config/monitoring/alertmanager.yml, severity {SILENT} needs a route to a receiver that has only a name, and \
         every other one a route to a receiver with an integration as webhook_configs; then {}",
        reload(at)
    );
    report.failed(NAMES[1], wrong.into_iter().map(line).collect::<Vec<_>>().join("\n"), advice);
}

/// How it is made to read its configuration again.
fn reload(at: &str) -> String {
    format!(
        "reload Alertmanager: under Docker `docker kill -s HUP <container>`, under systemd `systemctl reload \
         prometheus-alertmanager`, or by HTTP: POST {at}/-/reload"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const AT: &str = "http://localhost:9093";

    fn target() -> Target {
        Target(json!({"labels": {"job": "sentinel-metrics", "instance": "inf-sentinel", "node": "inf"}}))
    }

    /// Mark, text and advice of both checks.
    fn judged(text: &str) -> [[String; 3]; 2] {
        let mut report = Report::new("hub", ["", ""]);
        let status = json!({"config": {"original": text}});
        check(&status, AT, Some(&target()), &Wanted::new(None).unwrap(), &mut report);
        let report = serde_json::to_value(&report).unwrap();
        [0, 1].map(|check| {
            let check = &report["checks"][check];
            ["mark", "found", "advice"].map(|key| check[key].as_str().unwrap_or_default().to_owned())
        })
    }

    fn changed(from: &str, to: &str) -> String {
        assert!(OURS.contains(from), "{from}");
        OURS.replacen(from, to, 1)
    }

    #[test]
    fn the_file_of_this_version_passes() {
        let [inhibition, routes] = judged(OURS);
        assert_eq!(inhibition[0], "ok", "{inhibition:?}");
        assert!(inhibition[1].starts_with("has all ") && inhibition[1].ends_with(" of Sentinel's inhibit_rules"));
        let wanted =
            "critical goes to critical, heartbeat goes to heartbeat, none goes to nobody, warning goes to warning";
        assert_eq!(routes[..2], ["ok", wanted]);
    }

    #[test]
    fn additional_rules_and_routes_and_other_names_are_allowed() {
        let more = "inhibit_rules:\n  - source_matchers: ['a = b']\n    target_matchers: ['c = d']\n";
        let text = changed("inhibit_rules:\n", more).replace("receiver: critical", "receiver: my-phone");
        let text = text.replace("name: critical", "name: my-phone");
        let text = text.replacen("  routes:\n", "  routes:\n    - {matchers: ['job = node'], receiver: nobody}\n", 1);
        let [inhibition, routes] = judged(&text);
        assert_eq!([&inhibition[0], &routes[0]], ["ok", "ok"], "{inhibition:?} {routes:?}");
        assert!(routes[1].contains("critical goes to my-phone"));
    }

    #[test]
    fn missing_or_different_inhibit_rules_are_reported() {
        let start = OURS.find("inhibit_rules:").unwrap();
        let end = OURS.find("receivers:\n").unwrap();
        let [inhibition, routes] = judged(&format!("{}{}", &OURS[..start], &OURS[end..]));
        assert_eq!([&inhibition[0], &routes[0]], ["failed", "ok"]);
        let counts = Configuration::read(OURS).unwrap().inhibitions.len();
        assert!(
            inhibition[1].starts_with(&format!("{counts} of Sentinel's {counts} inhibit_rules")),
            "{}",
            inhibition[1]
        );
        assert!(
            inhibition[2].contains("copy the inhibit_rules")
                && inhibition[2].ends_with("POST http://localhost:9093/-/reload")
        );
        let [inhibition, _] = judged(&changed("'reason = halted'", "'reason = journal'"));
        let line = "alertname=\"SentinelHalted\" inhibits alertname=\"SentinelOrdersHeldBack\", reason=\"halted\", by instance, job, node";
        assert!(inhibition[1].starts_with("1 of ") && inhibition[1].ends_with(line), "{}", inhibition[1]);
        let [inhibition, _] = judged(&OURS.replace("alertname = SentinelAftermath", "alertname = Aftermath"));
        assert!(inhibition[1].contains("\nand ") && inhibition[1].ends_with(" more"), "{}", inhibition[1]);
    }

    #[test]
    fn a_receiver_for_silent_alerts_is_reported() {
        let [inhibition, routes] =
            judged(&changed("    - matchers: ['severity = none']\n      receiver: nobody\n", ""));
        assert_eq!([&inhibition[0], &routes[0]], ["ok", "failed"]);
        assert_eq!(
            routes[1],
            "severity none goes to warning, which sends messages that should not be sent: SentinelAftermath, SentinelBudgetAftermath"
        );
        assert!(routes[2].contains("severity none needs a route") && routes[2].contains("/-/reload"));
    }

    #[test]
    fn alerts_without_an_integration_are_reported() {
        let webhook = "    webhook_configs:\n      - url: http://localhost:8060/dingtalk/critical/send\n";
        let text = changed(webhook, "").replacen("        send_resolved: true\n", "", 1);
        let [_, routes] = judged(&text);
        assert_eq!(routes[0], "failed", "{routes:?}");
        assert!(routes[1].starts_with("severity critical goes to critical, which has no integration"), "{}", routes[1]);
        assert!(routes[1].contains("SentinelDown") && routes[1].ends_with(" more"), "{}", routes[1]);
        // The heartbeat has no job.
        let by_job = changed(
            "    - matchers: ['severity = heartbeat']",
            "    - matchers: ['severity = heartbeat', 'job = sentinel-metrics']",
        );
        let [_, routes] = judged(&by_job.replacen("  receiver: warning\n", "  receiver: nobody\n", 1));
        assert!(
            routes[1].starts_with("severity heartbeat goes to nobody") && routes[1].ends_with(": SentinelWatchdog"),
            "{}",
            routes[1]
        );
    }

    #[test]
    fn an_unsupported_configuration_is_a_warning() {
        for text in ["", "route: {receiver: x, matchers: [y]}"] {
            let [inhibition, routes] = judged(text);
            assert_eq!([&inhibition[0], &routes[0]], ["warning", "warning"]);
        }
        let [inhibition, routes] = judged(&changed("'severity = critical'", "'severity =~ \"(\"'"));
        assert_eq!([&inhibition[0], &routes[0]], ["ok", "warning"], "{routes:?}");
        assert!(routes[1].starts_with("not judged: severity=~"));
    }
}
