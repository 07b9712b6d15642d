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
fn old_money_does_not_look_live() {
    let mut journal = Journal::new();
    let told_ms = MONDAY * 1_000;
    let list = r#"[{"ticket":1,"symbol":"EURUSDm","side":"BUY","volume":0.1,"profit":2.5}]"#;
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, equity, currency, positions, is_whole, every_s, account_ms, positions_ms)
         VALUES ({}, '{ACCOUNT}', 100, 102.5, 'USD', '{list}', 1, 60, {told_ms}, {told_ms});",
        told_ms - 600_000
    ));
    let hour = 3_600_000;
    let silent = "the gateway has told nothing since 2026-01-05 00:00:00 UTC";
    let unasked = "the gateway has told nothing since Sentinel started";
    for (of, why) in [
        (at(told_ms + hour), None),
        (at(told_ms + 2 * hour), Some(silent)),
        (Ledgers { started_ms: told_ms - 1, ..at(told_ms + 5) }, None),
        (Ledgers { started_ms: told_ms + 1, ..at(told_ms + 5) }, Some(unasked)),
        (Ledgers { trouble: Some("no reply".into()), ..at(told_ms + 5) }, Some("no reply")),
    ] {
        let open = journal.reader.today(&of).unwrap().0;
        assert_eq!((open.open.amount, open.open.why.as_deref()), (Some(2.5).filter(|_| why.is_none()), why));
        assert_eq!(open.seen_ms, Some(told_ms), "when it was so is said anyhow");
        let account = journal.reader.money(&of, &[]).unwrap().account.unwrap();
        assert_eq!((account.equity, account.trouble.as_deref(), account.seen_ms), (Some(102.5), why, told_ms));
        let positions = journal.reader.positions(&of, &HashMap::new()).unwrap();
        assert_eq!((positions.trouble.as_deref(), positions.seen_ms), (why, Some(told_ms)));
        let curves = journal.reader.equity(&of, Range::Day).unwrap();
        let live = curves.live.unwrap();
        assert_eq!((curves.trouble.as_deref(), live.seen_ms), (why, Some(told_ms)));
        let ends: Vec<_> = live.rows.iter().map(|row| (row.0, row.1)).collect();
        let said = (told_ms - 600_000, Some(102.5));
        assert_eq!(ends, [said, (told_ms, Some(102.5))], "it was told again, and no later");
    }
}

#[test]
fn a_sum_of_more_results_than_are_read_says_so() {
    let journal = Journal::new();
    let at_ms = MONDAY * 1_000;
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, currency) VALUES ({at_ms}, '{ACCOUNT}', 10, 'USD');
         INSERT INTO paper_equity VALUES ({at_ms}, '{ACCOUNT}', 10000, 10000, 10000, 0, 0, 0);
         CREATE TEMP TABLE many AS WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 20001) SELECT n FROM it;
         INSERT INTO realised SELECT '{ACCOUNT}', n, {at_ms} - n, 'gateway', 'close', 'EURUSD', NULL, 1.0, 1, 0.1 FROM many;
         INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms, exit_at,
           profit, net_points, spread_points, ended_at_ms)
         SELECT n, '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', n, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, n, 0, 0, 1.1, 0, 0, 0, n, 2.0, 5, 1, {at_ms} - n
         FROM many;"
    ));
    let starts = [("today", at_ms - 20_000), ("week", at_ms - 19_999), ("month", at_ms - 90_000)];
    let sums = || {
        let money = journal.reader.money(&super::at(at_ms), &starts).unwrap();
        let of = |sums: &crate::adapters::journal::console::money::Sums| {
            [&sums.live, &sums.paper].map(|it| (it.amount.unwrap(), it.why.clone()))
        };
        assert_eq!(of(&money.days[0].sums), of(&money.periods[2].sums), "the day in which they end");
        assert_eq!(of(&money.symbols[0].sums), of(&money.periods[2].sums));
        let [today, week, month] = &money.periods[..] else { panic!() };
        [today, week, month].map(|period| of(&period.sums))
    };
    let why = Some("only the newest 20000 results of this ledger are in it".to_owned());
    let cut = [(20_000.0, why.clone()), (40_000.0, why)];
    assert_eq!(sums(), [cut.clone(), [(19_999.0, None), (39_998.0, None)], cut]);
    journal.run("DELETE FROM realised WHERE ticket = 20001; DELETE FROM paper_orders WHERE ticket = 20001;");
    assert_eq!(sums()[2], [(20_000.0, None), (40_000.0, None)]);
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
        at(4), at(2), at(2), at(3)
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
    assert_eq!((shown.seen_ms, live.seen_ms), (Some(at(4)), Some(at(4))));
    let row = &shown.rows[0];
    assert_eq!(
        (row.symbol.as_deref(), row.state, row.profit.amount, row.stop_loss),
        (Some("EURUSD"), "open", Some(2.0), None)
    );
}
