//! The Journal as its neighbours use it: by message, on a real file.

mod on_paper;

use super::*;
use crate::{
    adapters::{archive::Work, system_clock::SystemClock},
    domain::{
        bar::Bar,
        decision::Prediction,
        instrument::Symbol,
        interval::Interval,
        journal::{Button, DecisionRecord, Press, Standing, StandingQuestion},
        names::DropReason,
        order::{Order, Outcome, Side, client_order_id},
    },
    messages::{ReadHistory, ReadStanding, RecordDecisions, WriteSteps},
};
use actix::Context;
use rusqlite::Connection;
use tempfile::TempDir;

const BAR: i64 = 1_500_000_000;

/// Keeps every event.
struct Metrics(Arc<Mutex<Vec<Event>>>);

impl Actor for Metrics {
    type Context = Context<Self>;
}

impl Handler<Event> for Metrics {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.lock().unwrap().push(event);
    }
}

struct Harness {
    folder: TempDir,
    journal: Addr<Journal>,
    events: Arc<Mutex<Vec<Event>>>,
    telemetry: Telemetry,
}

fn identity() -> Identity {
    Identity {
        account: "demo".into(),
        model: "baseline".into(),
        dialect: "v43",
        account_mode: crate::domain::position::AccountMode::Hedging,
    }
}

fn horizons() -> Horizons {
    Horizons {
        bars: 4,
        interval: Interval::OneHour,
        calendar: Arc::default(),
        digits: Arc::new([(Symbol::new("EURUSD"), 5)]),
    }
}

fn config(path: PathBuf, metrics: Telemetry) -> Config {
    Config {
        path,
        keep: Duration::from_secs(86_400),
        waits_for_new_bar: false,
        identity: identity(),
        version: Arc::default(),
        names: Arc::new([]),
        horizons: horizons(),
        archive: None,
        paper: None,
        clock: Arc::new(SystemClock),
        metrics,
    }
}

impl Harness {
    fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), "journal.db")
    }

    fn start_in(folder: TempDir, name: &str) -> Self {
        Self::start_with(folder, name, None)
    }

    fn start_with(folder: TempDir, name: &str, archive: Option<Queue>) -> Self {
        Self::start_as(folder, name, archive, None)
    }

    fn start_as(folder: TempDir, name: &str, archive: Option<Queue>, paper: Option<Arc<PaperConfig>>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let telemetry = Telemetry::from(Metrics(events.clone()).start().recipient());
        let config = Config { archive, paper, ..config(folder.path().join(name), telemetry.clone()) };
        let opened = Opened::at(&config.path, &identity(), config.clock.now()).unwrap();
        Self { folder, journal: Journal::start(config, opened), events, telemetry }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    async fn write(&self, step: OrderStep) -> Result<(), JournalError> {
        self.journal.send(WriteSteps(vec![step])).await.unwrap()
    }

    async fn standing(&self) -> Result<Standing, JournalError> {
        self.journal.send(ReadStanding(StandingQuestion::default())).await.unwrap()
    }

    /// What was discarded: `(full, stale, invalid)`.
    fn dropped(&self) -> (u64, u64, u64) {
        let [full, stale, invalid] =
            DropReason::ALL.map(|reason| self.telemetry.backlog().dropped(ActorName::Journal, reason));
        (full, stale, invalid)
    }

    /// `(is_writable, failures in all, pending, unresolved)` as last told.
    async fn told(&self) -> (bool, u64, u64, usize) {
        self.journal.send(Settled).await.unwrap();
        // The events are in another mailbox of this thread.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut told = (false, 0, 0, 0);
        for event in self.events.lock().unwrap().iter() {
            if let Event::JournalChanged { is_writable, write_failures, pending, unresolved } = event {
                told = (*is_writable, told.1 + write_failures, *pending, unresolved.len());
            }
        }
        told
    }
}

