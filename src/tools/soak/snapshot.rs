//! One scrape of `/metrics`: the values a soak uses, or why it failed.

use super::math::Buckets;
use crate::tools::probe::{Client, Exposition};
use sentinel_actors::domain::sanitize::one_line;
use std::collections::BTreeMap;

/// A page without it is not Sentinel's.
pub(super) const CYCLES: &str = "sentinel_trading_cycles_total";
pub(super) const CYCLES_FAILED: &str = "sentinel_trading_cycles_failed_total";
pub(super) const TICKS_MISSED: &str = "sentinel_scheduler_ticks_missed_total";
pub(super) const API_CALLS: &str = "sentinel_api_calls_total";
pub(super) const API_ERRORS: &str = "sentinel_api_errors_total";
pub(super) const JOURNAL_FAILURES: &str = "sentinel_journal_write_failures_total";

/// Further counters of failures, with their names in the report.
pub(super) const FAILURES: [(&str, &str); 6] = [
    ("fetches", "sentinel_data_fetch_failed_total"),
    ("predictions", "sentinel_prediction_failures_total"),
    ("sends", "sentinel_zmq_send_failures_total"),
    ("feature_values", "sentinel_feature_invalid_values_total"),
    ("actor_restarts", "sentinel_actor_restarts_total"),
    ("clock_steps", "sentinel_clock_steps_total"),
];
const COUNTERS: [&str; 6] = [CYCLES, CYCLES_FAILED, TICKS_MISSED, API_CALLS, API_ERRORS, JOURNAL_FAILURES];

/// A histogram whose quantiles are in the report.
#[derive(Debug)]
pub(super) struct Timing {
    /// Its key in the JSON.
    pub(super) name: &'static str,
    /// Its heading on the page.
    pub(super) title: &'static str,
    family: &'static str,
}

/// The scheduler's lag, the whole cycle, and its stages in order.
pub(super) const TIMINGS: [Timing; 7] = [
    Timing { name: "lag", title: "Scheduler lag", family: "sentinel_scheduler_lag_seconds" },
    Timing { name: "cycle", title: "Whole cycle", family: "sentinel_trading_cycle_duration_seconds" },
    Timing { name: "fetch", title: "Fetch", family: "sentinel_data_fetch_duration_seconds" },
    Timing { name: "features", title: "Features", family: "sentinel_feature_build_duration_seconds" },
    Timing { name: "predict", title: "Predict", family: "sentinel_prediction_latency_seconds" },
    Timing { name: "send", title: "Send", family: "sentinel_zmq_send_latency_seconds" },
    Timing { name: "gateway", title: "Gateway round trip", family: "sentinel_gateway_roundtrip_seconds" },
];

/// A counter's family and the values of its labels, in the order of the labels' names.
pub(super) type Series = (&'static str, Vec<String>);

/// The values of one scrape; a missing value is `None`, not 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    /// Unix time at which the process started.
    pub(super) process_started: Option<f64>,
    /// Seconds since then by a monotonic clock.
    pub(super) uptime_s: Option<f64>,
    /// Version and revision, as `sentinel_build_info` has them.
    pub(super) build: Option<String>,
    pub(super) counters: BTreeMap<Series, f64>,
    /// As in [`TIMINGS`]; empty for a missing family.
    pub(super) timings: [Buckets; TIMINGS.len()],
    pub(super) memory_bytes: Option<f64>,
    pub(super) open_files: Option<f64>,
    pub(super) orders_unresolved: Option<f64>,
}

impl Snapshot {
    /// The values on a page.
    pub(super) fn of(page: &Exposition) -> Self {
        let families = COUNTERS.into_iter().chain(FAILURES.map(|(_, family)| family));
        let series =
            |family| page.samples(family).map(move |one| ((family, one.labels.values().cloned().collect()), one.value));
        let build = page.samples("sentinel_build_info").next();
        let label = |name: &str| build.and_then(|info| info.labels.get(name)).map_or("?", String::as_str);
        Self {
            process_started: page.value("process_start_time_seconds", &[]),
            uptime_s: page.value("sentinel_daemon_uptime_seconds", &[]),
            build: build.map(|_| format!("{} ({})", label("version"), label("revision"))),
            counters: families.flat_map(series).collect(),
            timings: TIMINGS.map(|timing| page.buckets(timing.family)),
            memory_bytes: page.value("process_resident_memory_bytes", &[]),
            open_files: page.value("process_open_fds", &[]),
            orders_unresolved: page.value("sentinel_orders_unresolved", &[]),
        }
    }

