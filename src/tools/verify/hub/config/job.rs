//! Reads a scrape job from a Prometheus configuration.

use saphyr::{LoadableYamlNode, Yaml};
use sentinel_actors::domain::sanitize::one_line;
use std::{collections::BTreeMap, time::Duration};

/// The parts of a scrape job that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) interval: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    /// The login that Prometheus sends: the user of `basic_auth`, or `authorization`.
    pub(super) login: Option<String>,
    /// Labels by static target.
    pub(super) targets: BTreeMap<String, BTreeMap<String, String>>,
}

/// Finds a job in a configuration.
pub(super) fn job(text: &str, name: &str) -> Result<Job, String> {
    let documents = Yaml::load_from_str(text).map_err(|error| format!("not YAML: {}", one_line(&error.to_string())))?;
    let root = documents.first().ok_or("it is empty")?;
    let jobs = root.as_mapping_get("scrape_configs").and_then(|jobs| jobs.as_sequence());
    let jobs = jobs.map(Vec::as_slice).unwrap_or_default();
    let is_it = |job: &&Yaml<'_>| word(job, "job_name") == Some(name);
    let Some(job) = jobs.iter().find(is_it) else {
        let others = jobs.iter().filter_map(|job| word(job, "job_name")).map(one_line).collect::<Vec<_>>().join(", ");
        return Err(format!("there is no job {name}; there is {}", if others.is_empty() { "none" } else { &others }));
    };
    let time = |key| word(job, key).or_else(|| word(root.as_mapping_get("global")?, key)).and_then(duration);
    let groups = job.as_mapping_get("static_configs").and_then(|groups| groups.as_sequence());
    Ok(Job {
        interval: time("scrape_interval"),
        timeout: time("scrape_timeout"),
        login: login(job),
        targets: groups.into_iter().flatten().flat_map(targets).collect(),
    })
}

fn login(job: &Yaml<'_>) -> Option<String> {
    let user = job
        .as_mapping_get("basic_auth")
        .map(|login| format!("user {}", one_line(word(login, "username").unwrap_or("?"))));
    user.or_else(|| job.as_mapping_get("authorization").map(|_| "authorization instead of a user".into()))
}

/// A job's relabelling rules, a line each.
pub(super) fn relabelling(text: &str, name: &str) -> Vec<String> {
    let documents = Yaml::load_from_str(text).unwrap_or_default();
    let jobs = documents.first().and_then(|root| root.as_mapping_get("scrape_configs")?.as_sequence());
    let jobs = jobs.into_iter().flatten().filter(|job| word(job, "job_name") == Some(name));
    let of_kind = |job: &Yaml<'_>, kind: &str| {
        let rules = job.as_mapping_get(kind).and_then(|rules| rules.as_sequence()).into_iter().flatten();
        let line = |rule: &Yaml<'_>| {
            let labels = rule.as_mapping_get("source_labels").and_then(|labels| labels.as_sequence());
            let labels = labels.into_iter().flatten().filter_map(|label| label.as_str()).collect::<Vec<_>>().join(", ");
            let value = |key| word(rule, key).unwrap_or_default();
            let line = format!("{kind}: {} {labels} {} {}", value("action"), value("regex"), value("target_label"));
            one_line(&line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        rules.map(line).collect::<Vec<_>>()
    };
    jobs.flat_map(|job| [of_kind(job, "relabel_configs"), of_kind(job, "metric_relabel_configs")].concat()).collect()
}

pub(super) fn rule_files(text: &str) -> Vec<String> {
    let documents = Yaml::load_from_str(text).unwrap_or_default();
    let files = documents.first().and_then(|root| root.as_mapping_get("rule_files")?.as_sequence());
    files.into_iter().flatten().filter_map(|file| file.as_str().map(str::to_owned)).collect()
}

fn targets(group: &Yaml<'_>) -> Vec<(String, BTreeMap<String, String>)> {
    let labels = group.as_mapping_get("labels").and_then(|labels| labels.as_mapping());
    let label = |(name, value): (&Yaml<'_>, &Yaml<'_>)| Some((name.as_str()?.to_owned(), value.as_str()?.to_owned()));
    let labels = labels.into_iter().flatten().filter_map(label).collect::<BTreeMap<_, _>>();
    let targets = group.as_mapping_get("targets").and_then(|targets| targets.as_sequence()).into_iter().flatten();
    targets.filter_map(|target| Some((target.as_str()?.to_owned(), labels.clone()))).collect()
}

fn word<'a>(node: &'a Yaml<'_>, key: &str) -> Option<&'a str> {
    node.as_mapping_get(key)?.as_str()
}

/// Parses a duration of Prometheus: `15s`, `1m30s`, `500ms`.
pub(in crate::tools::verify::hub) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total_ms = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        total_ms = total_ms.checked_add(number.parse::<u64>().ok()?.checked_mul(unit_ms)?)?;
        rest = after;
    }
    Some(Duration::from_millis(total_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
global:
  scrape_interval: 1m
scrape_configs:
  - job_name: other
  - job_name: sentinel-metrics
    scrape_timeout: 10s
    static_configs:
      - targets: [\"172.19.141.250:8000\"]
        labels: {instance: inf-sentinel, node: inf}
";

    #[test]
    fn a_job_is_found_with_the_global_defaults() {
        let job = job(FILE, "sentinel-metrics").unwrap();
        assert_eq!((job.interval, job.timeout), (Some(Duration::from_secs(60)), Some(Duration::from_secs(10))));
        assert_eq!(job.targets["172.19.141.250:8000"]["instance"], "inf-sentinel");
    }

    #[test]
    fn a_missing_job_is_reported_with_the_names_of_the_others() {
        assert_eq!(job(FILE, "x").unwrap_err(), "there is no job x; there is other, sentinel-metrics");
        assert_eq!(job("global: {}", "x").unwrap_err(), "there is no job x; there is none");
        assert_eq!(job("", "x").unwrap_err(), "it is empty");
        assert!(job("a: [", "x").unwrap_err().starts_with("not YAML: "));
    }

    #[test]
    fn relabelling_rules_are_listed() {
        let relabels = "    metric_relabel_configs:\n      - source_labels: [__name__]\n        regex: sentinel_zmq_.*\n        action: drop\n";
        let found = relabelling(&format!("{FILE}{relabels}"), "sentinel-metrics");
        assert_eq!(found, ["metric_relabel_configs: drop __name__ sentinel_zmq_.*"]);
        assert_eq!(relabelling(FILE, "sentinel-metrics"), Vec::<String>::new());
    }

    #[test]
    fn the_login_of_a_job_is_found() {
        let login = |line: &str| job(&format!("{FILE}    {line}\n"), "sentinel-metrics").unwrap().login;
        assert_eq!(login("basic_auth: {username: hub, password_file: /p}").as_deref(), Some("user hub"));
        assert!(login("authorization: {credentials_file: /p}").is_some());
        assert_eq!(login("honor_labels: true"), None);
    }

    #[test]
    fn rule_files_are_found() {
        assert_eq!(rule_files("rule_files: [alerts.yml, /etc/more.yml]"), ["alerts.yml", "/etc/more.yml"]);
        assert_eq!(rule_files(FILE), Vec::<String>::new());
    }

    #[test]
    fn durations_are_parsed() {
        let ms = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(
            [ms("15s"), ms("1m30s"), ms("500ms"), ms("1h")],
            [Some(15_000), Some(90_000), Some(500), Some(3_600_000)]
        );
        assert_eq!([ms("15"), ms("s"), ms("1x"), ms("15 s")], [None; 4]);
    }
}
