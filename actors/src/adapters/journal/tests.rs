//! The store on real files: what survives, what is refused, what is forgotten.

mod companion_files;
mod money;
mod pages;
mod paper;
mod takeover;
mod versions;

use super::*;
use crate::domain::{
    decision::Prediction,
    instrument::{InstrumentKey, Symbol},
    journal::{DecisionRecord, OrderStep, Reason, StandingQuestion},
    order::{Order, Outcome, Side, client_order_id},
    order_state::OrderState,
};
use tempfile::TempDir;
use uuid::Uuid;

mod read_back;

const BAR: i64 = 1_500_000_000;
const NOW: Duration = Duration::from_secs(1_763_812_800);
const DAY: Duration = Duration::from_secs(86_400);

/// All rows for so long.
fn alike(keep: Duration) -> Keep {
    Keep { decisions: keep, books: keep }
}

/// Takes away what the third version and those after it brought.
const BEFORE_3: &str = "DROP INDEX decisions_cycle_symbol; CREATE INDEX decisions_cycle ON decisions (cycle_id);\
     CREATE INDEX decisions_symbol ON decisions (symbol, cycle_id); CREATE INDEX orders_created ON orders (created_at_ms);\
     DROP TABLE console_actions; DROP INDEX decisions_telling; DROP INDEX orders_ticket; DROP TABLE realised; DROP TABLE unexplained; DROP TABLE equity_peaks; DROP TABLE paper_orders;\
     DROP TABLE paper_equity; ALTER TABLE decisions DROP COLUMN paper_order_id;\
     ALTER TABLE decisions DROP COLUMN paper_suppressed; DROP TABLE account_snapshots; DROP TABLE outcomes; DROP TABLE forgotten;\
     ALTER TABLE decisions DROP COLUMN version_id; ALTER TABLE decisions DROP COLUMN bars; DROP TABLE versions;\
     ALTER TABLE decisions DROP COLUMN sequence_sha256; ALTER TABLE decisions DROP COLUMN judged_at_ms;ALTER TABLE orders DROP COLUMN dialect; ALTER TABLE orders DROP COLUMN account_mode;\
     ALTER TABLE orders DROP COLUMN filled_volume; DROP TABLE accounts;";

struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("journal.db")
    }

    fn open(&self) -> Store {
        Store::open(&self.path()).unwrap()
    }
}

fn identity() -> Identity {
    Identity {
        account: "demo".into(),
        model: "baseline".into(),
        dialect: "v43",
        account_mode: crate::domain::position::AccountMode::Hedging,
    }
}

fn order(symbol: &str, bar_close_time: i64) -> Order {
    let symbol = Symbol::new(symbol);
    Order {
        client_order_id: client_order_id("demo", &symbol, "baseline", bar_close_time),
        gateway_name: symbol.to_string(),
        symbol,
        closes: None,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 1.08,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time,
    }
}

fn steps(store: &mut Store, order: &Order, outcome: Option<Outcome>, now: Duration) {
    let mut steps = vec![
        OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None },
        OrderStep::Sending(order.client_order_id, None),
    ];
    steps.extend(outcome.map(|outcome| OrderStep::Outcome(Box::new(order.clone()), outcome)));
    for step in &steps {
        store.order_step(step, &identity(), now).unwrap();
    }
}

fn filled() -> Option<Outcome> {
    Some(Outcome::Filled { ticket: 7, price: Some(1.1), volume: None })
}

fn unknown() -> Option<Outcome> {
    Some(Outcome::Unknown { reason: "no reply".into() })
}

fn state(store: &Store, id: Uuid) -> OrderState {
    store.orders(false).unwrap().into_iter().find(|row| row.id == id).unwrap().state
}

fn events(store: &Store, id: Uuid) -> Vec<(String, String)> {
    let mut select =
        store.connection.prepare("SELECT state, who FROM order_events WHERE order_id = ?1 ORDER BY id").unwrap();
    let rows = select.query_map([id.to_string()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn an_order_and_its_whole_life_survive_a_reopen() {
    let disk = Disk::new();
    let order = order("EURUSD", BAR);
    steps(&mut disk.open(), &order, filled(), NOW);
    let mut store = disk.open();
    let rows = store.orders(false).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].state, rows[0].ticket, rows[0].price), (OrderState::Filled, Some(7), Some(1.1)));
    let daemon = |state: &str| (state.to_owned(), "daemon".to_owned());
    assert_eq!(events(&store, order.client_order_id), ["intent", "sending", "filled"].map(daemon));
    let again = store.order_step(&OrderStep::Intent { order: Box::new(order), tickets_before: None }, &identity(), NOW);
    assert_eq!(again, Err(JournalError::Exists));
}