    /// The sum over a counter's children, `None` if it has none.
    pub(super) fn count(&self, family: &str) -> Option<f64> {
        let children = self.counters.iter().filter(|((name, _), _)| *name == family);
        children.map(|(_, value)| *value).reduce(|sum, value| sum + value)
    }
}

/// A failed scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoSnapshot {
    /// One of a few: `timeout`, `connect`, `exception`, `unreadable`, `status 503`.
    pub(super) kind: String,
    /// One line of text.
    pub(super) what: String,
}

impl NoSnapshot {
    /// What the user can do if the first scrape fails.
    pub(super) fn advice(&self) -> &'static str {
        match self.kind.as_str() {
            "timeout" => "does a firewall drop the packets? Allow this machine on the daemon's port, or correct --url",
            "connect" => {
                "is the daemon running, and does it listen there? Start `sentinel run` (or `sentinel demo`, to try it), \
                 or give its address: --url http://HOST:PORT"
            }
            "status 401" | "status 403" => "give the login: --user NAME --password-file FILE",
            "status 503" => "the daemon is still starting; read its log if this persists",
            _ => "does another program use this port? --url is the address of Sentinel's /metrics",
        }
    }
}

/// Scrapes once.
pub(super) async fn take(client: &Client) -> Result<Snapshot, NoSnapshot> {
    let page = client
        .get("/metrics", "")
        .await
        .map_err(|error| NoSnapshot { kind: error.error_code().into(), what: one_line(&error.to_string()) })?;
    if page.status != 200 {
        return Err(NoSnapshot { kind: format!("status {}", page.status), what: format!("answers {}", page.status) });
    }
    let unreadable = |what: String| NoSnapshot { kind: "unreadable".into(), what: one_line(&what) };
    let page = Exposition::parse(&page.text()).map_err(|fault| unreadable(format!("/metrics, {fault}")))?;
    let scrape = Snapshot::of(&page);
    match scrape.count(CYCLES) {
        Some(_) => Ok(scrape),
        None => Err(unreadable(format!("/metrics has no {CYCLES}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP sentinel_trading_cycles_total x\n# TYPE sentinel_trading_cycles_total counter\nsentinel_trading_cycles_total 5\n\
# HELP sentinel_api_errors_total x\n# TYPE sentinel_api_errors_total counter\n\
sentinel_api_errors_total{endpoint=\"hub\",error_code=\"500\"} 0\n\
sentinel_api_errors_total{endpoint=\"hub\",error_code=\"timeout\"} 2\n\
# HELP sentinel_build_info x\n# TYPE sentinel_build_info gauge\n\
sentinel_build_info{revision=\"abc\",rustc=\"1\",version=\"0.1.0\"} 1\n\
# HELP process_open_fds x\n# TYPE process_open_fds gauge\nprocess_open_fds 0\n";

    #[test]
    fn a_missing_value_is_none_and_a_zero_is_zero() {
        let scrape = Snapshot::of(&Exposition::parse(PAGE).unwrap());
        assert_eq!(
            (scrape.count(CYCLES), scrape.count(CYCLES_FAILED), scrape.count(API_ERRORS)),
            (Some(5.0), None, Some(2.0))
        );
        assert_eq!(scrape.counters[&(API_ERRORS, vec!["hub".into(), "500".into()])], 0.0);
        assert_eq!((scrape.open_files, scrape.memory_bytes), (Some(0.0), None));
        assert_eq!(scrape.build.as_deref(), Some("0.1.0 (abc)"));
        assert!(scrape.timings.iter().all(Vec::is_empty));
    }

    #[test]
    fn every_failure_has_advice() {
        for kind in ["timeout", "connect", "exception", "unreadable", "status 401", "status 503", "status 404"] {
            let advice = NoSnapshot { kind: kind.into(), what: String::new() }.advice();
            assert!(!advice.is_empty(), "{kind}");
        }
    }
}
