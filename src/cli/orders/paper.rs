//! `sentinel orders --paper`: the orders on paper, which are listed apart from all others.

use super::table::{aligned, minute};
use crate::cli::output::time_ms;
use sentinel_actors::{
    adapters::journal::PaperRow,
    domain::paper::{PaperEnd, PaperEquity, PaperOrder},
};
use serde_json::{Value, json};
use std::{collections::HashSet, fmt::Write as _};

const TITLE: [&str; 9] = ["PAPER ID", "SYMBOL", "BAR CLOSE (UTC)", "ORDER", "ENTRY", "EXIT", "END", "POINTS", "PROFIT"];
/// How far each column may be cut so that the line fits.
const CUT: [(usize, usize); 3] = [(1, 8), (6, 8), (3, 8)];
const ID_CHARS: usize = 8;

/// All of them, and what the accounts are worth.
pub(super) fn table(rows: &[PaperRow], equities: &[(String, PaperEquity)]) -> String {
    if rows.is_empty() {
        return "no orders on paper\n".into();
    }
    let lines: Vec<_> = std::iter::once(TITLE.map(str::to_owned)).chain(rows.iter().map(cells)).collect();
    let mut text = aligned(&lines, &CUT);
    for (account, equity) in equities {
        let own = rows.iter().filter(|row| row.account == *account).map(|row| row.order.symbol.as_str());
        let is_of_one_symbol = own.collect::<HashSet<_>>().len() < 2;
        // Writing to a String cannot fail.
        let _ = writeln!(text, "account {account} on paper: {}", worth(equity, is_of_one_symbol));
    }
    for row in rows.iter().filter(|row| row.is_left) {
        let PaperOrder { symbol, ticket, .. } = &row.order;
        let _ = writeln!(text, "{symbol}, ticket {ticket}: {}", left(row));
    }
    if rows.iter().any(is_before_costs) {
        text.push_str("* before costs: study.spread_points is not set\n");
    }
    text
}

fn cells(row: &PaperRow) -> [String; TITLE.len()] {
    let order = &row.order;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let price = |price: f64| format!("{price:.*}", usize::try_from(order.digits).unwrap_or(0));
    let mark = if is_before_costs(row) { "*" } else { "" };
    let (exit, points) = (order.exit, points(row).map(|points| format!("{points:+.1}{mark}")));
    [
        order.id.to_string().chars().take(ID_CHARS).collect(),
        order.symbol.to_string(),
        minute(order.bar_close_time),
        format!("{} {}", order.side.as_str(), order.volume),
        or_none(order.entry.map(|entry| price(entry.price))),
        or_none(exit.and_then(|exit| exit.price).map(price)),
        end(row),
        or_none(points),
        or_none(exit.and_then(|exit| exit.profit).map(|profit| format!("{profit:+.2}{mark}"))),
    ]
}

/// What it brought or, while it is open, would bring now; `None` if it is no trade, or nobody knows.
fn points(row: &PaperRow) -> Option<f64> {
    let order = &row.order;
    match (order.closes, order.exit) {
        (None, None) if row.is_left => None,
        (None, None) => order.entry.map(|_| order.open_points()),
        (_, exit) => exit?.net_points,
    }
}

fn end(row: &PaperRow) -> String {
    let order = &row.order;
    match (order.closes, order.exit) {
        (Some(ticket), _) => format!("closes {ticket}"),
        (None, Some(exit)) => exit.reason.as_str().into(),
        (None, None) if row.is_left => "unknown".into(),
        (None, None) if order.entry.is_none() => "next bar".into(),
        (None, None) => "open".into(),
    }
}

/// Of what was open when it was followed last.
fn left(row: &PaperRow) -> String {
    let since = time_ms(row.updated_at_ms);
    format!(
        "not followed since {since}, when paper was turned off or could not be written: nobody knows what became of it"
    )
}

const fn is_before_costs(row: &PaperRow) -> bool {
    row.order.costs.is_none()
}

/// `+125.0 points earned, +0.0 open; balance 10012.50 (began with 10000.00), equity 10012.50`. Points of several symbols are no
/// sum.
fn worth(equity: &PaperEquity, is_of_one_symbol: bool) -> String {
    let PaperEquity { start, balance, equity, points, open_points, unpriced } = equity;
    let points = format!("{points:+.1} points earned, {open_points:+.1} open; ");
    let points = if is_of_one_symbol { points } else { String::new() };
    let equity = equity.map_or_else(|| "not known in money".into(), |equity| format!("{equity:.2}"));
    let unpriced = self::unpriced(i64::from(*unpriced));
    format!("{points}balance {balance:.2} (began with {start:.2}), equity {equity}{unpriced}")
}

