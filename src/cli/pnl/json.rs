//! The figures as JSON: `null` is what nobody knows.

use crate::{
    cli::output::time,
    tools::account::profit::{BySymbol, Live, Pairs, Period, Report},
};
use sentinel_actors::adapters::journal::PaperProfit;
use serde_json::{Value, json};

pub(super) fn report(report: &Report) -> Value {
    let told = report.told.as_ref();
    let open = |(symbol, profit): &(String, Option<f64>)| json!({"symbol": symbol, "profit": profit});
    let paper = report.paper.as_ref().map(|paper| {
        json!({
            "at_ms": paper.at_ms, "start": paper.start, "balance": paper.balance, "equity": paper.equity, "points": paper.points,
            "open_points": paper.open_points, "unpriced": paper.unpriced,
        })
    });
    json!({
        "account": report.account,
        "told_at_ms": told.map(|told| told.at_ms),
        "positions_told_at_ms": told.and_then(|told| told.positions_ms),
        "currency": told.and_then(|told| told.currency.as_deref()),
        "balance": told.and_then(|told| told.balance),
        "equity": told.and_then(|told| told.equity),
        "positions": told.and_then(|told| told.positions.as_ref()).map(Vec::len),
        "open": report.open.iter().map(open).collect::<Vec<_>>(),
        "peak": report.peak.map(|peak| json!({"equity": peak.equity, "at_ms": peak.at_ms})),
        "drawdown": report.drawdown(),
        "paper": paper,
        "periods": report.periods.iter().map(period).collect::<Vec<_>>(),
    })
}

fn period(period: &Period) -> Value {
    let by_symbol = |it: &BySymbol| {
        json!({
            "symbol": it.symbol, "live": it.live.as_ref().map(|it| live(it, true)), "paper": it.paper.as_ref().map(paper),
            "live_minus_paper": live_minus_paper(&it.pairs),
        })
    };
    json!({
        "period": period.name, "begin": period.begin, "begin_utc": time(period.begin),
        "growth": period.growth.map(|growth| json!({"amount": growth.amount, "since_ms": growth.since_ms})),
        "unexplained": period.unexplained,
        "live": live(&period.live(), period.untold_since_ms().is_none()),
        "paper": period.paper().as_ref().map(paper),
        "live_minus_paper": live_minus_paper(&period.pairs()),
        "symbols": period.symbols.iter().map(by_symbol).collect::<Vec<_>>(),
    })
}

fn live_minus_paper(pairs: &Pairs) -> Value {
    let difference = pairs.live_minus_paper();
    json!({
        "amount": difference.ok(), "signals": pairs.signals, "estimates": pairs.estimates, "why": difference.err(),
    })
}

/// `own` is without what was not opened by an order of ours.
fn live(live: &Live, is_known: bool) -> Value {
    let known = |profit| Some(profit).filter(|_| is_known);
    json!({
        "profit": known(live.profit), "closes": live.closes, "estimates": live.estimates,
        "own": {"profit": known(live.own.profit), "trades": live.own.trades},
    })
}

fn paper(paper: &PaperProfit) -> Value {
    json!({
        "profit": paper.profit, "points": paper.points, "trades": paper.trades, "has_costs": paper.has_costs,
    })
}
