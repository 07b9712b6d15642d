//! What a person reads: which closes are known, short ids, and a journal that may only be read.

use super::*;

fn opposite(store: &mut Store, symbol: &str, mode: crate::domain::position::AccountMode) -> (Uuid, Uuid) {
    let identity = Identity { account_mode: mode, ..identity() };
    let bought = order(symbol, BAR);
    let sold = Order {
        client_order_id: client_order_id("demo", &bought.symbol, "baseline", BAR + 3_600),
        side: Side::Sell,
        bar_close_time: BAR + 3_600,
        ..bought.clone()
    };
    for (order, ticket) in [(&bought, 70), (&sold, 71)] {
        let outcome = Outcome::Filled { ticket, price: Some(1.1), volume: None };
        let steps = [
            OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None },
            OrderStep::Sending(order.client_order_id, None),
            OrderStep::Outcome(Box::new(order.clone()), outcome),
        ];
        for step in &steps {
            store.order_step(step, &identity, NOW).unwrap();
        }
    }
    (bought.client_order_id, sold.client_order_id)
}

#[test]
fn only_three_things_prove_a_close() {
    use crate::domain::position::AccountMode::{Hedging, Netting};
    let disk = Disk::new();
    let mut store = disk.open();
    let stands = |store: &Store, id| {
        let order = store.order_life(id).unwrap().order;
        (order.closed_at_ms.is_some(), order.is_close_known)
    };
    let (bought, sold) = opposite(&mut store, "EURUSD", Hedging);
    assert_eq!(stands(&store, bought), (true, false), "it makes room, but the broker may have both open");
    assert_eq!(stands(&store, sold), (false, false));
    let (bought, _) = opposite(&mut store, "GBPUSD", Netting);
    assert_eq!(stands(&store, bought), (true, true));
    // Of the same account and ticket, but another instrument: it closed that one's.
    let close =
        |symbol: &str| Order { closes: Some(70), client_order_id: Uuid::new_v4(), ..order(symbol, BAR + 7_200) };
    steps(&mut store, &close("USDJPY"), filled(), NOW);
    let eurusd = order("EURUSD", BAR).client_order_id;
    assert_eq!(stands(&store, eurusd), (true, false));
    steps(&mut store, &close("EURUSD"), Some(Outcome::Rejected { reason: "no".into() }), NOW);
    assert_eq!(stands(&store, eurusd), (true, false), "a close that was not filled closed nothing");
    steps(&mut store, &close("eurusd"), filled(), NOW);
    assert_eq!(stands(&store, eurusd), (true, true));
    let (_, sold) = opposite(&mut store, "AUDUSD", Hedging);
    store.mark_closed(sold, "person:eve", "seen in the terminal", NOW).unwrap();
    assert_eq!(stands(&store, sold), (true, true));
}

#[test]
fn an_id_is_found_by_its_first_characters() {
    let disk = Disk::new();
    let mut store = disk.open();
    let mut ids: Vec<Uuid> = ["12345678-1000", "12345678-2000", "92345678-1000"]
        .map(|begin| format!("{begin}-5000-8000-000000000000").parse().unwrap())
        .to_vec();
    for (id, bar) in ids.iter().zip([BAR, BAR + 60, BAR + 120]) {
        steps(&mut store, &Order { client_order_id: *id, ..order("EURUSD", bar) }, unknown(), NOW);
    }
    let last = ids.pop().unwrap();
    for beginning in ["9", "92345678", "923456781", "92345678-1", &last.to_string(), &last.to_string().to_uppercase()] {
        assert_eq!(store.ids_that_begin(beginning, 5).unwrap(), [last], "{beginning}");
    }
    assert_eq!(store.ids_that_begin("1234", 5).unwrap(), ids);
    assert_eq!(store.ids_that_begin("1234", 1).unwrap(), ids[..1]);
    assert!(store.ids_that_begin("%", 5).unwrap().is_empty() && store.ids_that_begin("5", 5).unwrap().is_empty());
}

