//! Finds INF's target and checks that it is scraped; `labels` and `series` check the rest.

use super::{
    super::{Report, not_checked},
    Args,
    config::Running,
    identity::{self, Compared},
    labels,
    prometheus::{Prometheus, list},
    rule_inputs::RuleInputs,
    rules::Wanted,
    scrape_error,
    scrape_target::{Fetched, Target, WAIT},
    series,
};
use crate::process::output::complain;
use crate::tools::probe::Exposition;
use chrono::Utc;
use sentinel_actors::domain::sanitize::one_line;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(500);
/// The checks of a target, by name.
pub(super) const NAMES: [&str; 5] = ["target", "labels", "unique", "watched", "series"];

/// Waits for a scrape, then checks target, labels and series; returns the target.
pub(super) async fn check(
    prometheus: &Prometheus,
    args: &Args,
    fetched: Fetched<'_>,
    running: &Running,
    wanted: &Wanted,
    report: &mut Report,
) -> Option<Target> {
    let (target, all) = match scraped(prometheus, args, fetched.page).await {
        Ok(found) => found,
        Err(Unfound { found, advice }) => {
            report.failed("target", found, advice);
            not_checked(report, &NAMES[1..], "there is no target");
            return None;
        }
    };
    let is_up = up(prometheus, &target, args, fetched.page, running, report).await;
    labels::check(&target, &args.job, prometheus, report);
    labels::unique(prometheus, &target, &all, report).await;
    let needs = RuleInputs::of(wanted, target.label("job"));
    series::watched(&target, &needs, prometheus, report);
    if is_up {
        series::check(prometheus, &target, fetched, running, &needs, report).await;
    } else {
        not_checked(report, &NAMES[4..], "the target is not up");
    }
    Some(target)
}

/// Why there is no target to check.
struct Unfound {
    found: String,
    advice: String,
}

