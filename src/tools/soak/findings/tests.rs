//! Verdicts: an unknown value or an interrupted run is not healthy, and a 0 is a 0.

use super::*;
use crate::tools::soak::{
    check::Outcome,
    snapshot::{NoSnapshot, Snapshot},
    verdict,
};
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn args(flags: &[&str]) -> Args {
    Cli::try_parse_from([&["soak", "--minutes", "60"], flags].concat()).unwrap().args
}

/// A healthy daemon: one cycle a minute, of 50 ms.
fn scrape(cycles: f64) -> Snapshot {
    let count = |name, value| ((name, Vec::new()), value);
    let mut counters = BTreeMap::from([
        count(CYCLES, cycles),
        count(CYCLES_FAILED, 0.0),
        count(TICKS_MISSED, 0.0),
        count(JOURNAL_FAILURES, 0.0),
    ]);
    counters.insert((API_CALLS, vec!["hub".into()]), cycles);
    counters.insert((API_ERRORS, vec!["hub".into(), "500".into()]), 0.0);
    let buckets = || vec![(0.1, cycles), (1.0, cycles), (f64::INFINITY, cycles)];
    Snapshot {
        process_started: Some(5.0),
        counters,
        timings: std::array::from_fn(|_| buckets()),
        memory_bytes: Some(2e7),
        open_files: Some(30.0),
        orders_unresolved: Some(0.0),
        ..Snapshot::default()
    }
}

fn hour(each: impl Fn(usize, Snapshot) -> Result<Snapshot, NoSnapshot>) -> Record {
    let mut record = Record::begin(scrape(7.0), 3_600.0, 15.0, 60.0);
    for at in 1..=240_usize {
        record.push(at as f64 * 15.0, each(at, scrape(7.0 + (at as f64 / 4.0).floor())));
    }
    record
}

fn found(record: &Record, args: &Args) -> Findings {
    verdict::judged(record, args, DateTime::UNIX_EPOCH, Ended::Complete)
}

fn outcomes(found: &Findings, wanted: Outcome) -> Vec<&'static str> {
    found.checks.iter().filter(|check| check.outcome == wanted).map(|check| check.name).collect()
}

#[test]
fn an_hour_without_faults_is_healthy() {
    let found = found(&hour(|_, scrape| Ok(scrape)), &args(&[]));
    assert_eq!(outcomes(&found, Outcome::Passed).len(), found.checks.len(), "{:?}", found.checks);
    assert!(found.is_healthy);
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["verdict"], "HEALTHY");
    assert_eq!((&json["cycles"]["due"], &json["cycles"]["done"]), (&60.0.into(), &60.0.into()));
    assert_eq!(json["cycles"]["failed"], 0.0);
    assert_eq!(json["errors"]["api_errors"]["hub"]["500"], 0.0);
    assert_eq!(json["errors"]["failures"]["fetches"], serde_json::Value::Null, "this daemon reported none");
    assert_eq!(json["memory_bytes"]["slope"]["per_hour"], 0.0);
}

#[test]
fn a_value_that_is_never_reported_is_not_healthy() {
    let record = hour(|_, mut scrape| {
        scrape.counters.remove(&(TICKS_MISSED, Vec::new()));
        scrape.orders_unresolved = None;
        Ok(scrape)
    });
    // Without the values in the first scrape, too, they are unknown.
    let mut first = scrape(7.0);
    first.counters.remove(&(TICKS_MISSED, Vec::new()));
    let mut unknown = Record::begin(Snapshot { orders_unresolved: None, ..first }, 3_600.0, 15.0, 60.0);
    unknown.push(3_600.0, Ok(Snapshot { orders_unresolved: None, counters: BTreeMap::new(), ..scrape(67.0) }));
    assert!(found(&record, &args(&[])).is_healthy, "the first scrape had the values");
    let found = found(&unknown, &args(&[]));
    let failed = outcomes(&found, Outcome::Failed);
    assert!(failed.contains(&"missed_ticks") && failed.contains(&"unresolved"), "{failed:?}");
}

