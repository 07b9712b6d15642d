//! Are all of Sentinel's alerts and recording rules loaded, by name, and can they be evaluated? What is compared to is
//! config/monitoring/alerts.yml as it was when this binary was built.

use super::{
    super::{Report, not_reached},
    prometheus::{Prometheus, list},
};
use saphyr::{LoadableYamlNode, Yaml};
use sentinel_actors::adapters::http::one_line;
use serde_json::Value;
use std::collections::BTreeSet;

const ALERTS: &str = include_str!("../../../../config/monitoring/alerts.yml");

/// Group, kind as Prometheus says it (`alerting` or `recording`) and name of each rule.
type Rules = BTreeSet<(String, &'static str, String)>;

/// Whether Sentinel's rules are loaded and can be evaluated. More rules than these are the user's own.
pub(super) async fn check(prometheus: &Prometheus, is_ready: bool, report: &mut Report) {
    if !is_ready {
        return not_reached(report, &["rules"], "Prometheus does not answer");
    }
    match prometheus.data("/api/v1/rules", &[]).await {
        Ok(data) => judge(list(&data["groups"]), &wanted(ALERTS), &prometheus.reload(), report),
        Err(why) => report.failed("rules", why, "see Prometheus's log"),
    }
}

/// The rules of a file.
fn wanted(text: &str) -> Rules {
    let documents = Yaml::load_from_str(text).unwrap_or_default();
    let groups = documents.first().and_then(|root| root.as_mapping_get("groups")?.as_sequence());
    let of_group = |group: &Yaml<'_>| {
        let text = |node: &Yaml<'_>, key: &str| Some(node.as_mapping_get(key)?.as_str()?.to_owned());
        let name = text(group, "name").unwrap_or_default();
        let rule = |rule: &Yaml<'_>| {
            let of_kind = |key, kind| Some((name.clone(), kind, text(rule, key)?));
            of_kind("alert", "alerting").or_else(|| of_kind("record", "recording"))
        };
        let rules = group.as_mapping_get("rules").and_then(|rules| rules.as_sequence());
        rules.into_iter().flatten().filter_map(rule).collect::<Vec<_>>()
    };
    groups.into_iter().flatten().flat_map(of_group).collect()
}

/// `loaded` are the groups as Prometheus tells them.
fn judge(loaded: &[Value], wanted: &Rules, reload: &str, report: &mut Report) {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let is_wanted = |rule: &Value| wanted.iter().any(|(_, kind, name)| rule["type"] == *kind && rule["name"] == **name);
    let is_ours = |rule: &Value| is_wanted(rule) || rule["name"].as_str().is_some_and(|it| it.starts_with("Sentinel"));
    let rules = loaded.iter().flat_map(|group| list(&group["rules"])).filter(|rule| is_ours(rule)).collect::<Vec<_>>();
    let way_out = format!(
        "copy config/monitoring/alerts.yml, as it came with this version, beside Prometheus's configuration and name it \
         under rule_files; then {reload}"
    );
    let is_loaded = |kind: &str, name: &str| rules.iter().any(|rule| rule["type"] == kind && rule["name"] == name);
    let missing = wanted.iter().filter(|(_, kind, name)| !is_loaded(kind, name)).collect::<Vec<_>>();
    if !missing.is_empty() {
        return report.failed("rules", not_loaded(&missing, wanted), way_out);
    }
    let broken = rules.iter().filter(|rule| rule["health"] == "err");
    let broken = broken.map(|rule| format!("{}: {}", text(&rule["name"]), text(&rule["lastError"])));
    let broken = broken.collect::<Vec<_>>();
    if !broken.is_empty() {
        return report.failed("rules", broken.join("\n"), "`promtool check rules alerts.yml` says what is wrong");
    }
    let alerts = rules.iter().filter(|rule| rule["type"] == "alerting").collect::<Vec<_>>();
    let firing = alerts.iter().filter(|rule| rule["state"] == "firing").map(|rule| text(&rule["name"]));
    let firing = firing.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let firing = if firing.is_empty() { "none".into() } else { firing.join(", ") };
    let new = rules.iter().filter(|rule| rule["health"] == "unknown").count();
    let new = if new > 0 { format!("; {new} not evaluated yet") } else { String::new() };
    let groups = loaded.iter().filter(|group| list(&group["rules"]).iter().any(is_ours)).count();
    let found =
        format!("{} alerts and {} recording rules in {groups} groups", alerts.len(), rules.len() - alerts.len());
    report.ok("rules", format!("{found}; firing: {firing}{new}"));
}

