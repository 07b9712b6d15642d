//! What is read back, from a journal with rows of every kind.

mod curves;
mod money;
mod pairs;
mod positions;

use super::*;
use crate::adapters::journal::Store;

const ACCOUNT: &str = "A1";
const HOUR: i64 = 3_600;
/// 2026-01-05 00:00 UTC, a Monday.
const MONDAY: i64 = 1_767_571_200;

struct Journal {
    _folder: tempfile::TempDir,
    writer: Connection,
    reader: ConsoleReader,
}

impl Journal {
    fn new() -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("journal.db");
        drop(Store::open(&path).unwrap());
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        let reader = ConsoleReader::open(&path).unwrap();
        Self { _folder: folder, writer, reader }
    }

    fn run(&self, sql: &str) {
        self.writer.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// A decision of a cycle about a bar.
    fn decided(&self, cycle: i64, symbol: &str, bar: i64, rest: &str) {
        self.run(&format!(
            "INSERT INTO decisions (cycle_id, symbol, bar_close_time, close, p_sell, p_hold, p_buy, threshold, action, suppressed,
             failed_stage, failure, failure_detail, order_id, paper_order_id, paper_suppressed)
             VALUES ({cycle}, '{symbol}', {bar}, 1.1, 0.1, 0.2, 0.7, 0.6, {rest});
             INSERT OR IGNORE INTO confidences VALUES ('m', '{symbol}', {bar}, 0.7, {cycle});"
        ));
    }

    fn order(&self, id: &str, symbol: &str, bar: i64, rest: &str) {
        self.run(&format!(
            "INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
             confidence, created_at_ms, updated_at_ms, state, ticket, price, closes, closed_at_ms)
             VALUES ('{id}', '{ACCOUNT}', '{symbol}', '{symbol}m', 'm', {bar}, 'BUY', 0.1, 1.0, 0, 0.7, {bar}000, {bar}000, {rest});"
        ));
    }
}

/// A live account, at this time in unix milliseconds.
fn at(now_ms: i64) -> Ledgers {
    Ledgers { account: ACCOUNT.into(), now_ms, ..Ledgers::default() }
}

/// As the decision's rest.
const HOLD: &str = "'HOLD', 'below_threshold', NULL, NULL, NULL, NULL, NULL, NULL";

#[test]
fn a_cycle_is_never_split_between_pages() {
    let journal = Journal::new();
    for cycle in 1..=5 {
        for symbol in ["EURUSD", "GBPUSD", "XAUUSD"] {
            journal.decided(cycle, symbol, MONDAY, HOLD);
        }
    }
    let page = journal.reader.decided(None, None, 7).unwrap();
    let cycles = |page: &DecidedPage| page.rows.iter().map(|row| row.cycle_id).collect::<Vec<_>>();
    assert_eq!((cycles(&page), page.next_before), (vec![5, 5, 5, 4, 4, 4], Some(4)));
    assert_eq!(page.rows[0].symbol, "EURUSD", "in the order of the settings");
    let page = journal.reader.decided(None, page.next_before, 7).unwrap();
    assert_eq!((cycles(&page), page.next_before), (vec![3, 3, 3, 2, 2, 2], Some(2)));
    let page = journal.reader.decided(None, page.next_before, 7).unwrap();
    assert_eq!((cycles(&page), page.next_before), (vec![1, 1, 1], None));
    assert!(journal.reader.decided(None, Some(1), 7).unwrap().rows.is_empty());
    let page = journal.reader.decided(Some("XAUUSD"), None, 2).unwrap();
    assert_eq!((cycles(&page), page.next_before, page.newest_cycle), (vec![5, 4], Some(4), Some(5)));
    let page = journal.reader.decided(None, None, 1).unwrap();
    assert_eq!((cycles(&page), page.next_before), (vec![5, 5, 5], Some(5)), "a whole one at least");
    journal.run(
        "WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 501)
         INSERT INTO decisions (cycle_id, symbol, threshold) SELECT 6, 'S' || n, 0.6 FROM it;",
    );
    let page = journal.reader.decided(None, None, 7).unwrap();
    assert_eq!((page.rows.len(), page.rows[499].symbol.as_str(), page.next_before), (ROWS_MAX, "S500", Some(6)));
}

