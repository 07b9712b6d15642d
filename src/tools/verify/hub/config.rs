//! Checks the scrape job in the running configuration and in the file, and whether the two are equal.

mod job;

use super::{
    super::{Report, not_checked},
    Args,
    prometheus::Prometheus,
};
use chrono::{DateTime, Utc};
pub(super) use job::duration;
use job::{Job, job, relabelling, rule_files};
use std::{fs, iter, path::Path, time::Duration};

const INTERVAL: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);
const ADD_JOB: &str = "add the job of config/monitoring/prometheus-snippet.yml to its scrape_configs";

/// What the other checks need of the running job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Running {
    /// The login that Prometheus sends, if any.
    pub(super) login: Option<String>,
    /// The job's relabelling rules, a line each.
    pub(super) relabels: Vec<String>,
}

/// A job, and the rule files of its configuration.
#[derive(Debug, Default)]
struct InFile {
    job: Job,
    /// Their names as written; patterns are ignored.
    rule_files: Vec<String>,
}

/// Checks job, interval and, if one is given, the file.
pub(super) async fn check(prometheus: &Prometheus, is_ready: bool, args: &Args, report: &mut Report) -> Running {
    let in_file = args.prometheus_config.as_deref().and_then(|path| file(path, &args.job, report));
    if !is_ready {
        let names: &[&str] = if in_file.is_some() { &["reloaded", "job", "interval"] } else { &["job", "interval"] };
        not_checked(report, names, "Prometheus does not answer");
        return Running::default();
    }
    let mut relabels = Vec::new();
    let running = match prometheus.data("/api/v1/status/config", &[]).await {
        Ok(config) => {
            let text = config["yaml"].as_str().unwrap_or_default();
            relabels = relabelling(text, &args.job);
            job(text, &args.job)
        }
        Err(why) => Err(why),
    };
    if let (Some(path), Some(in_file)) = (&args.prometheus_config, &in_file) {
        reloaded(prometheus, path, in_file, running.as_ref().ok(), report).await;
    }
    match running {
        Ok(running) => {
            report.ok("job", format!("{} is in the running configuration", args.job));
            intervals(&running, prometheus, report);
            Running { login: running.login, relabels }
        }
        Err(why) => {
            report.failed(
                "job",
                format!("the running configuration: {why}"),
                format!("{ADD_JOB}, then {}", prometheus.reload()),
            );
            not_checked(report, &["interval"], "there is no job");
            Running::default()
        }
    }
}

fn intervals(running: &Job, prometheus: &Prometheus, report: &mut Report) {
    let words = |time: Option<Duration>| time.map_or("unknown".into(), |time| format!("{} s", time.as_secs_f64()));
    let found = format!("every {}, timeout {}", words(running.interval), words(running.timeout));
    if (running.interval, running.timeout) == (Some(INTERVAL), Some(TIMEOUT)) {
        report.ok("interval", found);
    } else {
        let advice =
            format!("the job needs scrape_interval: 15s and scrape_timeout: 10s; then {}", prometheus.reload());
        report.failed("interval", found, advice);
    }
}

/// The job in the file.
fn file(path: &Path, name: &str, report: &mut Report) -> Option<InFile> {
    let read = fs::read_to_string(path).map_err(|error| error.to_string());
    match read.and_then(|text| Ok(InFile { job: job(&text, name)?, rule_files: rule_files(&text) })) {
        Ok(in_file) => {
            report.ok("file", format!("{} has the job {name}", path.display()));
            Some(in_file)
        }
        Err(why) => {
            report.failed(
                "file",
                format!("{}: {why}", path.display()),
                format!("{ADD_JOB}; or correct --prometheus-config"),
            );
            not_checked(report, &["reloaded"], "the file has no such job");
            None
        }
    }
}

/// Checks that Prometheus has read the file since it was changed.
async fn reloaded(prometheus: &Prometheus, path: &Path, in_file: &InFile, running: Option<&Job>, report: &mut Report) {
    let info = match prometheus.data("/api/v1/status/runtimeinfo", &[]).await {
        Ok(info) => info,
        Err(why) => return report.failed("reloaded", why, prometheus.reload()),
    };
    if info["reloadConfigSuccess"].as_bool() == Some(false) {
        let advice =
            format!("`promtool check config {}` shows what is wrong; then {}", path.display(), prometheus.reload());
        return report.failed("reloaded", "Prometheus refused its configuration when it last read it", advice);
    }
    let read_at = info["lastConfigTime"].as_str().and_then(|time| time.parse::<DateTime<Utc>>().ok());
    // Changed rule files are read with the configuration.
    let files = iter::once(path.to_owned()).chain(in_file.rule_files.iter().map(|file| path.with_file_name(file)));
    let changed = files.filter_map(|file| {
        let changed_at = fs::metadata(&file).and_then(|metadata| metadata.modified()).ok()?;
        Some((DateTime::<Utc>::from(changed_at), file))
    });
    let (Some(read_at), Some((changed_at, newest))) = (read_at, changed.max()) else {
        return report.failed("reloaded", "it is unknown when the file was changed and read", prometheus.reload());
    };
    let times = format!("changed {}, read {}", changed_at.format("%F %T UTC"), read_at.format("%F %T UTC"));
    // Prometheus reports whole seconds.
    if changed_at.timestamp() > read_at.timestamp() {
        return report.failed(
            "reloaded",
            format!("{} is newer than the running configuration: {times}", newest.display()),
            prometheus.reload(),
        );
    }
    if running != Some(&in_file.job) {
        let found = format!("the job in the file differs from the running one ({times})");
        let advice = format!("is this the file that Prometheus was started with? If so, {}", prometheus.reload());
        return report.failed("reloaded", found, advice);
    }
    report.ok("reloaded", format!("the running job is the one in the file: {times}"));
}
