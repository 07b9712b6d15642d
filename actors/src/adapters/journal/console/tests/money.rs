//! Sums of both ledgers, and what is said of those that are not known.

use super::*;
use std::collections::HashMap;

#[test]
fn a_day_without_reports_is_not_zero() {
    let journal = Journal::new();
    let at = |hour: i64| (MONDAY + hour * HOUR) * 1_000;
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions, is_whole, every_s)
         VALUES ({}, '{ACCOUNT}', 100, 100, 'USD', '[]', 1, 60);
         INSERT INTO realised VALUES ('{ACCOUNT}', 5, {}, 'gateway', 'close', 'EURUSD', NULL, 7.0, 1, 0.1);",
        at(-2),
        at(-3)
    ));
    let of = |hour: i64| super::at(at(hour));
    let today = |of: &Ledgers| {
        let realised = journal.reader.today(of).unwrap().0.realised;
        (realised.amount, realised.why)
    };
    let silent = Some("the gateway has told nothing since 2026-01-04 22:00:00 UTC".to_owned());
    assert_eq!(today(&of(1)), (None, silent.clone()));
    let money = journal.reader.money(&of(1), &[("today", at(0)), ("month", at(-96))]).unwrap();
    let month = &money.periods[1].sums.live;
    assert_eq!((month.amount, month.why.clone()), (Some(7.0), silent.map(|why| format!("not up to date: {why}"))));
    let yesterday = &money.days[0].sums.live;
    assert_eq!((yesterday.amount, yesterday.why.is_some()), (Some(7.0), true), "it did not see the end of that day");
    // It says the same as then, so that there is no newer row.
    let again = |told_ms: i64| journal.run(&format!("UPDATE account_snapshots SET account_ms = {told_ms}"));
    again(at(1));
    assert_eq!(journal.reader.money(&of(1), &[]).unwrap().days[0].sums.live.why, None);
    again(at(0) - 60_000);
    assert_eq!(today(&of(1)), (Some(0.0), None));
    let trouble = Some("no reply".to_owned());
    let old = Some("not up to date: no reply".to_owned());
    assert_eq!(today(&Ledgers { trouble: trouble.clone(), ..of(1) }), (Some(0.0), old));
    assert_eq!(today(&Ledgers { trouble, ..of(3) }), (None, Some("no reply".to_owned())));
    journal.run(&format!(
        "INSERT INTO realised VALUES ('{ACCOUNT}', 6, {}, 'gateway', 'close', 'EURUSD', NULL, 1.0, 1, 0.1);",
        at(1)
    ));
    assert_eq!(today(&of(1)).0, Some(1.0), "what is known is shown");
}

#[test]
fn what_is_known_on_paper_is_shown() {
    let mut journal = Journal::new();
    let trade = |id: &str, ticket: i64, entry: &str, exit: &str| {
        format!(
            "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
             confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms, nights,
             entry_at, entry_price, spread_points, slippage_points, commission_points, swap_points,
             exit_at, exit_reason, net_points, profit, ended_at_ms)
             VALUES ('00000000-0000-4000-8000-{id}', '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', {ticket}, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5,
             {ticket}, 0, 1, 1.1005, 0, 0, 0, 0, {entry}, 10, 1, 2, 0, {exit});"
        )
    };
    let open = "NULL, NULL, NULL, NULL, NULL";
    journal.run(&trade("000000000001", 1, "1, 1.1", open));
    journal.run(&trade("000000000002", 2, "NULL, NULL", open));
    journal.run(&trade("000000000003", 3, "1, 1.1", "9, 'stop_loss', -5.0, -0.5, 9"));
    journal.run(&trade("000000000004", 4, "1, 1.1", "9, 'lost', NULL, NULL, 9"));
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, currency) VALUES (1, '{ACCOUNT}', 10, 'CHF');
         INSERT INTO paper_equity VALUES (1, '{ACCOUNT}', 10000, 9999.5, 10000, -5, 0, 1);"
    ));
    let of = at(MONDAY * 1_000);
    let profit = |it: &Money| (it.amount, it.unit.clone(), it.why.clone());
    let positions = journal.reader.positions(&of, &HashMap::new()).unwrap().rows;
    let [waiting, entered] = &positions[..] else { panic!("{positions:?}") };
    let (points, unit, why) = profit(&entered.profit);
    // 50 up, less half of the spread and the slippage of the way out, and the commission of both ways.
    assert!(points.is_some_and(|points| (points - 40.0).abs() < 1e-6), "{points:?}");
    assert_eq!((unit.as_deref(), why.as_deref()), (Some("points"), Some("in money when it ends")));
    assert_eq!(profit(&waiting.profit).0, None, "it is not entered yet");
    let page = journal.reader.orders_page(Ledger::Paper, (None, None), (None, 10)).unwrap();
    let [lost, ended, ..] = &page.rows[..] else { panic!() };
    assert_eq!(profit(ended.profit.as_ref().unwrap()), (Some(-0.5), Some("CHF".into()), None));
    assert_eq!(profit(lost.profit.as_ref().unwrap()).1, None);
    let paper = journal.reader.equity(&of, Range::All).unwrap().paper.unwrap();
    assert_eq!((paper.unit.as_deref(), paper.unpriced), (Some("CHF"), Some(1)));
    journal.run("UPDATE paper_equity SET equity = NULL, unpriced = 2");
    let paper = journal.reader.equity(&of, Range::All).unwrap().paper.unwrap();
    assert_eq!((paper.unit.as_deref(), paper.unpriced), (Some("points"), Some(1)), "only the lost one has no points");
}