#[test]
fn failed_cycles_are_judged_by_their_share() {
    let failing = |failed: f64| {
        hour(move |at, mut scrape| {
            scrape.counters.insert((CYCLES_FAILED, Vec::new()), if at == 240 { failed } else { 0.0 });
            Ok(scrape)
        })
    };
    assert_eq!(outcomes(&found(&failing(1.0), &args(&[])), Outcome::Failed), ["failed_cycles"], "1 of 60 is 1.7 %");
    assert!(found(&failing(1.0), &args(&["--failed-cycles-max", "2"])).is_healthy);
}

#[test]
fn one_cycle_may_be_in_progress_but_one_must_be_done() {
    let stuck_at = |done: f64| {
        let mut record = Record::begin(scrape(7.0), 60.0, 15.0, 60.0);
        record.push(600.0, Ok(scrape(7.0 + done)));
        record
    };
    assert!(found(&stuck_at(9.0), &args(&[])).is_healthy);
    assert_eq!(outcomes(&found(&stuck_at(8.0), &args(&[])), Outcome::Failed), ["cycles_done"]);
    let none = found(&stuck_at(0.0), &args(&["--cycle-seconds", "600"]));
    assert!(outcomes(&none, Outcome::Failed).contains(&"cycles_done"));
    let short = found(&stuck_at(1.0), &args(&["--cycle-seconds", "601"]));
    assert!(outcomes(&short, Outcome::Failed).contains(&"cycles_done"), "none was due");
}

#[test]
fn far_more_cycles_than_due_means_a_wrong_period() {
    let done_of_100 = |done: f64, period_s: f64| {
        let mut record = Record::begin(scrape(7.0), 6_000.0, 15.0, period_s);
        record.push(6_000.0, Ok(scrape(7.0 + done)));
        found(&record, &args(&[]))
    };
    assert!(done_of_100(110.0, 60.0).is_healthy);
    let busy = done_of_100(3_000.0, 60.0);
    assert_eq!(outcomes(&busy, Outcome::Failed), ["cycles_done"]);
    assert!(busy.checks[0].note.contains("set --cycle-seconds to the schedule's period"), "{:?}", busy.checks[0]);
    assert!(done_of_100(3_000.0, 2.0).is_healthy);
    assert!(done_of_100(3.0, 6_000.0).is_healthy, "two more than the one that was due are allowed");
    assert!(!done_of_100(4.0, 6_000.0).is_healthy);
}

#[test]
fn a_slope_is_judged_over_enough_minutes() {
    let growing = hour(|at, scrape| Ok(Snapshot { memory_bytes: Some(2e7 + at as f64 * 1e4), ..scrape }));
    let hourly = found(&growing, &args(&[]));
    assert_eq!(outcomes(&hourly, Outcome::Failed), ["memory_slope"]);
    assert!((hourly.memory_bytes.slope.unwrap().per_hour - 2.4e6).abs() < 1.0);
    let later = found(&growing, &args(&["--slope-minutes-min", "46"]));
    assert_eq!(outcomes(&later, Outcome::NotJudged), ["memory_slope", "files_slope"]);
    assert!(later.is_healthy && later.checks[6].note.starts_with("45.0 min after the warm-up"));
}

#[test]
fn a_quantile_above_the_last_bound_fails_any_threshold() {
    let slow = hour(|_, mut scrape| {
        let count = scrape.count(CYCLES).unwrap_or_default();
        scrape.timings[1] = vec![(0.1, 7.0), (1.0, 7.0), (f64::INFINITY, count)];
        Ok(scrape)
    });
    let found = found(&slow, &args(&["--cycle-p99-max", "1000"]));
    assert_eq!(outcomes(&found, Outcome::Failed), ["cycle_p99"]);
    assert!(found.checks[5].note.starts_with("more than 1 s"));
}

#[test]
fn a_stopped_daemon_misses_cycles_and_fails_scrapes() {
    let gone =
        hour(
            |at, scrape| {
                if at < 100 { Ok(scrape) } else { Err(NoSnapshot { kind: "connect".into(), what: "refused".into() }) }
            },
        );
    let found = found(&gone, &args(&[]));
    assert_eq!(outcomes(&found, Outcome::Failed), ["cycles_done", "failed_scrapes"]);
    assert_eq!((found.cycles.due, found.cycles.done), (60.0, Some(24.0)));
    assert_eq!((found.scrapes.failed, found.scrapes.failures["connect"], found.scrapes.gaps.len()), (141, 141, 1));
}
