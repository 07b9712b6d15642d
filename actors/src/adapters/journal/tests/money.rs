//! What the journal counts of looks at an account: realised, unexplained, days, the highest equity; all of it after a restart.

use super::*;
use crate::domain::{
    journal::AccountSnapshot,
    position::{HeldPosition, Position},
    profit::Source,
};

const HOUR_S: u64 = 3_600;
/// 2025-11-22 00:00 UTC, a Saturday.
const MIDNIGHT: Duration = Duration::from_secs(1_763_769_600);

fn held(ticket: i64, profit: f64) -> HeldPosition {
    let position = Position { ticket, gateway_name: "EURUSDm".into(), side: Side::Buy, volume: 0.1 };
    HeldPosition { profit: Some(profit), ..position.into() }
}

fn names() -> Vec<(InstrumentKey, Symbol)> {
    vec![(InstrumentKey::of("EURUSDm"), Symbol::new("EURUSD"))]
}

/// A cycle in which the gateway reported balance and positions together; their profits make the equity.
fn look(store: &mut Store, at: Duration, balance: f64, positions: &[HeldPosition]) {
    let profit: f64 = positions.iter().filter_map(HeldPosition::net_profit).sum();
    let told = AccountSnapshot {
        balance: Some(balance),
        equity: Some(balance + profit),
        positions: Some(positions.to_vec()),
        currency: Some("USD".into()),
        is_whole: true,
        ..AccountSnapshot::default()
    };
    record(store, at, told);
}

fn record(store: &mut Store, at: Duration, told: AccountSnapshot) {
    let (names, told) = (names(), [(at, told)]);
    let reported = Some(AccountReports { account: "demo", names: &names, reports: &told });
    let cycle_id = u64::try_from(at.as_millis()).unwrap();
    store
        .record_cycle(&CycleRecord {
            cycle_id,
            model: "baseline",
            version: None,
            decisions: &[],
            due: &[],
            reported,
            paper: None,
        })
        .unwrap();
}

fn minutes(count: u64) -> Duration {
    NOW + Duration::from_secs(60 * count)
}

fn all(store: &Store) -> Vec<(i64, f64, Source, String)> {
    let rows = store.realised("demo", 0..i64::MAX).unwrap();
    rows.into_iter().map(|row| (row.ticket, row.profit, row.source, row.symbol)).collect()
}

#[test]
fn a_close_is_counted_once_with_its_best_source_and_its_order() {
    let disk = Disk::new();
    let mut store = disk.open();
    let order = Order { gateway_name: "EURUSDm".into(), ..order("EURUSD", BAR) };
    steps(&mut store, &order, filled(), NOW);
    look(&mut store, minutes(1), 10_000.0, &[held(7, -19.0)]);
    // The daemon restarts in between.
    drop(store);
    let mut store = disk.open();
    look(&mut store, minutes(2), 9_980.0, &[]);
    look(&mut store, minutes(3), 9_980.0, &[]);
    assert_eq!(all(&store), [(7, -20.0, Source::Gateway, "EURUSD".to_owned())]);
    let sources = "SELECT count(*), count(order_id) FROM realised";
    let counted: (i64, i64) = store.connection.query_row(sources, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(counted, (2, 2), "the estimate is kept as well");
    assert_eq!(store.realised("demo", 0..i64::MAX).unwrap()[0].order_id, Some(order.client_order_id));
    assert_eq!(store.unexplained("demo", 0..i64::MAX), Ok(vec![]));
    let statement =
        "INSERT INTO realised SELECT account, ticket, at_ms, 'statement', kind, symbol, order_id, -20.07, 1, volume
                     FROM realised WHERE source = 'gateway'";
    store.connection.execute(statement, []).unwrap();
    assert_eq!(all(&store), [(7, -20.07, Source::Statement, "EURUSD".to_owned())], "better than both");
}

#[test]
fn a_fill_that_no_look_saw_open_explains_the_balance() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[]);
    steps(&mut store, &order("EURUSD", BAR), filled(), minutes(1) + Duration::from_secs(5));
    look(&mut store, minutes(2), 9_996.5, &[]);
    assert_eq!(all(&store), [(7, -3.5, Source::Gateway, "EURUSD".to_owned())]);
    look(&mut store, minutes(3), 9_990.0, &[]);
    assert_eq!(store.unexplained("demo", 0..i64::MAX).unwrap().len(), 1, "it explains no later step");
}

