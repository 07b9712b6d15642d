//! Checks that Prometheus sends its alerts to running Alertmanagers, and that one of them is that of --alertmanager.

use super::{
    super::{Report, not_checked},
    DEADLINE,
    address::Address,
    alerting::get,
    prometheus::{Prometheus, list},
};
use crate::tools::probe::{Client, Credentials, route::resolve};
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;

/// Alerts that Prometheus could not deliver recently; stored only if Prometheus scrapes itself.
const LOST: &str = "sum(increase(prometheus_notifications_dropped_total[5m])) \
                    + (sum(increase(prometheus_notifications_errors_total[5m])) or vector(0))";

/// Checks each Alertmanager that Prometheus sends to, and compares them with that of --alertmanager.
pub(super) async fn check(prometheus: &Prometheus, is_ready: bool, asked: Option<&Client>, report: &mut Report) {
    if !is_ready {
        return not_checked(report, &["delivery"], "Prometheus does not answer");
    }
    let data = match prometheus.data("/api/v1/alertmanagers", &[]).await {
        Ok(data) => data,
        Err(why) => return report.failed("delivery", why, "see Prometheus's log"),
    };
    let urls = list(&data["activeAlertmanagers"]).iter().filter_map(|one| one["url"].as_str()).collect::<Vec<_>>();
    if urls.is_empty() {
        let advice = format!(
            "its configuration needs alerting: alertmanagers: with the target localhost:9093, as in config/monitoring/\
             prometheus.yml; then {}",
            prometheus.reload()
        );
        return report.failed("delivery", "Prometheus has no Alertmanager, so no alert is delivered", advice);
    }
    let receivers = Receivers::of(prometheus, &urls).await;
    let lost = prometheus.value(LOST).await.unwrap_or_default();
    judge(prometheus, &receivers, lost, asked, report).await;
}

/// The Alertmanagers that Prometheus sends to, as seen from here.
struct Receivers<'a> {
    urls: &'a [&'a str],
    ready: Vec<Client>,
    /// Those that cannot be checked from here, with the reason, a line each.
    unknown: Vec<String>,
    /// Those that do not work, with the reason, a line each.
    dead: Vec<String>,
}

impl<'a> Receivers<'a> {
    async fn of(prometheus: &Prometheus, urls: &'a [&'a str]) -> Self {
        let mut receivers = Self { urls, ready: Vec::new(), unknown: Vec::new(), dead: Vec::new() };
        for url in urls {
            match seen(prometheus, url).await {
                Seen::Ready(client) => receivers.ready.push(client),
                Seen::Unknown(why) => {
                    receivers.unknown.push(format!("{}: cannot be checked from here: {why}", one_line(url)));
                }
                Seen::Dead(why) => receivers.dead.push(format!("{}: {why}", one_line(url))),
            }
        }
        receivers
    }
}

/// `lost` is the number of alerts that could not be delivered recently, if known.
async fn judge(
    prometheus: &Prometheus,
    receivers: &Receivers<'_>,
    lost: Option<f64>,
    asked: Option<&Client>,
    report: &mut Report,
) {
    let Receivers { urls, unknown, dead, .. } = receivers;
    let correct = format!("correct its target under alerting: alertmanagers, then {}", prometheus.reload());
    if !dead.is_empty() {
        let advice = format!("Prometheus sends alerts there: start this Alertmanager, or {correct}");
        return report.failed("delivery", dead.join("\n"), advice);
    }
    let is_losing = lost.is_some_and(|lost| lost > 0.0);
    let mut notes = unknown.clone();
    if !unknown.is_empty() || is_losing {
        notes.push(words_of_loss(lost));
    }
    if !unknown.is_empty() && is_losing {
        let advice = format!("see Prometheus's log for why sending fails; {correct}");
        return report.failed("delivery", notes.join("\n"), advice);
    }
    let all = urls.iter().map(|url| one_line(url)).collect::<Vec<_>>().join(", ");
    let found = format!("Prometheus sends alerts to {all}");
    if let Some(asked) = asked.filter(|asked| !urls.iter().any(|url| is_at(prometheus, url, asked))) {
        let url = asked.base_url();
        match is_one_of(asked, &receivers.ready).await {
            true => notes.push(format!("{url} is this Alertmanager at another address")),
            false if !unknown.is_empty() => notes.push(format!("check that {url} is this one at another address")),
            false => {
                let advice = format!("set --alertmanager to the one that Prometheus sends to, or {correct}");
                return report.failed("delivery", format!("{found}, but {url} is another one"), advice);
            }
        }
    }
    if notes.is_empty() {
        report.ok("delivery", format!("{found}: ready"));
    } else {
        report.note("delivery", format!("{found}\n{}", notes.join("\n")));
    }
}

fn words_of_loss(lost: Option<f64>) -> String {
    match lost {
        Some(lost) if lost > 0.0 => format!("Prometheus could not deliver about {lost:.0} alerts in 5 minutes"),
        Some(_) => "Prometheus has delivered all alerts in the last 5 minutes".into(),
        None => "Prometheus does not scrape itself, so the number of undelivered alerts is unknown".into(),
    }
}

/// Whether the URL that Prometheus sends to and that of --alertmanager are the same address.
fn is_at(prometheus: &Prometheus, url: &str, asked: &Client) -> bool {
    let listed = Address::of(prometheus.0.base_url()).and_then(|prometheus| prometheus.resolve_url(url));
    listed.is_some() && listed == Address::of(asked.base_url())
}

enum Seen {
    Ready(Client),
    /// It cannot be checked from here.
    Unknown(String),
    Dead(String),
}

/// Checks whether the Alertmanager at a URL is ready.
async fn seen(prometheus: &Prometheus, url: &str) -> Seen {
    let (Some(prometheus), Some(there)) = (Address::of(prometheus.0.base_url()), Address::of(url)) else {
        return Seen::Dead("not a URL".into());
    };
    if there.is_loopback() && !prometheus.is_here() {
        return Seen::Unknown(format!("it means {} itself", prometheus.host));
    }
    // A name may be known only on Prometheus's machine, for example in a network of containers.
    if resolve(&there.host).is_err() {
        return Seen::Unknown(format!("this machine cannot resolve the name {}", there.host));
    }
    let base = ["/api/v2/alerts", "/api/v1/alerts"].into_iter().find_map(|path| url.strip_suffix(path));
    let client = match Client::new(base.unwrap_or(url), &Credentials::default(), DEADLINE) {
        Ok(client) => client,
        Err(error) => return Seen::Unknown(one_line(&format!("{error:#}"))),
    };
    match client.get("/-/ready", "").await {
        Ok(page) if page.status == 200 => Seen::Ready(client),
        Ok(page) if matches!(page.status, 401 | 403) => Seen::Unknown("it requires a password".into()),
        Ok(page) => Seen::Dead(format!("/-/ready: status {}", page.status)),
        Err(error) if url.starts_with("https") => Seen::Unknown(error.to_string()),
        Err(error) => Seen::Dead(error.to_string()),
    }
}

/// Whether one of these has the same start time and the same name in its cluster.
async fn is_one_of(asked: &Client, ready: &[Client]) -> bool {
    let Some(wanted) = identity(asked).await else { return false };
    for client in ready {
        if identity(client).await.as_ref() == Some(&wanted) {
            return true;
        }
    }
    false
}

async fn identity(alertmanager: &Client) -> Option<(String, Value)> {
    let status = get(alertmanager, "/api/v2/status", &[]).await.ok()?;
    Some((status["uptime"].as_str()?.to_owned(), status["cluster"]["name"].clone()))
}
