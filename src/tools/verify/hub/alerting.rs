//! The Alertmanager that is asked: is it there, is it told what it should, and does it take an alert?

mod configuration;
mod matcher;
mod routing;

use super::{
    super::{Report, not_reached},
    prometheus::{list, refused, unanswered},
    rules::Wanted,
    scrape_target::Target,
};
use crate::tools::probe::Client;
use chrono::{SecondsFormat, TimeDelta, Utc};
use sentinel_actors::domain::sanitize::one_line;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Always fires, so where it is missing no other alert arrives.
const HEARTBEAT: &str = "SentinelWatchdog";
/// Prometheus tells an alert again after a minute.
const HEARTBEAT_WAIT: Duration = Duration::from_secs(75);
const PAUSE: Duration = Duration::from_millis(200);
const ALERTS: &str = "/api/v2/alerts";
const TEST_ALERT: &str = "SentinelTestAlert";
const TEST_ALERT_LIFE: TimeDelta = TimeDelta::minutes(2);
/// Alertmanager shows an alert right after it took it.
const READ_BACK_WAIT: Duration = Duration::from_secs(5);

/// Whether Alertmanager is there with what it should be told, and whether it takes an alert about this target if one is to be sent.
pub(super) async fn reachable(
    alertmanager: &Client,
    sends_alert: bool,
    target: Option<&Target>,
    wanted: &Wanted,
    report: &mut Report,
) {
    let checked = status(alertmanager).await;
    let is_there = checked.is_ok();
    match checked {
        Ok((found, status)) => {
            report.ok("alertmanager", found);
            routing::check(&status, alertmanager.base_url(), target, wanted, report);
        }
        Err((why, way_out)) => {
            report.failed("alertmanager", format!("{}: {why}", alertmanager.base_url()), way_out);
            not_reached(report, &routing::NAMES, "Alertmanager does not answer");
        }
    }
    let has_heartbeat = wanted.rules.iter().any(|rule| rule.name == HEARTBEAT);
    match is_there {
        true if !has_heartbeat => {
            report.note("heartbeat", format!("not looked for: the file of --rules has no {HEARTBEAT}"))
        }
        true => match heartbeat(alertmanager).await {
            Ok(found) => report.ok("heartbeat", found),
            Err(why) => {
                let way_out = "what Prometheus fires does not arrive here: see `rules` and `delivery`, alert_relabel_configs \
                               under its alerting, its log, and Alertmanager's silences";
                report.failed("heartbeat", why, way_out);
            }
        },
        false => not_reached(report, &["heartbeat"], "Alertmanager does not answer"),
    }
    match (sends_alert, is_there) {
        (false, _) => {}
        (true, false) => not_reached(report, &["test alert"], "Alertmanager does not answer"),
        (true, true) => match send(alertmanager, target).await {
            Ok(found) => report.ok("test alert", found),
            Err(why) => report.failed("test alert", why, "see Alertmanager's log, its routes and its silences"),
        },
    }
}

/// Its version and its status, or what is wrong and what to do.
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
        None => Err(("/api/v2/status: no Alertmanager's".into(), format!("correct {FLAG}"))),
    }
}

/// The JSON of an answer.
pub(super) async fn get(alertmanager: &Client, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let page = alertmanager.get_with(path, parameters).await.map_err(|error| format!("{path}: {error}"))?;
    let answer = serde_json::from_slice(&page.body).ok().filter(|_| page.status == 200);
    answer.ok_or_else(|| format!("{path}: status {}: {}", page.status, one_line(&page.text())))
}

/// Whether the alert that always fires has come all the way from Prometheus.
async fn heartbeat(alertmanager: &Client) -> Result<String, String> {
    let (began, mut has_said) = (Instant::now(), false);
    loop {
        let alerts = named(alertmanager, HEARTBEAT).await?;
        if let Some(alert) = list(&alerts).first() {
            return arrived(alert, HEARTBEAT)
                .map(|receivers| format!("{HEARTBEAT} has come from Prometheus, for {receivers}"));
        }
        if began.elapsed() > HEARTBEAT_WAIT {
            return Err(format!("{HEARTBEAT}, which always fires, has not come from Prometheus"));
        }
        if !has_said {
            has_said = true;
            eprintln!("Waiting up to {} s for {HEARTBEAT} ...", HEARTBEAT_WAIT.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn named(alertmanager: &Client, alert: &str) -> Result<Value, String> {
    get(alertmanager, ALERTS, &[("filter", &format!("alertname=\"{alert}\""))]).await
}

/// Sends the test alert, with the labels that a real one would have, and reads it back.
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
            "description": format!("Somebody tries at {sent_at} whether alerts arrive. Nothing is wrong."),
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
            return Ok(format!("{TEST_ALERT} was taken for {receivers}; see that the message arrives there"));
        }
        if began.elapsed() > READ_BACK_WAIT {
            return Err("it was taken, and is not listed".into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// For whom an alert is.
fn arrived(alert: &Value, name: &str) -> Result<String, String> {
    let receivers = list(&alert["receivers"]).iter().filter_map(|one| one["name"].as_str().map(one_line));
    let receivers = receivers.collect::<Vec<_>>().join(", ");
    match alert["status"]["state"].as_str() {
        Some("suppressed") => Err(format!("{name} is silenced or inhibited, so {receivers} will not hear of it")),
        _ => Ok(receivers),
    }
}