/// Lots of each row, in the order of tickets and sources.
fn lots(store: &Store) -> Vec<(i64, String, Option<f64>)> {
    let mut select =
        store.connection.prepare("SELECT ticket, kind, volume FROM realised ORDER BY ticket, at_ms, source").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_row_keeps_the_lots_that_were_closed() {
    let disk = Disk::new();
    let mut store = disk.open();
    let of = |lots: f64, profit: f64| {
        let mut held = held(7, profit);
        held.position.volume = lots;
        held
    };
    let row = |kind: &str, lots| (7, kind.to_owned(), lots);
    look(&mut store, minutes(1), 10_000.0, &[of(0.25, 50.0)]);
    look(&mut store, minutes(2), 9_999.0, &[of(0.5, 100.0)]);
    assert_eq!(lots(&store), [row("opening", None)], "nothing was closed");
    look(&mut store, minutes(3), 10_049.0, &[of(0.25, 50.0)]);
    assert_eq!(lots(&store)[1..], [row("part", Some(0.25)), row("part", Some(0.25))]);
    // The balance shows the rest a look later.
    look(&mut store, minutes(4), 10_049.0, &[]);
    look(&mut store, minutes(5), 10_098.0, &[]);
    assert_eq!(lots(&store)[3..], [row("close", Some(0.25)), row("close", Some(0.25))]);
}

#[test]
fn lots_of_a_position_that_nobody_saw_are_known_on_a_hedging_account_only() {
    for (mode, known) in [("hedging", Some(0.01)), ("netting", None)] {
        let disk = Disk::new();
        let mut store = disk.open();
        look(&mut store, minutes(1), 10_000.0, &[]);
        steps(&mut store, &order("EURUSD", BAR), filled(), minutes(1) + Duration::from_secs(5));
        store
            .connection
            .execute("UPDATE orders SET account_mode = ?1, filled_volume = NULL, volume = 0.01", [mode])
            .unwrap();
        look(&mut store, minutes(2), 9_996.5, &[]);
        assert_eq!(lots(&store), [(7, "close".to_owned(), known)], "{mode}");
    }
}

#[test]
fn a_balance_that_moves_a_look_later_settles_the_close() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, -19.0)]);
    look(&mut store, minutes(2), 10_000.0, &[]);
    assert_eq!(all(&store), [(7, -19.0, Source::Estimated, "EURUSD".to_owned())]);
    look(&mut store, minutes(3), 9_980.0, &[]);
    assert_eq!(all(&store), [(7, -20.0, Source::Gateway, "EURUSD".to_owned())]);
    look(&mut store, minutes(4), 9_979.0, &[]);
    assert_eq!(store.unexplained("demo", 0..i64::MAX), Ok(vec![(millis(minutes(4)), -1.0)]));
}

#[test]
fn what_was_not_told_together_is_not_compared() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, -19.0)]);
    let list_only = AccountSnapshot { positions: Some(vec![]), ..AccountSnapshot::default() };
    record(&mut store, minutes(2), list_only);
    assert_eq!(all(&store), [], "the balance is of before");
    look(&mut store, minutes(3), 9_981.0, &[]);
    assert_eq!(all(&store), [(7, -19.0, Source::Gateway, "EURUSD".to_owned())]);
}

