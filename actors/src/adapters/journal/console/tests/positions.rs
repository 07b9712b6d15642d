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
