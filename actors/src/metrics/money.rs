//! The families of profit and loss: what the journal counted, as long as the gateway has reported the account lately.

use super::account::Account;
use crate::{
    adapters::prometheus::{Metrics, OTHER},
    domain::{
        instrument::Symbol,
        profit::{Day, Figures, PaperFigures},
    },
};
use std::time::{Duration, Instant};

const DAY_S: u64 = 86_400;
const DAY_MS: i64 = 86_400_000;
const LIVE: &str = "live";
const PAPER: &str = "paper";

/// Sets the families of the account at the gateway; without `money` nothing is known of it.
pub(super) fn show(
    metrics: &Metrics,
    (money, account): (Option<&Figures>, &Account),
    symbols: &[Symbol],
    (now, instant): (Duration, Instant),
) {
    let told = money.filter(|money| money.told_ms.is_some());
    // Old numbers look the same as current ones.
    let fresh = told.filter(|_| account.equity(instant).is_some());
    metrics.account_balance.set(fresh.and_then(|money| money.balance));
    metrics.account_unexplained.set(fresh.map(|money| money.unexplained));
    metrics.account_drawdown_ratio.set(fresh.and_then(|money| money.drawdown));
    let is_of_today = |money: &&Figures| is_today(money.day, now);
    for (day, index) in Day::ALL.into_iter().zip(0..) {
        let grown = fresh.filter(is_of_today).and_then(|money| money.today.get(index).copied().flatten());
        metrics.profit_today.set(&[day.as_str()], grown);
    }
    // Nothing realised on a day of which nothing was told is not known.
    let is_seen = |money: &&Figures| {
        let told_day = money.told_ms.map(|at_ms| at_ms.div_euclid(DAY_MS));
        let is_told = told_day.is_some_and(|day| is_today(day, now));
        is_told || fresh.is_some() || (is_of_today(money) && !money.realised.is_empty())
    };
    let realised: Option<Vec<_>> = told.filter(is_seen).map(|money| {
        let of_today = Some(money).filter(is_of_today).map(|money| &money.realised[..]).unwrap_or_default();
        of_today.iter().map(|(symbol, profit)| (symbol.as_str(), Some(*profit))).collect()
    });
    let open: Option<Vec<_>> = fresh
        .and_then(|money| money.open.as_ref())
        .map(|open| open.iter().map(|(symbol, profit)| (symbol.as_str(), *profit)).collect());
    for symbol in symbols.iter().map(Symbol::as_str).chain([OTHER]) {
        let value = |rows: &Option<Vec<_>>| rows.as_ref().and_then(|rows| of(rows, symbol, symbols));
        metrics.profit_realised.set(&[symbol, LIVE], value(&realised));
        metrics.profit_open.set(&[symbol, LIVE], value(&open));
    }
}

/// Sets the families of the account on paper; without `paper` there is none.
pub(super) fn show_paper(metrics: &Metrics, paper: Option<&PaperFigures>, symbols: &[Symbol], now: Duration) {
    let of_today = |paper: &PaperFigures| if is_today(paper.day, now) { paper.realised.clone() } else { Vec::new() };
    let realised = paper.map(of_today);
    let realised = realised.as_deref().map(rows);
    let open = paper.and_then(|paper| paper.open.as_deref()).map(rows);
    for symbol in symbols.iter().map(Symbol::as_str) {
        let value = |rows: &Option<Vec<_>>| rows.as_ref().and_then(|rows| of(rows, symbol, symbols));
        metrics.profit_realised.set(&[symbol, PAPER], value(&realised));
        metrics.profit_open.set(&[symbol, PAPER], value(&open));
    }
}

fn rows(rows: &[(String, Option<f64>)]) -> Vec<(&str, Option<f64>)> {
    rows.iter().map(|(symbol, profit)| (symbol.as_str(), *profit)).collect()
}

fn is_today(day: i64, now: Duration) -> bool {
    u64::try_from(day).is_ok_and(|day| day == now.as_secs() / DAY_S)
}

/// The sum of a symbol's rows, 0 without any; `None` if one of them is not known, or for [`OTHER`] if there is none.
fn of(rows: &[(&str, Option<f64>)], symbol: &str, symbols: &[Symbol]) -> Option<f64> {
    let is_configured = |name: &str| symbols.iter().any(|known| known.as_str() == name);
    let is_its = |name: &str| if symbol == OTHER { !is_configured(name) } else { name == symbol };
    let mut own = rows.iter().filter(|(name, _)| is_its(name)).peekable();
    if own.peek().is_none() && symbol == OTHER && !is_configured(OTHER) {
        return None;
    }
    own.map(|(_, profit)| *profit).sum()
}