/// The target to check, once it was scraped, and all of Prometheus's targets. It is the one with the instance of --instance, or the
/// one at --inf, or the one that is the same process, or the only one.
async fn scraped(
    prometheus: &Prometheus,
    args: &Args,
    page: Option<&Exposition>,
) -> Result<(Target, Vec<Target>), Unfound> {
    let (began, began_at) = (Instant::now(), Utc::now());
    let mut is_announced = false;
    loop {
        let data = prometheus.data("/api/v1/targets", &[("state", "active")]).await;
        let data = data.map_err(|found| Unfound { found, advice: "see Prometheus's log".into() })?;
        let all = list(&data["activeTargets"]).iter().cloned().map(Target).collect::<Vec<_>>();
        let chosen = chosen(prometheus, args, page, &all).await;
        let wait = max_wait(args, chosen.as_ref().ok());
        let is_settled = chosen.as_ref().is_ok_and(|target| match target.health() {
            "up" => true,
            // INF answers this machine: Prometheus's last scrape may be older.
            "down" => page.is_none() || target.scraped_at().is_some_and(|at| at > began_at),
            _ => false,
        });
        if is_settled || began.elapsed() >= wait {
            return chosen.map(|target| (target, all));
        }
        if !is_announced {
            is_announced = true;
            complain(&format!("Waiting up to {} s for a scrape ...", wait.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn chosen(
    prometheus: &Prometheus,
    args: &Args,
    page: Option<&Exposition>,
    all: &[Target],
) -> Result<Target, Unfound> {
    let unfound = |found: String, advice: String| Err(Unfound { found, advice });
    let of_job = all.iter().filter(|target| target.0["scrapePool"] == args.job.as_str()).collect::<Vec<_>>();
    let names = || of_job.iter().map(|it| one_line(it.label("instance"))).collect::<BTreeSet<_>>();
    let names = || names().into_iter().collect::<Vec<_>>().join(", ");
    let is_at_inf = |target: &&&Target| identity::is_at(prometheus, target.url(), &args.inf);
    if of_job.is_empty() {
        let advice = format!("the job {} needs the target 172.19.141.250:8000; then {}", args.job, prometheus.reload());
        return unfound("the job has no target".into(), advice);
    }
    if let Some(instance) = &args.instance {
        let named = of_job.iter().filter(|target| target.label("instance") == instance).collect::<Vec<_>>();
        let best = named.iter().find(|target| is_at_inf(target)).or_else(|| named.first());
        return match best {
            Some(target) => Ok((***target).clone()),
            None => unfound(
                format!("the job has no target with the instance {}; it has {}", one_line(instance), names()),
                format!("correct --instance, or give the target that label; then {}", prometheus.reload()),
            ),
        };
    }
    if let Some(target) = of_job.iter().find(is_at_inf) {
        return Ok((**target).clone());
    }
    if let [only] = of_job[..] {
        return Ok(only.clone());
    }
    let job = of_job.first().map_or("", |target| target.label("job"));
    let instance = identity::instance_of(prometheus, job, page).await;
    match of_job.iter().find(|target| instance.as_deref() == Some(target.label("instance"))) {
        Some(target) => Ok((**target).clone()),
        None => unfound(
            format!("none of the job's targets is {}: {}", args.inf, names()),
            "choose one with --instance NAME, or add its address to the job with its own instance".into(),
        ),
    }
}

/// How long to wait for a scrape.
fn max_wait(args: &Args, target: Option<&Target>) -> Duration {
    args.wait.or(target.map(|target| target.interval() * 2)).unwrap_or(WAIT)
}

/// Reports whether the target is scraped and is the daemon at --inf; returns whether it is up.
async fn up(
    prometheus: &Prometheus,
    target: &Target,
    args: &Args,
    page: Option<&Exposition>,
    running: &Running,
    report: &mut Report,
) -> bool {
    let url = one_line(target.url());
    match target.health() {
        "up" => {
            same_daemon(prometheus, target, args, page, report).await;
            true
        }
        "down" => {
            let error = one_line(target.0["lastError"].as_str().unwrap_or_default());
            let advice = scrape_error::advice(&error, running.login.as_deref(), page.is_some());
            report.failed("target", format!("{url} is down: {error}"), advice);
            false
        }
        _ => {
            report.failed("target", format!("{url} was not scraped yet"), "wait for a scrape interval and try again");
            false
        }
    }
}

/// Reports whether a target that is up is the daemon at --inf.
async fn same_daemon(
    prometheus: &Prometheus,
    target: &Target,
    args: &Args,
    page: Option<&Exposition>,
    report: &mut Report,
) {
    let url = one_line(target.url());
    let took_ms = target.0["lastScrapeDuration"].as_f64().unwrap_or_default() * 1e3;
    let found = format!("{url} is up, scraped in {took_ms:.1} ms");
    let is_at_inf = identity::is_at(prometheus, target.url(), &args.inf);
    match compared(prometheus, target, args, page).await {
        Ok(Compared::Process) if is_at_inf => report.ok("target", found),
        Ok(Compared::Process) => {
            report.note("target", format!("{found}; it is the daemon at {} by another address", args.inf));
        }
        Ok(Compared::Unknown(why)) if is_at_inf => {
            report.note("target", format!("{found}; unknown whether the series are this daemon's: {why}"));
        }
        Ok(Compared::Unknown(why)) => {
            report.note("target", format!("{found}; unknown whether it is the daemon at {}: {why}", args.inf));
        }
        Ok(Compared::Different(what) | Compared::Older(what)) => {
            let found = format!("{url} is up, but the stored series are not of the daemon at {}: it {what}", args.inf);
            let advice = format!(
                "another daemon is scraped, or stored under the same labels: correct the target of the job {}, its \
                 labels (see `unique`), or --inf and --instance; then {}",
                args.job,
                prometheus.reload()
            );
            report.failed("target", found, advice);
        }
        Err(why) => report.failed("target", why, "see Prometheus's log"),
    }
}

/// Whether the target is the daemon at --inf; waits for a scrape after a restart.
async fn compared(
    prometheus: &Prometheus,
    target: &Target,
    args: &Args,
    page: Option<&Exposition>,
) -> Result<Compared, String> {
    let (began, wait) = (Instant::now(), max_wait(args, Some(target)));
    loop {
        match identity::compare(prometheus, target, page).await? {
            Compared::Older(_) if began.elapsed() < wait => tokio::time::sleep(PAUSE).await,
            compared => return Ok(compared),
        }
    }
}
