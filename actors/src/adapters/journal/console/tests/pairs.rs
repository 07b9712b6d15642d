//! Live minus paper: order by order, of signals that have ended on both sides.

use super::*;
use crate::adapters::journal::console::money::Sums;

const TODAY: i64 = MONDAY + 2 * HOUR;
const YESTERDAY: i64 = MONDAY - HOUR;

/// An order at the gateway with this ticket, of this bar.
fn live(journal: &Journal, ticket: i64, symbol: &str, bar: i64) {
    journal.order(&format!("order-{symbol}-{bar}"), symbol, bar, &format!("'filled', {ticket}, 1.2, NULL, NULL"));
}

/// What an order of this bar brought: all of its lots are closed, or it is opened.
fn brought(journal: &Journal, ticket: i64, order: (&str, i64), row: (i64, &str, &str, f64)) {
    closed(journal, ticket, order, row, if row.2 == "opening" { "NULL" } else { "0.1" });
}

/// The same of so many lots.
fn closed(
    journal: &Journal,
    ticket: i64,
    (symbol, bar): (&str, i64),
    (at, source, kind, profit): (i64, &str, &str, f64),
    lots: &str,
) {
    journal.run(&format!(
        "INSERT INTO realised VALUES ('{ACCOUNT}', {ticket}, {at}000, '{source}', '{kind}', '{symbol}', 'order-{symbol}-{bar}', {profit}, 1,
         {lots});"
    ));
}

/// A trade on paper of this bar: when it ended, and what it brought.
fn paper(journal: &Journal, (symbol, bar): (&str, i64), ended: Option<i64>, profit: Option<f64>) {
    on_paper(journal, (symbol, bar), "m", ended, profit, Some(10.0));
}

fn on_paper(
    journal: &Journal,
    (symbol, bar): (&str, i64),
    model: &str,
    ended: Option<i64>,
    profit: Option<f64>,
    points: Option<f64>,
) {
    let sql = |number: Option<f64>| number.map_or_else(|| "NULL".to_owned(), |number| number.to_string());
    let ended_at_ms = ended.map_or_else(|| "NULL".to_owned(), |at| format!("{at}000"));
    journal.run(&format!(
        "INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms, exit_at,
           profit, net_points, spread_points, ended_at_ms)
         VALUES ('{symbol}-{bar}-{model}', '{ACCOUNT}', '{symbol}', '{symbol}m', '{model}', {bar}, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, {bar}, 0, 0,
           1.1, 0, 0, {TODAY}000, {ended_at_ms} / 1000, {}, {}, 1.0, {ended_at_ms});",
        sql(profit), sql(points),
    ));
}

/// Both ledgers with trades of every kind; two signals have ended on both sides.
fn journal() -> Journal {
    let journal = Journal::new();
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, balance, currency) VALUES ({TODAY}000, '{ACCOUNT}', 100, 'USD');
         INSERT INTO paper_equity VALUES ({TODAY}000, '{ACCOUNT}', 10000, 10004, 10004, 40, 0, 0);
         INSERT INTO realised VALUES ('{ACCOUNT}', 90, {TODAY}000, 'gateway', 'close', 'EURUSD', NULL, 70.0, 1, 0.1);"
    ));
    // -5 with all that belongs to it, against -4.
    let first = ("EURUSD", 1);
    live(&journal, 1, first.0, first.1);
    brought(&journal, 1, first, (YESTERDAY, "gateway", "opening", -3.5));
    closed(&journal, 1, first, (TODAY - 60, "estimated", "part", 9.0), "0.04");
    closed(&journal, 1, first, (TODAY - 60, "gateway", "part", 10.0), "0.04");
    closed(&journal, 1, first, (TODAY, "gateway", "close", -11.5), "0.06");
    paper(&journal, first, Some(TODAY), Some(-4.0));
    // Only a part of it is closed.
    live(&journal, 2, "EURUSD", 2);
    closed(&journal, 2, ("EURUSD", 2), (TODAY, "gateway", "part", 30.0), "0.04");
    paper(&journal, ("EURUSD", 2), Some(TODAY), Some(50.0));
    // Still open on paper, never ordered at the gateway, or only opened there.
    live(&journal, 3, "GBPUSD", 1);
    brought(&journal, 3, ("GBPUSD", 1), (TODAY, "gateway", "close", 50.0));
    paper(&journal, ("GBPUSD", 1), None, None);
    paper(&journal, ("GBPUSD", 2), Some(TODAY), Some(-20.0));
    live(&journal, 4, "GBPUSD", 3);
    brought(&journal, 4, ("GBPUSD", 3), (TODAY, "gateway", "opening", -2.0));
    paper(&journal, ("GBPUSD", 3), Some(TODAY), Some(8.0));
    // 5 yesterday at the gateway, 4.5 today on paper.
    live(&journal, 5, "GBPUSD", 4);
    brought(&journal, 5, ("GBPUSD", 4), (YESTERDAY, "gateway", "close", 5.0));
    paper(&journal, ("GBPUSD", 4), Some(TODAY), Some(4.5));
    // A ticket of two orders, another model, a trade on paper that was lost.
    for bar in [5, 6] {
        live(&journal, 6, "GBPUSD", bar);
        paper(&journal, ("GBPUSD", bar), Some(TODAY), Some(1.0));
    }
    brought(&journal, 6, ("GBPUSD", 6), (TODAY, "gateway", "close", 100.0));
    for (ticket, bar) in [(7, 7), (8, 8)] {
        live(&journal, ticket, "GBPUSD", bar);
        brought(&journal, ticket, ("GBPUSD", bar), (TODAY, "gateway", "close", 100.0));
    }
    on_paper(&journal, ("GBPUSD", 7), "other", Some(TODAY), Some(1.0), Some(10.0));
    on_paper(&journal, ("GBPUSD", 8), "m", Some(TODAY), None, None);
    journal
}

