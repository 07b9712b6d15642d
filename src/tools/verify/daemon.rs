//! What a running daemon says on /health and /metrics, checked alike for `inf` and `hub`.

mod unanswered;

use super::{Report, clock::Clock, not_reached};
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

/// The text format's own content type, to the letter.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What comes of the text of /metrics.
const OF_THE_TEXT: [&str; 3] = ["format", "text", "families"];
const ANOTHER_PROGRAM: &str = "another program has the port, or something stands in between: look who listens there";

/// The part of /health that is looked at.
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
    /// As the evidence lines have always said it.
    fn word(&self) -> &str {
        if self.status == "ok" { "pass" } else { &self.status }
    }

    /// Whether no further cycle will come.
    pub(super) fn has_run_all_cycles(&self) -> bool {
        self.checks.iter().any(|check| check.name == "schedule" && check.detail.starts_with("all cycles"))
    }
}

/// What a daemon said.
#[derive(Debug)]
pub(super) struct Seen {
    /// What /health said, if it was a health report.
    pub(super) health: Option<Health>,
    /// What /metrics said, if it could be read.
    pub(super) exposition: Option<Exposition>,
    /// Its clock, if /metrics came.
    pub(super) clock: Option<Clock>,
    /// When it was asked.
    pub(super) asked_at: DateTime<Utc>,
    /// It took the connections and never answered.
    pub(super) is_silent: bool,
}

impl Seen {
    /// Whether it speaks as a Sentinel does, however well it is.
    pub(super) fn is_sentinel(&self) -> bool {
        let is_ours = |exposition: &Exposition| exposition.families.iter().any(|it| it.name.starts_with("sentinel_"));
        self.health.is_some() || self.exposition.as_ref().is_some_and(is_ours)
    }
}

/// Whether the port of a URL takes a connection.
pub(super) async fn connect(host: IpAddr, port: u16, deadline: Duration) -> io::Result<()> {
    let connecting = TcpStream::connect(SocketAddr::new(host, port));
    tokio::time::timeout(deadline, connecting).await.map_err(|_| io::ErrorKind::TimedOut)?.map(drop)
}

/// Asks /health and /metrics at once, so that a daemon that hangs is waited for once, and reports what they say.
/// `is_open` is whether the port takes a connection.
pub(super) async fn look(client: &Client, is_open: bool, report: &mut Report) -> Seen {
    let asked_at = Utc::now();
    let (health_page, metrics_page) = futures_util::join!(client.get("/health", ""), client.get("/metrics", ""));
    let is_timeout = |page: &Result<Page, HttpError>| page.as_ref().is_err_and(|error| is_hanging(error, is_open));
    let is_silent = is_timeout(&health_page) && is_timeout(&metrics_page);
    let asking = Asking { has_login: client.has_login(), is_open };
    let health = health(health_page, asking, report);
    let (exposition, clock) = match asking.fetched(metrics_page) {
        Ok(page) => {
            let exposition = metrics(&page, health.as_ref(), report);
            let clock = Clock::of(&page, exposition.as_ref());
            (exposition, Some(clock))
        }
        Err((found, way_out)) => {
            report.failed("metrics", found, way_out);
            not_reached(report, &OF_THE_TEXT, "there is no text to look at");
            (None, None)
        }
    };
    Seen { health, exposition, clock, asked_at, is_silent }
}

/// What is said of an answer that is none depends on how it was asked for.
#[derive(Debug, Clone, Copy)]
struct Asking {
    has_login: bool,
    is_open: bool,
}

fn health(page: Result<Page, HttpError>, asking: Asking, report: &mut Report) -> Option<Health> {
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            report.failed("health", &error, unreachable(&error, asking.is_open));
            return None;
        }
    };
    let health = serde_json::from_slice::<Health>(&page.body).ok().filter(|_| matches!(page.status, 200 | 503));
    let Some(health) = health else {
        report.failed("health", format!("status {}, and no health report", page.status), asking.refused(page.status));
        return None;
    };
    let troubles = health.checks.iter().filter(|check| check.status != "ok");
    let troubles = troubles.map(|check| format!("\n{}: {}", one_line(&check.name), one_line(&check.detail)));
    let found = format!("status {}{}", page.status, troubles.collect::<String>());
    match health.status.as_str() {
        "ok" => report.ok("health", format!("{found}, pass")),
        "degraded" => report.note("health", format!("degraded: it works, but something needs a look; {found}")),
        _ => {
            let way_out = "503 says that the daemon itself does not work as it should; /metrics is served all the \
                           same. Mend what is named here; the daemon's log says more";
            report.failed("health", found, way_out);
        }
    }
    Some(health)
}

/// Reports how /metrics came, and whether it is what HUB knows.
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
            report.ok("text", "strictly 0.0.4, no series twice, buckets rise");
            families(&exposition, report);
            Some(exposition)
        }
        Err(fault) => {
            let found = one_line(&fault.to_string());
            report.failed("text", found, "no Sentinel writes this: is it another program, or a proxy that changes it?");
            not_reached(report, &OF_THE_TEXT[2..], "the text cannot be read");
            None
        }
    }
}

fn families(exposition: &Exposition, report: &mut Report) {
    let differences = contract::differences(exposition);
    if differences.is_empty() {
        let found = format!(
            "all {} that HUB knows, with their types, labels and {} original buckets; {} in all",
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
            "another program has the port, or a Sentinel of another contract: see build_info",
        );
    }
}

/// A 200 of /metrics, or what came instead and what to do about it. Its port is known to be open.
pub(super) async fn fetched(client: &Client) -> Result<Page, (String, &'static str)> {
    let asking = Asking { has_login: client.has_login(), is_open: true };
    asking.fetched(client.get("/metrics", "").await)
}

impl Asking {
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
                 anew into the --password-file"
            }
            401 | 403 => "it wants a password: --user NAME --password-file FILE",
            503 => "it has only just started; try again in a second",
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
    fn a_wrong_password_is_told_from_none() {
        let refused = |has_login| Asking { has_login, is_open: true }.refused(401);
        assert!(refused(true).contains("is wrong") && refused(false).contains("it wants a password"));
    }

    #[test]
    fn a_number_is_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 31_254, 1_234_567].map(grouped), ["0", "999", "1,000", "31,254", "1,234,567"]);
    }
}
