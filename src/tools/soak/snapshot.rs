//! One look at `/metrics`: what a soak takes from it, or why there was nothing to take.

use super::math::Buckets;
use crate::tools::probe::{Client, Exposition};
use sentinel_actors::domain::sanitize::one_line;
use std::collections::BTreeMap;

/// Without it, the page is not Sentinel's.
pub(super) const CYCLES: &str = "sentinel_trading_cycles_total";
pub(super) const CYCLES_FAILED: &str = "sentinel_trading_cycles_failed_total";
pub(super) const TICKS_MISSED: &str = "sentinel_scheduler_ticks_missed_total";
pub(super) const API_CALLS: &str = "sentinel_api_calls_total";
pub(super) const API_ERRORS: &str = "sentinel_api_errors_total";
pub(super) const JOURNAL_FAILURES: &str = "sentinel_journal_write_failures_total";

/// Counters of failures apart from those above, by the name the report gives them.
pub(super) const FAILURES: [(&str, &str); 6] = [
    ("fetches", "sentinel_data_fetch_failed_total"),
    ("predictions", "sentinel_prediction_failures_total"),
    ("sends", "sentinel_zmq_send_failures_total"),
    ("feature_values", "sentinel_feature_invalid_values_total"),
    ("actor_restarts", "sentinel_actor_restarts_total"),
    ("clock_steps", "sentinel_clock_steps_total"),
];
const COUNTERS: [&str; 6] = [CYCLES, CYCLES_FAILED, TICKS_MISSED, API_CALLS, API_ERRORS, JOURNAL_FAILURES];

/// A histogram the report has quantiles of.
#[derive(Debug)]
pub(super) struct Timing {
    /// Its key in the JSON.
    pub(super) name: &'static str,
    /// Its heading on the page.
    pub(super) title: &'static str,
    family: &'static str,
}

/// The scheduler's lag first, then the whole cycle and its stages in their order.
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

/// What one look found; a value that is not there is `None`, and a 0 is a 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    /// Unix time at which the process started.
    pub(super) process_started: Option<f64>,
    /// Seconds since then by a clock that nobody sets.
    pub(super) uptime_s: Option<f64>,
    /// Version and revision, as `sentinel_build_info` has them.
    pub(super) build: Option<String>,
    pub(super) counters: BTreeMap<Series, f64>,
    /// As in [`TIMINGS`]; empty where the family is not there.
    pub(super) timings: [Buckets; TIMINGS.len()],
    pub(super) memory_bytes: Option<f64>,
    pub(super) open_files: Option<f64>,
    pub(super) orders_unresolved: Option<f64>,
}

impl Snapshot {
    /// Takes from a page what a soak needs.
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

/// A look that found nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoSnapshot {
    /// One of a few: `timeout`, `connect`, `exception`, `unreadable`, `status 503`.
    pub(super) kind: String,
    /// One line for a person.
    pub(super) what: String,
}

impl NoSnapshot {
    /// What a person can do about it when it is the first.
    pub(super) fn way_out(&self) -> &'static str {
        match self.kind.as_str() {
            "timeout" => "does a firewall drop the packets? Allow this machine on the daemon's port, or correct --url",
            "connect" => {
                "is the daemon running, and does it listen there? Start `sentinel run` (or `sentinel demo`, to try), \
                 or say where it is: --url http://HOST:PORT"
            }
            "status 401" | "status 403" => "say who asks: --user NAME --password-file FILE",
            "status 503" => "the daemon has only begun to start; look at its log if that stays so",
            _ => "does another program have this port? --url is the address of Sentinel's /metrics",
        }
    }
}

/// Looks once.
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
    let look = Snapshot::of(&page);
    match look.count(CYCLES) {
        Some(_) => Ok(look),
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
    fn what_is_not_there_is_none_and_a_zero_is_a_zero() {
        let look = Snapshot::of(&Exposition::parse(PAGE).unwrap());
        assert_eq!(
            (look.count(CYCLES), look.count(CYCLES_FAILED), look.count(API_ERRORS)),
            (Some(5.0), None, Some(2.0))
        );
        assert_eq!(look.counters[&(API_ERRORS, vec!["hub".into(), "500".into()])], 0.0);
        assert_eq!((look.open_files, look.memory_bytes), (Some(0.0), None));
        assert_eq!(look.build.as_deref(), Some("0.1.0 (abc)"));
        assert!(look.timings.iter().all(Vec::is_empty));
    }

    #[test]
    fn every_way_to_find_nothing_has_a_way_out() {
        for kind in ["timeout", "connect", "exception", "unreadable", "status 401", "status 503", "status 404"] {
            let way_out = NoSnapshot { kind: kind.into(), what: String::new() }.way_out();
            assert!(!way_out.is_empty(), "{kind}");
        }
    }
}
