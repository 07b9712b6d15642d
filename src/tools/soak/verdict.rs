//! HEALTHY or not: the measured values against the thresholds. An unknown value is never healthy; only a slope is not judged if
//! the run is too short.

use super::{
    args::{Args, Limits},
    check::{MIB, Outcome, ThresholdCheck},
    findings::{Ended, Findings},
    math::Slope,
    record::Record,
};
use chrono::{DateTime, Utc};

/// The findings of the run with the verdict.
pub(super) fn judged(record: &Record, args: &Args, began_at: DateTime<Utc>, ended: Ended) -> Findings {
    let mut findings = Findings::measured(record, args, began_at, ended);
    findings.checks = judge(&findings, &args.limits);
    findings.is_healthy = findings.checks.iter().all(|check| check.outcome != Outcome::Failed);
    findings.verdict = if findings.is_healthy { "HEALTHY" } else { "NOT HEALTHY" };
    findings
}

/// Every threshold, in the order of the report.
fn judge(found: &Findings, limits: &Limits) -> Vec<ThresholdCheck> {
    let cycles = &found.cycles;
    let failed_share = cycles.failed.zip(cycles.done).and_then(|(failed, done)| percent(failed, done));
    let failed_scrapes = percent(found.scrapes.failed as f64, found.scrapes.made as f64);
    vec![
        cycles_done(found, limits),
        ThresholdCheck::at_most("missed_ticks", "Missed ticks", "", limits.missed_ticks_max, cycles.missed_ticks),
        ThresholdCheck::at_most(
            "failed_cycles",
            "Failed cycles, of those done",
            "%",
            limits.failed_cycles_max,
            failed_share,
        ),
        ThresholdCheck::at_most("restarts", "Restarts", "", limits.restarts_max, Some(found.restarts_s.len() as f64)),
        timing("lag_p99", "Scheduler lag, p99", limits.lag_p99_max, found, 0),
        timing("cycle_p99", "Whole cycle, p99", limits.cycle_p99_max, found, 1),
        slope(
            "memory_slope",
            "Growth of resident memory",
            "MiB/h",
            limits.memory_slope_max,
            found.memory_bytes.slope,
            MIB,
            limits,
        ),
        slope("files_slope", "Growth of open files", "/h", limits.files_slope_max, found.open_files.slope, 1.0, limits),
        ThresholdCheck::at_most(
            "unresolved",
            "Unresolved orders",
            "",
            limits.unresolved_max,
            found.errors.orders_unresolved_max,
        ),
        ThresholdCheck::at_most(
            "journal_failures",
            "Failed journal writes",
            "",
            limits.journal_failures_max,
            found.errors.journal_write_failures,
        ),
        ThresholdCheck::at_most(
            "failed_scrapes",
            "Failed scrapes, of all",
            "%",
            limits.failed_scrapes_max,
            failed_scrapes,
        ),
    ]
}

fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| 100.0 * part / whole)
}

/// One cycle may be in progress at the end, or have ended just before the first scrape; at least one must be done. Many more than
/// due would hide missed cycles, so they fail, too.
fn cycles_done(found: &Findings, limits: &Limits) -> ThresholdCheck {
    let due = found.cycles.due;
    let done = found.cycles.done.unwrap_or_default();
    let measured = found.cycles.done.and_then(|done| percent(done, due));
    let allowed = (due * (1.0 - limits.cycles_done_min / 100.0)).floor().max(1.0);
    let is_enough = done >= 1.0 && due - done <= allowed;
    // One may have begun before the first scrape, and what is due is rounded down.
    let is_too_much = done - due > (due * 0.1).max(2.0);
    let outcome = if due >= 1.0 && is_enough && !is_too_much { Outcome::Passed } else { Outcome::Failed };
    let note = match due {
        ..1.0 => "none was due in this time: watch longer, or correct --cycle-seconds".into(),
        _ if is_too_much => format!(
            "{done} done, {due} due, which would hide missed cycles: set --cycle-seconds to the schedule's period; for a \
             daemon that begins with many cycles at once, such as the demo, start the soak after them"
        ),
        _ => format!("{done} done, {due} due"),
    };
    let limit = limits.cycles_done_min;
    ThresholdCheck {
        name: "cycles_done",
        what: "Cycles done, of those due",
        bound: "at_least",
        limit,
        unit: "%",
        measured,
        outcome,
        note,
    }
}

fn timing(name: &'static str, what: &'static str, limit: f64, found: &Findings, index: usize) -> ThresholdCheck {
    let p99 = found.timings.get(index).and_then(|timing| timing.p99);
    let mut check = ThresholdCheck::at_most(name, what, "s", limit, p99.map(|p99| p99.value));
    if let Some(p99) = p99.filter(|p99| p99.is_above) {
        check.outcome = Outcome::Failed;
        check.note = format!("more than {} s, where the histogram ends", p99.value);
    }
    check
}

fn slope(
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    limit: f64,
    line: Option<Slope>,
    per_unit: f64,
    limits: &Limits,
) -> ThresholdCheck {
    let minutes = line.map_or(0.0, |line| (line.to_s - line.from_s) / 60.0);
    let is_short = minutes < limits.slope_minutes_min;
    let mut check = ThresholdCheck::at_most(name, what, unit, limit, line.map(|line| line.per_hour / per_unit));
    if is_short {
        check.outcome = Outcome::NotJudged;
    }
    let note = format!("{minutes:.1} min after the warm-up; judged from {}", limits.slope_minutes_min);
    check.noted(is_short, note)
}