#[test]
fn a_partial_fill_is_a_position_of_what_was_filled() {
    let disk = Disk::new();
    let mut store = disk.open();
    let (whole, part) = (order("EURUSD", BAR), order("EURUSD", BAR + 3_600));
    steps(&mut store, &whole, filled(), NOW);
    let half = Outcome::Filled { ticket: 8, price: None, volume: Some(part.volume / 2.0) };
    steps(&mut store, &part, Some(half), NOW);
    let orders = disk.open().orders(false).unwrap();
    let volumes: Vec<_> = orders.iter().map(|row| (row.volume, row.filled_volume)).collect();
    assert_eq!(volumes, [(whole.volume, None), (part.volume, Some(part.volume / 2.0))]);
    let held: Vec<_> = store.fills(&identity(), &[]).unwrap().iter().map(|held| held.volume).collect();
    assert_eq!(held, [whole.volume, part.volume / 2.0]);
}

/// `PRAGMA synchronous`: 1 is NORMAL, 2 is FULL.
fn synchronous(connection: &rusqlite::Connection) -> i64 {
    connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
}

#[test]
fn it_is_written_ahead_and_synced_in_full() {
    let disk = Disk::new();
    let mut store = disk.open();
    let mode = store.connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!((mode.unwrap().as_str(), synchronous(&store.connection)), ("wal", 2));
    let failed = store.write_without_waiting(|connection| {
        assert_eq!(synchronous(connection), 1);
        Err::<(), _>(JournalError::NoPosition)
    });
    assert_eq!(failed, Err(JournalError::NoPosition));
    assert_eq!(synchronous(&store.connection), 2, "orders wait for the disk again");
}

#[test]
fn a_file_of_version_0_gets_the_schema_and_a_later_one_is_refused() {
    let disk = Disk::new();
    std::fs::write(disk.path(), "").unwrap();
    let store = disk.open();
    let version =
        |store: &Store| -> i64 { store.connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap() };
    assert_eq!(version(&store), schema::VERSION);
    drop(store);
    assert_eq!(version(&disk.open()), schema::VERSION, "once is enough");
    disk.open().connection.pragma_update(None, "user_version", schema::VERSION + 1).unwrap();
    assert!(matches!(Store::open(&disk.path()), Err(OpenError::Newer { .. })));
}

#[test]
fn somebody_elses_file_is_refused_and_left_alone() {
    let disk = Disk::new();
    std::fs::write(disk.path(), "not a database, but long enough to look for a header of one".repeat(20)).unwrap();
    assert!(matches!(Store::open(&disk.path()), Err(OpenError::Foreign(_))));
    let other = disk.folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(Store::open(&other), Err(OpenError::Foreign(_))));
    assert!(matches!(Store::open_existing(&disk.folder.path().join("none.db")), Err(OpenError::Missing(_))));
}

#[test]
fn a_second_daemon_is_refused_and_a_command_is_not() {
    let disk = Disk::new();
    let _store = disk.open();
    let lock = DaemonLock::acquire(&disk.path()).unwrap();
    let refused = DaemonLock::acquire(&disk.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Locked(_)));
    assert!(refused.to_string().contains("--journal"), "{refused}");
    assert!(Store::open_existing(&disk.path()).is_ok());
    drop(lock);
    assert!(DaemonLock::acquire(&disk.path()).is_ok());
}

#[test]
fn steps_that_are_written_together_are_all_there_or_none_is() {
    let disk = Disk::new();
    let mut store = disk.open();
    let (whole, half) = (order("EURUSD", BAR), order("GBPUSD", BAR));
    let intent = |order: &Order| OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None };
    let steps = [intent(&whole), OrderStep::Sending(whole.client_order_id, None)];
    store.order_steps(&steps, &identity(), NOW).unwrap();
    let daemon = |state: &str| (state.to_owned(), "daemon".to_owned());
    assert_eq!(events(&store, whole.client_order_id), ["intent", "sending"].map(daemon), "the journal looks as ever");
    let refused = store.order_steps(&[intent(&half), OrderStep::Sending(Uuid::nil(), None)], &identity(), NOW);
    assert_eq!(refused, Err(JournalError::NoSuchOrder(Uuid::nil())));
    assert_eq!(store.orders(false).unwrap().len(), 1, "no half of an order is left");
    assert!(events(&store, half.client_order_id).is_empty());
}