fn money(journal: &Journal) -> MoneyRows {
    let now_ms = (MONDAY + 5 * HOUR) * 1_000;
    let of = Ledgers { account: ACCOUNT.into(), now_ms, ..Ledgers::default() };
    journal.reader.money(&of, &[("today", MONDAY * 1_000), ("month", (MONDAY - 24 * HOUR) * 1_000)]).unwrap()
}

fn known(sums: &Sums) -> (Option<f64>, u32) {
    (sums.difference.amount, sums.pairs)
}

#[test]
fn live_minus_paper_is_of_signals_that_ended_on_both_sides() {
    let journal = journal();
    let rows = money(&journal);
    let today = &rows.periods[0].sums;
    assert_eq!((known(today), today.difference.unit.as_deref()), ((Some(-0.5), 2), Some("USD")));
    assert_eq!(known(&rows.periods[1].sums), (Some(-0.5), 2));
    let by_symbol: Vec<_> = rows.symbols.iter().map(|row| (row.symbol.as_str(), known(&row.sums))).collect();
    assert_eq!(by_symbol, [("EURUSD", (Some(-1.0), 1)), ("GBPUSD", (Some(0.5), 1))]);
    let days: Vec<_> = rows.days.iter().map(|day| known(&day.sums)).collect();
    assert_eq!(days, [(Some(-0.5), 2), (None, 0)], "a pair ends with its later trade");
    assert_eq!(rows.days[1].sums.difference.why.as_deref(), Some("no signal has ended on both sides"));
}

#[test]
fn live_minus_paper_of_a_trade_in_points_is_not_known() {
    let journal = journal();
    live(&journal, 9, "XAUUSD", 1);
    brought(&journal, 9, ("XAUUSD", 1), (TODAY, "gateway", "close", 1.0));
    paper(&journal, ("XAUUSD", 1), Some(TODAY), None);
    let today = money(&journal).periods.remove(0).sums;
    assert_eq!(known(&today), (None, 3));
    let why = "paper is not known in the account's currency: XAUUSD";
    assert_eq!(today.difference.why.as_deref(), Some(why));
}

#[test]
fn the_journal_answers_the_same_pairs_by_span() {
    let journal = journal();
    let store = Store::open_read_only(&journal.reader.path).unwrap();
    let pairs = store.pairs(ACCOUNT, MONDAY * 1_000..i64::MAX).unwrap();
    let found: Vec<_> = pairs.iter().map(|pair| (pair.symbol.as_str(), pair.live, pair.paper)).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.contains(&("EURUSD", -5.0, Some(-4.0))) && found.contains(&("GBPUSD", 5.0, Some(4.5))), "{found:?}");
    assert_eq!(store.pairs(ACCOUNT, 0..MONDAY * 1_000), Ok(vec![]));
}

/// The signals of this symbol: live, whether it is an estimate, and paper.
fn compared(journal: &Journal, symbol: &str) -> Vec<(f64, bool, Option<f64>)> {
    let store = Store::open_read_only(&journal.reader.path).unwrap();
    let pairs = store.pairs(ACCOUNT, 0..i64::MAX).unwrap();
    pairs.iter().filter(|pair| pair.symbol == symbol).map(|pair| (pair.live, pair.is_estimate, pair.paper)).collect()
}

#[test]
fn a_position_with_lots_of_other_trades_in_it_is_compared_with_nothing() {
    let journal = Journal::new();
    for (bar, closes) in [(1, vec!["0.2"]), (2, vec!["0.1", "0.1"]), (3, vec!["NULL"]), (4, vec!["0.1"])] {
        live(&journal, bar, "EURUSD", bar);
        for (place, lots) in (0_i64..).zip(closes) {
            closed(&journal, bar, ("EURUSD", bar), (TODAY + place, "gateway", "close", 50.0), lots);
        }
        paper(&journal, ("EURUSD", bar), Some(TODAY), Some(25.0));
    }
    assert_eq!(
        compared(&journal, "EURUSD"),
        [(50.0, false, Some(25.0))],
        "only what closed as many lots as it ordered"
    );
}

