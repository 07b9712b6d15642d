//! The findings of a soak: the numbers of the report, as in `soak.json`.

use super::{
    args::Args,
    check::ThresholdCheck,
    math::{self, Buckets, Quantile, Slope},
    record::{Gap, Record, ScrapeRow},
    snapshot::{API_CALLS, API_ERRORS, CYCLES, CYCLES_FAILED, FAILURES, JOURNAL_FAILURES, TICKS_MISSED, TIMINGS},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::collections::BTreeMap;

/// Whether and how the run has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    /// Not yet; this report remains if the machine goes down.
    Running,
    Complete,
    /// By a signal.
    Early,
}

/// All findings. An unknown value is `null`.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    /// `HEALTHY` or `NOT HEALTHY`.
    pub(super) verdict: &'static str,
    pub(super) is_healthy: bool,
    pub(super) ended: Ended,
    pub(super) url: String,
    /// Version and revision of the daemon at the first and the last scrape.
    pub(super) builds: [Option<String>; 2],
    pub(super) began_at: String,
    pub(super) minutes_planned: f64,
    pub(super) minutes_watched: f64,
    pub(super) period_seconds: f64,
    pub(super) cycle_seconds: f64,
    pub(super) checks: Vec<ThresholdCheck>,
    pub(super) cycles: Cycles,
    /// The scheduler's lag, the whole cycle, and its stages; in seconds.
    pub(super) timings: Vec<Quantiles>,
    pub(super) memory_bytes: Gauge,
    pub(super) open_files: Gauge,
    /// Seconds since the first scrape.
    pub(super) restarts_s: Vec<f64>,
    pub(super) errors: Errors,
    pub(super) scrapes: Scrapes,
}

#[derive(Debug, Serialize)]
pub(super) struct Cycles {
    /// By the clock and the schedule's period.
    pub(super) due: f64,
    pub(super) done: Option<f64>,
    pub(super) failed: Option<f64>,
    pub(super) missed_ticks: Option<f64>,
    /// The daemon's own count at the first scrape.
    pub(super) count_first: Option<f64>,
    /// The daemon's own count at the last scrape.
    pub(super) count_last: Option<f64>,
}

/// Quantiles of a histogram's observations during the run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Quantiles {
    pub(super) name: &'static str,
    /// `None` if the daemon has no such histogram.
    pub(super) count: Option<f64>,
    pub(super) p50: Option<Quantile>,
    pub(super) p90: Option<Quantile>,
    pub(super) p99: Option<Quantile>,
}

/// A value that goes up and down.
#[derive(Debug, Serialize)]
pub(super) struct Gauge {
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
    pub(super) max: Option<f64>,
    /// Least squares over the longest life of a process, without its first quarter, the warm-up.
    pub(super) slope: Option<Slope>,
}

#[derive(Debug, Serialize)]
pub(super) struct Errors {
    /// By endpoint.
    pub(super) api_calls: BTreeMap<String, f64>,
    /// By endpoint, then by code, including zeros.
    pub(super) api_errors: BTreeMap<String, BTreeMap<String, f64>>,
    /// Failed fetches, predictions, sends and so on.
    pub(super) failures: BTreeMap<&'static str, Option<f64>>,
    pub(super) journal_write_failures: Option<f64>,
    /// The most at any one scrape.
    pub(super) orders_unresolved_max: Option<f64>,
}

#[derive(Debug, Serialize)]
pub(super) struct Scrapes {
    pub(super) made: usize,
    pub(super) failed: usize,
    /// Failed ones by kind.
    pub(super) failures: BTreeMap<String, usize>,
    pub(super) gaps: Vec<Gap>,
}

impl Findings {
    /// The measured values, without a verdict.
    pub(super) fn measured(record: &Record, args: &Args, began_at: DateTime<Utc>, ended: Ended) -> Self {
        let elapsed_s = record.elapsed_s();
        Self {
            verdict: "",
            is_healthy: false,
            ended,
            url: args.url.clone(),
            builds: record.builds.clone(),
            began_at: began_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            minutes_planned: args.minutes,
            minutes_watched: elapsed_s / 60.0,
            period_seconds: args.period,
            cycle_seconds: record.cycle_s,
            checks: Vec::new(),
            cycles: Cycles {
                due: math::due_cycles(elapsed_s, record.cycle_s),
                done: record.total(CYCLES),
                failed: record.total(CYCLES_FAILED),
                missed_ticks: record.total(TICKS_MISSED),
                count_first: record.cycles_raw[0],
                count_last: record.cycles_raw[1],
            },
            timings: quantiles(&record.timings),
            memory_bytes: gauge(record, |line| line.memory_bytes),
            open_files: gauge(record, |line| line.open_files),
            restarts_s: record.restarts.clone(),
            errors: errors(record),
            scrapes: scrapes(record),
        }
    }
}

/// One line per histogram, in the order of [`TIMINGS`].
pub(super) fn quantiles(timings: &[Buckets; TIMINGS.len()]) -> Vec<Quantiles> {
    let one = |(buckets, timing): (&Buckets, &super::snapshot::Timing)| Quantiles {
        name: timing.name,
        count: buckets.last().map(|(_, count)| *count),
        p50: math::quantile(buckets, 0.5),
        p90: math::quantile(buckets, 0.9),
        p99: math::quantile(buckets, 0.99),
    };
    timings.iter().zip(&TIMINGS).map(one).collect()
}

fn gauge(record: &Record, of: impl Fn(&ScrapeRow) -> Option<f64> + Copy) -> Gauge {
    let values: Vec<_> = record.values(of).into_iter().filter_map(|(_, value)| value).collect();
    Gauge {
        first: values.first().copied(),
        last: values.last().copied(),
        max: values.iter().copied().reduce(f64::max),
        slope: math::slope(math::warm(&record.longest_life(of))),
    }
}

fn errors(record: &Record) -> Errors {
    let mut api_errors: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for (labels, count) in record.children(API_ERRORS) {
        if let [endpoint, code] = labels {
            api_errors.entry(endpoint.clone()).or_default().insert(code.clone(), count);
        }
    }
    Errors {
        api_calls: record.children(API_CALLS).map(|(labels, count)| (labels.join(" "), count)).collect(),
        api_errors,
        failures: FAILURES.into_iter().map(|(name, family)| (name, record.total(family))).collect(),
        journal_write_failures: record.total(JOURNAL_FAILURES),
        orders_unresolved_max: gauge(record, |line| line.orders_unresolved).max,
    }
}

fn scrapes(record: &Record) -> Scrapes {
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for failure in record.scrapes.iter().filter_map(|(_, found)| found.as_ref().err()) {
        *failures.entry(failure.kind.clone()).or_default() += 1;
    }
    Scrapes { made: record.scrapes.len(), failed: record.failed_scrapes(), failures, gaps: record.gaps() }
}

#[cfg(test)]
mod tests;
