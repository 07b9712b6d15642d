//! Open positions as the gateway listed them last, and what the journal knows since.

use super::*;
use std::collections::HashMap;

/// What the gateway told at this minute; `equity` alone if nothing is listed.
fn told(journal: &Journal, minute: i64, equity: i64, list: Option<&str>) {
    let (at_ms, is_whole) = ((MONDAY + minute * 60) * 1_000, i64::from(list.is_some()));
    let before = |column: &str| format!("(SELECT {column} FROM account_snapshots ORDER BY at_ms DESC LIMIT 1)");
    let (list, listed_ms) = match list {
        Some(list) => (format!("'{list}'"), at_ms.to_string()),
        None => (before("positions"), before("positions_ms")),
    };
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions, is_whole, account_ms, positions_ms)
         VALUES ({at_ms}, '{ACCOUNT}', 100, {equity}, 'USD', {list}, {is_whole}, {at_ms}, {listed_ms});"
    ));
}

#[test]
fn an_equity_that_was_told_alone_makes_no_list_newer() {
    let journal = Journal::new();
    told(&journal, 0, 101, Some("[]"));
    let id = "00000000-0000-4000-8000-000000000001";
    journal.order(id, "EURUSD", MONDAY + 60, "'filled', 1, 1.2, NULL, NULL");
    for (minute, equity) in [(2, 102), (75, 103)] {
        told(&journal, minute, equity, None);
        let of = at((MONDAY + minute * 60) * 1_000);
        let shown = journal.reader.positions(&of, &HashMap::new()).unwrap();
        assert_eq!((shown.seen_ms, shown.rows[0].state), (Some(MONDAY * 1_000), "open"));
        assert_eq!(journal.reader.order_story(id).unwrap().unwrap().order.position, Some("open"));
        assert_eq!(journal.reader.today(&of).unwrap().0.seen_ms, Some(MONDAY * 1_000), "what is open");
        let account = journal.reader.money(&of, &[]).unwrap().account.unwrap();
        assert_eq!((account.equity, account.seen_ms), (Some(equity as f64), of.now_ms));
    }
}

#[test]
fn a_fill_after_the_last_list_is_open_and_one_before_it_unknown() {
    let journal = Journal::new();
    let list = "[{\"ticket\":1,\"symbol\":\"EURUSDm\",\"side\":\"BUY\",\"volume\":0.1,\"profit\":2.5}]";
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions) VALUES
         ({MONDAY}000, '{ACCOUNT}', 100, 101, 'USD', '{list}');"
    ));
    journal.order(
        "00000000-0000-4000-8000-000000000001",
        "EURUSD",
        MONDAY - HOUR,
        &format!("'filled', 1, 1.2, NULL, {}000", MONDAY + HOUR),
    );
    journal.order("00000000-0000-4000-8000-000000000002", "GBPUSD", MONDAY + 2 * HOUR, "'filled', 2, 1.5, NULL, NULL");
    let states = |told: Option<i64>| {
        let told_ms = told.map_or("NULL".into(), |hour| format!("{}000", MONDAY + hour * HOUR));
        journal.run(&format!("UPDATE account_snapshots SET positions_ms = {told_ms}"));
        let shown = journal.reader.positions(&at(0), &HashMap::new()).unwrap();
        let rows =
            shown.rows.into_iter().map(|row| (row.ticket.unwrap(), row.state, row.profit.why)).collect::<Vec<_>>();
        (shown.seen_ms.unwrap() / 1_000 - MONDAY, rows)
    };
    let open = |why: &str| (2, "open", Some(why.to_owned()));
    // Of the list alone: an order of ours has closed 1 since.
    assert_eq!(states(None), (0, vec![open("the gateway has not listed it yet")]));
    assert_eq!(states(Some(2)).1, [(1, "open", None), (2, "unknown", Some("the gateway does not list it".into()))]);
    assert_eq!(states(Some(1)).0, HOUR, "the last look, not the last change");
}

#[test]
fn old_positions_of_ours_stay_ours_behind_many_closed_ones() {
    let journal = Journal::new();
    let id = |number: i64| format!("00000000-0000-4000-8000-{number:012}");
    // 1 is listed, 2 is not, 3 was released by an order of ours and is listed still.
    for number in 1..=3 {
        let closed = if number == 3 { format!("{MONDAY}000") } else { "NULL".into() };
        journal.order(
            &id(number),
            "EURUSD",
            MONDAY - 10 * HOUR + number,
            &format!("'filled', {number}, 1.2, NULL, {closed}"),
        );
    }
    for number in 4..=700 {
        let rest = format!("'filled', {number}, 1.2, NULL, {MONDAY}000");
        journal.order(&id(number), "EURUSD", MONDAY - 9 * HOUR + number, &rest);
    }
    let held = |ticket: i64| format!("{{\"ticket\":{ticket},\"symbol\":\"EURUSDm\",\"side\":\"BUY\",\"volume\":0.1}}");
    told(&journal, 10, 101, Some(&format!("[{},{},{}]", held(1), held(3), held(9_999))));
    let shown = journal.reader.positions(&at(MONDAY * 1_000), &HashMap::new()).unwrap();
    let rows: Vec<_> = shown.rows.iter().map(|row| (row.ticket.unwrap(), row.state, row.order_id.clone())).collect();
    assert_eq!(
        rows,
        [(1, "open", Some(id(1))), (3, "open", Some(id(3))), (9_999, "open", None), (2, "unknown", Some(id(2)))],
        "only the last but one is not ours"
    );
    let mut select = journal
        .writer
        .prepare(&format!("EXPLAIN QUERY PLAN {}", crate::adapters::journal::console::positions::HELD))
        .unwrap();
    let steps = select.query_map((ACCOUNT, "[1]", 9), |row| row.get::<_, String>(3)).unwrap();
    let steps: Vec<_> = steps.map(Result::unwrap).collect();
    assert!(steps.iter().all(|step| !step.starts_with("SCAN orders")), "{steps:#?}");
    for index in ["orders_held", "orders_ticket"] {
        assert!(steps.iter().any(|step| step.contains(index)), "{index}: {steps:#?}");
    }
}

#[test]
fn all_open_positions_are_counted() {
    let journal = Journal::new();
    journal.run(&format!(
        "CREATE TEMP TABLE many AS WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 600) SELECT n FROM it;
         INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit, confidence,
           created_at_ms, updated_at_ms, state, ticket, price)
         SELECT 'order-' || n, '{ACCOUNT}', iif(n = 1, 'GBPUSD', 'EURUSD'), 'm', 'm', n, 'BUY', 0.1, 1.0, 0, 0.7, n, n, 'filled', n, 1.2 FROM many;
         INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms)
         SELECT '00000000-0000-4000-8000-' || printf('%012d', n), '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', n, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, n,
           0, 0, 1.1, 0, 0, 0 FROM many;"
    ));
    let counts = journal.reader.positions(&at(MONDAY * 1_000), &HashMap::new()).unwrap().counts();
    let of = |symbol: &str| (counts[symbol].live, counts[symbol].paper);
    assert_eq!((of("EURUSD"), of("GBPUSD")), ((599, 600), (1, 0)), "also the oldest");
}