#[test]
fn days_begin_at_their_own_border_and_a_deposit_is_no_profit() {
    let disk = Disk::new();
    let mut store = disk.open();
    let at = |hours: u64| MIDNIGHT + Duration::from_secs(hours * HOUR_S);
    look(&mut store, at(0), 10_000.0, &[]);
    // 17:00 in New York is 22:00 UTC in winter: of the next day's hours this one is the last of the day before.
    look(&mut store, at(21), 10_000.0, &[held(7, 10.0)]);
    look(&mut store, at(22), 10_000.0, &[held(7, 30.0)]);
    look(&mut store, at(23), 10_500.0, &[held(7, 35.0)]);
    let money = |at| store.money("demo", &names(), at).unwrap();
    let evening = money(at(23));
    assert_eq!(evening.today, [Some(35.0), Some(5.0)], "since midnight, and since 22:00");
    assert_eq!((evening.unexplained, evening.equity, evening.balance), (500.0, Some(10_535.0), Some(10_500.0)));
    assert_eq!(evening.open, Some(vec![("EURUSD".to_owned(), Some(35.0))]));
    let next = money(at(25));
    assert_eq!((next.today, next.day - evening.day), ([Some(0.0), Some(5.0)], 1));
    assert_eq!(money(at(48)).unexplained, 0.0, "it was longer than a day ago");
    // An order's ticket decides, then the broker's name as configured.
    look(&mut store, at(26), 10_536.0, &[]);
    let closed = store.money("demo", &names(), at(26)).unwrap();
    assert_eq!(closed.realised, [("EURUSD".to_owned(), 36.0)]);
    assert_eq!(closed.open, Some(vec![]));
}

#[test]
fn a_balance_that_moves_a_look_before_the_list_is_counted_once() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, 50.0)]);
    look(&mut store, minutes(2), 10_050.0, &[held(7, 50.0)]);
    let unexplained = |store: &Store| store.money("demo", &names(), minutes(4)).unwrap().unexplained;
    assert_eq!((all(&store), unexplained(&store)), (vec![], 50.0));
    look(&mut store, minutes(3), 10_050.0, &[]);
    assert_eq!(all(&store), [(7, 50.0, Source::Estimated, "EURUSD".to_owned())], "it may have been a deposit");
    assert_eq!(unexplained(&store), 0.0);
    look(&mut store, minutes(4), 10_050.0, &[]);
    assert_eq!((all(&store).len(), store.peak("demo").unwrap().unwrap().equity), (1, 10_050.0));
}

#[test]
fn a_close_that_brought_nothing_is_no_estimate_for_ever() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, -9.0), held(8, 1.0)]);
    look(&mut store, minutes(2), 10_000.0, &[held(8, 1.0)]);
    look(&mut store, minutes(3), 10_000.0, &[held(8, 2.0)]);
    assert_eq!(all(&store), [(7, -9.0, Source::Estimated, "EURUSD".to_owned())]);
    look(&mut store, minutes(4), 10_000.0, &[held(8, 3.0)]);
    let nothing = [(7, 0.0, Source::Gateway, "EURUSD".to_owned())];
    assert_eq!(all(&store), nothing);
    look(&mut store, minutes(5), 9_991.0, &[held(8, 3.0)]);
    assert_eq!((all(&store), store.unexplained("demo", 0..i64::MAX).unwrap().len()), (nothing.to_vec(), 1));
}

#[test]
fn what_grew_while_nobody_looked_is_not_of_today() {
    let disk = Disk::new();
    let mut store = disk.open();
    let at = |hours: u64| MIDNIGHT + Duration::from_secs(hours * HOUR_S);
    let today = |store: &Store, hours| store.money("demo", &names(), at(hours)).unwrap().today[0];
    look(&mut store, at(10), 10_000.0, &[held(7, 10.0)]);
    look(&mut store, at(23), 10_000.0, &[held(7, 20.0)]);
    look(&mut store, at(25), 10_000.0, &[held(7, 30.0)]);
    assert_eq!(today(&store, 25), Some(10.0), "seen an hour before midnight");
    let (day, before) = (millis(at(72)), millis(at(25)));
    look(&mut store, at(79), 10_000.0, &[held(7, 80.0)]);
    assert_eq!(today(&store, 79), None, "seen a day and more before");
    assert_eq!(store.begin("demo", day), Ok(Some(Begin { at_ms: before, equity: None })));
    // An account that stands still is seen, too.
    for hours in 80..98 {
        look(&mut store, at(hours), 10_000.0, &[held(7, 80.0)]);
    }
    assert_eq!(today(&store, 97), Some(0.0));
}

