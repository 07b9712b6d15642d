//! The figures as text, within the width of a terminal.

use crate::{
    cli::{
        orders::paper::unpriced,
        output::{time, time_ms},
    },
    tools::account::profit::{BySymbol, Growth, Live, Period, Report},
};
use sentinel_actors::adapters::journal::{PaperProfit, PaperTotals, ReportedAccount};
use std::fmt::Write as _;

/// A look so long before or after a period's begin is as good as one at it. In milliseconds.
const LOOK_APART_MS: i64 = 120_000;

pub(super) fn report(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", format!("{name:<10}{what}").trim_end());
    };
    line("account", &report.account);
    if let Some(told) = &report.told {
        line("gateway", &gateway(told));
        line("open", &open(report));
        if let (Some(peak), Some(drawdown)) = (report.peak, report.drawdown()) {
            let since = time_ms(peak.at_ms);
            line("highest", &format!("{:.2} on {since}; now {:.2} % below", peak.equity, drawdown * 100.0));
        }
    }
    if let Some(paper) = &report.paper {
        line("paper", &on_paper(paper));
        // It changes with the market; a time that is long ago is that of an account that is off.
        line("", format!("as of {}; {}", time_ms(paper.at_ms), not_in_money(paper)).trim_end_matches("; "));
    }
    text.push('\n');
    text.push_str(&periods(report));
    text.push_str(&symbols(report));
    text
}

fn gateway(told: &ReportedAccount) -> String {
    let currency = told.currency.as_deref().unwrap_or("currency not reported");
    let (balance, equity) = (money(told.balance), money(told.equity));
    format!("balance {balance}, equity {equity} ({currency}), reported {}", time_ms(told.at_ms))
}

fn open(report: &Report) -> String {
    let Some(positions) = report.told.as_ref().and_then(|told| told.positions.as_ref()) else {
        return "the gateway does not say what is open".into();
    };
    let each = report.open.iter().map(|(symbol, profit)| format!("{symbol} {}", signed(*profit)));
    let each = each.collect::<Vec<_>>().join(", ");
    let open = match positions.len() {
        0 => "nothing".into(),
        1 => format!("1 position: {each}"),
        count => format!("{count} positions: {each}"),
    };
    let told = report.told.as_ref();
    let listed = told.and_then(|told| told.positions_ms.filter(|listed| (listed - told.at_ms).abs() > LOOK_APART_MS));
    listed.map_or_else(|| open.clone(), |listed| format!("{open}, reported {}", time_ms(listed)))
}

fn on_paper(paper: &PaperTotals) -> String {
    let equity = paper.equity.map_or_else(|| "not known in money".into(), |equity| format!("{equity:.2}"));
    format!("balance {:.2} (began with {:.2}), equity {equity}", paper.balance, paper.start)
}

/// What of the account on paper is not in its money.
fn not_in_money(paper: &PaperTotals) -> String {
    let points = paper.points.zip(paper.open_points);
    let points = points.map(|(realised, open)| format!("{realised:+.1} points realised, {open:+.1} open"));
    format!("{}{}", points.unwrap_or_default(), unpriced(paper.unpriced)).trim_start_matches("; ").into()
}

fn periods(report: &Report) -> String {
    let title = ["", "SINCE (UTC)", "REALISED", "GROWTH", "UNEXPLAINED", "PAPER"].map(str::to_owned);
    let row = |period: &Period| {
        let live = period.live();
        let unexplained = Some(period.unexplained).filter(|amount| *amount != 0.0);
        [
            period.name.to_owned(),
            time(period.begin),
            of_live(Some(live).filter(|_| report.told.is_some() && period.untold_since_ms().is_none())),
            signed(period.growth.and_then(|growth| growth.amount)),
            signed(unexplained),
            of_paper(period.paper().as_ref()),
        ]
    };
    let mut text = table(std::iter::once(title).chain(report.periods.iter().map(row)).collect());
    for period @ Period { name, growth, begin, .. } in &report.periods {
        if let Some(since) = period.untold_since_ms() {
            let since = time_ms(since);
            let _ = writeln!(text, "realised of {name} is not known: the gateway has told nothing since {since}");
        }
        if let Some(Growth { since_ms, amount: None }) = growth {
            let seen = time_ms(*since_ms);
            let _ = writeln!(text, "growth of {name} is not known: before it the account was last seen on {seen}");
        }
        let known = growth.filter(|growth| growth.amount.is_some());
        if let Some(Growth { since_ms, .. }) = known.filter(|it| (it.since_ms - begin * 1_000).abs() > LOOK_APART_MS) {
            let _ = writeln!(text, "growth of {name} is since {}, when the account was seen", time_ms(since_ms));
        }
    }
    text
}