#[test]
fn a_crash_after_the_intent_expires_it_and_after_sending_is_unknown() {
    let disk = Disk::new();
    let (early, late) = (order("EURUSD", BAR), order("GBPUSD", BAR));
    let mut store = disk.open();
    store
        .order_step(&OrderStep::Intent { order: Box::new(early.clone()), tickets_before: None }, &identity(), NOW)
        .unwrap();
    steps(&mut store, &late, None, NOW);
    drop(store);
    let mut store = disk.open();
    let standing = store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap();
    let history = store.history(&identity(), NOW).unwrap();
    assert_eq!(state(&store, early.client_order_id), OrderState::Expired);
    assert_eq!(state(&store, late.client_order_id), OrderState::Unknown);
    assert!(
        history.has_ordered(&early.keys(), BAR) && history.has_ordered(&late.keys(), BAR),
        "no bar is ordered again"
    );
    assert_eq!(standing.unresolved, std::collections::HashSet::from(late.keys()));
    assert_eq!(store.open_orders().unwrap().unresolved[0].id, late.client_order_id);
    let other = Identity { account: "other".into(), ..identity() };
    let standing = store.read_standing(&other, StandingQuestion::default(), NOW).unwrap();
    assert!(store.history(&other, NOW).unwrap().newest_ordered.is_empty(), "another account has orders of its own");
    assert!(!standing.unresolved.is_empty(), "but a doubt is everybody's");
}

#[test]
fn a_person_settles_an_unknown_order_and_no_other() {
    let disk = Disk::new();
    let (doubtful, done) = (order("EURUSD", BAR), order("GBPUSD", BAR));
    let mut store = disk.open();
    steps(&mut store, &doubtful, unknown(), NOW);
    steps(&mut store, &done, filled(), NOW);
    let id = doubtful.client_order_id;
    let refused = store.resolve(done.client_order_id, Verdict::Rejected, "person:eve", "no", NOW);
    assert!(matches!(refused, Err(JournalError::Transition { from: OrderState::Filled, .. })));
    let nobody = store.resolve(Uuid::nil(), Verdict::Rejected, "person:eve", "no", NOW);
    assert_eq!(nobody, Err(JournalError::NoSuchOrder(Uuid::nil())));
    store.resolve(id, Verdict::Filled { ticket: 9 }, "person:eve", "seen in the terminal", NOW).unwrap();
    let row = store.orders(false).unwrap().into_iter().find(|row| row.id == id).unwrap();
    assert_eq!(
        (row.state, row.ticket, row.reason.as_deref()),
        (OrderState::Filled, Some(9), Some("seen in the terminal"))
    );
    assert_eq!(events(&store, id).last().unwrap(), &("filled".to_owned(), "person:eve".to_owned()));
    assert!(store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap().unresolved.is_empty());
    assert!(store.orders(true).unwrap().is_empty());
}

#[test]
fn a_step_written_twice_is_one_step_and_an_impossible_one_is_none() {
    let disk = Disk::new();
    let mut store = disk.open();
    let order = order("EURUSD", BAR);
    steps(&mut store, &order, filled(), NOW);
    let outcome = |outcome| OrderStep::Outcome(Box::new(order.clone()), outcome);
    assert_eq!(store.order_step(&outcome(filled().unwrap()), &identity(), NOW), Ok(()));
    assert_eq!(events(&store, order.client_order_id).len(), 3);
    let back = store.order_step(&outcome(unknown().unwrap()), &identity(), NOW);
    assert!(matches!(back, Err(JournalError::Transition { .. })));
    assert_eq!(state(&store, order.client_order_id), OrderState::Filled);
}