#[test]
fn days_of_which_orders_were_forgotten_are_not_listed() {
    let journal = Journal::new();
    for day in 0..3 {
        journal.run(&format!(
            "INSERT INTO realised VALUES ('{ACCOUNT}', {day}, {}, 'gateway', 'close', 'EURUSD', NULL, 7.0, 1, 0.1);",
            (MONDAY + day * 24 * HOUR) * 1_000
        ));
    }
    let days = || journal.reader.money(&at((MONDAY + 99 * HOUR) * 1_000), &[]).unwrap().days.len();
    assert_eq!(days(), 3);
    journal.run(&format!("INSERT INTO forgotten VALUES ({});", (MONDAY + HOUR) * 1_000));
    assert_eq!(days(), 2, "a part of that day is missing");
}

#[test]
fn paper_that_is_off_is_not_shown() {
    let journal = Journal::new();
    journal.run(&format!(
        "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
         confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, entry_at, entry_price, created_at_ms, updated_at_ms)
         VALUES ('00000000-0000-4000-8000-000000000001', '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', 0, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, 1, 0, 1, 1.1001, 0, 1, 1.1, 0, 0);
         INSERT INTO paper_equity VALUES (1, '{ACCOUNT}', 10000, 10000, 10001, 0, 10, 0);"
    ));
    for (no_paper, count, start, open) in [(None, 1, Some(10_000.0), Some(1.0)), (Some("paper is off"), 0, None, None)]
    {
        let of = Ledgers { no_paper, ..at(MONDAY * 1_000) };
        let positions = journal.reader.positions(&of, &HashMap::new()).unwrap().rows;
        let (_, paper) = journal.reader.today(&of).unwrap();
        let money = journal.reader.money(&of, &[]).unwrap();
        assert_eq!((positions.len(), money.paper_start, paper.open.amount), (count, start, open));
        let whys = [paper.realised.why.as_deref(), paper.open.why.as_deref()];
        assert_eq!(whys, [no_paper; 2]);
    }
}

#[test]
fn money_is_summed_by_ledger_and_what_is_not_known_is_said() {
    let journal = Journal::new();
    let now_ms = (MONDAY + 5 * HOUR) * 1_000;
    let of = |no_live| Ledgers { account: ACCOUNT.into(), no_live, now_ms, ..Ledgers::default() };
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
    let shown = journal.reader.positions(&of(None), &HashMap::from([("eurusdm".into(), "EURUSD".into())])).unwrap();
    assert_eq!((shown.seen_ms, live.seen_ms), (Some(at(1)), Some(at(1))));
    let row = &shown.rows[0];
    assert_eq!(
        (row.symbol.as_deref(), row.state, row.profit.amount, row.stop_loss),
        (Some("EURUSD"), "open", Some(2.0), None)
    );
}
