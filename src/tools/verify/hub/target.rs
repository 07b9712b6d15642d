//! The target: is it scraped, with the right labels, and do its series arrive?

use super::{
    super::{Report, not_reached},
    Args, config,
    prometheus::Prometheus,
    same::{self, Compared},
};
use crate::tools::probe::{Exposition, contract};
use chrono::{DateTime, Utc};
use sentinel_actors::adapters::http::one_line;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// What every alert, dashboard and year of history is keyed by; `job` is the job's name.
const LABELS: [(&str, &str); 4] =
    [("instance", "inf-sentinel"), ("component", "trading"), ("node", "inf"), ("region", "singapore")];
/// Two scrapes of a job whose interval is not known.
const WAIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Waits for a scrape, then checks target, labels and series.
pub(super) async fn check(
    prometheus: &Prometheus,
    is_ready: bool,
    args: &Args,
    page: Option<&Exposition>,
    report: &mut Report,
) {
    const NAMES: [&str; 3] = ["target", "labels", "series"];
    if !is_ready {
        return not_reached(report, &NAMES, "Prometheus does not answer");
    }
    let target = match scraped(prometheus, args, page.is_some()).await {
        Ok(Some(target)) => target,
        Ok(None) => {
            let way_out =
                format!("the job {} needs the target 172.19.141.250:8000; then {}", args.job, prometheus.reload());
            report.failed("target", "the job has no target", way_out);
            return not_reached(report, &NAMES[1..], "there is no target");
        }
        Err(why) => {
            report.failed("target", why, "see Prometheus's log");
            return not_reached(report, &NAMES[1..], "the targets are not known");
        }
    };
    let is_up = up(prometheus, &target, args, page, report).await;
    labels(&target, &args.job, prometheus, report);
    if is_up {
        series(prometheus, &target, report).await;
    } else {
        not_reached(report, &NAMES[2..], "the target is not up");
    }
}