#[test]
fn an_account_that_is_looked_at_seldom_is_seen_as_often_as_that() {
    let told = |every: u64| AccountSnapshot {
        balance: Some(10_000.0),
        equity: Some(10_000.0),
        positions: Some(Vec::new()),
        is_whole: true,
        every: Some(Duration::from_secs(every)),
        ..AccountSnapshot::default()
    };
    // How often, in minutes, and how long before midnight it was seen last, and whether that tells what the day began with.
    for (every, before, is_seen) in
        [(1, 70, true), (1, 71, false), (30, 99, true), (30, 100, false), (1_440, 1_500, true)]
    {
        let disk = Disk::new();
        let mut store = disk.open();
        let midnight = MIDNIGHT + 7 * DAY;
        record(&mut store, midnight - Duration::from_secs(60 * before), told(60 * every));
        record(&mut store, midnight + Duration::from_secs(60), told(60 * every));
        let known = store.begin("demo", millis(midnight)).unwrap().unwrap().equity.is_some();
        assert_eq!(known, is_seen, "every {every} minutes, {before} before");
    }
}

#[test]
fn the_highest_equity_survives_a_restart_and_a_deposit_is_no_peak() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, 100.0)]);
    look(&mut store, minutes(2), 10_000.0, &[held(7, -50.0)]);
    drop(store);
    let mut store = disk.open();
    let drawdown = |store: &Store| store.money("demo", &[], minutes(9)).unwrap().drawdown.unwrap();
    assert_eq!(store.peak("demo").unwrap().unwrap().equity, 10_100.0);
    assert!((drawdown(&store) - 150.0 / 10_100.0).abs() < 1e-12);
    look(&mut store, minutes(3), 11_000.0, &[held(7, -50.0)]);
    assert_eq!(store.peak("demo").unwrap().unwrap().equity, 11_100.0, "150 are still missing");
    assert!((drawdown(&store) - 150.0 / 11_100.0).abs() < 1e-12);
    look(&mut store, minutes(4), 11_000.0, &[held(7, 200.0)]);
    assert_eq!((store.peak("demo").unwrap().unwrap().equity, drawdown(&store)), (11_200.0, 0.0));
}

#[test]
fn pruning_keeps_the_look_from_which_the_next_is_counted() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, minutes(1), 10_000.0, &[held(7, -10.0)]);
    look(&mut store, minutes(2), 10_000.0, &[held(7, -19.0)]);
    store.prune(minutes(2) + 3 * DAY, alike(DAY)).unwrap();
    let rows = "SELECT count(*) FROM account_snapshots";
    assert_eq!(store.connection.query_row(rows, [], |row| row.get::<_, i64>(0)), Ok(1));
    look(&mut store, minutes(2) + 3 * DAY, 9_980.0, &[]);
    assert_eq!(all(&store), [(7, -20.0, Source::Gateway, "EURUSD".to_owned())]);
    store.prune(minutes(2) + 9 * DAY, alike(DAY)).unwrap();
    assert_eq!(all(&store).len(), 1, "what was realised is never forgotten");
}

#[test]
fn a_month_is_counted_whole_with_short_retention() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, MIDNIGHT, 10_000.0, &[held(7, 1.0)]);
    look(&mut store, MIDNIGHT + DAY, 10_000.0, &[held(7, 2.0)]);
    let sql = "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss,
               take_profit, confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms,
               updated_at_ms, exit_at, profit, net_points, ended_at_ms)
               VALUES (?1, 'demo', 'EURUSD', 'EURUSD', 'baseline', ?1, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, ?1, 0, 0, 1.1, 0, 0, ?2, 1, 1.5,
                       15.0, ?2)";
    for id in 1..=2 {
        store.connection.execute(sql, rusqlite::params![id, millis(MIDNIGHT)]).unwrap();
    }
    for bar in [BAR, BAR + 3_600] {
        steps(&mut store, &order("EURUSD", bar), filled(), MIDNIGHT);
    }
    let counts = |store: &Store| {
        ["decisions", "orders", "paper_orders", "account_snapshots"].map(|table| {
            let sql = format!("SELECT count(*) FROM {table}");
            store.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
        })
    };
    record_beside_a_decision(&mut store, MIDNIGHT + DAY);
    store.connection.execute("UPDATE orders SET closed_at_ms = 1", []).unwrap();
    let before = counts(&store);
    store.prune(MIDNIGHT + 62 * DAY, Keep::new(DAY)).unwrap();
    assert_eq!(counts(&store), [0, before[1], before[2], before[3]], "only decisions");
    store.prune(MIDNIGHT + 70 * DAY, Keep::new(DAY)).unwrap();
    assert_eq!(counts(&store), [0, 1, 1, 1], "the newest of each");
    assert_eq!(Keep::new(365 * DAY), alike(365 * DAY));
}

