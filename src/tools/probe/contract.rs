//! The contract with HUB: the eighteen metric families of the original daemon, and how an exposition differs from them. Written
//! by hand and not derived from the catalogue, because a mistake there would pass its own check.

use super::exposition::{Exposition, Family, Kind, Labels};
use std::collections::BTreeSet;

/// One family of the original.
#[derive(Debug)]
struct Original {
    name: &'static str,
    kind: Kind,
    /// Labels, and their values, which exist from the first scrape.
    labels: &'static [(&'static str, &'static [&'static str])],
    /// Upper bounds as the original wrote them; further ones in between are allowed.
    bounds: &'static [&'static str],
}

const ACTION: (&str, &[&str]) = ("action", &["BUY", "SELL", "HOLD"]);
const ENDPOINT: (&str, &[&str]) = ("endpoint", &["eodhd", "hub"]);
#[rustfmt::skip]
const ERROR_CODE: (&str, &[&str]) = ("error_code", &[
    "timeout", "connect", "401", "402", "403", "404", "422", "429", "500", "502", "503", "504", "empty_response",
    "bad_shape", "no_api_key", "exception",
]);

const fn plain(name: &'static str, kind: Kind) -> Original {
    Original { name, kind, labels: &[], bounds: &[] }
}

const fn labelled(name: &'static str, labels: &'static [(&'static str, &'static [&'static str])]) -> Original {
    Original { name, kind: Kind::Counter, labels, bounds: &[] }
}

const fn histogram(name: &'static str, bounds: &'static [&'static str]) -> Original {
    Original { name, kind: Kind::Histogram, labels: &[], bounds }
}

const ORIGINALS: [Original; 18] = [
    plain("sentinel_trading_cycles_total", Kind::Counter),
    plain("sentinel_trading_cycles_failed_total", Kind::Counter),
    histogram("sentinel_trading_cycle_duration_seconds", &["0.1", "0.5", "1.0", "2.0", "5.0", "10.0"]),
    histogram("sentinel_data_fetch_duration_seconds", &["0.5", "1.0", "2.0", "5.0", "10.0"]),
    plain("sentinel_data_fetch_failed_total", Kind::Counter),
    histogram("sentinel_feature_build_duration_seconds", &["0.1", "0.5", "1.0", "2.0"]),
    plain("sentinel_prediction_requests_total", Kind::Counter),
    plain("sentinel_prediction_failures_total", Kind::Counter),
    histogram("sentinel_prediction_latency_seconds", &["0.1", "0.5", "1.0", "2.0", "5.0"]),
    plain("sentinel_last_prediction_confidence", Kind::Gauge),
    labelled("sentinel_trading_signals_total", &[ACTION]),
    labelled("sentinel_trading_signals_executed_total", &[ACTION]),
    histogram("sentinel_zmq_send_latency_seconds", &["0.01", "0.05", "0.1", "0.5", "1.0"]),
    plain("sentinel_zmq_send_failures_total", Kind::Counter),
    labelled("sentinel_api_calls_total", &[ENDPOINT]),
    labelled("sentinel_api_errors_total", &[ENDPOINT, ERROR_CODE]),
    plain("sentinel_daemon_uptime_seconds", Kind::Gauge),
    plain("sentinel_last_cycle_timestamp_unix", Kind::Gauge),
];

/// The names of the eighteen.
pub fn names() -> impl Iterator<Item = &'static str> {
    ORIGINALS.iter().map(|original| original.name)
}

/// How many original buckets there are, `+Inf` included.
pub fn buckets() -> usize {
    let histograms = ORIGINALS.iter().filter(|original| original.kind == Kind::Histogram);
    histograms.map(|original| original.bounds.len() + 1).sum()
}

/// The differences from what HUB relies on, one line per family; empty if there are none.
pub fn differences(exposition: &Exposition) -> Vec<String> {
    let difference = |original: &Original| match exposition.family(original.name) {
        None => Some(format!("{} is missing", original.name)),
        Some(family) => original.difference(family),
    };
    ORIGINALS.iter().filter_map(difference).collect()
}

impl Original {
    fn difference(&self, family: &Family) -> Option<String> {
        let name = self.name;
        if family.kind != self.kind {
            return Some(format!("{name} is a {}, not a {}", family.kind, self.kind));
        }
        let expected = self.children();
        let found = family.samples.iter().map(|sample| without_le(&sample.labels)).collect::<BTreeSet<_>>();
        if let Some(missing) = expected.iter().find(|child| !found.contains(*child)) {
            return Some(format!("{name}{} is missing", written(missing)));
        }
        // A new child or label would split HUB's rates and alerts.
        if let Some(further) = found.iter().find(|child| !expected.contains(*child)) {
            return Some(format!("{name}{} is new", written(further)));
        }
        let bounds = family.samples.iter().filter_map(|sample| sample.labels.get("le")).collect::<BTreeSet<_>>();
        let lacks = |bound: &&&str| !bounds.iter().any(|found| found == *bound);
        let missing = self.bounds.iter().filter(lacks).map(|bound| format!("le={bound:?}")).collect::<Vec<_>>();
        if missing.is_empty() { None } else { Some(format!("{name} has no bucket {}", missing.join(", "))) }
    }

    fn children(&self) -> BTreeSet<Labels> {
        self.labels.iter().fold(BTreeSet::from([Labels::new()]), |children, (label, values)| {
            let with = |child: &Labels, value: &str| {
                let mut child = child.clone();
                child.insert((*label).to_owned(), value.to_owned());
                child
            };
            children.iter().flat_map(|child| values.iter().map(move |value| with(child, value))).collect()
        })
    }
}

fn without_le(labels: &Labels) -> Labels {
    labels.iter().filter(|(label, _)| *label != "le").map(|(label, value)| (label.clone(), value.clone())).collect()
}

fn written(labels: &Labels) -> String {
    if labels.is_empty() {
        return " without labels".into();
    }
    let pairs = labels.iter().map(|(label, value)| format!("{label}={value:?}")).collect::<Vec<_>>();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::{
        adapters::prometheus::{FAMILIES, Format, Given, Metrics},
        domain::instrument::Symbol,
    };

    /// What the real recorder writes before the first cycle.
    fn text() -> String {
        let now = std::time::Duration::ZERO;
        let given = Given { symbols: vec![Symbol::new("EURUSD")], build: crate::process::build_info(), now };
        let metrics = Metrics::new(&given).unwrap();
        metrics.trading_cycle_duration_seconds.observe(0.3);
        String::from_utf8(metrics.encode(Format::Text).to_vec()).unwrap()
    }

    #[test]
    fn the_recorder_writes_what_a_strict_reader_accepts_and_hub_knows() {
        let exposition = Exposition::parse(&text()).unwrap();
        assert_eq!(differences(&exposition), Vec::<String>::new());
        let names = exposition.families.iter().map(|family| family.name.as_str()).collect::<Vec<_>>();
        let exposed = FAMILIES.iter().filter(|family| !family.is_absent_at_first);
        assert_eq!(names, exposed.map(|family| family.name).collect::<Vec<_>>());
    }

    #[test]
    fn every_difference_is_named() {
        let text = text();
        let breaks = [
            ("le=\"1.0\"", "le=\"1\"", "sentinel_trading_cycle_duration_seconds has no bucket le=\"1.0\""),
            ("le=\"10.0\"", "le=\"9.0\"", "sentinel_trading_cycle_duration_seconds has no bucket le=\"10.0\""),
            (
                "total{action=\"HOLD\"}",
                "total{action=\"WAIT\"}",
                "sentinel_trading_signals_total{action=\"HOLD\"} is missing",
            ),
            (
                "sentinel_zmq_send_failures_total 0",
                "sentinel_zmq_send_failures_total 0\nsentinel_zmq_send_failures_total{symbol=\"EURUSD\"} 0",
                "sentinel_zmq_send_failures_total{symbol=\"EURUSD\"} is new",
            ),
            (
                "sentinel_zmq_send_failures_total 0",
                "sentinel_zmq_send_failures_total{symbol=\"EURUSD\"} 0",
                "sentinel_zmq_send_failures_total without labels is missing",
            ),
            (
                "sentinel_daemon_uptime_seconds gauge",
                "sentinel_daemon_uptime_seconds counter",
                "sentinel_daemon_uptime_seconds is a counter, not a gauge",
            ),
            ("sentinel_daemon_uptime_seconds", "sentinel_uptime", "sentinel_daemon_uptime_seconds is missing"),
        ];
        for (from, to, difference) in breaks {
            assert!(text.contains(from), "{from}");
            let found = differences(&Exposition::parse(&text.replace(from, to)).unwrap());
            assert!(found.iter().any(|found| found == difference), "{difference}: {found:?}");
        }
    }

    /// One line for a family: name, type, labels with their values, original bounds.
    fn line(name: &str, kind: &str, labels: &str, bounds: &[String]) -> String {
        format!("{name} {kind} {{{labels}}} {}", bounds.join(" "))
    }

    #[test]
    fn the_originals_equal_the_catalogue_agreed_with_hub() {
        let catalogue = include_str!("../../../tests/system/data/catalogue.md");
        let agreed = catalogue.lines().filter(|row| row.starts_with("| **")).map(|row| {
            let [_, name, kind, labels, _, bounds, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            let bounds = bounds.split(' ').filter_map(|bound| bound.strip_prefix("**")?.strip_suffix("**"));
            // Prometheus stores a bound as a float is written.
            let bounds = bounds.map(|bound| format!("{:?}", bound.parse::<f64>().unwrap())).collect::<Vec<_>>();
            line(name.trim_matches('*'), kind, labels, &bounds)
        });
        let ours = ORIGINALS.iter().map(|original| {
            let label = |(label, values): &(&str, &[&str])| format!("{label}={}", values.join("/"));
            let labels = original.labels.iter().map(label).collect::<Vec<_>>().join("; ");
            let bounds = original.bounds.iter().map(|bound| (*bound).to_owned()).collect::<Vec<_>>();
            line(original.name, &original.kind.to_string(), &labels, &bounds)
        });
        assert_eq!(ours.collect::<Vec<_>>(), agreed.collect::<Vec<_>>());
    }

    #[test]
    fn there_are_eighteen_with_thirty_buckets() {
        assert_eq!((names().collect::<BTreeSet<_>>().len(), buckets()), (18, 30));
    }
}