#[test]
fn a_bar_shows_the_most_telling_of_its_decisions() {
    let journal = Journal::new();
    let bar = |number: i64| MONDAY + number * HOUR;
    let stopped = "'BUY', 'dry_run', NULL, NULL, NULL, NULL, NULL, 'cooldown'";
    journal.decided(1, "EURUSD", bar(1), HOLD);
    journal.decided(2, "EURUSD", bar(1), stopped);
    journal.decided(3, "EURUSD", bar(2), stopped);
    journal.decided(
        4,
        "EURUSD",
        bar(2),
        "'BUY', NULL, NULL, NULL, NULL, '00000000-0000-4000-8000-000000000001', NULL, NULL",
    );
    journal.decided(5, "EURUSD", bar(2), "'BUY', 'already_ordered', NULL, NULL, NULL, NULL, NULL, NULL");
    journal.decided(6, "EURUSD", bar(3), "NULL, NULL, 'predict', 'timeout', 'after 1 s', NULL, NULL, NULL");
    journal.decided(7, "EURUSD", bar(4), HOLD);
    journal.decided(
        8,
        "EURUSD",
        bar(5),
        "'BUY', NULL, NULL, NULL, NULL, '00000000-0000-4000-8000-000000000002', NULL, NULL",
    );
    journal.decided(9, "EURUSD", bar(6), "'BUY', 'dry_run', NULL, NULL, NULL, NULL, 'p1', NULL");
    journal.order("00000000-0000-4000-8000-000000000001", "EURUSD", bar(2), "'filled', 7, 1.2, NULL, NULL");
    journal.order("00000000-0000-4000-8000-000000000002", "EURUSD", bar(5), "'unknown', NULL, NULL, NULL, NULL");
    let page = journal.reader.odds("m", "EURUSD", None, 100).unwrap();
    let marks: Vec<_> = page.rows.iter().map(|row| (row.bar_close_s - MONDAY, row.mark, row.price)).collect();
    assert_eq!(
        marks,
        [
            (6 * HOUR, "suppressed", None),
            (5 * HOUR, "unknown", None),
            (4 * HOUR, "hold", None),
            (3 * HOUR, "failed", None),
            (2 * HOUR, "sent", Some(1.2)),
            (HOUR, "suppressed", None),
        ]
    );
    assert_eq!(page.rows[5].rule.as_deref(), Some("the order is built and logged, not sent (trading.live)"));
    assert_eq!(page.rows[5].paper.as_ref().unwrap().reason.as_deref(), Some("cooldown"));
    assert_eq!(
        page.rows[0].paper.as_ref().map(|paper| (paper.mark, paper.order_id.as_deref())),
        Some(("sent", Some("p1")))
    );
    assert_eq!(page.rows[3].reason.as_deref(), Some("after 1 s"));
    let first = journal.reader.odds("m", "EURUSD", None, 4).unwrap();
    assert_eq!((first.rows.len(), first.next_before), (4, Some(bar(3))));
    let second = journal.reader.odds("m", "EURUSD", first.next_before, 4).unwrap();
    assert_eq!((second.rows.len(), second.next_before), (2, None));
    let signals = journal.reader.newest_signals(["NONE", "EURUSD"].into_iter()).unwrap();
    let signals: Vec<_> = signals.iter().map(|it| (it.symbol.as_str(), it.cycle_id, it.result)).collect();
    assert_eq!(signals, [("EURUSD", 9, "suppressed")]);
    let plan: String = journal
        .writer
        .query_row(
            &format!(
                "EXPLAIN QUERY PLAN SELECT * FROM decisions WHERE symbol = 'x' AND bar_close_time = 1 AND {}",
                decisions::TELLING
            ),
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("decisions_telling (symbol=? AND bar_close_time=?)"), "{plan}");
}

