//! Checks of a running daemon's /health and /metrics, shared by `inf` and `hub`.

mod unanswered;

use super::{Report, clock::Clock, not_checked};
use crate::tools::probe::{Client, Exposition, Page, contract};
use chrono::{DateTime, Utc};
use sentinel_actors::{adapters::http::HttpError, domain::sanitize::one_line};
use serde::Deserialize;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::net::TcpStream;
use unanswered::{is_hanging, unreachable};

/// The exact content type of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The checks of the text of /metrics.
const OF_THE_TEXT: [&str; 3] = ["format", "text", "families"];
const ANOTHER_PROGRAM: &str = "another program has the port, or a proxy is in between: see what listens there";

/// The part of /health that is used.
#[derive(Debug, Deserialize)]
pub(super) struct Health {
    status: String,
    #[serde(default)]
    checks: Vec<HealthCheck>,
}

#[derive(Debug, Deserialize)]
struct HealthCheck {
    name: String,
    status: String,
    #[serde(default)]
    detail: String,
}

impl Health {
    /// The status for the line about /metrics.
    fn word(&self) -> &str {
        if self.status == "ok" { "pass" } else { &self.status }
    }

    /// Whether all scheduled cycles have run.
    pub(super) fn has_run_all_cycles(&self) -> bool {
        self.checks.iter().any(|check| check.name == "schedule" && check.detail.starts_with("all cycles"))
    }
}

/// A daemon's answers.
#[derive(Debug)]
pub(super) struct Seen {
    /// /health, if it was a health report.
    pub(super) health: Option<Health>,
    /// /metrics, if it could be read.
    pub(super) exposition: Option<Exposition>,
    /// The daemon's clock, if /metrics was answered.
    pub(super) clock: Option<Clock>,
    /// When the requests were sent.
    pub(super) sent_at: DateTime<Utc>,
    /// Whether it accepted the connections and did not answer.
    pub(super) is_silent: bool,
}

impl Seen {
    /// Whether the answers are Sentinel's, healthy or not.
    pub(super) fn is_sentinel(&self) -> bool {
        let is_ours = |exposition: &Exposition| exposition.families.iter().any(|it| it.name.starts_with("sentinel_"));
        self.health.is_some() || self.exposition.as_ref().is_some_and(is_ours)
    }
}

/// Connects to a port and closes the connection.
pub(super) async fn connect(host: IpAddr, port: u16, deadline: Duration) -> io::Result<()> {
    let connecting = TcpStream::connect(SocketAddr::new(host, port));
    tokio::time::timeout(deadline, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
}

/// Requests /health and /metrics at the same time, so that a hanging daemon costs one deadline, and reports the answers.
/// `is_open` is whether the port accepts a connection.
pub(super) async fn check(client: &Client, is_open: bool, report: &mut Report) -> Seen {
    let sent_at = Utc::now();
    let (health_page, metrics_page) = futures_util::join!(client.get("/health", ""), client.get("/metrics", ""));
    let is_timeout = |page: &Result<Page, HttpError>| page.as_ref().is_err_and(|error| is_hanging(error, is_open));
    let is_silent = is_timeout(&health_page) && is_timeout(&metrics_page);
    let access = Access { has_login: client.has_login(), is_open };
    let health = health(health_page, access, report);
    let (exposition, clock) = match access.fetched(metrics_page) {
        Ok(page) => {
            let exposition = metrics(&page, health.as_ref(), report);
            let clock = Clock::of(&page, exposition.as_ref());
            (exposition, Some(clock))
        }
        Err((found, advice)) => {
            report.failed("metrics", found, advice);
            not_checked(report, &OF_THE_TEXT, "there is no text");
            (None, None)
        }
    };
    Seen { health, exposition, clock, sent_at, is_silent }
}

/// How the daemon was accessed, for the advice about a failure.
#[derive(Debug, Clone, Copy)]
struct Access {
    has_login: bool,
    is_open: bool,
}

fn health(page: Result<Page, HttpError>, access: Access, report: &mut Report) -> Option<Health> {
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            report.failed("health", &error, unreachable(&error, access.is_open));
            return None;
        }
    };
    let health = serde_json::from_slice::<Health>(&page.body).ok().filter(|_| matches!(page.status, 200 | 503));
    let Some(health) = health else {
        report.failed("health", format!("status {} without a health report", page.status), access.refused(page.status));
        return None;
    };
    let problems = health.checks.iter().filter(|check| check.status != "ok");
    let problems = problems.map(|check| format!("\n{}: {}", one_line(&check.name), one_line(&check.detail)));
    let found = format!("status {}{}", page.status, problems.collect::<String>());
    match health.status.as_str() {
        "ok" => report.ok("health", format!("{found}, pass")),
        "degraded" => report.note("health", format!("degraded: it works, but something needs attention; {found}")),
        _ => {
            let advice = "503 means that the daemon does not work correctly; it still serves /metrics. Fix what is listed here; \
                          the daemon's log has details";
            report.failed("health", found, advice);
        }
    }
    Some(health)
}

