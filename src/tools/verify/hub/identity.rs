//! Checks that the stored series are those of the daemon at --inf, and of no other. A daemon is identified by its start time, build
//! and settings, because it can have several addresses. Two daemons with the same labels are found by values that alternate.

use super::{address::Address, prometheus::Prometheus, scrape_target::Target};
use crate::tools::probe::Exposition;
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

const STARTED: &str = "process_start_time_seconds";
const BUILD: &str = "sentinel_build_info";
const CYCLES: &str = "sentinel_trading_cycles_total";
const CONFIG: &str = "sentinel_config_hash";
/// Tolerance for a stored time, whose digits may be rounded.
const SAME_S: f64 = 0.001;
/// Scrapes that are examined for a second daemon.
const SCRAPES_EXAMINED: u32 = 4;

/// A series, its name in a message, and the number of changes that prove two daemons.
type Evidence = (&'static str, &'static str, fn(&[f64]) -> Option<usize>);
const EVIDENCE: [Evidence; 3] = [
    (STARTED, "its start time", alternations),
    (CONFIG, "the hash of its settings", alternations),
    (CYCLES, "its number of cycles", falls),
];

/// The result of comparing the stored daemon with the one at --inf.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The same process.
    Process,
    /// Unknown, with the reason.
    Unknown(&'static str),
    /// Another process, with the difference.
    Different(String),
    /// Another process, or the same daemon before a restart.
    Older(String),
}

/// Whether a scraped URL and `inf` are the same address.
pub(super) fn is_at(prometheus: &Prometheus, scrape_url: &str, inf: &str) -> bool {
    let scraped = Address::of(prometheus.0.base_url()).and_then(|prometheus| prometheus.resolve_url(scrape_url));
    scraped.is_some() && scraped == Address::of(inf)
}

/// Compares the stored series of a target that is up with the page of the daemon at --inf.
pub(super) async fn compare(
    prometheus: &Prometheus,
    target: &Target,
    page: Option<&Exposition>,
) -> Result<Compared, String> {
    let Some(page) = page else { return Ok(Compared::Unknown("the daemon there does not answer")) };
    let Some(asked) = Identity::of_page(page) else {
        return Ok(Compared::Unknown("the daemon there does not report its start time"));
    };
    let of = target.selector();
    let started_s = prometheus.value(&format!("{STARTED}{of}")).await?;
    let build = prometheus.query(&format!("{BUILD}{of}")).await?;
    let config = prometheus.value(&format!("{CONFIG}{of}")).await?;
    let Some(started_s) = started_s else { return Ok(Compared::Unknown("its start time is not stored")) };
    let build = build.first().map(|it| labels(&it["metric"])).unwrap_or_default();
    Ok(asked.compared_with(&Identity { started_s, build, config }))
}

/// Which of the job's instances is the process with this page; `None` if none is, or if it is unknown.
pub(super) async fn instance_of(prometheus: &Prometheus, job: &str, page: Option<&Exposition>) -> Option<String> {
    let asked = Identity::of_page(page?)?;
    let started = prometheus.query(&format!("{STARTED}{{job={job:?}}}")).await.ok()?;
    let is_it = |sample: &&Value| value(sample).is_some_and(|started_s| (started_s - asked.started_s).abs() <= SAME_S);
    started.iter().find(is_it)?["metric"]["instance"].as_str().map(str::to_owned)
}

/// Whether the last scrapes alternate between two daemons; returns a message if they do. Two daemons started at the same time are
/// distinguished by their settings and counters.
pub(super) async fn interleaved(
    prometheus: &Prometheus,
    target: &Target,
    interval: Duration,
) -> Result<Option<String>, String> {
    let window_s = (interval * SCRAPES_EXAMINED).as_secs().max(5);
    for (name, what, count) in EVIDENCE {
        let stored = prometheus.query(&format!("{name}{}[{window_s}s]", target.selector())).await?;
        if let Some(times) = stored.iter().find_map(|series| count(&values(series))) {
            let found = format!("{what} alternated {times} times within {window_s} s");
            return Ok(Some(format!("{found}: two daemons are stored under its labels")));
        }
    }
    Ok(None)
}