#[test]
fn reading_changes_nothing_and_sees_what_a_daemon_beside_writes() {
    let disk = Disk::new();
    assert!(matches!(Store::open_read_only(&disk.path()), Err(OpenError::Missing(_))));
    let beside = || {
        let names = std::fs::read_dir(disk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let mut daemon = disk.open();
    steps(&mut daemon, &order("EURUSD", BAR), filled(), NOW);
    let mut reader = Store::open_read_only(&disk.path()).unwrap();
    assert_eq!(reader.orders(false).unwrap().len(), 1);
    steps(&mut daemon, &order("GBPUSD", BAR), filled(), NOW);
    assert_eq!(reader.orders(false).unwrap().len(), 2);
    let refused = reader.mark_closed(order("EURUSD", BAR).client_order_id, "person:eve", "x", NOW);
    assert!(refused.unwrap_err().to_string().contains("readonly"));
    drop((reader, daemon));
    let files = beside();
    assert_eq!(files.len(), 1, "{files:?}");
    let link = disk.folder.path().join("a link & 50 %?.db");
    std::os::unix::fs::symlink(disk.path(), &link).unwrap();
    let before = std::fs::read(disk.path()).unwrap();
    assert_eq!(Store::open_read_only(&link).unwrap().orders(false).unwrap().len(), 2);
    std::fs::copy(disk.path(), disk.folder.path().join("odd?name#1%20.db")).unwrap();
    let odd = Store::open_read_only(&disk.folder.path().join("odd?name#1%20.db")).unwrap();
    assert_eq!(odd.orders(false).unwrap().len(), 2);
    assert_eq!(std::fs::read(disk.path()).unwrap(), before);
    assert_eq!(beside().len(), 3, "no file beside it that was not there");
}

#[test]
fn reading_a_journal_of_an_earlier_version_or_what_is_none_is_as_ever() {
    let disk = Disk::new();
    drop(disk.open());
    Connection::open(disk.path()).unwrap().execute_batch(&format!("{BEFORE_3} PRAGMA user_version = 2")).unwrap();
    assert!(Store::open_read_only(&disk.path()).unwrap().orders(false).unwrap().is_empty());
    let text = disk.folder.path().join("text");
    std::fs::write(&text, "no database, but a text that is long enough to have a header ".repeat(20)).unwrap();
    assert!(matches!(Store::open_read_only(&text), Err(OpenError::Foreign(_))));
}

#[test]
fn an_order_counts_only_for_decisions_that_came_after_it() {
    let disk = Disk::new();
    let mut store = disk.open();
    let minute = |minutes: u64| NOW + Duration::from_secs(60 * minutes);
    let record = |symbol: &str, judged_at, reason| DecisionRecord {
        symbol: Symbol::new(symbol),
        market_now: Some(BAR),
        bar_close_time: Some(BAR),
        window: None,
        features: None,
        prediction: None,
        threshold: 0.6,
        action: Some(crate::domain::decision::Action::Buy),
        reason,
        stopped: None,
        failure_detail: None,
        judged_at: Some(judged_at),
        client_order_id: None,
        close_ids: Vec::new(),
    };
    let cycle = |store: &mut Store, minutes: u64, first: DecisionRecord| {
        let second = record("GBPUSD", minute(minutes), Some(Reason::Suppressed("cooldown")));
        let cycle_id = u64::try_from(minute(minutes).as_millis()).unwrap();
        store.record_decisions(cycle_id, "baseline", &[first, second]).unwrap();
    };
    let sent = order("EURUSD", BAR);
    steps(&mut store, &sent, filled(), minute(0));
    cycle(
        &mut store,
        0,
        DecisionRecord { client_order_id: Some(sent.client_order_id), ..record("EURUSD", minute(0), None) },
    );
    // Given up between intent and send.
    let given_up = order("AUDUSD", BAR);
    steps(&mut store, &given_up, None, minute(1));
    store.order_step(&OrderStep::GivenUp(given_up.client_order_id, "stale_decision"), &identity(), minute(1)).unwrap();
    cycle(&mut store, 1, record("AUDUSD", minute(1), Some(Reason::Suppressed("stale_decision"))));
    // The daemon is killed between the order and the record of its cycle.
    cycle(&mut store, 2, record("USDJPY", minute(2), Some(Reason::Suppressed("handshake"))));
    steps(&mut store, &order("USDJPY", BAR), filled(), minute(3));
    cycle(&mut store, 4, record("USDJPY", minute(4), Some(Reason::Suppressed("already_ordered"))));
    let found: Vec<_> = store.earlier_orders().unwrap();
    let found: Vec<_> = found.iter().map(|it| (it.symbol.as_str(), it.after_decision, it.judged_at_ms)).collect();
    let ms = |minutes| Some(millis(minute(minutes)));
    assert_eq!(found, [("EURUSD", 1, ms(0)), ("AUDUSD", 3, ms(1)), ("USDJPY", 6, None)]);
}
