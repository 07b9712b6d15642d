//! The Archivist on real files: what it meets, what it tells, and that it goes on.

use super::*;
use crate::adapters::system_clock::SystemClock;
use actix::{Actor, Context, Handler};
use std::{
    fs,
    path::Path,
    pin::Pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tempfile::TempDir;

/// Keeps every event.
struct Metrics(Arc<Mutex<Vec<Event>>>);

impl Actor for Metrics {
    type Context = Context<Self>;
}

impl Handler<Event> for Metrics {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

struct Harness {
    archivist: Archivist,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Harness {
    fn start(path: &Path) -> Self {
        Self::start_with(path, Duration::ZERO, Arc::new(SystemClock))
    }

    fn start_with(path: &Path, keep: Duration, clock: Arc<dyn Clock>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let metrics = Telemetry::from(Metrics(events.clone()).start().recipient());
        let config = Config {
            path: path.to_owned(),
            keep,
            interval: Interval::OneHour,
            source: "eodhd.com".into(),
            clock,
            metrics,
        };
        Self { archivist: Archivist::start(config).unwrap(), events }
    }

    fn offer(&self, cycle_id: u64, prices: &[f64]) {
        let bar = |(hour, price): (usize, &f64)| Bar {
            open_time: 3_600 * hour as i64,
            open: *price,
            high: *price,
            low: *price,
            close: *price,
            volume: 0.0,
        };
        let windows = vec![(Symbol::new("EURUSD"), prices.iter().enumerate().map(bar).collect())];
        self.archivist.queue().offer(Work::Cycle { cycle_id, windows }).unwrap();
    }

    /// Failures and revisions that were told.
    async fn end(self) -> (u64, u64) {
        self.archivist.close().await;
        // The events are in a mailbox of this thread.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let told = self.events.lock().unwrap();
        told.iter().fold((0, 0), |(all_failures, all_revisions), event| match event {
            Event::BarsArchived { failures, revisions } => {
                let revised: u64 = revisions.iter().map(|(_, count)| count).sum();
                (all_failures + failures, all_revisions + revised)
            }
            _ => (all_failures, all_revisions),
        })
    }
}

fn closes(path: &Path) -> Vec<f64> {
    let mut closes = Vec::new();
    let take = |bar: Bar| {
        closes.push(bar.close);
        true
    };
    Archive::open_read_only(path).unwrap().bars(("EURUSD", Interval::OneHour), (0, i64::MAX), take).unwrap();
    closes
}

#[actix::test]
async fn all_that_was_offered_is_on_disk_at_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bars.db");
    let harness = Harness::start(&path);
    harness.offer(1, &[1.1, 1.2]);
    harness.offer(2, &[1.1, 1.25, 1.3]);
    assert_eq!(harness.end().await, (0, 1));
    assert_eq!(closes(&path), [1.1, 1.25, 1.3]);
}

#[actix::test]
async fn a_file_that_cannot_be_used_is_counted_and_used_once_it_can() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bars.db");
    fs::write(&path, [b'x'; 4_096]).unwrap();
    let harness = Harness::start(&path);
    for cycle_id in 1..=3 {
        harness.offer(cycle_id, &[1.1]);
    }
    // It has tried by then: the file is not locked any more only if it was opened and given up.
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if harness.events.lock().unwrap().len() == 3 {
            break;
        }
    }
    fs::rename(&path, folder.path().join("damaged")).unwrap();
    harness.offer(4, &[1.1, 1.2]);
    assert_eq!(harness.end().await, (3, 0));
    assert_eq!(closes(&path), [1.1, 1.2]);
    let archive = Archive::open_read_only(&path).unwrap();
    let first = archive.window(("EURUSD", Interval::OneHour), 0, 1, 9).unwrap();
    assert_eq!(first.len(), 1, "what failed keeps the number of its cycle");
}

#[actix::test]
async fn a_folder_that_is_not_there_or_another_writer_stops_nothing() {
    let folder = TempDir::new().unwrap();
    let harness = Harness::start(&folder.path().join("none/bars.db"));
    harness.offer(1, &[1.1]);
    assert_eq!(harness.end().await, (2, 0), "and once more at the end");
    let path = folder.path().join("bars.db");
    let held = Archive::open(&path).unwrap();
    let harness = Harness::start(&path);
    harness.offer(1, &[1.1]);
    assert_eq!(harness.end().await, (2, 0), "and once more at the end");
    drop(held);
}

#[test]
fn a_queue_that_is_full_makes_nobody_wait() {
    let (queue, _work) = queue();
    let offer = |cycle_id| queue.offer(Work::Cycle { cycle_id, windows: Vec::new() });
    let taken = (0..100).take_while(|cycle_id| offer(*cycle_id).is_ok()).count();
    assert_eq!((taken, offer(100)), (32, Err(NotTaken::Full)));
}

/// Panics when it is read for the first time.
#[derive(Debug, Default)]
struct BrokenOnce(AtomicBool);

impl Clock for BrokenOnce {
    fn now(&self) -> Duration {
        assert!(self.0.swap(true, Ordering::SeqCst), "as a defect in what forgets old bars would");
        Duration::from_secs(3_600 * 4)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

#[actix::test]
async fn a_panic_while_pruning_costs_no_later_bar() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bars.db");
    let clock = Arc::new(BrokenOnce::default());
    let harness = Harness::start_with(&path, Duration::from_secs(3_600 * 2), clock.clone());
    harness.offer(1, &[1.1, 1.2]);
    harness.offer(2, &[1.1, 1.2, 1.3]);
    assert_eq!(harness.end().await, (0, 0), "all bars are written");
    assert!(clock.0.load(Ordering::SeqCst), "it panicked");
    assert_eq!(closes(&path), [1.1, 1.2, 1.3]);
}

#[actix::test]
async fn a_thread_that_has_ended_is_not_waited_for() {
    let (queue, work) = queue();
    drop(work);
    assert_eq!(queue.offer(Work::Cycle { cycle_id: 1, windows: Vec::new() }), Err(NotTaken::Ended));
    tokio::time::timeout(Duration::from_secs(10), Archivist { queue }.close()).await.unwrap();
}