fn values(series: &Value) -> Vec<f64> {
    let values = series["values"].as_array().into_iter().flatten();
    values.filter_map(|value| value[1].as_str()?.parse().ok()).collect()
}

/// How often a value changed, if an earlier one returned. After a restart, the value is a new one.
fn alternations(values: &[f64]) -> Option<usize> {
    let mut runs = values.to_vec();
    runs.dedup();
    let is_back = runs.iter().enumerate().any(|(at, value)| runs.iter().skip(at + 1).any(|later| later == value));
    is_back.then(|| runs.len() - 1)
}

/// How often a counter fell, if more than once. After a restart, it falls once.
fn falls(values: &[f64]) -> Option<usize> {
    let falls = values.windows(2).filter(|pair| pair[1] < pair[0]).count();
    (falls > 1).then_some(falls)
}

/// Identifies a process.
#[derive(Debug, Clone)]
struct Identity {
    started_s: f64,
    build: BTreeMap<String, String>,
    config: Option<f64>,
}

impl Identity {
    fn of_page(page: &Exposition) -> Option<Self> {
        let build = page.samples(BUILD).next().map(|sample| sample.labels.clone()).unwrap_or_default();
        Some(Self { started_s: page.value(STARTED, &[])?, build, config: page.value(CONFIG, &[]) })
    }

    /// The stored build also has the target's labels.
    fn compared_with(&self, stored: &Self) -> Compared {
        let later_s = self.started_s - stored.started_s;
        let other = self.build.iter().find(|&(name, value)| stored.build.get(name) != Some(value));
        match other {
            _ if later_s > SAME_S => Compared::Older(format!("started {later_s:.0} s earlier")),
            _ if later_s < -SAME_S => Compared::Different(format!("started {:.0} s later", -later_s)),
            Some((name, value)) => {
                let found = stored.build.get(name).map_or("none", String::as_str);
                Compared::Different(format!("its {name} is {found:?}, not {value:?}"))
            }
            None if stored.config.is_some() && stored.config != self.config => {
                Compared::Different("it has other settings".into())
            }
            None => Compared::Process,
        }
    }
}

fn value(sample: &Value) -> Option<f64> {
    sample["value"][1].as_str()?.parse().ok()
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    let labels = metric.as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(started_s: f64, labels: &[(&str, &str)], config: f64) -> Identity {
        let build = labels.iter().map(|(name, it)| ((*name).into(), (*it).into())).collect();
        Identity { started_s, build, config: Some(config) }
    }

    #[test]
    fn a_process_is_identified_by_start_build_and_settings() {
        let asked = identity(1_700_000_000.25, &[("version", "1.0.0")], 7.0);
        let stored = |started_s, version, config| {
            identity(started_s, &[("version", version), ("job", "sentinel-metrics")], config)
        };
        assert_eq!(asked.compared_with(&stored(1_700_000_000.25, "1.0.0", 7.0)), Compared::Process);
        let later = asked.compared_with(&stored(1_700_000_005.25, "1.0.0", 7.0));
        assert_eq!(later, Compared::Different("started 5 s later".into()));
        let earlier = asked.compared_with(&stored(1_700_000_000.0, "1.0.0", 7.0));
        assert!(matches!(earlier, Compared::Older(_)), "{earlier:?}");
        let other = asked.compared_with(&stored(1_700_000_000.25, "0.9.0", 7.0));
        assert_eq!(other, Compared::Different("its version is \"0.9.0\", not \"1.0.0\"".into()));
        let other = asked.compared_with(&stored(1_700_000_000.25, "1.0.0", 8.0));
        assert_eq!(other, Compared::Different("it has other settings".into()));
    }

    #[test]
    fn alternating_values_are_a_second_daemon_but_a_restart_is_not() {
        assert_eq!(alternations(&[1.0, 2.0, 1.0, 1.0, 2.0]), Some(3));
        assert_eq!(alternations(&[1.0, 1.0, 2.0, 2.0, 3.0]), None);
        assert_eq!(alternations(&[]), None);
        assert_eq!(falls(&[9.0, 2.0, 10.0, 3.0, 11.0]), Some(2));
        assert_eq!((falls(&[9.0, 10.0, 0.0, 1.0]), falls(&[])), (None, None));
    }
}
