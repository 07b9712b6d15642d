//! The figures as text, within the width of a terminal.

use super::report::{BySymbol, Live, Period, Report};
use crate::cli::output::{time, time_ms};
use sentinel_actors::adapters::journal::{PaperAccount, PaperProfit, ToldAccount};
use std::fmt::Write as _;

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
    }
    text.push('\n');
    text.push_str(&periods(report));
    text.push_str(&symbols(report));
    text
}

fn gateway(told: &ToldAccount) -> String {
    let currency = told.currency.as_deref().unwrap_or("currency not told");
    let (balance, equity) = (money(told.balance), money(told.equity));
    format!("balance {balance}, equity {equity} ({currency}), told {}", time_ms(told.at_ms))
}

fn open(report: &Report) -> String {
    let Some(positions) = report.told.as_ref().and_then(|told| told.positions.as_ref()) else {
        return "the gateway does not say what is open".into();
    };
    let each = report.open.iter().map(|(symbol, profit)| format!("{symbol} {}", signed(*profit)));
    let each = each.collect::<Vec<_>>().join(", ");
    match positions.len() {
        0 => "nothing".into(),
        1 => format!("1 position: {each}"),
        count => format!("{count} positions: {each}"),
    }
}

fn on_paper(paper: &PaperAccount) -> String {
    let equity = match paper.equity {
        Some(equity) => format!("{equity:.2}"),
        None => format!("not known in money, {:+.1} points open", paper.open_points),
    };
    let unpriced = match paper.unpriced {
        0 => String::new(),
        count => format!("; {count} trades are not in it, their profit in money is not known"),
    };
    format!("balance {:.2}, equity {equity}, {:+.1} points realised{unpriced}", paper.balance, paper.points)
}

fn periods(report: &Report) -> String {
    let title = ["", "SINCE (UTC)", "REALISED", "GROWTH", "UNEXPLAINED", "PAPER"].map(str::to_owned);
    let row = |period: &Period| {
        let live = period.live();
        let unexplained = Some(period.unexplained).filter(|amount| *amount != 0.0);
        [
            period.name.to_owned(),
            time(period.begin),
            report.told.as_ref().map_or_else(|| "-".into(), |_| of_live(Some(live))),
            signed(period.growth.map(|(_, growth)| growth)),
            signed(unexplained),
            of_paper(period.paper().as_ref()),
        ]
    };
    table(std::iter::once(title).chain(report.periods.iter().map(row)).collect())
}

/// By symbol, of the longest period.
fn symbols(report: &Report) -> String {
    let longest = report.periods.iter().min_by_key(|period| period.begin);
    let Some(period) = longest.filter(|period| !period.symbols.is_empty()) else { return String::new() };
    let title = ["SYMBOL", "CLOSED", "REALISED", "PAPER", "DIFFERENCE"].map(str::to_owned);
    let row = |it: &BySymbol| {
        let closes = it.live.map_or_else(|| "-".into(), |live| live.closes.to_string());
        [it.symbol.clone(), closes, of_live(it.live), of_paper(it.paper.as_ref()), signed(it.difference())]
    };
    let rows = std::iter::once(title).chain(period.symbols.iter().map(row)).collect();
    let mut notes = String::new();
    if period.live().estimates > 0 {
        notes.push_str("~ includes estimates: the balance did not show this close alone\n");
    }
    if period.symbols.iter().any(|it| it.difference().is_some()) {
        notes.push_str("difference: what execution cost, the gateway against paper\n");
    }
    if period.paper().is_some_and(|paper| !paper.has_costs) {
        notes.push_str("paper is before costs: study.spread_points is not set\n");
    }
    format!("\nby symbol, since {}\n{}{notes}", time(period.begin), table(rows))
}

fn of_live(live: Option<Live>) -> String {
    let Some(live) = live else { return "-".into() };
    format!("{}{:+.2}", if live.estimates > 0 { "~" } else { "" }, live.profit)
}

fn of_paper(paper: Option<&PaperProfit>) -> String {
    match paper.map(|paper| (paper.profit, paper.points)) {
        Some((Some(profit), _)) => format!("{profit:+.2}"),
        Some((None, Some(points))) => format!("{points:+.1} points"),
        Some((None, None)) | None => "-".into(),
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
    use sentinel_actors::adapters::journal::Peak;

    fn sample() -> Report {
        let live = |profit, estimates| Some(Live { profit, closes: 2, estimates });
        let paper =
            PaperProfit { symbol: "EURUSD".into(), trades: 2, profit: Some(-10.0), points: None, has_costs: false };
        let rows = vec![
            BySymbol { symbol: "EURUSD".into(), live: live(-12.5, 1), paper: Some(paper) },
            BySymbol { symbol: "XAUUSD".into(), live: live(3.25, 0), paper: None },
        ];
        let period = |name, begin, symbols| Period {
            name,
            begin,
            growth: Some((begin * 1_000, -8.0)),
            unexplained: 500.0,
            symbols,
        };
        Report {
            account: "12345678".into(),
            told: Some(ToldAccount {
                at_ms: 1_795_356_000_000,
                balance: Some(10_000.0),
                equity: Some(9_990.25),
                currency: Some("USD".into()),
                positions: Some(Vec::new()),
            }),
            open: Vec::new(),
            peak: Some(Peak { equity: 10_090.25, at_ms: 1_795_356_000_000 }),
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
gateway   balance 10000.00, equity 9990.25 (USD), told 2026-11-22T14:00:00.000Z
open      nothing
highest   10090.25 on 2026-11-22T14:00:00.000Z; now 0.99 % below

       SINCE (UTC)           REALISED  GROWTH  UNEXPLAINED   PAPER
today  2026-11-22T00:00:00Z     +0.00   -8.00      +500.00       -
month  2026-11-01T00:00:00Z    ~-9.25   -8.00      +500.00  -10.00

by symbol, since 2026-11-01T00:00:00Z
SYMBOL  CLOSED  REALISED   PAPER  DIFFERENCE
EURUSD       2   ~-12.50  -10.00       -2.50
XAUUSD       2     +3.25       -           -
~ includes estimates: the balance did not show this close alone
difference: what execution cost, the gateway against paper
paper is before costs: study.spread_points is not set
"
        );
    }

    #[test]
    fn an_account_that_nobody_told_has_no_figures() {
        let mut untold = sample();
        untold.leave_out_live();
        let text = report(&untold);
        assert!(!text.contains("gateway ") && text.contains("today  2026-11-22T00:00:00Z         -"), "{text}");
    }
}