fn order() -> Box<Order> {
    let symbol = Symbol::new("EURUSD");
    Box::new(Order {
        client_order_id: client_order_id("demo", &symbol, "baseline", BAR),
        gateway_name: symbol.to_string(),
        symbol,
        closes: None,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 1.08,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: BAR,
    })
}

#[actix::test]
async fn an_order_is_pending_until_its_outcome_is_written() {
    let harness = Harness::start();
    let id = order().client_order_id;
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    harness.write(OrderStep::Sending(id, None)).await.unwrap();
    assert_eq!(harness.told().await, (true, 0, 1, 0));
    harness.write(OrderStep::Outcome(order(), Outcome::Unknown { reason: "silent".into() })).await.unwrap();
    assert_eq!(harness.told().await, (true, 0, 0, 1));
}

#[actix::test]
async fn a_press_that_comes_too_late_changes_nothing() {
    let harness = Harness::start();
    let press = |until| {
        let press =
            Press { who: "console:ann@127.0.0.1".into(), action: Button::Resume, note: None, at: Duration::ZERO };
        harness.journal.send(NotePress { press, until })
    };
    let rows = || {
        let connection = rusqlite::Connection::open(harness.path()).unwrap();
        let count =
            |table| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
        (count("console_actions").unwrap(), count("resumed").unwrap())
    };
    let now = Instant::now();
    assert!(press(now).await.unwrap().is_err());
    assert_eq!((rows(), harness.told().await.0), ((0, 0), true));
    press(now + Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(rows(), (1, 1));
}

#[actix::test]
async fn what_a_person_settles_beside_it_is_seen_with_the_next_cycle() {
    let harness = Harness::start();
    let id = order().client_order_id;
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    harness.write(OrderStep::Sending(id, None)).await.unwrap();
    harness.write(OrderStep::Outcome(order(), Outcome::Unknown { reason: "silent".into() })).await.unwrap();
    assert_eq!(harness.standing().await.unwrap().unresolved.len(), 2, "by both names");
    let mut beside = Store::open_existing(&harness.path()).unwrap();
    beside.resolve(id, crate::adapters::journal::Verdict::Rejected, "person:eve", "none", Duration::ZERO).unwrap();
    harness.journal.do_send(RecordDecisions { cycle_id: 1, decisions: Vec::new() });
    assert_eq!(harness.told().await, (true, 0, 0, 0));
    assert!(harness.standing().await.unwrap().unresolved.is_empty());
}

#[actix::test]
async fn a_file_that_cannot_be_written_is_told_and_works_again_by_itself() {
    let harness = Harness::start();
    let id = order().client_order_id;
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    harness.write(OrderStep::Sending(id, None)).await.unwrap();
    let other = Connection::open(harness.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let filled = || OrderStep::Outcome(order(), Outcome::Filled { ticket: 1, price: None, volume: None });
    assert!(harness.write(filled()).await.unwrap_err().is_broken());
    let (is_writable, failures, _, unresolved) = harness.told().await;
    assert_eq!((is_writable, failures, unresolved), (false, 1, 1), "an outcome that is not on disk counts as unknown");
    other.execute_batch("ROLLBACK").unwrap();
    harness.write(filled()).await.unwrap();
    assert_eq!(harness.told().await, (true, 1, 0, 0));
}

#[actix::test]
async fn at_the_end_an_outcome_is_written_kept_or_named_lost() {
    let outcomes = [
        (Outcome::Filled { ticket: 1, price: None, volume: None }, 1),
        (Outcome::Rejected { reason: "no money".into() }, 1),
        // What the next start makes of it anyway.
        (Outcome::Unknown { reason: "silent".into() }, 0),
    ];
    for (outcome, lost) in outcomes {
        for can_be_kept in [true, false] {
            let harness = Harness::start();
            harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
            harness.write(OrderStep::Sending(order().client_order_id, None)).await.unwrap();
            let other = Connection::open(harness.path()).unwrap();
            other.execute_batch("BEGIN EXCLUSIVE").unwrap();
            let kept = harness.folder.path().join("journal.db.unwritten");
            if !can_be_kept {
                std::fs::create_dir(&kept).unwrap();
            }
            let step = OrderStep::Outcome(order(), outcome.clone());
            for _ in 0..2 {
                assert!(harness.write(step.clone()).await.is_err());
            }
            let flushed = harness.journal.send(Flush).await.unwrap();
            assert!(!flushed.is_written);
            if can_be_kept {
                assert_eq!(
                    std::fs::read_to_string(&kept).unwrap().lines().count(),
                    1,
                    "once, however often it is tried"
                );
                assert!(flushed.lost.is_empty());
            } else {
                assert_eq!(flushed.lost, vec![step; lost]);
            }
        }
    }
}

#[actix::test]
async fn a_folder_that_appears_later_is_used_then() {
    let folder = TempDir::new().unwrap();
    let inside = folder.path().join("later");
    let harness = Harness::start_in(folder, "later/journal.db");
    assert!(harness.standing().await.unwrap_err().is_broken());
    assert!(!harness.told().await.0);
    std::fs::create_dir(inside).unwrap();
    assert!(harness.standing().await.is_ok());
    harness.journal.do_send(RecordDecisions { cycle_id: 1, decisions: Vec::new() });
    assert!(harness.told().await.0);
}

#[actix::test]
async fn after_a_flush_the_file_is_free_for_the_next_daemon() {
    let harness = Harness::start();
    let path = harness.path();
    let second = Opened::at(&path, &identity(), Duration::ZERO);
    assert!(matches!(second, Err(OpenError::Locked(_))));
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    harness.journal.send(Flush).await.unwrap();
    assert!(harness.write(OrderStep::Sending(order().client_order_id, None)).await.is_err(), "closed is closed");
    let next = Opened::at(&path, &identity(), Duration::ZERO).unwrap();
    let rows = next.store.unwrap().orders(false).unwrap();
    assert_eq!(rows[0].state.as_str(), "expired");
}

fn decided(bar_close_time: i64, confidence: f64) -> DecisionRecord {
    DecisionRecord {
        symbol: Symbol::new("EURUSD"),
        market_now: None,
        bar_close_time: Some(bar_close_time),
        window: None,
        features: None,
        prediction: Some(Prediction::parse([confidence, 1.0 - confidence, 0.0]).unwrap()),
        threshold: 0.6,
        action: None,
        reason: None,
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    }
}

#[actix::test]
async fn what_it_cannot_write_is_counted_as_discarded() {
    let harness = Harness::start();
    let decisions = || RecordDecisions { cycle_id: 1, decisions: vec![decided(BAR, 0.7), decided(BAR, 0.7)] };
    harness.journal.send(decisions()).await.unwrap();
    assert_eq!(harness.dropped(), (0, 0, 0));
    let other = Connection::open(harness.path()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    harness.journal.send(decisions()).await.unwrap();
    assert_eq!(harness.dropped(), (2, 0, 0), "no place for two decisions");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(harness.write(OrderStep::Sending(order().client_order_id, None)).await.is_err());
    assert_eq!(harness.dropped(), (2, 0, 1), "a step of an order that is not there");
    harness.journal.send(Flush).await.unwrap();
    harness.journal.send(decisions()).await.unwrap();
    assert_eq!(harness.dropped(), (2, 2, 1), "too late");
}

#[actix::test]
async fn the_next_daemon_goes_on_with_the_confidences_of_this_one() {
    let harness = Harness::start();
    let path = harness.path();
    let cycles = [(BAR, 0.7), (BAR, 0.8), (BAR + 3_600, 0.6)];
    let now = u64::try_from(SystemClock.now().as_millis()).unwrap();
    for (cycle_id, (bar, confidence)) in (now..).zip(cycles) {
        harness.journal.send(RecordDecisions { cycle_id, decisions: vec![decided(bar, confidence)] }).await.unwrap();
    }
    harness.journal.send(Flush).await.unwrap();
    let next = Opened::at(&path, &identity(), Duration::ZERO).unwrap();
    let known = next.confidences("baseline", &[Symbol::new("EURUSD")]);
    let known: Vec<_> = known.iter().map(|first| (first.bar_close_time, first.confidence)).collect();
    assert_eq!(known, [(BAR, 0.7), (BAR + 3_600, 0.6)], "the first of each bar");
}

#[actix::test]
async fn a_panic_costs_one_answer_and_not_the_thread() {
    let harness = Harness::start();
    let opened = Opened::at(&harness.folder.path().join("other.db"), &identity(), Duration::ZERO).unwrap();
    let metrics = Metrics(harness.events.clone()).start().recipient().into();
    let (path, keep) = (harness.folder.path().join("other.db"), Duration::ZERO);
    let config = Config {
        path,
        keep,
        identity: identity(),
        waits_for_new_bar: false,
        version: Arc::default(),
        names: Arc::new([]),
        horizons: horizons(),
        archive: None,
        paper: None,
        clock: Arc::new(SystemClock),
        metrics,
    };
    let mut journal = Journal {
        open: Default::default(),
        file: None,
        config,
        lock: opened.lock,
        store: opened.store,
        is_closed: false,
        is_writable: Some(true),
        write_failures: 0,
        unwritten: Vec::new(),
        pruned_at: None,
        windows: Windows::default(),
        paper: Paper::default(),
        account: Vec::new(),
        is_money_fault_said: false,
    };
    let lost: Result<(), _> = journal.with_store(|_, _| panic!("as scripted"));
    assert!(lost.unwrap_err().is_broken());
    assert!(journal.with_store(|store, _| store.orders(false)).is_ok(), "the next use opens the file afresh");
}

#[actix::test]
async fn a_journal_that_is_taken_away_stops_orders_until_it_is_back() {
    let harness = Harness::start();
    harness.write(OrderStep::Intent { order: order(), tickets_before: None }).await.unwrap();
    let (path, aside) = (harness.path(), harness.path().with_extension("aside"));
    std::fs::rename(&path, &aside).unwrap();
    let sending = || OrderStep::Sending(order().client_order_id, None);
    let refused = harness.write(sending()).await.unwrap_err();
    assert!(refused.is_broken() && refused.to_string().contains("deleted or replaced"), "{refused}");
    assert!(!path.exists(), "no other one is begun in its place");
    std::fs::rename(&aside, &path).unwrap();
    harness.write(sending()).await.unwrap();
}

/// A decision on the newest of these bars.
fn decided_on(bars: &Arc<[Bar]>) -> DecisionRecord {
    let bar_close_time = bars.last().map(|bar| bar.open_time + 3_600);
    DecisionRecord { bar_close_time, window: Some(bars.clone()), ..decided(BAR, 0.7) }
}

/// Bars that open at these hours, each 10 points above the one before.
fn bars(hours: &[i64]) -> Arc<[Bar]> {
    let bar = |hour: &i64| {
        let price = 1.1 + *hour as f64 * 1e-4;
        Bar { open_time: BAR + 3_600 * hour, open: price, high: price, low: price, close: price, volume: 0.0 }
    };
    hours.iter().map(bar).collect()
}

#[actix::test]
async fn outcomes_are_written_when_the_bar_closes_that_ends_the_horizon() {
    let harness = Harness::start();
    let record = |cycle_id, hours: &[i64]| RecordDecisions { cycle_id, decisions: vec![decided_on(&bars(hours))] };
    let outcomes = || {
        let rows = Store::open_read_only(&harness.path()).unwrap().outcomes("baseline", "EURUSD").unwrap();
        rows.iter().map(|row| ((row.bar_close_time - BAR) / 3_600, row.ret_points.round())).collect::<Vec<_>>()
    };
    // Decided on the bar of hour 2, in two cycles; hours 4 to 50 are a weekend.
    harness.journal.send(record(1, &[0, 1, 2])).await.unwrap();
    harness.journal.send(record(2, &[0, 1, 2])).await.unwrap();
    harness.journal.send(record(3, &[0, 1, 2, 3, 51])).await.unwrap();
    assert_eq!(outcomes(), [], "two bars of four");
    harness.journal.send(record(4, &[0, 1, 2, 3, 51, 52])).await.unwrap();
    harness.journal.send(record(5, &[1, 2, 3, 51, 52, 53])).await.unwrap();
    assert_eq!(outcomes(), [(3, 510.0)], "four bars of market time after it; on those before it nothing was decided");
    // The decisions of hours 51, 52 and 53 are known; three bars come at once after a pause.
    harness.journal.send(record(6, &[51, 52, 53, 54, 55, 56])).await.unwrap();
    assert_eq!(outcomes(), [(3, 510.0), (52, 40.0), (53, 40.0)]);
    let rows = Store::open_read_only(&harness.path()).unwrap().outcomes("baseline", "EURUSD").unwrap();
    assert!(rows.iter().all(|row| row.label == "BUY" && row.horizon == 4), "{rows:?}");
}

#[actix::test]
async fn outcomes_that_a_stop_left_open_are_written_after_the_next_start() {
    let harness = Harness::start();
    let now = u64::try_from(SystemClock.now().as_millis()).unwrap();
    let record = |cycle_id, hours: &[i64]| RecordDecisions { cycle_id, decisions: vec![decided_on(&bars(hours))] };
    harness.journal.send(record(now, &[0, 1, 2])).await.unwrap();
    harness.journal.send(Flush).await.unwrap();
    let Harness { folder, .. } = harness;
    let harness = Harness::start_in(folder, "journal.db");
    harness.journal.send(record(now + 1, &[1, 2, 3, 4, 5, 6, 7])).await.unwrap();
    let rows = Store::open_read_only(&harness.path()).unwrap().outcomes("baseline", "EURUSD").unwrap();
    assert_eq!(rows.len(), 1);
    assert!((rows[0].exit_price - 1.1006).abs() < 1e-12, "{rows:?}");
}

#[actix::test]
async fn the_archive_is_offered_a_window_once_and_again_while_it_has_no_place() {
    let (queue, work) = crate::adapters::archive::queue();
    let harness = Harness::start_with(TempDir::new().unwrap(), "journal.db", Some(queue.clone()));
    let held = bars(&[0, 1, 2]);
    for cycle_id in 1..=3 {
        harness.journal.send(RecordDecisions { cycle_id, decisions: vec![decided_on(&held)] }).await.unwrap();
    }
    let cycles = |work: &std::sync::mpsc::Receiver<Work>| {
        let cycle = |work| if let Work::Cycle { cycle_id, .. } = work { cycle_id } else { 0 };
        work.try_iter().map(cycle).collect::<Vec<_>>()
    };
    assert_eq!(cycles(&work), [1], "the same bars are no news");
    while queue.offer(Work::Cycle { cycle_id: 0, windows: Vec::new() }).is_ok() {}
    let newer = bars(&[1, 2, 3]);
    harness.journal.send(RecordDecisions { cycle_id: 4, decisions: vec![decided_on(&newer)] }).await.unwrap();
    work.try_iter().for_each(drop);
    harness.journal.send(RecordDecisions { cycle_id: 5, decisions: vec![decided_on(&newer)] }).await.unwrap();
    assert_eq!(cycles(&work), [5]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let failures = harness.events.lock().unwrap().iter().fold(0, |all, event| match event {
        Event::BarsArchived { failures, .. } => all + failures,
        _ => all,
    });
    assert_eq!(failures, 1, "the cycle whose bars had no place");
    assert!(harness.told().await.0, "the journal does not care");
}
