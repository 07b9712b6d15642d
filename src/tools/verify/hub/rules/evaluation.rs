//! Checks how often and when the rules were last evaluated.

use super::super::{
    super::Report,
    prometheus::{Prometheus, list},
};
use super::{Wanted, is_ours};
use crate::process::output::complain;
use chrono::{DateTime, Utc};
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The longest accepted interval, by which alerts are delayed.
const INTERVAL_MAX_S: f64 = 60.0;
/// As in config/monitoring/prometheus.yml.
const INTERVAL: &str = "evaluation_interval: 15s";
/// Missed evaluations before this is reported.
const MISSED: f64 = 3.0;
const LATE_S: f64 = 10.0;
const PAUSE: Duration = Duration::from_millis(500);

/// The groups, once each of ours was or should have been evaluated, and Prometheus's own time, unix seconds.
pub(super) async fn evaluated(prometheus: &Prometheus, wanted: &Wanted) -> Result<(Vec<Value>, f64), String> {
    let began = Instant::now();
    let mut is_announced = false;
    loop {
        let data = prometheus.data("/api/v1/rules", &[]).await?;
        let groups = list(&data["groups"]);
        let new = groups.iter().filter(|group| is_of_interest(group, wanted) && last(group).is_none());
        // The first evaluation comes within one interval of the start; an interval that is too long is not waited for.
        let wait =
            new.filter_map(|group| group["interval"].as_f64()).filter(|it| *it <= INTERVAL_MAX_S).fold(0.0, f64::max);
        if wait == 0.0 || began.elapsed().as_secs_f64() > wait + LATE_S {
            let now_s = prometheus.value("vector(time())").await?.ok_or("Prometheus does not report its time")?;
            return Ok((groups.to_vec(), now_s));
        }
        if !is_announced {
            is_announced = true;
            complain(&format!("Waiting up to {wait:.0} s for the rules' first evaluation ..."));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Checks that the groups with our rules are evaluated at least once a minute, and were recently.
pub(super) fn judge(groups: &[Value], wanted: &Wanted, now_s: f64, reload: &str, report: &mut Report) {
    let ours = groups.iter().filter(|group| is_of_interest(group, wanted)).collect::<Vec<_>>();
    if ours.is_empty() {
        return report.failed("evaluation", "no group with Sentinel's rules", format!("load the rules; then {reload}"));
    }
    let name = |group: &Value| one_line(group["name"].as_str().unwrap_or_default());
    let interval = |group: &Value| group["interval"].as_f64().unwrap_or(f64::INFINITY);
    let slow = ours.iter().filter(|group| interval(group) > INTERVAL_MAX_S);
    let slow =
        slow.map(|group| format!("{} is evaluated only every {} s", name(group), interval(group))).collect::<Vec<_>>();
    if !slow.is_empty() {
        let advice = format!(
            "this delays every alert: set {INTERVAL} under global, and no longer interval: in the group; then {reload}"
        );
        return report.failed("evaluation", slow.join("\n"), advice);
    }
    let late = ours.iter().filter_map(|group| match last(group) {
        None => Some(format!("{} was never evaluated", name(group))),
        Some(at_s) if now_s - at_s > MISSED * interval(group) + LATE_S => Some(format!(
            "{} was last evaluated {:.0} s ago, and is due every {} s",
            name(group),
            now_s - at_s,
            interval(group)
        )),
        Some(_) => None,
    });
    let late = late.collect::<Vec<_>>();
    if !late.is_empty() {
        let advice = "see Prometheus's log and load; rules that take longer than their interval are skipped";
        return report.failed("evaluation", late.join("\n"), advice);
    }
    let longest = ours.iter().map(|group| interval(group)).fold(0.0, f64::max);
    let oldest = ours.iter().filter_map(|group| last(group)).fold(now_s, f64::min);
    report.ok("evaluation", format!("every {longest} s, last {:.1} s ago", now_s - oldest));
}

fn is_of_interest(group: &Value, wanted: &Wanted) -> bool {
    list(&group["rules"]).iter().any(|rule| is_ours(rule, wanted))
}

/// When a group was last evaluated, unix seconds; Prometheus reports the year 1 for never.
fn last(group: &Value) -> Option<f64> {
    let at = group["lastEvaluation"].as_str()?.parse::<DateTime<Utc>>().ok()?;
    (at.timestamp() > 0).then(|| at.timestamp_micros() as f64 / 1e6)
}
