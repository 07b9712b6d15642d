//! Loaded rules against those of the file; the system tests do the same with a real Prometheus.

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

/// The file's rules as Prometheus reports them.
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

fn judged_for(groups: &[Value], wanted: &Wanted, instance: &str) -> String {
    let mut report = Report::new("hub", ["GOOD", "BAD"]);
    judge(groups, wanted, Some(instance), "reload", &mut report);
    report.to_string()
}

fn judged(groups: &[Value]) -> String {
    judged_for(groups, &wanted(), "inf")
}

#[test]
fn every_rule_of_sentinels_file_is_parsed() {
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
fn additional_rules_are_allowed() {
    let mut groups = loaded();
    groups.push(json!({"name": "own", "rules": [{"type": "alerting", "name": "DiskFull", "health": "err"}]}));
    let text = judged(&groups);
    assert!(text.contains("GOOD") && text.contains("2 alerts and 1 recording rules in 2 groups"), "{text}");
}

#[test]
fn a_difference_is_reported_with_both_texts() {
    let changed = |pointer: &str, value: Value| {
        let mut groups = loaded();
        *groups[0]["rules"][1].pointer_mut(pointer).unwrap() = value;
        judged(&groups)
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
    assert!(judged(&groups).contains("keep_firing_for is 0, not 1h"), "{}", judged(&groups));
    let text = changed("/annotations", json!({"summary": "gone"}));
    assert!(
        text.contains("GOOD") && text.contains("with other annotations than in this version: SentinelDown"),
        "{text}"
    );
}

#[test]
fn missing_rules_are_reported_by_group() {
    let text = judged(&loaded()[1..]);
    assert!(text.contains("BAD") && text.contains("not loaded of one: a:b, SentinelDown"), "{text}");
}

#[test]
fn without_any_rule_no_names_are_listed() {
    assert!(judged(&[]).contains("none of Sentinel's 3 alerts and recording rules is loaded"));
}

#[test]
fn a_failing_rule_is_reported_with_prometheus_error() {
    let mut groups = loaded();
    groups[0]["rules"][0]["health"] = json!("err");
    groups[0]["rules"][0]["lastError"] = json!("many-to-many\nmatching");
    let text = judged(&groups);
    assert!(text.contains("many-to-many matching") && text.contains("promtool check rules"), "{text}");
}

#[test]
fn a_series_recorded_by_two_expressions_is_reported() {
    let mut groups = loaded();
    groups.push(json!({"name": "old", "rules": [{"type": "recording", "name": "a:b", "query": "sum(x)"}]}));
    assert!(judged(&groups).contains("a:b is recorded twice"), "{}", judged(&groups));
}

#[test]
fn a_second_alert_with_the_same_name_is_reported() {
    let mut groups = loaded();
    let old = json!({"type": "alerting", "name": "SentinelDown", "query": "up == 0"});
    groups.push(json!({"name": "old", "rules": [old]}));
    let text = judged(&groups);
    assert!(text.contains("GOOD") && text.contains("or as your own: SentinelDown"), "{text}");
    assert!(!judged(&loaded()).contains("another form"));
}

#[test]
fn a_rule_about_one_instance_is_copied_for_another() {
    let judged = |groups: &[Value]| judged_for(groups, &wanted(), "inf-2");
    assert!(judged(&loaded()).contains("SentinelTargetMissing does not cover inf-2"));
    let copy = json!({"type": "alerting", "name": "SentinelTargetMissing", "query": "absent(up{instance=\"inf-2\"})"});
    let mut groups = loaded();
    groups.push(json!({"name": "own", "rules": [copy]}));
    let text = judged(&groups);
    assert!(text.contains("GOOD") && !text.contains("does not cover") && !text.contains("another form"), "{text}");
}

#[test]
fn late_and_slow_evaluations_are_reported() {
    let evaluated = |groups: &[Value], later_s: f64| {
        let mut report = Report::new("hub", ["GOOD", "BAD"]);
        evaluation::judge(groups, &wanted(), 1_767_225_600.5 + later_s, "reload", &mut report);
        report.to_string()
    };
    assert!(evaluated(&loaded(), 7.0).contains("every 15 s, last 7.0 s ago"), "{}", evaluated(&loaded(), 7.0));
    assert!(evaluated(&loaded(), 70.0).contains("one was last evaluated 70 s ago"));
    let changed = |key: &str, value: Value| {
        let mut groups = loaded();
        groups[1][key] = value;
        evaluated(&groups, 7.0)
    };
    assert!(changed("interval", json!(300)).contains("two is evaluated only every 300 s"));
    assert!(changed("lastEvaluation", json!("0001-01-01T00:00:00Z")).contains("two was never evaluated"));
    assert!(evaluated(&[], 0.0).contains("BAD"));
}
