//! The account on paper over restarts: what waits for a rate, and the day on which a trade counts.

use super::*;
use crate::domain::{
    fill::ExitReason,
    paper::{PaperEnd, PaperEntry, PaperExit, PaperOrder, Unkept},
};

/// 2025-11-22 00:00 UTC, a Saturday.
const MIDNIGHT: Duration = Duration::from_secs(1_763_769_600);
const MINUTE: Duration = Duration::from_secs(60);

fn ended(profit: Option<f64>, ended_at: Duration) -> PaperOrder {
    let reason = PaperEnd::Filled(ExitReason::StopLoss);
    let exit = PaperExit { at: 5, price: Some(1.1), reason, is_ambiguous: false, net_points: Some(12.5), profit };
    PaperOrder {
        id: Uuid::from_u128(7),
        symbol: Symbol::new("EURGBP"),
        gateway_name: "EURGBP".into(),
        bar_close_time: BAR,
        side: Side::Buy,
        volume: 0.1,
        stop_loss: 0.0,
        take_profit: 0.0,
        confidence: 0.7,
        close: 1.1,
        digits: 5,
        ticket: 1,
        closes: None,
        costs: None,
        entry: Some(PaperEntry { at: 1, price: 1.1 }),
        seen_to: BAR,
        bars_seen: 3,
        mark: 1.1,
        nights: 0,
        ended_by: None,
        exit: Some(exit),
        ended_at: Some(ended_at),
        created_at: MIDNIGHT - 9 * MINUTE,
        waits_for_rate: false,
        unkept: Unkept::All,
    }
}

fn write(store: &mut Store, order: &PaperOrder, at: Duration) {
    let paper = PaperCycle { account: "demo", answers: &[], orders: &[order], equity: None, at };
    let (cycle_id, model) = (u64::try_from(at.as_millis()).unwrap(), "baseline");
    let paper = Some(paper);
    let cycle = CycleRecord { cycle_id, model, version: None, decisions: &[], due: &[], reported: None, paper };
    assert!(store.record_cycle(&cycle).unwrap().paper.is_none());
}

#[test]
fn a_trade_that_is_priced_after_midnight_stays_on_its_day() {
    let disk = Disk::new();
    let mut store = disk.open();
    write(&mut store, &ended(None, MIDNIGHT - MINUTE), MIDNIGHT - MINUTE);
    write(&mut store, &ended(Some(15.6), MIDNIGHT - MINUTE), MIDNIGHT + 3 * MINUTE);
    let midnight = millis(MIDNIGHT);
    let before = store.paper_profit("demo", midnight - 86_400_000..midnight).unwrap();
    assert_eq!((before.len(), before[0].profit), (1, Some(15.6)));
    assert_eq!(store.paper_profit("demo", midnight..i64::MAX), Ok(vec![]));
    assert_eq!(store.paper_orders().unwrap()[0].updated_at_ms, midnight + 180_000);
}

#[test]
fn a_day_begins_with_its_equity_and_later_deposits() {
    let disk = Disk::new();
    let store = disk.open();
    let begin = |store: &Store| store.paper_book("demo", "baseline", MIDNIGHT + 9 * MINUTE).unwrap().0.first_equity;
    let wrote = |at: Duration, start: f64, equity: f64| {
        let sql = "INSERT INTO paper_equity VALUES (?1, 'demo', ?2, ?3, ?3, 0, 0, 0)";
        store.connection.execute(sql, rusqlite::params![millis(at), start, equity]).unwrap();
    };
    let day = MIDNIGHT.as_secs() / 86_400;
    assert_eq!(begin(&store), None);
    wrote(MIDNIGHT - MINUTE, 10_000.0, 10_100.0);
    assert_eq!(begin(&store), Some((day, 10_100.0)));
    // Restarted with another start, and once more.
    wrote(MIDNIGHT + MINUTE, 2_000.0, 2_050.0);
    assert_eq!(begin(&store), Some((day, 2_100.0)));
    let next = store.paper_book("demo", "baseline", MIDNIGHT + DAY).unwrap().0.first_equity;
    assert_eq!(next, Some((day + 1, 2_050.0)));
}

#[test]
fn a_restart_takes_up_what_waits_for_a_rate_for_a_day() {
    let disk = Disk::new();
    write(&mut disk.open(), &ended(None, MIDNIGHT), MIDNIGHT);
    let mut store = disk.open();
    let waiting = |store: &Store, at| {
        let (book, _) = store.paper_book("demo", "baseline", at).unwrap();
        let ended = |order: &PaperOrder| order.ended_at == Some(MIDNIGHT) && !order.is_open();
        book.orders.iter().map(|order| (order.ticket, order.waits_for_rate, ended(order))).collect::<Vec<_>>()
    };
    assert_eq!(waiting(&store, MIDNIGHT + MINUTE), [(1, true, true)]);
    assert_eq!(waiting(&store, MIDNIGHT + DAY + MINUTE), [], "a rate of then is not known any more");
    write(&mut store, &ended(Some(15.6), MIDNIGHT), MIDNIGHT + MINUTE);
    assert_eq!(waiting(&store, MIDNIGHT + 2 * MINUTE), []);
}

#[test]
fn what_later_decisions_left_behind_is_not_open() {
    let disk = Disk::new();
    let mut store = disk.open();
    let is_left = |store: &Store| store.paper_orders().unwrap()[0].is_left;
    let decide = |store: &mut Store, minutes: u32, bar_close_time: i64| {
        let at = MIDNIGHT + minutes * MINUTE;
        let sql = "INSERT INTO decisions (cycle_id, symbol, bar_close_time, threshold) VALUES (?1, 'EURGBP', ?2, 0.6)";
        store.connection.execute(sql, rusqlite::params![millis(at), bar_close_time]).unwrap();
    };
    let open = PaperOrder { exit: None, ended_at: None, ..ended(None, MIDNIGHT) };
    write(&mut store, &open, MIDNIGHT + MINUTE / 2);
    assert!(!is_left(&store), "no decision says anything");
    decide(&mut store, 0, BAR + 60);
    decide(&mut store, 1, BAR + 60);
    assert!(!is_left(&store), "the same bar in a later cycle");
    decide(&mut store, 2, BAR + 120);
    assert!(is_left(&store));
    write(&mut store, &PaperOrder { seen_to: BAR + 60, ..open.clone() }, MIDNIGHT + 2 * MINUTE + MINUTE / 2);
    assert!(!is_left(&store), "it is followed again");
    store.connection.execute("DELETE FROM decisions", []).unwrap();
    decide(&mut store, 9, BAR + 180);
    assert!(is_left(&store), "those from before are forgotten");
    write(&mut store, &ended(Some(1.0), MIDNIGHT), MIDNIGHT + 3 * MINUTE);
    assert!(!is_left(&store), "what has ended is not followed");
}