#[test]
fn an_order_that_was_filled_in_part_is_compared_with_as_much_on_paper() {
    let journal = Journal::new();
    live(&journal, 1, "EURUSD", 1);
    journal.run("UPDATE orders SET filled_volume = 0.05");
    closed(&journal, 1, ("EURUSD", 1), (TODAY, "gateway", "close", 12.0), "0.05");
    paper(&journal, ("EURUSD", 1), Some(TODAY), Some(25.0));
    assert_eq!(compared(&journal, "EURUSD"), []);
    journal.run("UPDATE paper_orders SET volume = 0.05");
    assert_eq!(compared(&journal, "EURUSD"), [(12.0, false, Some(25.0))]);
}

#[test]
fn what_opening_cost_counts_though_its_row_names_no_order() {
    let journal = Journal::new();
    live(&journal, 1, "EURUSD", 1);
    brought(&journal, 1, ("EURUSD", 1), (YESTERDAY, "estimated", "opening", -3.5));
    journal.run("UPDATE realised SET order_id = NULL");
    brought(&journal, 1, ("EURUSD", 1), (TODAY, "gateway", "close", 10.0));
    paper(&journal, ("EURUSD", 1), Some(TODAY), Some(8.0));
    assert_eq!(compared(&journal, "EURUSD"), [(6.5, true, Some(8.0))]);
}

#[test]
fn a_close_waits_for_its_balance_and_an_estimate_says_so() {
    let journal = Journal::new();
    live(&journal, 1, "EURUSD", 1);
    brought(&journal, 1, ("EURUSD", 1), (TODAY, "estimated", "close", 10.0));
    journal.run("UPDATE realised SET is_settled = 0");
    paper(&journal, ("EURUSD", 1), Some(TODAY), Some(8.0));
    assert_eq!(compared(&journal, "EURUSD"), [], "the balance may still show something else");
    journal.run("UPDATE realised SET is_settled = 1");
    assert_eq!(compared(&journal, "EURUSD"), [(10.0, true, Some(8.0))]);
    let difference = |journal: &Journal| money(journal).periods.remove(0).sums.difference;
    assert_eq!(difference(&journal).source.as_deref(), Some("estimated"));
    brought(&journal, 1, ("EURUSD", 1), (TODAY, "gateway", "close", 9.5));
    assert_eq!((difference(&journal).source.as_deref(), difference(&journal).amount), (Some("mixed"), Some(1.5)));
}

#[test]
fn pairs_of_a_short_span_do_not_read_a_long_journal() {
    let journal = Journal::new();
    // A year of hours.
    journal.run(&format!(
        "CREATE TEMP TABLE hours AS WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 8760) SELECT n FROM it;
         INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit, confidence,
           created_at_ms, updated_at_ms, state, ticket, price)
         SELECT 'order-' || n, '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', n, 'BUY', 0.1, 1.0, 0, 0.7, n, n, 'filled', n, 1.2 FROM hours;
         INSERT INTO realised SELECT '{ACCOUNT}', n, ({TODAY} - (8760 - n) * {HOUR}) * 1000, 'gateway', 'close', 'EURUSD', 'order-' || n,
           1.0, 1, 0.1 FROM hours;
         INSERT INTO paper_orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit,
           confidence, close, digits, ticket, seen_to, bars_seen, mark_price, is_ambiguous, created_at_ms, updated_at_ms, exit_at,
           profit, net_points, spread_points, ended_at_ms)
         SELECT n, '{ACCOUNT}', 'EURUSD', 'EURUSDm', 'm', n, 'BUY', 0.1, 0, 0, 0.7, 1.1, 5, n, 0, 0, 1.1, 0, 0, 0, n, 0.5, 5, 1,
           ({TODAY} - (8760 - n) * {HOUR}) * 1000 FROM hours;"
    ));
    let store = Store::open_read_only(&journal.reader.path).unwrap();
    let count = |since: i64| store.pairs(ACCOUNT, since * 1_000..i64::MAX).unwrap().len();
    assert_eq!((count(MONDAY), count(0)), (3, 8_760));
    let sql = format!("EXPLAIN QUERY PLAN {}", crate::adapters::journal::pairs::PAIRS);
    let mut select = journal.writer.prepare(&sql).unwrap();
    let steps = select.query_map((ACCOUNT, 0, 1), |row| row.get::<_, String>(3)).unwrap();
    let steps: Vec<_> = steps.map(Result::unwrap).collect();
    let is_scan = |step: &&String| {
        ["it", "paper", "realised", "same"].iter().any(|name| step.starts_with(&format!("SCAN {name}")))
    };
    assert_eq!(steps.iter().find(is_scan), None, "{steps:#?}");
    for index in ["realised_at", "paper_orders_ended", "orders_ticket", "orders_identity", "paper_orders_bar"] {
        assert!(steps.iter().any(|step| step.contains(index)), "{index}: {steps:#?}");
    }
}

#[test]
fn the_day_so_far_asks_for_no_pairs() {
    let journal = journal();
    let of = Ledgers { account: ACCOUNT.into(), now_ms: (MONDAY + 5 * HOUR) * 1_000, ..Ledgers::default() };
    let before = journal.reader.today(&of).unwrap();
    journal.run("ALTER TABLE orders RENAME TO gone");
    assert_eq!(journal.reader.today(&of).unwrap(), before);
    assert!(journal.reader.money(&of, &[("today", MONDAY * 1_000)]).is_err());
}