#[test]
fn an_account_without_its_looks_is_silent() {
    let disk = Disk::new();
    let mut store = disk.open();
    let told_at = MIDNIGHT - Duration::from_secs(60);
    let every = Some(Duration::from_secs(7_200));
    record(&mut store, told_at, AccountSnapshot { balance: Some(1.0), every, ..AccountSnapshot::default() });
    let silent = |begin: Duration, minutes: u64| {
        store.silent_since("demo", millis(begin), told_at + Duration::from_secs(60 * minutes)).unwrap()
    };
    // An hour without a change, two looks of two hours, and nine minutes.
    assert_eq!((silent(MIDNIGHT, 309), silent(MIDNIGHT, 310)), (None, Some(millis(told_at))));
    assert_eq!(silent(told_at, 310), None, "it was told in that time");
    assert_eq!(store.silent_since("other", 0, MIDNIGHT), Ok(None));
}

#[test]
fn nothing_is_known_of_an_account_that_nobody_told() {
    let disk = Disk::new();
    let store = disk.open();
    let money = store.money("demo", &names(), NOW).unwrap();
    assert_eq!((money.told_ms, money.balance, money.open, money.drawdown), (None, None, None, None));
    assert_eq!((money.today, store.peak("demo"), store.accounts()), ([None; 2], Ok(None), Ok(vec![])));
}

#[test]
fn what_ended_on_paper_is_summed_by_symbol_and_money_is_never_a_guess() {
    let disk = Disk::new();
    let store = disk.open();
    let ended = |id: i64, symbol: &str, exit_at: Option<i64>, profit: Option<f64>, closes: Option<i64>| {
        let sql = "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss,
                   take_profit, confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms,
                   updated_at_ms, exit_at, profit, net_points, closes, spread_points, ended_at_ms)
                   VALUES (?1, 'demo', ?2, ?2, 'baseline', 0, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, ?1, 0, 0, 1.1, 0, 0,
                           coalesce(?3, 0) * 1000, ?3, ?4, 12.5,
                           ?5, 1.0, ?3 * 1000)";
        store.connection.execute(sql, rusqlite::params![id, symbol, exit_at, profit, closes]).unwrap();
    };
    let midnight = millis(MIDNIGHT) / 1_000;
    let noon = midnight + 12 * 3_600;
    ended(1, "EURUSD", Some(noon), Some(1.25), None);
    ended(2, "EURUSD", Some(noon), Some(2.0), None);
    ended(3, "USDJPY", Some(noon), None, None);
    ended(4, "EURUSD", Some(midnight - 1), Some(100.0), None);
    ended(5, "EURUSD", None, None, None);
    ended(6, "EURUSD", Some(noon), Some(50.0), Some(1));
    let figures = store.paper_figures("demo", MIDNIGHT + DAY - Duration::from_secs(1)).unwrap();
    assert_eq!(figures.realised, [("EURUSD".to_owned(), Some(3.25)), ("USDJPY".to_owned(), None)]);
    let rows = store.paper_profit("demo", 0..i64::MAX).unwrap();
    assert_eq!((rows[0].trades, rows[0].profit, rows[0].points), (3, Some(103.25), Some(37.5)));
    assert_eq!((rows[1].trades, rows[1].profit, rows[1].points, rows[1].has_costs), (1, None, Some(12.5), true));
    assert_eq!(store.paper_account("demo"), Ok(None));
}

