//! Prometheus's HTTP API, as far as it is asked, and how it is made to read its files again.

use super::super::{Report, clock::Offset};
use crate::tools::probe::Client;
use chrono::{DateTime, Utc};
use sentinel_actors::{adapters::http::HttpError, domain::sanitize::one_line};
use serde_json::Value;
use std::time::Duration;

/// Its discovery hands on what it found every 5 s; the time of reading is told in whole seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(8);

/// One running Prometheus.
pub(super) struct Prometheus(pub(super) Client);

impl Prometheus {
    /// Its clock, if it is there and ready to answer: `Some(None)` if it does not tell its time.
    pub(super) async fn ready(&self, report: &mut Report) -> Option<Option<Offset>> {
        let clock = match self.0.get("/-/ready", "").await {
            Ok(page) if page.status == 200 => Offset::of_date(&page),
            Ok(page) => {
                let found = format!("{}/-/ready: status {}", self.0.base_url(), page.status);
                report.failed("prometheus", found, refused(page.status, "--prometheus"));
                return None;
            }
            Err(error) => {
                let found = format!("{}: {error}", self.0.base_url());
                report.failed("prometheus", found, unanswered(&error, "--prometheus"));
                return None;
            }
        };
        match self.data("/api/v1/status/buildinfo", &[]).await {
            Ok(build) => {
                let version = one_line(build["version"].as_str().unwrap_or("unknown"));
                report.ok("prometheus", format!("ready, version {version}"));
                Some(clock)
            }
            Err(why) => {
                report.failed("prometheus", why, "it is ready but no Prometheus, or older than 2.14: see --prometheus");
                None
            }
        }
    }

    /// Waits until what Prometheus says of targets and Alertmanagers is of the configuration it has: after reading one it
    /// takes up to 5 s to find them.
    pub(super) async fn settled(&self) {
        let Ok(info) = self.data("/api/v1/status/runtimeinfo", &[]).await else { return };
        let read_at = info["lastConfigTime"].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
        let age = read_at.and_then(|read_at| (Utc::now() - read_at).to_std().ok());
        if let Some(rest) = age.and_then(|age| SETTLED_AFTER.checked_sub(age)) {
            eprintln!("Prometheus has just read its configuration; waiting {:.0} s ...", rest.as_secs_f64().ceil());
            tokio::time::sleep(rest).await;
        }
    }

    /// The `data` of an answer.
    pub(super) async fn data(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let answer =
            if parameters.is_empty() { self.0.get(path, "").await } else { self.0.get_with(path, parameters).await };
        let page = answer.map_err(|error| format!("{path}: {error}"))?;
        let mut answer = serde_json::from_slice::<Value>(&page.body)
            .map_err(|_| format!("{path}: status {}, and no JSON", page.status))?;
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(format!("{path}: {}", one_line(answer["error"].as_str().unwrap_or("no success")))),
        }
    }

    /// The samples of an instant query.
    pub(super) async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let mut data = self.data("/api/v1/query", &[("query", expression)]).await?;
        match data["result"].take() {
            Value::Array(samples) => Ok(samples),
            _ => Err(format!("{expression} gives no samples")),
        }
    }

    /// The value of a query that gives one sample.
    pub(super) async fn value(&self, expression: &str) -> Result<Option<f64>, String> {
        let samples = self.query(expression).await?;
        Ok(samples.first().and_then(|sample| sample["value"][1].as_str()?.parse().ok()))
    }

    /// How it is made to read its configuration and its rules again.
    pub(super) fn reload(&self) -> String {
        format!(
            "reload Prometheus: under Docker `docker kill -s HUP <container>`, under systemd `systemctl reload \
             prometheus`, or with --web.enable-lifecycle by HTTP: POST {}/-/reload",
            self.0.base_url()
        )
    }
}

/// What to do about a status that is not 200; `flag` is where its address is said.
pub(super) fn refused(status: u16, flag: &str) -> String {
    match status {
        401 | 403 => {
            format!("it wants a password, and none is sent: let {flag} be an address that asks for none, as localhost")
        }
        _ => format!("its log says why it is not ready; or correct {flag}"),
    }
}

/// What to do about a server of HUB that gives no answer.
pub(super) fn unanswered(error: &HttpError, flag: &str) -> String {
    match error {
        HttpError::Timeout { .. } => {
            format!(
                "it takes the connection and never answers: it hangs or is stopped; see its log, and restart it. Or correct {flag}"
            )
        }
        _ => format!("start it, or correct {flag}"),
    }
}

/// The elements of an answer's list; none if it is no list.
pub(super) fn list(data: &Value) -> &[Value] {
    data.as_array().map(Vec::as_slice).unwrap_or_default()
}
