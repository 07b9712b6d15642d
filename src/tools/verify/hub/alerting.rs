//! Checks the Alertmanager of --alertmanager: that it runs, has the right configuration, and accepts an alert.

mod configuration;
mod matcher;
mod routing;

use super::{
    super::{Report, not_checked},
    prometheus::{list, refused, unanswered},
    rules::Wanted,
    scrape_target::Target,
};
use crate::process::output::complain;
use crate::tools::probe::Client;
use chrono::{SecondsFormat, TimeDelta, Utc};
use sentinel_actors::domain::sanitize::one_line;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Always fires, so without it no other alert arrives.
const HEARTBEAT: &str = "SentinelWatchdog";
/// Prometheus sends an alert again after a minute.
const HEARTBEAT_WAIT: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(200);
const ALERTS: &str = "/api/v2/alerts";
const TEST_ALERT: &str = "SentinelTestAlert";
const TEST_ALERT_LIFE: TimeDelta = TimeDelta::minutes(2);
/// Alertmanager lists an alert right after accepting it.
const READ_BACK_WAIT: Duration = Duration::from_secs(5);

/// Checks Alertmanager, its configuration and the heartbeat; on request, sends a test alert about this target.
pub(super) async fn check(
    alertmanager: &Client,
    sends_alert: bool,
    target: Option<&Target>,
    wanted: &Wanted,
    report: &mut Report,
) {
    let checked = status(alertmanager).await;
    let is_ready = checked.is_ok();
    match checked {
        Ok((found, status)) => {
            report.ok("alertmanager", found);
            routing::check(&status, alertmanager.base_url(), target, wanted, report);
        }
        Err((why, advice)) => {
            report.failed("alertmanager", format!("{}: {why}", alertmanager.base_url()), advice);
            not_checked(report, &routing::NAMES, "Alertmanager does not answer");
        }
    }
    let has_heartbeat = wanted.rules.iter().any(|rule| rule.name == HEARTBEAT);
    match is_ready {
        true if !has_heartbeat => {
            report.note("heartbeat", format!("not checked: the file of --rules has no {HEARTBEAT}"))
        }
        true => match heartbeat(alertmanager).await {
            Ok(found) => report.ok("heartbeat", found),
            Err(why) => {
                let advice = "Prometheus's alerts do not arrive here: see `rules` and `delivery`, alert_relabel_configs under \
                              its alerting, its log, and Alertmanager's silences";
                report.failed("heartbeat", why, advice);
            }
        },
        false => not_checked(report, &["heartbeat"], "Alertmanager does not answer"),
    }
    match (sends_alert, is_ready) {
        (false, _) => {}
        (true, false) => not_checked(report, &["test alert"], "Alertmanager does not answer"),
        (true, true) => match send(alertmanager, target).await {
            Ok(found) => report.ok("test alert", found),
            Err(why) => report.failed("test alert", why, "see Alertmanager's log, its routes and its silences"),
        },
    }
}

/// Its version and status, or the failure and what to do.
async fn status(alertmanager: &Client) -> Result<(String, Value), (String, String)> {
    const FLAG: &str = "--alertmanager";
    let ready = alertmanager.get("/-/ready", "").await;
    let ready = ready.map_err(|error| (error.to_string(), unanswered(&error, FLAG)))?;
    if ready.status != 200 {
        return Err((format!("/-/ready: status {}", ready.status), refused(ready.status, FLAG)));
    }
    let status = get(alertmanager, "/api/v2/status", &[]).await.map_err(|why| (why, format!("correct {FLAG}")))?;
    match status["versionInfo"]["version"].as_str() {
        Some(version) => Ok((format!("ready, version {}", one_line(version)), status)),
        None => Err(("/api/v2/status: not an Alertmanager's answer".into(), format!("correct {FLAG}"))),
    }
}

/// The JSON of an answer.
pub(super) async fn get(alertmanager: &Client, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let page = alertmanager.get_with(path, parameters).await.map_err(|error| format!("{path}: {error}"))?;
    let answer = serde_json::from_slice(&page.body).ok().filter(|_| page.status == 200);
    answer.ok_or_else(|| format!("{path}: status {}: {}", page.status, one_line(&page.text())))
}

/// Waits for the alert that always fires to arrive from Prometheus.
async fn heartbeat(alertmanager: &Client) -> Result<String, String> {
    let (began, mut is_announced) = (Instant::now(), false);
    loop {
        let alerts = named(alertmanager, HEARTBEAT).await?;
        if let Some(alert) = list(&alerts).first() {
            return arrived(alert, HEARTBEAT)
                .map(|receivers| format!("{HEARTBEAT} has arrived from Prometheus, for {receivers}"));
        }
        if began.elapsed() > HEARTBEAT_WAIT {
            return Err(format!("{HEARTBEAT}, which always fires, has not arrived from Prometheus"));
        }
        if !is_announced {
            is_announced = true;
            complain(&format!("Waiting up to {} s for {HEARTBEAT} ...", HEARTBEAT_WAIT.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn named(alertmanager: &Client, alert: &str) -> Result<Value, String> {
    get(alertmanager, ALERTS, &[("filter", &format!("alertname=\"{alert}\""))]).await
}

/// Sends the test alert with the labels of a real one, and reads it back.
async fn send(alertmanager: &Client, target: Option<&Target>) -> Result<String, String> {
    let mut labels = target.map(|target| target.0["labels"].clone()).unwrap_or_else(|| json!({}));
    labels["alertname"] = json!(TEST_ALERT);
    labels["severity"] = json!("warning");
    let now = Utc::now();
    let time = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let sent_at = time(now);
    let alert = json!([{
        "labels": labels,
        "annotations": {
            "summary": "Test alert of sentinel verify hub",
            "description": format!("A test at {sent_at} whether alerts arrive. Nothing is wrong."),
            "runbook": "Nothing to do: it ends by itself after two minutes.",
        },
        "startsAt": sent_at,
        "endsAt": time(now + TEST_ALERT_LIFE),
    }]);
    let path = ALERTS;
    let answer = alertmanager.post_json(path, alert.to_string()).await.map_err(|error| format!("{path}: {error}"))?;
    if answer.status != 200 {
        return Err(format!("{path}: status {}: {}", answer.status, one_line(&answer.text())));
    }
    let began = Instant::now();
    loop {
        let alerts = named(alertmanager, TEST_ALERT).await?;
        let is_it =
            |alert: &&Value| alert["annotations"]["description"].as_str().is_some_and(|it| it.contains(&sent_at));
        if let Some(alert) = list(&alerts).iter().find(is_it) {
            let receivers = arrived(alert, TEST_ALERT)?;
            return Ok(format!("{TEST_ALERT} was accepted for {receivers}; check that the message arrives there"));
        }
        if began.elapsed() > READ_BACK_WAIT {
            return Err("it was accepted, but is not listed".into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The receivers of an alert.
fn arrived(alert: &Value, name: &str) -> Result<String, String> {
    let receivers = list(&alert["receivers"]).iter().filter_map(|one| one["name"].as_str().map(one_line));
    let receivers = receivers.collect::<Vec<_>>().join(", ");
    match alert["status"]["state"].as_str() {
        Some("suppressed") => Err(format!("{name} is silenced or inhibited, so {receivers} does not get it")),
        _ => Ok(receivers),
    }
}
