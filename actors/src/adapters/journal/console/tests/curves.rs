//! The curves of equity: how many points they have, and their drawdown.

use super::*;

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
    let curves = journal.reader.equity(&at(now_ms), Range::Month).unwrap();
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
    let live = journal.reader.equity(&at(now_ms), Range::Day).unwrap().live.unwrap();
    assert_eq!((live.peak, live.drawdown, live.drawdown_max), (Some(11_000.0), Some(500.0), Some(990.0)));
    assert_eq!(live.drawdown_share, Some(500.0 / 11_000.0), "as the gauge and the commands have it");
    assert_eq!(live.drawdown_max_share, Some(0.495), "of what the account had then");
    assert_eq!(live.columns[3], "unexplained");
    let ends = [live.rows.first(), live.rows.last()].map(|row| row.map(|row| (row.1, row.3)));
    assert_eq!(ends, [Some((Some(1_500.0), 0.0)), Some((Some(10_500.0), 9_000.0))], "what was deposited by then");
}

#[test]
fn a_peak_whose_row_was_forgotten_is_still_the_peak() {
    let mut journal = Journal::new();
    let now_ms = MONDAY * 1_000;
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, equity, currency, is_whole) VALUES ({now_ms}, '{ACCOUNT}', 10500, 'USD', 1);
         INSERT INTO equity_peaks VALUES ('{ACCOUNT}', 2000.0, 7); INSERT INTO unexplained VALUES ('{ACCOUNT}', 8, 9000.0);"
    ));
    let live = journal.reader.equity(&at(now_ms), Range::Day).unwrap().live.unwrap();
    assert_eq!((live.peak, live.peak_ms, live.drawdown), (Some(11_000.0), Some(7), Some(500.0)));
    assert_eq!((live.drawdown_max, live.drawdown_max_share), (Some(500.0), Some(500.0 / 11_000.0)));
}

#[test]
fn another_start_on_paper_is_no_drawdown() {
    let mut journal = Journal::new();
    for (minute, start, equity) in
        [(1, 100_000, 100_100), (2, 100_000, 100_050), (3, 10_000, 10_050), (4, 10_000, 10_020)]
    {
        let at_ms = MONDAY * 1_000 + minute * 60_000;
        journal.run(&format!(
            "INSERT INTO paper_equity VALUES ({at_ms}, '{ACCOUNT}', {start}, {equity}, {equity}, 0, 0, 0);"
        ));
    }
    let now_ms = MONDAY * 1_000 + 5 * 60_000;
    let paper = journal.reader.equity(&at(now_ms), Range::Day).unwrap().paper.unwrap();
    assert_eq!((paper.peak, paper.drawdown, paper.drawdown_max), (Some(10_100.0), Some(80.0), Some(80.0)));
    assert_eq!(paper.drawdown_share, Some(80.0 / 10_100.0));
    let earned: Vec<_> = paper.rows.iter().map(|row| row.1.unwrap() - row.3).collect();
    assert_eq!(earned, [100.0, 50.0, 50.0, 20.0]);
    let off = Ledgers { no_paper: Some("paper is off"), ..at(now_ms) };
    assert_eq!(journal.reader.equity(&off, Range::Day).unwrap().paper, None);
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
        let live = journal.reader.equity(&at(MONDAY * 1_000), Range::Day).unwrap().live.unwrap();
        (live.drawdown, live.drawdown_max)
    };
    look(&journal, 5_000, 10_000, 1);
    let partial = look(&journal, 4_000, 11_000, 0);
    let at_ms = look(&journal, 3_000, 11_000, 1);
    journal.run(&format!("INSERT INTO unexplained VALUES ('{ACCOUNT}', {at_ms}, 1000.0);"));
    assert_eq!(deepest(&mut journal), (Some(0.0), Some(0.0)), "a deposit that an order saw first");
    let drawn = journal.reader.equity(&at(MONDAY * 1_000), Range::Day).unwrap().live.unwrap().rows;
    assert!(drawn.len() == 2 && drawn.iter().all(|row| row.0 != partial), "{drawn:?}");
    let at_ms = look(&journal, 2_000, 11_000, 1);
    journal.run(&format!("INSERT INTO unexplained VALUES ('{ACCOUNT}', {at_ms}, 50.0);"));
    assert_eq!(deepest(&mut journal), (Some(50.0), Some(50.0)));
    journal.run(&format!("DELETE FROM unexplained WHERE at_ms = {at_ms};"));
    assert_eq!(deepest(&mut journal), (Some(0.0), Some(0.0)));
}