/// `; 2 trades with unknown profit are not counted`.
pub(in crate::cli) fn unpriced(count: i64) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 trade with unknown profit is not counted".into(),
        count => format!("; {count} trades with unknown profit are not counted"),
    }
}

/// One of them.
pub(in crate::cli) fn as_json(row: &PaperRow) -> Value {
    let PaperRow { account, model, order, updated_at_ms, is_left } = row;
    let (entry, exit) = (order.entry, order.exit);
    let costs = order.costs.map(|costs| {
        json!({
            "spread": costs.spread, "slippage": costs.slippage, "commission_side": costs.commission_side,
            "swap": costs.swap(order.side),
        })
    });
    json!({
        "paper": true, "id": order.id.to_string(), "symbol": order.symbol.as_str(), "bar": order.bar_close_time,
        "ticket": order.ticket, "closes": order.closes, "side": order.side.as_str(), "volume": order.volume,
        "stop_loss": order.stop_loss, "take_profit": order.take_profit, "close": order.close,
        "is_open": (!is_left).then(|| order.is_open()), "is_left": is_left,
        "entry_at": entry.map(|entry| entry.at), "entry_price": entry.map(|entry| entry.price),
        "exit_at": exit.map(|exit| exit.at), "exit_price": exit.and_then(|exit| exit.price),
        "exit_reason": exit.map(|exit| exit.reason.as_str()), "is_ambiguous": exit.is_some_and(|exit| exit.is_ambiguous),
        "nights": entry.map(|_| order.nights), "bars": order.bars_seen,
        "net_points": exit.and_then(|exit| exit.net_points), "profit": exit.and_then(|exit| exit.profit),
        "open_points": order.is_open().then(|| points(row)).flatten(), "costs_points": costs,
        "account": account, "model": model, "created_at_ms": order.created_at.as_millis() as u64, "updated_at_ms": updated_at_ms,
    })
}

