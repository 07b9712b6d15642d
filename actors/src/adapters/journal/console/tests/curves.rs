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

/// Looks at the account: minutes before now, and the equity.
fn looks(journal: &Journal, now_ms: i64, looks: impl IntoIterator<Item = (i64, i64)>) {
    let row =
        |(minutes, equity): (i64, i64)| format!("({}, '{ACCOUNT}', {equity}, 'USD', 1)", now_ms - minutes * 60_000);
    let rows: Vec<_> = looks.into_iter().map(row).collect();
    journal.run(&format!(
        "INSERT INTO account_snapshots (at_ms, account, equity, currency, is_whole) VALUES {};",
        rows.join(", ")
    ));
}

/// How deep the page draws the end of a curve, and its deepest point.
fn drawn(curve: &Curve) -> (f64, f64) {
    let mut peak = curve.peak_before.unwrap_or(f64::MIN);
    let depths: Vec<_> = curve
        .rows
        .iter()
        .map(|row| {
            let own = row.1.unwrap() - row.3;
            peak = peak.max(own);
            peak - own
        })
        .collect();
    (*depths.last().unwrap(), depths.iter().copied().fold(0.0, f64::max))
}

#[test]
fn a_day_is_as_deep_as_its_account() {
    const DAY: i64 = 24 * 60;
    let now_ms = (MONDAY + 30 * 60) * 1_000;
    let mut journal = Journal::new();
    // The highest a week ago; of the hour in which the day begins, some was before it.
    looks(
        &journal,
        now_ms,
        [(8 * DAY, 10_000), (7 * DAY, 10_050), (6 * DAY, 10_010), (DAY + 20, 10_040), (DAY + 10, 9_980)],
    );
    looks(&journal, now_ms, [(900, 9_990), (5, 9_990)]);
    let live = |journal: &mut Journal, range| journal.reader.equity(&at(now_ms), range).unwrap().live.unwrap();
    for range in [Range::Day, Range::Week, Range::All] {
        let live = live(&mut journal, range);
        assert_eq!((live.drawdown, drawn(&live).0), (Some(60.0), 60.0), "{range:?}");
    }
    assert_eq!(live(&mut journal, Range::Day).peak_before, Some(10_050.0));
    // That one was paid in, and is no profit.
    journal.run(&format!("INSERT INTO unexplained VALUES ('{ACCOUNT}', {}, 50.0);", now_ms - 7 * DAY * 60_000));
    let day = live(&mut journal, Range::Day);
    assert_eq!((day.peak_before, day.drawdown, drawn(&day).0), (Some(10_000.0), Some(60.0), 60.0));
    journal.run(&format!("DELETE FROM unexplained; INSERT INTO equity_peaks VALUES ('{ACCOUNT}', 10090.0, 7);"));
    let day = live(&mut journal, Range::Day);
    assert_eq!((day.peak_before, day.drawdown, drawn(&day).0), (Some(10_090.0), Some(100.0), 100.0), "its row is gone");
}

#[test]
fn a_peak_between_two_points_is_a_point() {
    let now_ms = MONDAY * 1_000;
    let mut journal = Journal::new();
    // A month of minutes has a point in each hour and a half. Up for a minute, and down for a minute, twice.
    let equity = |minute: i64| match minute {
        30_001 => 10_500,
        30_003 => 9_300,
        10_001 => 10_900,
        _ => 10_000,
    };
    looks(&journal, now_ms, (0..40_000).rev().map(|minute| (minute, equity(minute))));
    let live = journal.reader.equity(&at(now_ms), Range::Month).unwrap().live.unwrap();
    assert!(live.rows.len() <= ROWS_MAX);
    assert_eq!((live.drawdown, live.drawdown_max), (Some(900.0), Some(900.0)));
    assert_eq!(drawn(&live).0, 900.0);
    let mut journal = Journal::new();
    let equity = |minute: i64| if minute == 10_001 { 10_400 } else { equity(minute) };
    looks(&journal, now_ms, (0..40_000).rev().map(|minute| (minute, equity(60_000 - minute - 20_001))));
    let live = journal.reader.equity(&at(now_ms), Range::Month).unwrap().live.unwrap();
    assert_eq!((Some(drawn(&live).0), Some(drawn(&live).1)), (live.drawdown, live.drawdown_max));
}