#[test]
fn a_paper_order_of_another_decision_keeps_its_mark() {
    let journal = Journal::new();
    let (live, paper) = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002");
    // The breaker stopped the live order of the first cycle; the second one sent it, when paper had its order already.
    for (bar, first, second) in [
        (
            1,
            "'BUY', 'breaker', NULL, NULL, NULL, NULL, '{paper}', NULL",
            "'BUY', NULL, NULL, NULL, NULL, '{live}', NULL, 'already_ordered'",
        ),
        (
            2,
            "'BUY', NULL, NULL, NULL, NULL, '{live}', NULL, 'cooldown'",
            "'BUY', 'already_ordered', NULL, NULL, NULL, NULL, '{paper}', NULL",
        ),
    ] {
        let of_bar = |rest: &str, cycle: i64| {
            let rest = rest.replace("{live}", live).replace("{paper}", paper);
            journal.decided(10 * bar + cycle, "EURUSD", MONDAY + bar * HOUR, &rest);
        };
        of_bar(first, 1);
        of_bar(second, 2);
    }
    journal.run(&format!(
        "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, entry_at, entry_price, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms)
         VALUES ('{paper}', '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', {MONDAY}, 'SELL', 0.1, 0, 0, 0.7, 1.1, 5, 1, 1, 1.05, 0, 0, 1.1, 0, 0, 0);"
    ));
    journal.order(live, "EURUSD", MONDAY + HOUR, "'filled', 7, 1.2, NULL, NULL");
    for row in journal.reader.odds("m", "EURUSD", None, 10).unwrap().rows {
        assert_eq!((row.mark, row.order_id.as_deref()), ("sent", Some(live)));
        let found = row.paper.unwrap();
        assert_eq!((found.mark, found.order_id.as_deref(), found.reason), ("sent", Some(paper), None));
        assert_eq!((found.price, found.side.as_deref()), (Some(1.05), Some("SELL")));
    }
}

#[test]
fn an_order_has_its_fill_its_end_and_its_profit() {
    let journal = Journal::new();
    journal.decided(
        1,
        "EURUSD",
        MONDAY,
        "'BUY', NULL, NULL, NULL, NULL, '00000000-0000-4000-8000-000000000001', NULL, NULL",
    );
    journal.order("00000000-0000-4000-8000-000000000001", "EURUSD", MONDAY, "'filled', 7, 1.2, NULL, 1767571260000");
    journal.order("00000000-0000-4000-8000-000000000002", "EURUSD", MONDAY + HOUR, "'filled', 7, 1.3, 7, NULL");
    journal.order("00000000-0000-4000-8000-000000000003", "GBPUSD", MONDAY, "'filled', 9, 1.5, NULL, NULL");
    journal.order(
        "00000000-0000-4000-8000-000000000004",
        "GBPUSD",
        MONDAY + HOUR,
        "'rejected', NULL, NULL, NULL, NULL",
    );
    journal.run(&format!(
        "INSERT INTO order_events (order_id, at_ms, state, who, note) VALUES ('00000000-0000-4000-8000-000000000001', 5, 'intent', 'daemon', NULL),
         ('00000000-0000-4000-8000-000000000001', 6, 'filled', 'daemon', NULL);
         INSERT INTO account_snapshots (at_ms, account, balance, equity, currency) VALUES (1, '{ACCOUNT}', 10.0, 11.0, 'USD');
         INSERT INTO realised VALUES ('{ACCOUNT}', 9, 20, 'estimated', 'close', 'GBPUSD', '00000000-0000-4000-8000-000000000003', 4.0, 1, 0.1),
         ('{ACCOUNT}', 9, 20, 'gateway', 'close', 'GBPUSD', '00000000-0000-4000-8000-000000000003', 5.5, 1, 0.1);"
    ));
    let page = journal.reader.orders_page(Ledger::Live, (None, None), (None, 10)).unwrap();
    let ids: Vec<_> = page.rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(
        (ids, page.next_before),
        (
            vec![
                "00000000-0000-4000-8000-000000000004",
                "00000000-0000-4000-8000-000000000003",
                "00000000-0000-4000-8000-000000000002",
                "00000000-0000-4000-8000-000000000001"
            ],
            None
        )
    );
    let [rejected, gone, closing, opening] = &page.rows[..] else { panic!() };
    assert_eq!((rejected.position, rejected.entry.is_none(), rejected.take_profit), (None, true, None));
    assert_eq!((gone.position, gone.exit.as_ref().unwrap().reason.as_deref()), (Some("closed"), Some("gone")));
    let profit = gone.profit.as_ref().unwrap();
    assert_eq!(
        (profit.amount, profit.unit.as_deref(), profit.source.as_deref()),
        (Some(5.5), Some("USD"), Some("gateway"))
    );
    assert_eq!((closing.kind, closing.closes, closing.position), ("close", Some(7), None));
    let end = opening.exit.as_ref().unwrap();
    assert_eq!((opening.close, end.price, end.reason.as_deref()), (Some(1.1), Some(1.3), Some("opposite")));
    assert_eq!(opening.entry.as_ref().unwrap().at_ms, Some(6));
    let first = journal.reader.orders_page(Ledger::Live, (Some("GBPUSD"), None), (None, 1)).unwrap();
    let next = journal.reader.orders_page(Ledger::Live, (Some("GBPUSD"), None), (first.next_before, 1)).unwrap();
    assert_eq!((next.rows[0].id.as_str(), next.next_before), ("00000000-0000-4000-8000-000000000003", None));
    assert_eq!(journal.reader.orders_page(Ledger::Live, (None, Some("rejected")), (None, 10)).unwrap().rows.len(), 1);
    let story = journal.reader.order_story("00000000-0000-4000-8000-000000000001").unwrap().unwrap();
    assert_eq!((story.events.len(), story.decision.unwrap().cycle_id), (2, 1));
    assert_eq!(journal.reader.order_story("none").unwrap(), None);
}