/// By symbol, of the longest period.
fn symbols(report: &Report) -> String {
    let longest = report.periods.iter().min_by_key(|period| period.begin);
    let Some(period) = longest.filter(|period| !period.symbols.is_empty()) else { return String::new() };
    let title = ["SYMBOL", "CLOSED", "REALISED", "PAPER", "LIVE MINUS PAPER"].map(str::to_owned);
    let row = |it: &BySymbol| {
        let closes = it.live.map_or_else(|| "-".into(), |live| live.closes.to_string());
        let apart = it.pairs.live_minus_paper();
        let apart = apart.map_or_else(
            |_| "-".into(),
            |apart| format!("{}{apart:+.2} over {}", about(it.pairs.estimates), it.pairs.signals),
        );
        [it.symbol.clone(), closes, of_live(it.live), of_paper(it.paper.as_ref()), apart]
    };
    let rows = std::iter::once(title).chain(period.symbols.iter().map(row)).collect();
    let mut notes = String::new();
    let pairs = period.pairs();
    if period.live().estimates > 0 || pairs.estimates > 0 {
        notes.push_str("~ includes estimates: the balance did not show this close alone\n");
    }
    let has_both = report.told.is_some() && period.paper().is_some();
    if has_both {
        let _ = match pairs.live_minus_paper() {
            Ok(difference) => {
                let about = about(pairs.estimates);
                writeln!(notes, "live minus paper: {about}{difference:+.2} over {}", signals(pairs.signals))
            }
            Err(why) => writeln!(notes, "live minus paper is not known: {why}"),
        };
    }
    if period.paper().is_some_and(|paper| !paper.has_costs) {
        notes.push_str("paper is before costs: study.spread_points is not set\n");
    }
    format!("\nby symbol, since {}\n{}{notes}", time(period.begin), table(rows))
}

fn signals(count: u32) -> String {
    format!("{count} signal{} that ended on both", if count == 1 { "" } else { "s" })
}

fn of_live(live: Option<Live>) -> String {
    let Some(live) = live else { return "-".into() };
    format!("{}{:+.2}", about(live.estimates), live.profit)
}

/// What stands before a sum with estimates in it.
const fn about(estimates: u32) -> &'static str {
    if estimates > 0 { "~" } else { "" }
}

fn of_paper(paper: Option<&PaperProfit>) -> String {
    match paper.map(|paper| (paper.profit, paper.points)) {
        Some((Some(profit), _)) => format!("{profit:+.2}"),
        Some((None, Some(points))) => format!("{points:+.1} points"),
        Some((None, None)) => "not known in money".into(),
        None => "-".into(),
    }
}

fn money(amount: Option<f64>) -> String {
    amount.map_or_else(|| "-".into(), |amount| format!("{amount:.2}"))
}

fn signed(amount: Option<f64>) -> String {
    amount.map_or_else(|| "-".into(), |amount| format!("{amount:+.2}"))
}

