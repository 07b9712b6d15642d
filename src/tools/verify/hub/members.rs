//! Whether Prometheus scrapes every member of the cluster: those that the daemon at --inf lists at /sd, which are all of the last
//! 24 h. A member that is no target has no alerts.

use super::{
    super::Report,
    Args, identity,
    prometheus::{Prometheus, list},
    scrape_target::Target,
};
use crate::tools::probe::Client;
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;

/// Checks it. A daemon that lists only itself is what the other checks are about.
pub(super) async fn check(inf: &Client, prometheus: &Prometheus, is_ready: bool, args: &Args, report: &mut Report) {
    let members = match listed(inf).await {
        Ok(members) => members,
        Err(fault) => return report.warning("members", fault, "see `sentinel cluster verify` on INF"),
    };
    if members.len() < 2 {
        return;
    }
    let targets =
        if is_ready { prometheus.data("/api/v1/targets", &[("state", "active")]).await } else { Err(String::new()) };
    let Ok(data) = targets else {
        return report.failed("members", "not checked: Prometheus does not answer", "");
    };
    let targets: Vec<_> = list(&data["activeTargets"]).iter().cloned().map(Target).collect();
    let of_job = || targets.iter().filter(|target| target.0["scrapePool"] == args.job.as_str());
    let is_target = |address: &str| {
        let is_at =
            |scheme: &str, target: &Target| identity::is_at(prometheus, target.url(), &format!("{scheme}://{address}"));
        of_job().any(|target| is_at("http", target) || is_at("https", target))
    };
    let missing: Vec<_> = members.iter().filter(|(_, address)| !is_target(address)).collect();
    if missing.is_empty() {
        return report.ok("members", format!("all {} of the last 24 h are targets", members.len()));
    }
    let missing: Vec<_> =
        missing.iter().map(|(name, address)| format!("{} at {}", one_line(name), one_line(address))).collect();
    report.failed(
        "members",
        format!("no target of the job: {}", missing.join(", ")),
        format!(
            "add each to the job {}, or let http_sd_configs find them: config/monitoring/README.md, Discovery",
            args.job
        ),
    );
}

/// Name and address of each; none if the daemon is older or does not answer, which other checks report.
async fn listed(inf: &Client) -> Result<Vec<(String, String)>, String> {
    let Ok(page) = inf.get("/sd", "").await else { return Ok(Vec::new()) };
    match page.status {
        200 => {}
        503 => return Err(one_line(&page.text())),
        _ => return Ok(Vec::new()),
    }
    let Ok(Value::Array(groups)) = serde_json::from_slice(&page.body) else {
        return Err("the list of members at /sd cannot be read".into());
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(groups.iter().map(|group| (text(&group["labels"]["instance"]), text(&group["targets"][0]))).collect())
}