/// In words: `BUY 0.01 lots at 1.10036, stop_loss at 1.09894: -152.0 points`.
pub(in crate::cli) fn in_words(row: &PaperRow) -> String {
    let order = &row.order;
    let mut text = format!("{} {} lots on paper, ticket {}", order.side.as_str(), order.volume, order.ticket);
    if let Some(ticket) = order.closes {
        return format!("{} {} lots on paper, which only closed ticket {ticket}", order.side.as_str(), order.volume);
    }
    let digits = usize::try_from(order.digits).unwrap_or(0);
    let _ = match order.entry {
        Some(entry) => write!(text, ", entered at {:.digits$}", entry.price),
        None => write!(text, ", to be entered at the next bar's open"),
    };
    match order.exit {
        None if row.is_left => {
            let _ = write!(text, "; {}", left(row));
        }
        None => {}
        Some(exit) if exit.reason == PaperEnd::Lost => text.push_str(", lost: bars in between are missing"),
        Some(exit) => {
            let _ = write!(text, ", ended by {}", exit.reason.as_str());
            if let Some(price) = exit.price {
                let _ = write!(text, " at {price:.digits$}");
            }
        }
    }
    if let Some(points) = points(row) {
        let now = if order.is_open() { " now" } else { "" };
        let before = if is_before_costs(row) { " before costs" } else { "" };
        let _ = write!(text, ": {points:+.1} points{before}{now}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::domain::{
        fill::{Costs, ExitReason},
        instrument::Symbol,
        order::Side,
        paper::{PaperEntry, PaperExit, Unkept},
    };
    use std::time::Duration;
    use uuid::Uuid;

    fn row() -> PaperRow {
        let order = PaperOrder {
            id: Uuid::nil(),
            symbol: Symbol::new("EURUSD"),
            gateway_name: "EURUSD".into(),
            bar_close_time: 1_763_812_800,
            side: Side::Buy,
            volume: 0.01,
            stop_loss: 1.099,
            take_profit: 0.0,
            confidence: 0.7,
            close: 1.1,
            digits: 5,
            ticket: 3,
            closes: None,
            costs: Some(Costs { spread: 10.0, ..Costs::default() }),
            entry: None,
            seen_to: 1_763_809_200,
            bars_seen: 0,
            mark: 1.1,
            nights: 0,
            ended_by: None,
            exit: None,
            ended_at: None,
            created_at: Duration::from_secs(1_763_812_805),
            waits_for_rate: false,
            unkept: Unkept::Nothing,
        };
        let (account, model) = ("demo".into(), "baseline".into());
        PaperRow { account, model, order, updated_at_ms: 1_763_812_805_000, is_left: false }
    }

    fn entered() -> PaperRow {
        let mut row = row();
        row.order.entry = Some(PaperEntry { at: 1_763_812_800, price: 1.100_05 });
        row.order.mark = 1.101;
        row
    }

    fn stopped() -> PaperRow {
        let mut row = entered();
        row.order.exit = Some(PaperExit {
            at: 1_763_816_400,
            price: Some(1.098_95),
            reason: PaperEnd::Filled(ExitReason::StopLoss),
            is_ambiguous: false,
            net_points: Some(-110.0),
            profit: Some(-1.1),
        });
        row
    }

    #[test]
    fn a_line_says_what_became_of_a_trade() {
        let mut lost = entered();
        lost.order.exit = stopped().order.exit.map(|exit| PaperExit {
            price: None,
            reason: PaperEnd::Lost,
            net_points: None,
            profit: None,
            ..exit
        });
        let mut met = row();
        met.order.closes = Some(2);
        let mut free = entered();
        free.order.costs = None;
        let text = table(&[row(), entered(), stopped(), lost, met, free], &[]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().skip(6).collect()).collect();
        assert_eq!(lines[1], ["-", "-", "next", "bar", "-", "-"]);
        assert_eq!(lines[2], ["1.10005", "-", "open", "+90.0", "-"], "half the spread at each end");
        assert_eq!(lines[3], ["1.10005", "1.09895", "stop_loss", "-110.0", "-1.10"]);
        assert_eq!(lines[4], ["1.10005", "-", "lost", "-", "-"]);
        assert_eq!(lines[5], ["-", "-", "closes", "2", "-", "-"]);
        assert_eq!(lines[6], ["1.10005", "-", "open", "+95.0*", "-"]);
        assert!(text.ends_with("* before costs: study.spread_points is not set\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100));
        assert_eq!(table(&[], &[]), "no orders on paper\n");
    }

    #[test]
    fn what_is_not_followed_any_more_is_not_called_open() {
        let row = PaperRow { is_left: true, ..entered() };
        let text = table(std::slice::from_ref(&row), &[]);
        let cells: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().skip(6).collect();
        assert_eq!(cells, ["1.10005", "-", "unknown", "-", "-"]);
        assert!(
            text.contains("\nEURUSD, ticket 3: not followed since 2025-11-22T12:00:05.000Z, when paper was turned off")
        );
        assert!(in_words(&row).contains("entered at 1.10005; not followed since 2025-11-22T12:00:05.000Z"));
        let shown = as_json(&row);
        assert_eq!((&shown["is_open"], &shown["is_left"]), (&Value::Null, &Value::Bool(true)));
        assert_eq!(as_json(&entered())["is_open"], true);
    }

    #[test]
    fn an_account_whose_money_is_not_known_says_so() {
        let equity =
            PaperEquity { start: 10_000.0, balance: 10_000.0, points: -12.5, unpriced: 2, ..PaperEquity::default() };
        let text = table(&[row()], &[("demo".into(), equity)]);
        let line = "account demo on paper: -12.5 points earned, +0.0 open; balance 10000.00 (began with 10000.00), equity not \
                    known in money; 2 trades with unknown profit are not counted\n";
        assert!(text.ends_with(line), "{text}");
        let mut other = row();
        other.order.symbol = Symbol::new("USDJPY");
        let text = table(&[row(), other], &[("demo".into(), equity)]);
        assert!(text.contains("account demo on paper: balance 10000.00 (began"), "points of two symbols: {text}");
    }

    #[test]
    fn a_trade_in_words_has_its_figure_and_no_other() {
        assert_eq!(in_words(&row()), "BUY 0.01 lots on paper, ticket 3, to be entered at the next bar's open");
        assert_eq!(in_words(&entered()), "BUY 0.01 lots on paper, ticket 3, entered at 1.10005: +90.0 points now");
        let words =
            "BUY 0.01 lots on paper, ticket 3, entered at 1.10005, ended by stop_loss at 1.09895: -110.0 points";
        assert_eq!(in_words(&stopped()), words);
        assert_eq!(as_json(&stopped())["net_points"], -110.0);
        assert_eq!(as_json(&row())["paper"], true);
    }
}