/// The job's target, once it was scraped: the one at --inf, or the one with the right instance, or the first.
async fn scraped(prometheus: &Prometheus, args: &Args, inf_serves: bool) -> Result<Option<Value>, String> {
    let (began, began_at) = (Instant::now(), Utc::now());
    let mut has_said = false;
    loop {
        let mut data = prometheus.data("/api/v1/targets", &[("state", "active")]).await?;
        let targets = match data["activeTargets"].take() {
            Value::Array(targets) => targets,
            _ => Vec::new(),
        };
        let ours = targets.into_iter().filter(|target| target["scrapePool"] == args.job.as_str());
        let best = ours.min_by_key(|target| {
            let is_at_inf = target["scrapeUrl"].as_str().is_some_and(|url| same::is_at(prometheus, url, &args.inf));
            (!is_at_inf, target["labels"]["instance"] != "inf-sentinel")
        });
        let wait = patience(args, best.as_ref());
        let is_settled = best.as_ref().is_some_and(|target| match target["health"].as_str() {
            Some("up") => true,
            // INF answers from here: what Prometheus saw may be from before it did.
            Some("down") => !inf_serves || last_scrape(target).is_some_and(|at| at > began_at),
            _ => false,
        });
        if is_settled || began.elapsed() >= wait {
            return Ok(best);
        }
        if !has_said {
            has_said = true;
            eprintln!("Waiting up to {} s for a scrape ...", wait.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How long to wait for a scrape.
fn patience(args: &Args, target: Option<&Value>) -> Duration {
    let interval = target.and_then(|target| config::duration(target["scrapeInterval"].as_str()?));
    args.wait.or(interval.map(|interval| interval * 2)).unwrap_or(WAIT)
}

fn last_scrape(target: &Value) -> Option<DateTime<Utc>> {
    target["lastScrape"].as_str()?.parse().ok()
}

async fn up(
    prometheus: &Prometheus,
    target: &Value,
    args: &Args,
    page: Option<&Exposition>,
    report: &mut Report,
) -> bool {
    let text = |key: &str| one_line(target[key].as_str().unwrap_or_default());
    let url = text("scrapeUrl");
    match target["health"].as_str() {
        Some("up") => {
            let took_ms = target["lastScrapeDuration"].as_f64().unwrap_or_default() * 1e3;
            let found = format!("{url} is up, scraped in {took_ms:.1} ms");
            match compared(prometheus, target, args, page).await {
                Ok(Compared::Address) => report.ok("target", found),
                Ok(Compared::Process) => {
                    report.note("target", format!("{found}; it is the daemon at {} by another name", args.inf));
                }
                Ok(Compared::Unknown(why)) => {
                    report.note("target", format!("{found}; whether it is the daemon at {}: {why}", args.inf));
                }
                Ok(Compared::Different(what) | Compared::Older(what)) => {
                    let found = format!("{url} is up, and not the daemon at {}: {what}", args.inf);
                    let way_out = format!(
                        "another daemon is scraped: correct the target of the job {}, or --inf; then {}",
                        args.job,
                        prometheus.reload()
                    );
                    report.failed("target", found, way_out);
                }
                Err(why) => report.failed("target", why, "see Prometheus's log"),
            }
            true
        }
        Some("down") => {
            let error = text("lastError");
            report.failed("target", format!("{url} is down: {error}"), way_out(&error));
            false
        }
        _ => {
            report.failed("target", format!("{url} was not scraped yet"), "wait for a scrape interval and try again");
            false
        }
    }
}

/// Whether the target is the daemon that was asked; one that was just started again is waited for.
async fn compared(
    prometheus: &Prometheus,
    target: &Value,
    args: &Args,
    page: Option<&Exposition>,
) -> Result<Compared, String> {
    let (began, wait) = (Instant::now(), patience(args, Some(target)));
    loop {
        match same::compare(prometheus, target, &args.inf, page).await? {
            Compared::Older(_) if began.elapsed() < wait => tokio::time::sleep(PAUSE).await,
            compared => return Ok(compared),
        }
    }
}

/// What to do about Prometheus's own words for a scrape that failed.
fn way_out(error: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    if says(&["connection refused", "connection reset"]) {
        "nobody listens at this address: start the daemon; metrics.bind must not be 127.0.0.1; `sentinel verify inf` \
         on INF finds out"
    } else if says(&["deadline exceeded", "timeout", "timed out", "no route to host", "unreachable"]) {
        "a firewall drops what Prometheus sends, or the address is wrong: on INF, open the port of this address (TCP, \
         8000 unless it was changed) for HUB; `sentinel verify inf` there prints the rule"
    } else if says(&["status 401", "status 403"]) {
        "the daemon wants a password: the job needs basic_auth with username and password_file"
    } else if says(&["x509", "certificate", "tls", "HTTPS", "malformed HTTP", "EOF"]) {
        "the daemon speaks TLS and the job does not, or the other way round, or the certificate is not trusted: the \
         job needs scheme: https and tls_config with ca_file, and the certificate has to name this address"
    } else if says(&["no such host"]) {
        "the name is not known where Prometheus runs: use the number"
    } else if says(&["sample limit", "body size limit"]) {
        "there is more than the job's limit allows: another program on the port, or raise sample_limit"
    } else {
        "what answers there is no exposition: another program has the port, or metrics_path is not /metrics"
    }
}

fn labels(target: &Value, job: &str, prometheus: &Prometheus, report: &mut Report) {
    let wrong =
        LABELS.into_iter().chain([("job", job)]).filter_map(|(name, expected)| match target["labels"][name].as_str() {
            Some(found) if found == expected => None,
            Some(found) => Some(format!("{name} is {:?}, not {expected:?}", one_line(found))),
            None => Some(format!("{name} is missing, it has to be {expected:?}")),
        });
    let wrong = wrong.collect::<Vec<_>>();
    if wrong.is_empty() {
        let right = LABELS.map(|(name, value)| format!("{name}={value:?}")).join(", ");
        report.ok("labels", format!("job={job:?}, {right}"));
    } else {
        let way_out = format!("set them under the job's static_configs, then {}", prometheus.reload());
        report.failed("labels", wrong.join("\n"), way_out);
    }
}

async fn series(prometheus: &Prometheus, target: &Value, report: &mut Report) {
    match arrived(prometheus, target).await {
        Ok(found) => report.ok("series", found),
        Err(why) => report.failed(
            "series",
            why,
            "the target is up: see metric_relabel_configs of the job, and Prometheus's log",
        ),
    }
}

async fn arrived(prometheus: &Prometheus, target: &Value) -> Result<String, String> {
    let label = |name: &str| target["labels"][name].as_str().unwrap_or_default();
    let of = format!("job={:?},instance={:?}", label("job"), label("instance"));
    let cycles = format!("sentinel_trading_cycles_total{{{of}}}");
    let Some(count) = prometheus.value(&cycles).await? else { return Err(format!("{cycles} gives nothing")) };
    let groups = prometheus.query(&format!("group by (__name__) ({{__name__=~\"sentinel_.+\",{of}}})")).await?;
    let names = groups.iter().filter_map(|group| group["metric"]["__name__"].as_str()).collect::<BTreeSet<_>>();
    let has = |family: &str| names.contains(family) || names.contains(format!("{family}_bucket").as_str());
    let missing = contract::names().filter(|name| !has(name)).collect::<Vec<_>>();
    if !missing.is_empty() {
        return Err(format!("not stored: {}", missing.join(", ")));
    }
    let age = prometheus.value(&format!("time() - max(timestamp({cycles}))")).await?.unwrap_or(f64::INFINITY);
    let interval = config::duration(target["scrapeInterval"].as_str().unwrap_or_default()).unwrap_or(WAIT / 2);
    if age > 3.0 * interval.as_secs_f64() {
        return Err(format!("the newest sample is {age:.0} s old"));
    }
    let families = names.iter().filter(|name| !is_part_of_histogram(name, &names)).count();
    Ok(format!("{families} families of Sentinel's stored, {count} cycles, newest sample {age:.1} s old"))
}

/// A histogram is counted by its buckets.
fn is_part_of_histogram(name: &str, names: &BTreeSet<&str>) -> bool {
    let family = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count"));
    family.is_some_and(|family| names.contains(format!("{family}_bucket").as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_a_scrape_fails_has_its_own_way_out() {
        let cases = [
            ("Get \"http://x\": dial tcp 10.0.0.1:8000: connect: connection refused", "start the daemon"),
            ("Get \"http://x\": context deadline exceeded", "a firewall drops"),
            ("Get \"http://x\": dial tcp: connect: no route to host", "a firewall drops"),
            ("server returned HTTP status 401 Unauthorized", "basic_auth"),
            ("Get \"https://x:4010\": x509: certificate signed by unknown authority", "ca_file"),
            ("Get \"http://x\": EOF", "ca_file"),
            ("dial tcp: lookup inf: no such host", "use the number"),
            ("sample limit exceeded", "sample_limit"),
            ("server returned HTTP status 404 Not Found", "another program has the port"),
            ("expected a valid start token, got \"<\"", "another program has the port"),
        ];
        for (error, expected) in cases {
            assert!(way_out(error).contains(expected), "{error}: {}", way_out(error));
        }
    }
}