#[test]
fn an_orders_position_is_what_the_gateway_listed_last() {
    let journal = Journal::new();
    let id = |number: i64| format!("00000000-0000-4000-8000-00000000000{number}");
    // 1 and 2 are listed, of which the other side has released 2; 3 is not; 4 was released and is not; 5 came after the list.
    for (number, bar, closed) in
        [(1, 0, "NULL"), (2, 1, "1767578400000"), (3, 2, "NULL"), (4, 3, "1767578400000"), (5, 6, "NULL")]
    {
        let rest = format!("'filled', {number}, 1.2, NULL, {closed}");
        journal.order(&id(number), "EURUSD", MONDAY + bar * HOUR, &rest);
    }
    let held = |ticket: i64| format!("{{\"ticket\":{ticket},\"symbol\":\"EURUSDm\",\"side\":\"BUY\",\"volume\":0.1}}");
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions, is_whole)
         VALUES ({}, '{ACCOUNT}', 100, 101, 'USD', '[{},{}]', 1);",
        (MONDAY + 5 * HOUR) * 1_000,
        held(1),
        held(2)
    ));
    let positions = |told_hour: i64| {
        journal.run(&format!("UPDATE account_snapshots SET positions_ms = {}", (MONDAY + told_hour * HOUR) * 1_000));
        let page = journal.reader.orders_page(Ledger::Live, (None, None), (None, 10)).unwrap();
        let mut positions: Vec<_> = page.rows.iter().map(|row| (row.position.unwrap(), row.exit.is_some())).collect();
        positions.reverse();
        for (number, position) in (1..).zip(&positions) {
            let story = journal.reader.order_story(&id(number)).unwrap().unwrap();
            assert_eq!(story.order.position, Some(position.0), "as in the list of orders");
        }
        positions
    };
    let (open, unknown) = (("open", false), ("unknown", false));
    assert_eq!(positions(5), [open, open, unknown, ("unknown", true), open]);
    assert_eq!(positions(7)[4], unknown, "the same list was told again after its fill");
    journal.run(&format!(
        "INSERT INTO order_events (order_id, at_ms, state, who, note) VALUES ('{}', 7, 'filled', 'person:eve', 'closed: by hand')",
        id(4)
    ));
    assert_eq!(positions(5)[3], ("closed", true));
    assert_eq!(positions(7)[3], ("closed", true));
    let counts = journal.reader.positions(&at(0), &std::collections::HashMap::new()).unwrap().counts()["EURUSD"];
    assert_eq!((counts.live, counts.unknown), (2, 2), "as the other views have it");
}

#[test]
fn a_model_is_held_to_what_came_of_its_odds() {
    let journal = Journal::new();
    for (number, label) in [(1, "BUY"), (2, "BUY"), (3, "SELL"), (4, "HOLD")] {
        journal.decided(number, "EURUSD", MONDAY + number * HOUR, HOLD);
        journal.run(&format!(
            "INSERT INTO outcomes VALUES ('m', 'EURUSD', {}, 4, 1.1, '{label}', {number}0);",
            MONDAY + number * HOUR
        ));
    }
    let rows = journal.reader.model("m", 4).unwrap();
    assert_eq!(rows.since_ms, Some(1), "its first cycle");
    let outcomes = rows.outcomes.unwrap();
    assert_eq!((rows.confidences.len(), outcomes.count, outcomes.right), (4, 4, 0.5));
    assert_eq!((outcomes.signals, outcomes.signals_right, outcomes.mean_points), (4, Some(0.5), Some(25.0)));
    let buy = &rows.calibration[0];
    assert_eq!((buy.action, buy.bins.len(), buy.bins[0].count, buy.bins[0].right), ("BUY", 1, 4, 0.5));
    let other = journal.reader.model("other", 4).unwrap();
    assert_eq!((other.outcomes, other.since_ms), (None, None));
}

