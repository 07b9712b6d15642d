//! Prometheus's HTTP API, as far as it is used here.

use super::super::{Report, clock::Offset};
use crate::process::output::complain;
use crate::tools::probe::Client;
use chrono::{DateTime, Utc};
use sentinel_actors::{adapters::http::HttpError, domain::sanitize::one_line};
use serde_json::Value;
use std::time::Duration;

/// Prometheus updates discovered targets every 5 s, and reports the time of reading its configuration in whole seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(8);

/// One running Prometheus.
pub(super) struct Prometheus(pub(super) Client);

impl Prometheus {
    /// Checks that it is ready; returns its clock, or `Some(None)` if its answer has no time.
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
                report.failed(
                    "prometheus",
                    why,
                    "it is ready but not a Prometheus, or older than 2.14: see --prometheus",
                );
                None
            }
        }
    }

    /// Waits until Prometheus lists the targets and Alertmanagers of its current configuration, up to 5 s after reading it.
    pub(super) async fn settled(&self) {
        let Ok(info) = self.data("/api/v1/status/runtimeinfo", &[]).await else { return };
        let read_at = info["lastConfigTime"].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
        let age = read_at.and_then(|read_at| (Utc::now() - read_at).to_std().ok());
        if let Some(rest) = age.and_then(|age| SETTLED_AFTER.checked_sub(age)) {
            complain(&format!(
                "Prometheus has just read its configuration; waiting {:.0} s ...",
                rest.as_secs_f64().ceil()
            ));
            tokio::time::sleep(rest).await;
        }
    }

    /// The `data` of an answer.
    pub(super) async fn data(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let answer =
            if parameters.is_empty() { self.0.get(path, "").await } else { self.0.get_with(path, parameters).await };
        let page = answer.map_err(|error| format!("{path}: {error}"))?;
        let mut answer = serde_json::from_slice::<Value>(&page.body)
            .map_err(|_| format!("{path}: status {}, not JSON", page.status))?;
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

    /// How to reload its configuration and rules.
    pub(super) fn reload(&self) -> String {
        format!(
            "reload Prometheus: under Docker `docker kill -s HUP <container>`, under systemd `systemctl reload \
             prometheus`, or with --web.enable-lifecycle by HTTP: POST {}/-/reload",
            self.0.base_url()
        )
    }
}

/// What to do about a status other than 200; `flag` sets its address.
pub(super) fn refused(status: u16, flag: &str) -> String {
    match status {
        401 | 403 => {
            format!("it requires a password, and none is sent: set {flag} to an address without one, such as localhost")
        }
        _ => format!("its log shows why it is not ready; or correct {flag}"),
    }
}

/// What to do about a server of HUB that does not answer.
pub(super) fn unanswered(error: &HttpError, flag: &str) -> String {
    match error {
        HttpError::Timeout { .. } => {
            format!(
                "it accepts the connection and does not answer: it hangs or is stopped; see its log, and restart it. Or correct {flag}"
            )
        }
        _ => format!("start it, or correct {flag}"),
    }
}

/// The elements of an answer's list; none if it is not a list.
pub(super) fn list(data: &Value) -> &[Value] {
    data.as_array().map(Vec::as_slice).unwrap_or_default()
}
