//! Sums of both ledgers, and what is said of those that are not known.

use super::*;
use std::collections::HashMap;

#[test]
fn money_is_summed_by_ledger_and_what_is_not_known_is_said() {
    let journal = Journal::new();
    let now_ms = (MONDAY + 5 * HOUR) * 1_000;
    let of = |no_live| Ledgers { account: ACCOUNT.into(), no_live, digits: HashMap::new(), now_ms };
    let (live, paper) = journal.reader.today(&of(None)).unwrap();
    assert_eq!((live.realised.amount, live.open.amount, paper.realised.amount), (None, None, None), "never 0");
    assert!(live.realised.why.unwrap().contains("neither balance nor equity"));
    let (live, _) = journal.reader.today(&of(Some("dry run"))).unwrap();
    assert_eq!(live.realised.why.as_deref(), Some("dry run"));
    let at = |hour: i64| (MONDAY + hour * HOUR) * 1_000;
    let yesterday = at(-3);
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions) VALUES
         ({}, '{ACCOUNT}', 100, 101, 'USD', '[{{\"ticket\":1,\"symbol\":\"EURUSDm\",\"side\":\"BUY\",\"volume\":0.1,\"profit\":2.5,\"swap\":-0.5,\"sl\":0.0}}]');
         INSERT INTO realised VALUES ('{ACCOUNT}', 5, {yesterday}, 'gateway', 'close', 'EURUSD', NULL, 7.0, 1, 0.1),
         ('{ACCOUNT}', 6, {}, 'estimated', 'close', 'EURUSD', NULL, -2.0, 1, 0.1), ('{ACCOUNT}', 6, {}, 'gateway', 'close', 'EURUSD', NULL, -3.0, 1, 0.1),
         ('{ACCOUNT}', 7, {}, 'estimated', 'part', 'EURUSD', NULL, 1.0, 1, 0.05);
         INSERT INTO unexplained VALUES ('{ACCOUNT}', {yesterday}, 500.0);",
        at(1), at(2), at(2), at(3)
    ));
    let (live, _) = journal.reader.today(&of(None)).unwrap();
    assert_eq!((live.realised.amount, live.realised.source.as_deref(), live.trades), (Some(-2.0), Some("mixed"), 1));
    assert_eq!((live.open.amount, live.open.unit.as_deref()), (Some(2.0), Some("USD")));
    let starts = [("today", at(0)), ("week", at(0)), ("month", at(-96))];
    let money = journal.reader.money(&of(None), &starts).unwrap();
    let sums: Vec<_> = money.periods.iter().map(|period| period.sums.live.amount).collect();
    assert_eq!(sums, [Some(-2.0), Some(-2.0), Some(5.0)]);
    let days: Vec<_> = money.days.iter().map(|day| day.day.as_deref().unwrap()).collect();
    assert_eq!(days, ["2026-01-05", "2026-01-04"], "the newest first");
    assert_eq!((money.unexplained.len(), money.unexplained[0].unit.as_deref()), (1, Some("USD")));
    let sums = &money.periods[0].sums;
    assert_eq!((sums.difference.why.as_deref(), sums.pairs), (Some("no signal has ended on both sides"), 0));
    let shown = journal.reader.positions(ACCOUNT, &HashMap::from([("eurusdm".into(), "EURUSD".into())]), None).unwrap();
    assert_eq!((shown.seen_ms, live.seen_ms), (Some(at(1)), Some(at(1))));
    let row = &shown.rows[0];
    assert_eq!(
        (row.symbol.as_deref(), row.state, row.profit.amount, row.stop_loss),
        (Some("EURUSD"), "open", Some(2.0), None)
    );
}