#[test]
fn a_read_that_is_ended_is_busy_and_the_next_one_works() {
    let journal = Journal::new();
    let interrupter = journal.reader.interrupter();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            interrupter.interrupt();
        });
        journal.reader.read(|connection| connection.query_row(endless, [], |row| row.get::<_, i64>(0)))
    });
    assert_eq!(ended, Err(ReadError::Busy));
    assert_eq!(journal.reader.newest_cycle(), Ok(None));
}

#[test]
fn the_reader_changes_nothing_and_stands_in_no_writers_way() {
    let journal = Journal::new();
    assert!(journal.reader.connection.execute("DELETE FROM orders", []).is_err());
    // A snapshot of the file is held while somebody writes and empties the log.
    let snapshot = journal.reader.connection.unchecked_transaction().unwrap();
    newest_cycle(&snapshot).unwrap();
    journal.decided(1, "EURUSD", MONDAY, HOLD);
    drop(snapshot);
    let (busy, log, moved): (i64, i64, i64) = journal
        .writer
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap();
    assert_eq!((busy, log, moved), (0, 0, 0), "nothing keeps the log from being emptied between two answers");
    assert_eq!(journal.reader.newest_cycle(), Ok(Some(1)));
}

#[test]
fn a_halt_is_of_the_press_that_gave_the_file_its_time() {
    let journal = Journal::new();
    journal.run(
        "INSERT INTO console_actions (at_ms, who, action, note) VALUES (10000, 'console:ann@1', 'halt', 'news'),
         (10200, 'console:bob@1', 'halt', NULL), (10300, 'console:cy@1', 'resume', NULL);",
    );
    let who = |file_ms| journal.reader.halt_at(file_ms).unwrap().map(|pressed| pressed.who);
    assert_eq!(who(10_000).as_deref(), Some("console:ann@1"), "however late the journal had it");
    assert_eq!(who(10_200).as_deref(), Some("console:bob@1"), "the second press of the same second");
    assert_eq!(who(9_990), None, "a command's halt just before a press");
    assert_eq!(who(10_100), None, "or between two");
    assert_eq!(who(10_300), None, "a resume makes no halt");
}

#[test]
fn a_paper_order_is_told_by_its_times() {
    let journal = Journal::new();
    let id = "00000000-0000-4000-8000-000000000009";
    journal.run(&format!(
        "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, entry_at, entry_price, entry_source, seen_to, bars_seen, mark_price, exit_at, exit_price,
           exit_source, exit_reason, is_ambiguous, net_points, created_at_ms, updated_at_ms)
         VALUES ('{id}', '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', {MONDAY}, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, 1, {MONDAY}, 1.1, 'next_open',
           {MONDAY}, 1, 1.1, {MONDAY} + {HOUR}, 1.2, 'bar', 'take_profit', 0, 10, {MONDAY}000 + 58000, {MONDAY}000 + 60000);"
    ));
    let events = journal.reader.order_story(id).unwrap().unwrap().events;
    let events: Vec<_> = events.iter().map(|it| (it.state.as_str(), it.at_ms - MONDAY * 1_000)).collect();
    assert_eq!(
        events,
        [("entry", 0), ("intent", 58_000), ("exit", 3_600_000)],
        "entered at the open of the bar that was open"
    );
    journal.run("UPDATE paper_orders SET exit_at = NULL, exit_price = NULL, exit_reason = NULL");
    let shown = || {
        let order = journal.reader.order_story(id).unwrap().unwrap().order;
        let positions = journal.reader.positions(&at(0), &std::collections::HashMap::new()).unwrap();
        (order.position.unwrap(), order.reason, positions.rows[0].state)
    };
    assert_eq!(shown(), ("open", None, "open"));
    journal.decided(MONDAY * 1_000 + 59_000, "EURUSD", MONDAY, HOLD);
    journal.decided(MONDAY * 1_000 + 61_000, "EURUSD", MONDAY + HOUR, HOLD);
    let why = "not followed since 2026-01-05 00:01:00 UTC: paper was off, or could not be written";
    assert_eq!(shown(), ("unknown", Some(why.into()), "unknown"));
}