/// A cycle with a decision and a look that saw all closed.
fn record_beside_a_decision(store: &mut Store, at: Duration) -> CycleFaults {
    let told = AccountSnapshot {
        balance: Some(9_980.0),
        equity: Some(9_980.0),
        positions: Some(Vec::new()),
        is_whole: true,
        ..AccountSnapshot::default()
    };
    let decision = DecisionRecord {
        symbol: Symbol::new("EURUSD"),
        market_now: None,
        bar_close_time: Some(BAR),
        window: None,
        features: None,
        prediction: None,
        threshold: 0.6,
        action: None,
        reason: None,
        stopped: None,
        failure_detail: None,
        judged_at: None,
        client_order_id: None,
        close_ids: Vec::new(),
    };
    let (names, told) = (names(), [(at, told)]);
    let reported = Some(AccountReports { account: "demo", names: &names, reports: &told });
    let decisions = &[decision][..];
    let cycle =
        CycleRecord { cycle_id: 1, model: "baseline", version: None, decisions, due: &[], reported, paper: None };
    store.record_cycle(&cycle).unwrap()
}

/// A look at the end of time overflows what is counted from it, where the compiler checks that.
#[cfg(debug_assertions)]
#[test]
fn a_panic_in_counting_money_costs_no_decision() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, NOW, 10_000.0, &[held(7, -19.5)]);
    store.connection.execute("UPDATE account_snapshots SET at_ms = ?1", [i64::MIN]).unwrap();
    let faults = record_beside_a_decision(&mut store, minutes(1));
    assert!(faults.money.is_some_and(|fault| fault.to_string().contains("panicked")) && faults.paper.is_none());
    let count = |sql: &str| store.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let counts = (count("SELECT count(*) FROM decisions"), count("SELECT count(*) FROM account_snapshots"));
    assert_eq!(counts, (1, 1), "the decision, and nothing of the look");
    store.connection.execute("UPDATE account_snapshots SET at_ms = ?1", [millis(NOW)]).unwrap();
    look(&mut store, minutes(2), 9_980.0, &[]);
    assert!(all(&store).iter().any(|row| (row.0, row.1) == (7, -20.0)), "the store goes on");
}

#[test]
fn money_that_cannot_be_written_costs_no_decision_and_is_counted_later() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, NOW, 10_000.0, &[held(7, -19.5)]);
    store.connection.execute_batch("ALTER TABLE realised RENAME TO gone").unwrap();
    let faults = record_beside_a_decision(&mut store, minutes(1));
    assert!(faults.money.is_some_and(|fault| fault.to_string().contains("realised")) && faults.paper.is_none());
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        store.connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((count("decisions"), count("account_snapshots")), (1, 1), "nothing of the look");
    store.connection.execute_batch("ALTER TABLE gone RENAME TO realised").unwrap();
    look(&mut store, minutes(2), 9_980.0, &[]);
    assert!(all(&store).iter().any(|row| (row.0, row.1) == (7, -20.0)), "from the look before the fault");
}

#[test]
fn a_deposit_hides_no_loss_of_the_same_size() {
    let disk = Disk::new();
    let mut store = disk.open();
    for (minute, balance) in [(1, 10_000.0), (2, 10_500.0), (3, 10_000.0)] {
        look(&mut store, minutes(minute), balance, &[]);
    }
    assert_eq!(store.money("demo", &names(), minutes(4)).unwrap().unexplained, 1_000.0);
}

#[test]
fn a_deposit_that_an_order_saw_first_is_no_loss_of_today() {
    let disk = Disk::new();
    let mut store = disk.open();
    look(&mut store, MIDNIGHT - Duration::from_secs(60), 10_000.0, &[]);
    let partial = AccountSnapshot { equity: Some(11_000.0), ..AccountSnapshot::default() };
    record(&mut store, MIDNIGHT - Duration::from_secs(10), partial);
    look(&mut store, MIDNIGHT + Duration::from_secs(40), 11_000.0, &[]);
    let money = store.money("demo", &names(), MIDNIGHT + Duration::from_secs(50)).unwrap();
    assert_eq!((money.unexplained, money.today[0]), (1_000.0, Some(0.0)));
    let partial = AccountSnapshot { equity: Some(9_000.0), ..AccountSnapshot::default() };
    record(&mut store, MIDNIGHT + Duration::from_secs(60), partial);
    let money = store.money("demo", &names(), MIDNIGHT + Duration::from_secs(70)).unwrap();
    assert_eq!((money.equity, money.today[0], money.drawdown), (Some(9_000.0), Some(0.0), Some(0.0)));
}