/// Texts are aligned to the left, figures to the right.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let is_text = |column: usize| {
        rows.iter().skip(1).all(|row| row[column].starts_with(|c: char| c.is_alphabetic()))
            || rows.first().is_some_and(|title| title[column].starts_with("SINCE"))
    };
    let line = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if is_text(column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::pnl::json,
        tools::account::profit::{Own, Pairs},
    };
    use sentinel_actors::adapters::journal::Peak;

    fn sample() -> Report {
        let own = |profit| Own { profit, trades: 2 };
        let live = |profit, estimates| Some(Live { profit, closes: 2, estimates, own: own(profit) });
        let paper =
            PaperProfit { symbol: "EURUSD".into(), trades: 2, profit: Some(-10.0), points: None, has_costs: false };
        let pairs = Pairs { signals: 2, unpriced: 0, estimates: 1, difference: -2.5 };
        let rows = vec![
            BySymbol { symbol: "EURUSD".into(), live: live(-12.5, 1), paper: Some(paper), pairs },
            BySymbol { symbol: "XAUUSD".into(), live: live(3.25, 0), paper: None, pairs: Pairs::default() },
        ];
        let period = |name, begin, symbols| Period {
            name,
            begin,
            growth: Some(Growth { since_ms: begin * 1_000, amount: Some(-8.0) }),
            unexplained: 500.0,
            silent_since_ms: None,
            symbols,
        };
        Report {
            account: "12345678".into(),
            told: Some(ReportedAccount {
                at_ms: 1_795_356_000_000,
                positions_ms: Some(1_795_356_060_000),
                balance: Some(10_000.0),
                equity: Some(9_990.25),
                currency: Some("USD".into()),
                positions: Some(Vec::new()),
            }),
            open: Vec::new(),
            peak: Some(Peak { equity: 10_090.25, at_ms: 1_795_356_000_000 }),
            whole_equity: Some(9_990.25),
            periods: vec![period("today", 1_795_305_600, Vec::new()), period("month", 1_793_491_200, rows)],
            paper: None,
        }
    }

    #[test]
    fn every_figure_is_there_and_what_nobody_knows_is_a_dash() {
        let text = report(&sample());
        assert_eq!(
            text,
            "account   12345678
gateway   balance 10000.00, equity 9990.25 (USD), reported 2026-11-22T14:00:00.000Z
open      nothing
highest   10090.25 on 2026-11-22T14:00:00.000Z; now 0.99 % below

       SINCE (UTC)           REALISED  GROWTH  UNEXPLAINED   PAPER
today  2026-11-22T00:00:00Z     +0.00   -8.00      +500.00       -
month  2026-11-01T00:00:00Z    ~-9.25   -8.00      +500.00  -10.00

by symbol, since 2026-11-01T00:00:00Z
SYMBOL  CLOSED  REALISED   PAPER  LIVE MINUS PAPER
EURUSD       2   ~-12.50  -10.00     ~-2.50 over 2
XAUUSD       2     +3.25       -                 -
~ includes estimates: the balance did not show this close alone
live minus paper: ~-2.50 over 2 signals that ended on both
paper is before costs: study.spread_points is not set
"
        );
    }

    #[test]
    fn positions_of_another_time_say_which() {
        let mut earlier = sample();
        earlier.told.as_mut().unwrap().positions_ms = Some(1_795_305_600_000);
        let text = report(&earlier);
        assert!(text.contains("\nopen      nothing, reported 2026-11-22T00:00:00.000Z\n"), "{text}");
    }

    #[test]
    fn growth_over_a_time_that_nobody_saw_is_not_known() {
        let mut unseen = sample();
        unseen.periods[0].growth = Some(Growth { since_ms: 1_795_200_000_000, amount: None });
        let text = report(&unseen);
        assert!(text.contains("today  2026-11-22T00:00:00Z     +0.00       -      +500.00"), "{text}");
        let seen = "growth of today is not known: before it the account was last seen on 2026-11-20T18:40:00.000Z\n";
        assert!(text.contains(seen), "{text}");
    }

    #[test]
    fn a_day_without_reports_has_no_figure() {
        let mut silent = sample();
        silent.periods.iter_mut().for_each(|period| period.silent_since_ms = Some(1_795_200_000_000));
        let text = report(&silent);
        assert!(text.contains("today  2026-11-22T00:00:00Z         -   -8.00"), "{text}");
        assert!(text.contains("month  2026-11-01T00:00:00Z    ~-9.25"), "what was realised is known: {text}");
        let since = "realised of today is not known: the gateway has told nothing since 2026-11-20T18:40:00.000Z\n";
        assert!(text.contains(since) && !text.contains("realised of month"), "{text}");
        assert_eq!(json::report(&silent)["periods"][0]["live"]["profit"], serde_json::Value::Null);
        assert_eq!(json::report(&sample())["periods"][0]["live"]["profit"], 0.0);
    }

    #[test]
    fn growth_says_since_when_if_that_is_not_the_begin() {
        let mut early = sample();
        early.periods[0].growth = Some(Growth { since_ms: 1_795_305_600_000 - 1_800_000, amount: Some(-8.0) });
        let text = report(&early);
        let since = "growth of today is since 2026-11-21T23:30:00.000Z, when the account was seen\n";
        assert!(text.contains(since) && !text.contains("growth of month"), "{text}");
    }

    #[test]
    fn an_account_on_paper_says_what_it_began_with_and_what_it_lacks() {
        let mut paper = PaperTotals {
            at_ms: 0,
            start: 10_000.0,
            balance: 10_012.5,
            equity: None,
            points: Some(125.0),
            open_points: Some(-3.0),
            unpriced: 2,
        };
        assert_eq!(on_paper(&paper), "balance 10012.50 (began with 10000.00), equity not known in money");
        let rest = "+125.0 points realised, -3.0 open; 2 trades with unknown profit are not counted";
        assert_eq!(not_in_money(&paper), rest);
        (paper.points, paper.open_points, paper.unpriced) = (None, None, 1);
        assert_eq!(
            not_in_money(&paper),
            "1 trade with unknown profit is not counted",
            "points of different symbols cannot be added"
        );
        paper.unpriced = 0;
        assert_eq!(not_in_money(&paper), "");
    }

    #[test]
    fn an_account_that_nobody_told_has_no_figures() {
        let mut untold = sample();
        untold.leave_out_live();
        let text = report(&untold);
        assert!(!text.contains("gateway ") && text.contains("today  2026-11-22T00:00:00Z         -"), "{text}");
    }
}
