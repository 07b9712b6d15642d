//! Series of scrapes: growth, restarts, gaps, windows.

use super::*;

fn scrape(started: f64, cycles: f64, failed: Option<f64>) -> Snapshot {
    let mut counters = BTreeMap::from([((CYCLES, Vec::new()), cycles)]);
    counters.extend(failed.map(|failed| ((CYCLES_FAILED, Vec::new()), failed)));
    let mut timings: [Buckets; TIMINGS.len()] = Default::default();
    timings[1] = vec![(0.1, cycles), (f64::INFINITY, cycles)];
    Snapshot { process_started: Some(started), counters, timings, memory_bytes: Some(cycles), ..Snapshot::default() }
}

fn failure() -> Result<Snapshot, NoSnapshot> {
    Err(NoSnapshot { kind: "connect".into(), what: "refused".into() })
}

fn begun() -> Record {
    Record::begin(scrape(100.0, 50.0, Some(4.0)), 800.0, 1.0, 2.0)
}

#[test]
fn counts_before_the_first_scrape_are_ignored() {
    let mut record = begun();
    assert_eq!((record.total(CYCLES), record.total(CYCLES_FAILED)), (Some(0.0), Some(0.0)));
    record.push(60.0, Ok(scrape(100.0, 51.0, Some(4.0))));
    assert_eq!((record.total(CYCLES), record.total(CYCLES_FAILED)), (Some(1.0), Some(0.0)));
    assert_eq!(record.cycles_raw, [Some(50.0), Some(51.0)]);
    assert_eq!(record.total(TICKS_MISSED), None, "a family that was never reported is unknown");
    assert_eq!(record.timings[1], [(0.1, 1.0), (f64::INFINITY, 1.0)]);
    assert!(record.restarts.is_empty());
}

#[test]
fn a_restart_is_detected_and_its_counts_are_added() {
    let mut record = begun();
    record.push(1.0, Ok(scrape(100.0, 52.0, Some(4.0))));
    record.push(2.0, Ok(scrape(200.0, 60.0, Some(0.0))));
    record.push(3.0, Ok(scrape(200.0, 61.0, Some(1.0))));
    assert_eq!(record.restarts, [2.0]);
    assert_eq!((record.total(CYCLES), record.total(CYCLES_FAILED)), (Some(63.0), Some(1.0)));
    assert_eq!(record.timings[1][0], (0.1, 63.0));
}

#[test]
fn a_clock_step_is_not_a_restart() {
    let up = |started, uptime_s| Snapshot { uptime_s: Some(uptime_s), ..scrape(started, 9.0, None) };
    for (now, apart_s, is_restart) in [
        (up(100.0, 65.0), 15.0, false),
        (up(101.0, 65.0), 15.0, false),    // the kernel rounds its boot time
        (up(3_700.0, 65.0), 15.0, false),  // the clock was set an hour ahead
        (up(40.0, 65.0), 15.0, false),     // or back
        (up(100.0, 50.5), 3_600.0, false), // the host slept
        (up(160.0, 5.0), 15.0, true),
        (up(101.0, 1.0), 15.0, true),    // a second after the first
        (up(700.0, 300.0), 850.0, true), // after a long gap, and up for longer than the old one was
    ] {
        assert_eq!(is_another(&up(100.0, 50.0), &now, apart_s), is_restart, "{now:?}");
    }
    assert!(is_another(&scrape(100.0, 5.0, None), &scrape(102.0, 9.0, None), 15.0), "the start time alone");
}

#[test]
fn without_a_start_time_a_falling_count_is_a_restart() {
    let unknown = |cycles| Snapshot { process_started: None, ..scrape(0.0, cycles, None) };
    let mut record = Record::begin(unknown(9.0), 10.0, 1.0, 1.0);
    record.push(1.0, Ok(unknown(9.0)));
    assert!(record.restarts.is_empty());
    record.push(2.0, Ok(unknown(2.0)));
    assert_eq!((record.restarts.len(), record.total(CYCLES)), (1, Some(2.0)));
}

#[test]
fn failed_scrapes_are_gaps_and_not_zeros() {
    let mut record = begun();
    record.push(1.0, Ok(scrape(100.0, 51.0, None)));
    record.push(2.0, failure());
    record.push(3.0, failure());
    record.push(4.0, Ok(scrape(100.0, 54.0, None)));
    record.push(5.0, failure());
    assert_eq!(record.failed_scrapes(), 3);
    let gap = |from_s, to_s, failed| Gap { from_s, to_s, failed, why: "refused".into() };
    assert_eq!(record.gaps(), [gap(1.0, 4.0, 2), gap(4.0, 5.0, 1)]);
    let cycles: Vec<_> = record.values(|line| line.cycles).into_iter().map(|(_, value)| value).collect();
    assert_eq!(cycles, [Some(0.0), Some(1.0), None, None, Some(4.0), None]);
    assert_eq!(record.elapsed_s(), 5.0);
}

#[test]
fn a_slope_is_that_of_one_process() {
    let mut record = begun();
    for at in 1..=3 {
        record.push(f64::from(at), Ok(scrape(100.0, 50.0 + f64::from(at), None)));
    }
    for at in 4..=9 {
        record.push(f64::from(at), Ok(scrape(200.0, f64::from(at), None)));
    }
    let life = record.longest_life(|line| line.memory_bytes);
    assert_eq!((life.first(), life.last()), (Some(&(4.0, 4.0)), Some(&(9.0, 9.0))));
}

#[test]
fn growth_is_kept_by_windows_of_time() {
    let mut record = begun();
    assert_eq!(record.window_s, 10.0);
    record.push(9.0, Ok(scrape(100.0, 52.0, None)));
    record.push(35.0, Ok(scrape(100.0, 57.0, None)));
    let counts: Vec<_> = record.windows.iter().map(|window| window.timings[1].last().map(|(_, n)| *n)).collect();
    assert_eq!(counts, [Some(2.0), None, None, Some(5.0)]);
}