#[test]
fn pruning_keeps_what_is_unknown_what_is_open_and_the_newest_of_a_symbol() {
    let disk = Disk::new();
    let mut store = disk.open();
    let (old, doubtful, newest) = (order("EURUSD", BAR), order("EURUSD", BAR + 3_600), order("EURUSD", BAR + 7_200));
    let held = order("EURUSD", BAR - 3_600);
    steps(&mut store, &held, filled(), NOW);
    steps(&mut store, &old, filled(), NOW);
    store.mark_closed(old.client_order_id, "person:test", "stopped out", NOW).unwrap();
    steps(&mut store, &doubtful, unknown(), NOW);
    steps(&mut store, &newest, filled(), NOW);
    let record = |symbol: &str, reason| DecisionRecord {
        symbol: Symbol::new(symbol),
        market_now: None,
        bar_close_time: Some(BAR),
        window: None,
        features: None,
        prediction: None,
        threshold: 0.6,
        action: None,
        reason,
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    };
    let cycle_id = u64::try_from(NOW.as_millis()).unwrap();
    let failed = Some(Reason::Failed { stage: "fetch", kind: "timeout" });
    store.record_decisions(cycle_id, "baseline", &[record("EURUSD", None), record("GBPUSD", failed)]).unwrap();
    assert_eq!(store.newest_bar_close_time().unwrap(), Some(BAR + 7_200));
    assert_eq!(store.prune(NOW + 365 * DAY, alike(365 * DAY)).unwrap().rows, 0, "at the limit nothing goes");
    assert_eq!(store.prune(NOW + 365 * DAY + Duration::from_secs(1), alike(365 * DAY)).unwrap().rows, 3);
    let left: Vec<_> = store.orders(false).unwrap().into_iter().map(|row| row.id).collect();
    assert_eq!(left, [&held, &doubtful, &newest].map(|order| order.client_order_id));
    assert!(events(&store, old.client_order_id).is_empty());
}

#[test]
fn confidences_are_the_first_of_each_bar_of_the_model_that_made_them() {
    let disk = Disk::new();
    let mut store = disk.open();
    let decided = |symbol: &str, bar_close_time, confidence: f64| DecisionRecord {
        symbol: Symbol::new(symbol),
        market_now: None,
        bar_close_time: Some(bar_close_time),
        window: None,
        features: None,
        prediction: Some(Prediction::parse([0.0, 1.0 - confidence, confidence]).unwrap()),
        threshold: 0.6,
        action: None,
        reason: None,
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    };
    let bar = |n: i64| BAR + 3_600 * n;
    store.record_decisions(1, "old", &[decided("EURUSD", bar(0), 0.9)]).unwrap();
    store.record_decisions(2, "new", &[decided("EURUSD", bar(0), 0.6), decided("GBPUSD", bar(0), 0.7)]).unwrap();
    store.record_decisions(3, "new", &[decided("EURUSD", bar(0), 0.8), decided("XAUUSD", bar(9), 0.8)]).unwrap();
    store.record_decisions(4, "new", &[decided("EURUSD", bar(1), 0.8)]).unwrap();
    let known = |store: &Store, model, count| {
        let known = store.confidences(model, &[Symbol::new("EURUSD"), Symbol::new("GBPUSD")], count).unwrap();
        known.into_iter().map(|first| (first.symbol.to_string(), first.confidence)).collect::<Vec<_>>()
    };
    let all = [("EURUSD".to_owned(), 0.6), ("GBPUSD".to_owned(), 0.7), ("EURUSD".to_owned(), 0.8)];
    assert_eq!(known(&store, "new", 500), all, "oldest first, of the symbols that are asked for");
    assert_eq!(known(&store, "new", 2), all[1..], "the newest");
    assert_eq!(known(&store, "old", 500), [("EURUSD".to_owned(), 0.9)]);
    assert_eq!(known(&store, "other", 500), []);
    store.prune(DAY + Duration::from_millis(4), alike(DAY)).unwrap();
    assert_eq!(known(&store, "new", 500), all[2..]);
}

#[test]
fn a_journal_of_the_first_version_keeps_what_it_has() {
    let disk = Disk::new();
    let mut store = disk.open();
    steps(&mut store, &order("EURUSD", BAR), filled(), NOW);
    store.connection.execute_batch(&format!("DROP TABLE confidences; {BEFORE_3} PRAGMA user_version = 1")).unwrap();
    drop(store);
    let store = disk.open();
    let orders = store.orders(false).unwrap();
    assert_eq!((orders.len(), orders[0].filled_volume), (1, None));
    assert_eq!(store.confidences("baseline", &[Symbol::new("EURUSD")], 500), Ok(Vec::new()));
}

