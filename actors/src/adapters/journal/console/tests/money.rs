//! Sums, equity and drawdown.

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
         INSERT INTO realised VALUES ('{ACCOUNT}', 5, {yesterday}, 'gateway', 'close', 'EURUSD', NULL, 7.0, 1),
         ('{ACCOUNT}', 6, {}, 'estimated', 'close', 'EURUSD', NULL, -2.0, 1), ('{ACCOUNT}', 6, {}, 'gateway', 'close', 'EURUSD', NULL, -3.0, 1),
         ('{ACCOUNT}', 7, {}, 'estimated', 'part', 'EURUSD', NULL, 1.0, 1);
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
    assert_eq!(money.periods[0].sums.difference.why.as_deref(), Some("one side is not known"));
    let shown = journal.reader.positions(ACCOUNT, &HashMap::from([("eurusdm".into(), "EURUSD".into())]), None).unwrap();
    assert_eq!((shown.seen_ms, live.seen_ms), (Some(at(1)), Some(at(1))));
    let row = &shown.rows[0];
    assert_eq!(
        (row.symbol.as_deref(), row.state, row.profit.amount, row.stop_loss),
        (Some("EURUSD"), "open", Some(2.0), None)
    );
}

#[test]
fn live_minus_paper_is_of_as_many_trades_of_ours() {
    let journal = Journal::new();
    let now_ms = (MONDAY + 5 * HOUR) * 1_000;
    let of = Ledgers { account: ACCOUNT.into(), no_live: None, digits: HashMap::new(), now_ms };
    let at = (MONDAY + HOUR) * 1_000;
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, currency) VALUES ({at}, '{ACCOUNT}', 100, 'USD');
         INSERT INTO paper_equity VALUES ({at}, '{ACCOUNT}', 10000, 10004, 10004, 40, 0, 0);
         INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms, exit_at,
           profit, net_points, spread_points)
         VALUES ('p', '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', 0, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, 1, 0, 0, 1.1, 0, {at}, {at}, 1, 4.0, 40, 1.0);
         INSERT INTO realised VALUES ('{ACCOUNT}', 5, {at}, 'gateway', 'close', 'EURUSD', 'ours', 3.0, 1),
         ('{ACCOUNT}', 6, {at}, 'gateway', 'close', 'EURUSD', NULL, 70.0, 1);"
    ));
    let starts = [("today", MONDAY * 1_000)];
    let sums = |journal: &Journal| journal.reader.money(&of, &starts).unwrap().periods.remove(0).sums;
    let one = sums(&journal);
    assert_eq!((one.live.amount, one.live_trades, one.difference.amount), (Some(73.0), 2, Some(-1.0)));
    journal.run(&format!(
        "INSERT INTO realised VALUES ('{ACCOUNT}', 7, {at}, 'gateway', 'close', 'EURUSD', 'too', 2.0, 1);"
    ));
    let two = sums(&journal).difference;
    let why = "not the same number of trades: 2 live, 1 on paper";
    assert_eq!((two.amount, two.why.as_deref()), (None, Some(why)));
}

#[test]
fn a_curve_has_few_points_and_its_deepest_drawdown() {
    let mut journal = Journal::new();
    let now_ms = MONDAY * 1_000;
    let mut rows = String::new();
    for minute in 0..5_000_i64 {
        let equity = match minute {
            0..1_000 => 1_000 + minute,
            1_000..1_100 => 2_000 - (minute - 1_000) * 10,
            _ => 1_500,
        };
        let at_ms = now_ms - (5_000 - minute) * 60_000;
        rows.push_str(&format!("INSERT INTO account_snapshots (at_ms, account, equity, currency, is_whole) VALUES ({at_ms}, '{ACCOUNT}', {equity}, 'USD', 1);"));
    }
    journal.run(&format!("BEGIN; {rows} COMMIT;"));
    let curves = journal.reader.equity(ACCOUNT, Range::Month, now_ms).unwrap();
    let live = curves.live.unwrap();
    assert!(live.rows.len() <= ROWS_MAX && live.rows.len() > 300, "{}", live.rows.len());
    assert!(
        live.rows.is_sorted_by_key(|row| row.0) && live.rows.iter().any(|row| row.1 == Some(1_010.0)),
        "the deepest"
    );
    assert_eq!((live.peak, live.drawdown, live.drawdown_max), (Some(2_000.0), Some(500.0), Some(990.0)));
    assert_eq!((live.drawdown_share, live.drawdown_max_share, curves.paper), (Some(0.25), Some(0.495), None));
    // A deposit is no profit, and taking it back is no loss.
    journal.run(&format!(
        "INSERT INTO unexplained VALUES ('{ACCOUNT}', {now_ms}, 9000.0);
         INSERT INTO account_snapshots (at_ms, account, equity, currency, is_whole) VALUES ({now_ms}, '{ACCOUNT}', 10500, 'USD', 1);"
    ));
    let live = journal.reader.equity(ACCOUNT, Range::Day, now_ms).unwrap().live.unwrap();
    assert_eq!((live.peak, live.drawdown, live.drawdown_max), (Some(2_000.0), Some(500.0), Some(990.0)));
    assert_eq!(live.rows.last().unwrap().1, Some(10_500.0));
}

#[test]
fn a_drawdown_counts_whole_looks_and_forgets_a_step_taken_back() {
    let mut journal = Journal::new();
    let look = |journal: &Journal, before_ms: i64, equity: i64, is_whole: i64| {
        let at_ms = MONDAY * 1_000 - before_ms;
        journal.run(&format!("INSERT INTO account_snapshots (at_ms, account, equity, currency, is_whole) VALUES ({at_ms}, '{ACCOUNT}', {equity}, 'USD', {is_whole});"));
        at_ms
    };
    let deepest = |journal: &mut Journal| {
        let live = journal.reader.equity(ACCOUNT, Range::Day, MONDAY * 1_000).unwrap().live.unwrap();
        (live.drawdown, live.drawdown_max)
    };
    look(&journal, 5_000, 10_000, 1);
    look(&journal, 4_000, 11_000, 0);
    let at_ms = look(&journal, 3_000, 11_000, 1);
    journal.run(&format!("INSERT INTO unexplained VALUES ('{ACCOUNT}', {at_ms}, 1000.0);"));
    assert_eq!(deepest(&mut journal), (Some(0.0), Some(0.0)), "a deposit that an order saw first");
    let at_ms = look(&journal, 2_000, 11_000, 1);
    journal.run(&format!("INSERT INTO unexplained VALUES ('{ACCOUNT}', {at_ms}, 50.0);"));
    assert_eq!(deepest(&mut journal), (Some(50.0), Some(50.0)));
    journal.run(&format!("DELETE FROM unexplained WHERE at_ms = {at_ms};"));
    assert_eq!(deepest(&mut journal), (Some(0.0), Some(0.0)));
}
