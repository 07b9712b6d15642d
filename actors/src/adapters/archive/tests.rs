//! The archive on real files: which rows a cycle adds, and that each cycle's window is found again.

use super::*;
use crate::domain::{bar::Bar, instrument::Symbol, interval::Interval};
use proptest::prelude::*;
use std::{fs, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;

const HOUR: i64 = 3_600;
const OF: (Interval, &str) = (Interval::OneHour, "eodhd.com");
const EURUSD: (&str, Interval) = ("EURUSD", Interval::OneHour);

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("bars.db")
}

fn bar(hour: i64, price: f64) -> Bar {
    Bar { open_time: HOUR * hour, open: price, high: price, low: price, close: price, volume: 0.0 }
}

/// Hours and their prices.
fn window(bars: &[(i64, f64)]) -> Vec<(Symbol, Arc<[Bar]>)> {
    vec![(Symbol::new("EURUSD"), bars.iter().map(|(hour, price)| bar(*hour, *price)).collect())]
}

fn hours(bars: &[Bar]) -> Vec<(i64, f64)> {
    bars.iter().map(|bar| (bar.open_time / HOUR, bar.close)).collect()
}

#[test]
fn a_cycle_adds_only_what_is_new_and_a_change_is_a_revision() {
    let folder = TempDir::new().unwrap();
    let mut archive = Archive::open(&path(&folder)).unwrap();
    let mut write = |cycle_id, bars: &[(i64, f64)]| {
        let Written { bars, revisions } = archive.write_cycle(cycle_id, OF, &window(bars)).unwrap();
        (bars, revisions.first().map_or(0, |(_, count)| *count))
    };
    assert_eq!(write(10, &[(1, 1.1), (2, 1.2), (3, 1.3)]), (3, 0));
    assert_eq!(write(20, &[(1, 1.1), (2, 1.2), (3, 1.3)]), (0, 0));
    assert_eq!(write(30, &[(2, 1.2), (3, 1.3), (4, 1.4)]), (1, 0));
    assert_eq!(write(40, &[(2, 1.2), (3, 1.35), (4, 1.4)]), (0, 1), "other prices");
    assert_eq!(write(50, &[(2, 1.2), (4, 1.4)]), (0, 1), "taken back");
    assert_eq!(write(60, &[(2, 1.2), (3, 1.35), (4, 1.4)]), (0, 1), "and there again");
    drop(archive);
    let archive = Archive::open_read_only(&path(&folder)).unwrap();
    let at = |cycle_id, newest: i64, count| hours(&archive.window(EURUSD, HOUR * newest, cycle_id, count).unwrap());
    assert_eq!(at(9, 9, 9), []);
    assert_eq!(at(10, 3, 3), [(1, 1.1), (2, 1.2), (3, 1.3)]);
    assert_eq!(at(39, 4, 3), [(2, 1.2), (3, 1.3), (4, 1.4)]);
    assert_eq!(at(40, 4, 3), [(2, 1.2), (3, 1.35), (4, 1.4)]);
    assert_eq!(at(50, 4, 2), [(2, 1.2), (4, 1.4)]);
    assert_eq!(at(99, 4, 9), [(1, 1.1), (2, 1.2), (3, 1.35), (4, 1.4)]);
    assert_eq!(archive.next_cycle(EURUSD, (HOUR, 4 * HOUR), 30).unwrap(), Some(40));
    assert_eq!(archive.next_cycle(EURUSD, (HOUR, 4 * HOUR), 60).unwrap(), None);
    assert_eq!(archive.window(("GBPUSD", Interval::OneHour), 9 * HOUR, 99, 9).unwrap(), []);
}

#[test]
fn a_reader_gets_each_bar_once_as_it_is_now() {
    let folder = TempDir::new().unwrap();
    let mut archive = Archive::open(&path(&folder)).unwrap();
    for (cycle_id, bars) in [(1, [(1, 1.1), (2, 1.2), (3, 1.3)]), (2, [(2, 1.25), (3, 1.3), (4, 1.4)])] {
        archive.write_cycle(cycle_id, OF, &window(&bars)).unwrap();
    }
    archive.write_cycle(3, OF, &window(&[(2, 1.25), (4, 1.4)])).unwrap();
    // Beside the one that writes.
    let reader = Archive::open_read_only(&path(&folder)).unwrap();
    let read = |from, until, most: usize| {
        let mut bars = Vec::new();
        let take = |bar| {
            bars.push(bar);
            bars.len() < most
        };
        reader.bars(EURUSD, (from, until), take).unwrap();
        hours(&bars)
    };
    assert_eq!(read(i64::MIN, i64::MAX, 9), [(1, 1.1), (2, 1.25), (4, 1.4)]);
    assert_eq!(read(2 * HOUR, 4 * HOUR, 9), [(2, 1.25)]);
    assert_eq!(read(i64::MIN, i64::MAX, 2), [(1, 1.1), (2, 1.25)]);
    let series = SeriesRange { symbol: "EURUSD".into(), interval: "1h".into(), first: HOUR, last: 4 * HOUR, rows: 6 };
    assert_eq!(reader.series().unwrap(), [series]);
    assert!(reader.connection.execute("DELETE FROM bars", []).is_err(), "it may only read");
}