/// What is missing, a line per group.
fn not_loaded(missing: &[&(String, &'static str, String)], wanted: &Rules) -> String {
    if missing.len() == wanted.len() {
        return format!("none of Sentinel's {} alerts and recording rules is loaded", wanted.len());
    }
    let groups = missing.iter().map(|(group, ..)| group).collect::<BTreeSet<_>>();
    let line = |group: &String| {
        let names = missing.iter().filter(|(of, ..)| of == group).map(|(.., name)| name.as_str());
        format!("not loaded of {group}: {}", names.collect::<Vec<_>>().join(", "))
    };
    groups.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The file as Prometheus would tell it, with all rules in order.
    fn loaded() -> Vec<Value> {
        let wanted = wanted(ALERTS);
        let names = wanted.iter().map(|(group, ..)| group).collect::<BTreeSet<_>>();
        let group = |group: &String| {
            let rules = wanted.iter().filter(|(of, ..)| of == group);
            let rules = rules.map(|(_, kind, name)| json!({"type": kind, "name": name, "health": "ok"}));
            json!({"name": group, "rules": rules.collect::<Vec<_>>()})
        };
        names.into_iter().map(group).collect()
    }

    fn said(groups: &[Value]) -> String {
        let mut report = Report::new("hub", ["GOOD", "BAD"]);
        judge(groups, &wanted(ALERTS), "reload", &mut report);
        report.to_string()
    }

    #[test]
    fn every_rule_of_the_file_is_known() {
        let wanted = wanted(ALERTS);
        let lines = |key: &str| ALERTS.lines().filter(|line| line.trim().starts_with(key)).count();
        let known = |kind: &str| wanted.iter().filter(|(_, it, _)| *it == kind).count();
        assert_eq!((known("alerting"), known("recording")), (lines("- alert: "), lines("- record: ")));
        assert!(known("alerting") > 10 && known("recording") > 5);
    }

    #[test]
    fn all_of_them_pass_and_more_do_no_harm() {
        let mut groups = loaded();
        groups.push(json!({"name": "own", "rules": [{"type": "alerting", "name": "DiskFull", "health": "err"}]}));
        let said = said(&groups);
        assert!(said.contains("GOOD") && said.contains(&format!("in {} groups", groups.len() - 1)), "{said}");
    }

    #[test]
    fn one_alert_alone_is_not_all_of_them() {
        let alone = json!({"name": "sentinel-scrape", "rules": [{"type": "alerting", "name": "SentinelWatchdog"}]});
        let said = said(&[alone]);
        assert!(said.contains("BAD") && said.contains("SentinelDown") && !said.contains("SentinelWatchdog"), "{said}");
    }

    #[test]
    fn a_group_of_recording_rules_alone_is_missed() {
        let mut groups = loaded();
        groups.retain(|group| group["name"] != "sentinel-market");
        let said = said(&groups);
        assert!(said.contains("not loaded of sentinel-market: sentinel:market_open:known"), "{said}");
    }

    #[test]
    fn no_rule_at_all_is_said_without_a_list() {
        assert!(said(&[]).contains("none of Sentinel's "));
    }

    #[test]
    fn a_rule_in_error_is_named_with_prometheus_words() {
        let mut groups = loaded();
        groups[0]["rules"][0]["health"] = json!("err");
        groups[0]["rules"][0]["lastError"] = json!("many-to-many\nmatching");
        let said = said(&groups);
        assert!(said.contains("many-to-many matching") && said.contains("promtool check rules"), "{said}");
    }
}