/// Reports the answer of /metrics, and whether it has what HUB relies on.
fn metrics(page: &Page, health: Option<&Health>, report: &mut Report) -> Option<Exposition> {
    let read = Exposition::parse(&page.text());
    report.ok("metrics", evidence(page, read.as_ref().ok(), health));
    if page.content_type == CONTENT_TYPE {
        report.ok("format", &page.content_type);
    } else {
        let found = format!("{:?} is not {CONTENT_TYPE:?}", one_line(&page.content_type));
        report.failed("format", found, ANOTHER_PROGRAM);
    }
    match read {
        Ok(exposition) => {
            report.ok("text", "valid 0.0.4 text, no duplicate series, rising buckets");
            families(&exposition, report);
            Some(exposition)
        }
        Err(fault) => {
            let found = one_line(&fault.to_string());
            report.failed(
                "text",
                found,
                "Sentinel does not write this: is it another program, or does a proxy change the text?",
            );
            not_checked(report, &OF_THE_TEXT[2..], "the text cannot be read");
            None
        }
    }
}

fn families(exposition: &Exposition, report: &mut Report) {
    let differences = contract::differences(exposition);
    if differences.is_empty() {
        let found = format!(
            "all {} that HUB relies on, with their types, labels and {} original buckets; {} in total",
            contract::names().count(),
            contract::buckets(),
            exposition.families.len()
        );
        report.ok("families", found);
    } else {
        let found = differences.iter().map(|line| one_line(line)).collect::<Vec<_>>().join("\n");
        report.failed(
            "families",
            found,
            "another program has the port, or a version of Sentinel with another contract: see build_info",
        );
    }
}

/// A 200 of /metrics, or the failure and what to do. The port is known to be open.
pub(super) async fn fetched(client: &Client) -> Result<Page, (String, &'static str)> {
    let access = Access { has_login: client.has_login(), is_open: true };
    access.fetched(client.get("/metrics", "").await)
}

impl Access {
    fn fetched(self, page: Result<Page, HttpError>) -> Result<Page, (String, &'static str)> {
        match page {
            Ok(page) if page.status == 200 => Ok(page),
            Ok(page) => Err((format!("status {}: {}", page.status, one_line(&page.text())), self.refused(page.status))),
            Err(error) => Err((error.to_string(), unreachable(&error, self.is_open))),
        }
    }

    const fn refused(self, status: u16) -> &'static str {
        match status {
            401 | 403 if self.has_login => {
                "the user or the password is wrong: compare --user with the names in web-config.yml, and write the password \
                 again into the --password-file"
            }
            401 | 403 => "it requires a password: --user NAME --password-file FILE",
            503 => "it has just started; try again in a second",
            _ => ANOTHER_PROGRAM,
        }
    }
}

/// `fetched in 3.1 ms, 31,254 bytes, 420 entries, text/plain; version=0.0.4; charset=utf-8, health pass`
fn evidence(page: &Page, read: Option<&Exposition>, health: Option<&Health>) -> String {
    let text = page.text();
    let lines = || text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    format!(
        "fetched in {:.1} ms, {} bytes, {} entries, {}, health {}",
        page.took.as_secs_f64() * 1e3,
        grouped(page.body.len()),
        grouped(read.map_or_else(lines, Exposition::series)),
        one_line(&page.content_type),
        health.map_or("unknown", Health::word),
    )
}

/// `31254` as `31,254`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_and_a_missing_password_have_their_own_advice() {
        let refused = |has_login| Access { has_login, is_open: true }.refused(401);
        assert!(refused(true).contains("is wrong") && refused(false).contains("it requires a password"));
    }

    #[test]
    fn a_number_is_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 31_254, 1_234_567].map(grouped), ["0", "999", "1,000", "31,254", "1,234,567"]);
    }
}