#[test]
fn retention_takes_old_bars_and_leaves_the_newest_window() {
    let folder = TempDir::new().unwrap();
    let mut archive = Archive::open(&path(&folder)).unwrap();
    archive.write_cycle(1, OF, &window(&[(1, 1.1), (2, 1.2), (3, 1.3)])).unwrap();
    archive.write_cycle(2, OF, &window(&[(2, 1.25), (3, 1.3), (4, 1.4)])).unwrap();
    let now = Duration::from_secs(100 * 3_600);
    assert_eq!(archive.prune(now, Duration::from_secs(3 * 3_600)).unwrap(), 0, "the newest bar is of hour 4");
    assert_eq!(archive.prune(now, Duration::from_secs(3_600)).unwrap(), 1);
    assert_eq!(hours(&archive.window(EURUSD, 4 * HOUR, 9, 9).unwrap()), [(2, 1.25), (3, 1.3), (4, 1.4)]);
}

#[test]
fn what_is_no_archive_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let path = path(&folder);
    assert_eq!(Archive::open_read_only(&path).unwrap_err(), ArchiveError::Missing(path.clone()));
    fs::write(
        &path,
        "no database, and longer than a header of SQLite, which has one hundred bytes; this has more of them.",
    )
    .unwrap();
    assert_eq!(Archive::open(&path).unwrap_err(), ArchiveError::Foreign(path.clone()));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert_eq!(Archive::open(&path).unwrap_err(), ArchiveError::Foreign(path.clone()));
    assert_eq!(Archive::open_read_only(&path).unwrap_err(), ArchiveError::Foreign(path.clone()));
    fs::remove_file(&path).unwrap();
    drop(Archive::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(Archive::open(&path).unwrap_err(), ArchiveError::Newer { found: 2, known: 1 });
}

#[test]
fn it_has_one_writer_and_only_its_user_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = TempDir::new().unwrap();
    let path = path(&folder);
    let mut held = Archive::open(&path).unwrap();
    held.write_cycle(1, OF, &window(&[(1, 1.1)])).unwrap();
    assert_eq!(Archive::open(&path).unwrap_err(), ArchiveError::Locked(path.clone()));
    for file in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", file.file_name());
    }
    drop(held);
    assert!(Archive::open(&path).is_ok());
}

#[test]
fn a_bar_takes_as_much_as_check_says() {
    let folder = TempDir::new().unwrap();
    let mut archive = Archive::open(&path(&folder)).unwrap();
    // As they come live: one at a time, of two symbols, prices of five places and a volume.
    let count = 20_000;
    let bar = |hour: i64| {
        let price = 1.1 + (hour * 7_919 % 1_000) as f64 / 1e5;
        Bar {
            open_time: 1_700_000_000 + 60 * hour,
            open: price,
            high: price + 1e-5,
            low: price,
            close: price,
            volume: 0.0,
        }
    };
    for chunk in 0..count / 10 {
        let bars: Arc<[Bar]> = (10 * chunk..10 * chunk + 10).map(bar).collect();
        let windows = ["EURUSD", "GBPUSD"].map(|symbol| (Symbol::new(symbol), bars.clone()));
        archive.write_cycle(1_763_812_800_000 + chunk as u64, OF, &windows).unwrap();
    }
    drop(archive);
    let bytes = fs::metadata(path(&folder)).unwrap().len() / (2 * count as u64);
    assert!(bytes.abs_diff(BAR_BYTES) <= 6, "{bytes} bytes a bar, BAR_BYTES is {BAR_BYTES}");
}

/// What the provider does between two cycles.
#[derive(Debug, Clone)]
enum Change {
    Next,
    Revise(usize),
    TakeBack(usize),
    Restart,
    OtherLength(usize),
    Nothing,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => Just(Change::Next),
        3 => (0..12_usize).prop_map(Change::Revise),
        2 => (0..12_usize).prop_map(Change::TakeBack),
        1 => Just(Change::Restart),
        1 => (3..12_usize).prop_map(Change::OtherLength),
        1 => Just(Change::Nothing),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the provider changes: the window of each cycle is found again, to the last bit.
    #[test]
    fn the_window_of_every_cycle_is_found_again(changes in prop::collection::vec(change(), 1..60)) {
        let folder = TempDir::new().unwrap();
        let mut archive = Archive::open(&path(&folder)).unwrap();
        let mut market: Vec<Bar> = (0..20).map(|hour| bar(hour, 1.0 + hour as f64 / 7.0)).collect();
        let (mut next_hour, mut length, mut seen) = (20, 8, Vec::new());
        for (cycle_id, change) in (1..).zip(changes) {
            let oldest = market.len().saturating_sub(length);
            match change {
                Change::Next => {
                    market.push(bar(next_hour, 1.0 / (1.0 + next_hour as f64)));
                    next_hour += 1;
                }
                Change::Revise(back) if oldest + back < market.len() => {
                    let bar = &mut market[oldest + back];
                    bar.close = bar.close.next_up();
                }
                Change::TakeBack(back) if oldest + back < market.len() && market.len() > 12 => {
                    market.remove(oldest + back);
                }
                Change::Restart => {
                    drop(archive);
                    archive = Archive::open(&path(&folder)).unwrap();
                }
                Change::OtherLength(other) => length = other,
                _ => {}
            }
            let window: Arc<[Bar]> = market[market.len().saturating_sub(length)..].into();
            archive.write_cycle(cycle_id, OF, &[(Symbol::new("EURUSD"), window.clone())]).unwrap();
            seen.push((cycle_id, window));
            for (cycle_id, window) in &seen {
                let newest = window.last().unwrap().open_time;
                let found = archive.window(EURUSD, newest, *cycle_id as i64, window.len()).unwrap();
                prop_assert_eq!(found.as_slice(), &**window);
            }
        }
    }
}
