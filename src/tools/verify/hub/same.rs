//! Is the daemon that Prometheus scrapes the one that was asked? A daemon has many names; its start and its build tell.

use super::{address::Address, prometheus::Prometheus};
use crate::tools::probe::Exposition;
use serde_json::Value;
use std::collections::BTreeMap;

const STARTED: &str = "process_start_time_seconds";
const BUILD: &str = "sentinel_build_info";
/// Prometheus stores what was on the page; only its digits may be spelled in another way.
const SAME_S: f64 = 0.001;

/// How the scraped daemon and the asked one compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// Host and port are the same.
    Address,
    /// Another address, and the same process.
    Process,
    /// That cannot be told.
    Unknown(&'static str),
    /// Another process, and what tells.
    Different(String),
    /// Another process, or the one before the asked one: what is stored may be from before a restart.
    Older(String),
}

/// Whether a scraped URL is the daemon at `inf` by its address alone.
pub(super) fn is_at(prometheus: &Prometheus, scrape_url: &str, inf: &str) -> bool {
    let scraped = Address::of(prometheus.0.base_url()).and_then(|prometheus| prometheus.hears(scrape_url));
    scraped.is_some() && scraped == Address::of(inf)
}

/// Compares a target that is up with the page of the daemon that was asked.
pub(super) async fn compare(
    prometheus: &Prometheus,
    target: &Value,
    inf: &str,
    page: Option<&Exposition>,
) -> Result<Compared, String> {
    if is_at(prometheus, target["scrapeUrl"].as_str().unwrap_or_default(), inf) {
        return Ok(Compared::Address);
    }
    let Some(page) = page else { return Ok(Compared::Unknown("that one does not answer")) };
    let Some(asked) = Identity::of_page(page) else {
        return Ok(Compared::Unknown("that one does not say when it was started"));
    };
    let label = |name: &str| target["labels"][name].as_str().unwrap_or_default();
    let of = format!("{{job={:?},instance={:?}}}", label("job"), label("instance"));
    let started_s = prometheus.value(&format!("{STARTED}{of}")).await?;
    let build = prometheus.query(&format!("{BUILD}{of}")).await?;
    let Some(started_s) = started_s else { return Ok(Compared::Unknown("its start is not stored")) };
    let scraped = Identity { started_s, build: build.first().map(|it| labels(&it["metric"])).unwrap_or_default() };
    Ok(asked.compared_with(&scraped))
}

/// What tells a process from others.
#[derive(Debug, Clone)]
struct Identity {
    started_s: f64,
    build: BTreeMap<String, String>,
}

impl Identity {
    fn of_page(page: &Exposition) -> Option<Self> {
        let build = page.samples(BUILD).next().map(|sample| sample.labels.clone()).unwrap_or_default();
        Some(Self { started_s: page.value(STARTED, &[])?, build })
    }

    /// What is stored has the target's labels, too.
    fn compared_with(&self, scraped: &Self) -> Compared {
        let later_s = self.started_s - scraped.started_s;
        let other = self.build.iter().find(|&(name, value)| scraped.build.get(name) != Some(value));
        match other {
            _ if later_s > SAME_S => Compared::Older(format!("started {later_s:.0} s earlier")),
            _ if later_s < -SAME_S => Compared::Different(format!("started {:.0} s later", -later_s)),
            Some((name, value)) => {
                let found = scraped.build.get(name).map_or("none", String::as_str);
                Compared::Different(format!("its {name} is {found:?}, not {value:?}"))
            }
            None => Compared::Process,
        }
    }
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    let labels = metric.as_object().into_iter().flatten();
    labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(started_s: f64, labels: &[(&str, &str)]) -> Identity {
        Identity { started_s, build: labels.iter().map(|(name, it)| ((*name).into(), (*it).into())).collect() }
    }

    #[test]
    fn a_process_is_known_by_its_start_and_its_build() {
        let asked = identity(1_700_000_000.25, &[("version", "1.0.0")]);
        let stored = |started_s, version| identity(started_s, &[("version", version), ("job", "sentinel-metrics")]);
        assert_eq!(asked.compared_with(&stored(1_700_000_000.25, "1.0.0")), Compared::Process);
        let later = asked.compared_with(&stored(1_700_000_005.25, "1.0.0"));
        assert_eq!(later, Compared::Different("started 5 s later".into()));
        let earlier = asked.compared_with(&stored(1_700_000_000.0, "1.0.0"));
        assert!(matches!(earlier, Compared::Older(_)), "{earlier:?}");
        let other = asked.compared_with(&stored(1_700_000_000.25, "0.9.0"));
        assert_eq!(other, Compared::Different("its version is \"0.9.0\", not \"1.0.0\"".into()));
    }
}
