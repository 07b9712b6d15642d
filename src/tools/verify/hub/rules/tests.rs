//! Rules as Prometheus tells them, against those of the file; the system tests do the same with a real Prometheus.

use super::*;
use serde_json::json;

const FILE: &str = "\
groups:
  - name: one
    rules:
      - record: a:b
        expr: sum(x) by (job)
      - alert: SentinelDown
        expr: >
          up{job=\"j\"} == 0
        for: 2m
        labels: {severity: critical}
        annotations: {summary: down}
  - name: two
    rules:
      - alert: SentinelTargetMissing
        expr: absent(up{instance=\"inf\"})
        keep_firing_for: 1h
";

fn wanted() -> Wanted {
    Wanted { rules: rule::of_file(FILE), left_out: Vec::new(), is_own_file: false }
}

/// The file as Prometheus tells it.
fn loaded() -> Vec<Value> {
    let of = |kind: &str, name: &str, query: &str| json!({"type": kind, "name": name, "query": query, "health": "ok"});
    let mut down = of("alerting", "SentinelDown", "up{job=\"j\"} == 0");
    down["duration"] = json!(120.0);
    down["labels"] = json!({"severity": "critical"});
    down["annotations"] = json!({"summary": "down"});
    let mut missing = of("alerting", "SentinelTargetMissing", "absent(up{instance=\"inf\"})");
    missing["keepFiringFor"] = json!(3_600.0);
    let group = |name: &str, rules: Vec<Value>| json!({"name": name, "interval": 15, "lastEvaluation": "2026-01-01T00:00:00.5Z", "rules": rules});
    let recorded = of("recording", "a:b", "sum by (job) (x)");
    vec![group("one", vec![recorded, down]), group("two", vec![missing])]
}

fn said_of(groups: &[Value], wanted: &Wanted, instance: &str) -> String {
    let mut report = Report::new("hub", ["GOOD", "BAD"]);
    judge(groups, wanted, Some(instance), "reload", &mut report);
    report.to_string()
}

fn said(groups: &[Value]) -> String {
    said_of(groups, &wanted(), "inf")
}

#[test]
fn every_rule_of_sentinels_file_is_read_to_its_last_sign() {
    let rules = Wanted::new(None).unwrap().rules;
    let lines = |key: &str| ALERTS.lines().filter(|line| line.trim().starts_with(key)).count();
    let known = |kind: &str| rules.iter().filter(|rule| rule.kind == kind).count();
    assert_eq!((known("alerting"), known("recording")), (lines("- alert: "), lines("- record: ")));
    assert!(known("alerting") > 10 && known("recording") > 5);
    assert_eq!(
        rules.iter().filter(|rule| rule.expression.is_none()).map(|rule| &rule.name).collect::<Vec<_>>(),
        [""; 0]
    );
}

#[test]
fn all_of_them_pass_and_more_do_no_harm() {
    let mut groups = loaded();
    groups.push(json!({"name": "own", "rules": [{"type": "alerting", "name": "DiskFull", "health": "err"}]}));
    let said = said(&groups);
    assert!(said.contains("GOOD") && said.contains("2 alerts and 1 recording rules in 2 groups"), "{said}");
}

#[test]
fn what_a_rule_does_otherwise_is_named_with_both_texts() {
    let changed = |pointer: &str, value: Value| {
        let mut groups = loaded();
        *groups[0]["rules"][1].pointer_mut(pointer).unwrap() = value;
        said(&groups)
    };
    let text = changed("/query", json!("up{job=\"j\"} == 1"));
    assert!(text.contains("BAD") && text.contains("SentinelDown differs: expr is"), "{text}");
    assert!(text.contains("up{job=\"j\"} == 1") && text.contains("up{job=\"j\"} == 0"), "{text}");
    let text = changed("/duration", json!(7_200));
    assert!(text.contains("SentinelDown differs: for is 2h, not 2m") && text.contains("--rules FILE"), "{text}");
    let text = changed("/labels", json!({"severity": "warning"}));
    assert!(text.contains("labels is {severity=\"warning\"}, not {severity=\"critical\"}"), "{text}");
    let mut groups = loaded();
    groups[1]["rules"][0]["keepFiringFor"] = json!(0);
    assert!(said(&groups).contains("keep_firing_for is 0, not 1h"), "{}", said(&groups));
    let text = changed("/annotations", json!({"summary": "gone"}));
    assert!(text.contains("GOOD") && text.contains("with other words than they came with: SentinelDown"), "{text}");
}

#[test]
fn one_alert_alone_is_not_all_of_them() {
    let said = said(&loaded()[1..]);
    assert!(said.contains("BAD") && said.contains("not loaded of one: a:b, SentinelDown"), "{said}");
}

#[test]
fn no_rule_at_all_is_said_without_a_list() {
    assert!(said(&[]).contains("none of Sentinel's 3 alerts and recording rules is loaded"));
}

#[test]
fn a_rule_in_error_is_named_with_prometheus_words() {
    let mut groups = loaded();
    groups[0]["rules"][0]["health"] = json!("err");
    groups[0]["rules"][0]["lastError"] = json!("many-to-many\nmatching");
    let said = said(&groups);
    assert!(said.contains("many-to-many matching") && said.contains("promtool check rules"), "{said}");
}

#[test]
fn what_is_recorded_twice_in_two_ways_is_found() {
    let mut groups = loaded();
    groups.push(json!({"name": "old", "rules": [{"type": "recording", "name": "a:b", "query": "sum(x)"}]}));
    assert!(said(&groups).contains("a:b is recorded twice"), "{}", said(&groups));
}

#[test]
fn a_second_alert_of_a_name_is_said() {
    let mut groups = loaded();
    let old = json!({"type": "alerting", "name": "SentinelDown", "query": "up == 0"});
    groups.push(json!({"name": "old", "rules": [old]}));
    let text = said(&groups);
    assert!(text.contains("GOOD") && text.contains("or as your own: SentinelDown"), "{text}");
    assert!(!said(&loaded()).contains("another form"));
}

#[test]
fn a_rule_about_one_instance_is_copied_for_another() {
    let said_of = |groups: &[Value]| said_of(groups, &wanted(), "inf-2");
    assert!(said_of(&loaded()).contains("SentinelTargetMissing is not about inf-2"));
    let copy = json!({"type": "alerting", "name": "SentinelTargetMissing", "query": "absent(up{instance=\"inf-2\"})"});
    let mut groups = loaded();
    groups.push(json!({"name": "own", "rules": [copy]}));
    let said = said_of(&groups);
    assert!(said.contains("GOOD") && !said.contains("not about") && !said.contains("another form"), "{said}");
}

#[test]
fn groups_are_evaluated_often_and_lately() {
    let said = |groups: &[Value], later_s: f64| {
        let mut report = Report::new("hub", ["GOOD", "BAD"]);
        evaluation::judge(groups, &wanted(), 1_767_225_600.5 + later_s, "reload", &mut report);
        report.to_string()
    };
    assert!(said(&loaded(), 7.0).contains("every 15 s, last 7.0 s ago"), "{}", said(&loaded(), 7.0));
    assert!(said(&loaded(), 70.0).contains("one was evaluated last 70 s ago"));
    let changed = |key: &str, value: Value| {
        let mut groups = loaded();
        groups[1][key] = value;
        said(&groups, 7.0)
    };
    assert!(changed("interval", json!(300)).contains("two is evaluated every 300 s only"));
    assert!(changed("lastEvaluation", json!("0001-01-01T00:00:00Z")).contains("two was never evaluated"));
    assert!(said(&[], 0.0).contains("BAD"));
}
