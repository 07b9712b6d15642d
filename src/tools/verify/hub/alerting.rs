//! The Alertmanager that is asked: is it there, and does it take an alert?

use super::{
    super::{Report, not_reached},
    prometheus::list,
};
use crate::tools::probe::Client;
use chrono::{SecondsFormat, TimeDelta, Utc};
use sentinel_actors::adapters::http::one_line;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const TEST_ALERT: &str = "SentinelTestAlert";
const TEST_ALERT_LIFE: TimeDelta = TimeDelta::minutes(2);
/// Alertmanager shows an alert right after it took it.
const READ_BACK_WAIT: Duration = Duration::from_secs(5);

/// Whether Alertmanager is there, and whether it takes an alert if one is to be sent.
pub(super) async fn reachable(alertmanager: &Client, sends_alert: bool, report: &mut Report) {
    const START_IT: &str = "start Alertmanager, or correct --alertmanager; its log says why it is not ready";
    let mut checked = status(alertmanager).await;
    match &mut checked {
        Ok(found) => report.ok("alertmanager", std::mem::take(found)),
        Err(why) => report.failed("alertmanager", format!("{}: {why}", alertmanager.base_url()), START_IT),
    }
    match (sends_alert, checked) {
        (false, _) => {}
        (true, Err(_)) => not_reached(report, &["test alert"], "Alertmanager does not answer"),
        (true, Ok(_)) => match send(alertmanager).await {
            Ok(found) => report.ok("test alert", found),
            Err(why) => report.failed("test alert", why, "see Alertmanager's log, its routes and its silences"),
        },
    }
}

async fn status(alertmanager: &Client) -> Result<String, String> {
    let ready = alertmanager.get("/-/ready", "").await.map_err(|error| error.to_string())?;
    if ready.status != 200 {
        return Err(format!("/-/ready: status {}", ready.status));
    }
    let status = get(alertmanager, "/api/v2/status", &[]).await?;
    let version = one_line(status["versionInfo"]["version"].as_str().ok_or("/api/v2/status: no Alertmanager's")?);
    Ok(format!("ready, version {version}"))
}

/// The JSON of an answer.
pub(super) async fn get(alertmanager: &Client, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let page = alertmanager.get_with(path, parameters).await.map_err(|error| format!("{path}: {error}"))?;
    let answer = serde_json::from_slice(&page.body).ok().filter(|_| page.status == 200);
    answer.ok_or_else(|| format!("{path}: status {}: {}", page.status, one_line(&page.text())))
}

/// Sends the test alert and reads it back.
async fn send(alertmanager: &Client) -> Result<String, String> {
    let now = Utc::now();
    let time = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
    let sent_at = time(now);
    let alert = json!([{
        "labels": {
            "alertname": TEST_ALERT, "severity": "warning", "job": "sentinel-metrics", "instance": "inf-sentinel",
            "component": "trading", "node": "inf", "region": "singapore",
        },
        "annotations": {
            "summary": "Test alert of sentinel verify hub",
            "description": format!("Somebody tries at {sent_at} whether alerts arrive. Nothing is wrong."),
            "runbook": "Nothing to do: it ends by itself after two minutes.",
        },
        "startsAt": sent_at,
        "endsAt": time(now + TEST_ALERT_LIFE),
    }]);
    let path = "/api/v2/alerts";
    let answer = alertmanager.post_json(path, alert.to_string()).await.map_err(|error| format!("{path}: {error}"))?;
    if answer.status != 200 {
        return Err(format!("{path}: status {}: {}", answer.status, one_line(&answer.text())));
    }
    let began = Instant::now();
    loop {
        let filter = format!("alertname=\"{TEST_ALERT}\"");
        let alerts = get(alertmanager, path, &[("filter", &filter)]).await?;
        let is_it =
            |alert: &&Value| alert["annotations"]["description"].as_str().is_some_and(|it| it.contains(&sent_at));
        if let Some(alert) = list(&alerts).iter().find(is_it) {
            return taken(alert);
        }
        if began.elapsed() > READ_BACK_WAIT {
            return Err("it was taken, and is not listed".into());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn taken(alert: &Value) -> Result<String, String> {
    let receivers = list(&alert["receivers"]).iter().filter_map(|one| one["name"].as_str().map(one_line));
    let receivers = receivers.collect::<Vec<_>>().join(", ");
    match alert["status"]["state"].as_str() {
        Some("suppressed") => Err(format!("{TEST_ALERT} is silenced or inhibited, so {receivers} will not hear of it")),
        _ => Ok(format!("{TEST_ALERT} was taken for {receivers}; see that the message arrives there")),
    }
}