#[test]
fn a_journal_of_the_second_version_proves_no_order() {
    let disk = Disk::new();
    let mut store = disk.open();
    steps(&mut store, &order("EURUSD", BAR), unknown(), NOW);
    store.connection.execute_batch(&format!("{BEFORE_3} PRAGMA user_version = 2")).unwrap();
    drop(store);
    let mut store = disk.open();
    let history = store.history(&identity(), NOW + DAY).unwrap();
    assert_eq!((history.live_since, history.is_new), (NOW, false), "it has traded since its first order");
    let standing = store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap();
    assert!(!standing.unproven[0].is_provable(NOW + DAY, "v43"), "nobody knows how it was sent");
}

#[test]
fn an_account_is_new_to_a_journal_once() {
    let disk = Disk::new();
    let mut store = disk.open();
    let first = store.history(&identity(), NOW).unwrap();
    assert_eq!((first.live_since, first.is_new), (NOW, true));
    assert!(first.is_from_before(1_763_812_800) && !first.is_from_before(1_763_812_801));
    drop(store);
    let mut store = disk.open();
    let again = store.history(&identity(), NOW + DAY).unwrap();
    assert_eq!((again.live_since, again.is_new), (NOW, false), "a restart makes it no newer");
    let other = Identity { account: "other".into(), ..identity() };
    assert!(store.history(&other, NOW + DAY).unwrap().is_new, "each account by itself");
}

#[test]
fn what_was_ordered_is_found_by_the_gateways_name_in_any_case() {
    let disk = Disk::new();
    let mut store = disk.open();
    let named = |symbol, name: &str, bar| Order { gateway_name: name.into(), ..order(symbol, bar) };
    steps(&mut store, &named("EURUSD", "EURUSDm", BAR + 1), filled(), NOW);
    steps(&mut store, &named("Euro", "eurusdM", BAR), unknown(), NOW);
    let history = store.history(&identity(), NOW).unwrap();
    let key = InstrumentKey::of("EURUSDM");
    for keys in [InstrumentKey::both("EURUSDM", "new"), InstrumentKey::both("new", "EURUSD")] {
        assert!(history.has_ordered(&keys, BAR + 1) && !history.has_ordered(&keys, BAR + 2), "the newer bar of both");
    }
    let standing = store.read_standing(&identity(), StandingQuestion::default(), NOW).unwrap();
    assert!(standing.unresolved.contains(&key));
    assert_eq!(standing.unproven[0].dialect.as_deref(), Some("v43"), "kept with the order");
    assert!(standing.unproven[0].account_mode.is_some());
    // A fill of the other direction ends the position, whatever the symbol is called now.
    let sell = Order { side: Side::Sell, ..named("Euro2", "EURUSDM", BAR + 2) };
    steps(&mut store, &sell, Some(Outcome::Filled { ticket: 8, price: None, volume: None }), NOW);
    let open = |tickets: &[i64]| {
        let fills = store.fills(&identity(), tickets).unwrap();
        fills.into_iter().map(|fill| (fill.ticket, fill.is_open)).collect::<Vec<_>>()
    };
    assert_eq!(open(&[]), [(8, true)]);
    assert_eq!(open(&[7, 99]), [(7, false), (8, true)], "and those that are asked for by their tickets");
}

#[test]
fn a_full_disk_is_an_error_and_leaves_what_was_written() {
    let disk = Disk::new();
    let mut store = disk.open();
    let first = order("EURUSD", BAR);
    steps(&mut store, &first, filled(), NOW);
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    let mut error = None;
    for n in 1..200 {
        let intent = OrderStep::Intent { order: Box::new(order("EURUSD", BAR + 3_600 * n)), tickets_before: None };
        if let Err(failed) = store.order_step(&intent, &identity(), NOW) {
            error = Some(failed);
            break;
        }
    }
    assert!(error.is_some_and(|error| error.is_broken()), "the disk never got full");
    drop(store);
    assert_eq!(state(&disk.open(), first.client_order_id), OrderState::Filled);
}

#[test]
fn a_link_to_a_journal_is_under_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("journal.db"), folder.path().join("link.db"));
    drop(Store::open(&path).unwrap());
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let _held = DaemonLock::acquire(&path).unwrap();
    assert!(matches!(DaemonLock::acquire(&link), Err(OpenError::Locked(_))));
}
