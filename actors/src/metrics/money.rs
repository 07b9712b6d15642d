//! The families of profit and loss: what the journal counted, as long as the gateway has told the account lately.

use super::account::Account;
use crate::{
    adapters::prometheus::{Metrics, OTHER},
    domain::{
        instrument::Symbol,
        profit::{Day, Money},
    },
};
use std::time::{Duration, Instant};

const DAY_S: u64 = 86_400;
const LIVE: &str = "live";

/// Sets the families of the account at the gateway; without `money` nothing is known of it.
pub(super) fn show(
    metrics: &Metrics,
    (money, account): (Option<&Money>, &Account),
    symbols: &[Symbol],
    (now, instant): (Duration, Instant),
) {
    let told = money.filter(|money| money.told_ms.is_some());
    // Old numbers look the same as current ones.
    let fresh = told.filter(|_| account.equity(instant).is_some());
    metrics.account_balance.set(fresh.and_then(|money| money.balance));
    metrics.account_unexplained.set(fresh.map(|money| money.unexplained));
    metrics.account_drawdown_ratio.set(fresh.and_then(|money| money.drawdown));
    let is_today = |money: &&Money| u64::try_from(money.day).is_ok_and(|day| day == now.as_secs() / DAY_S);
    for (day, index) in Day::ALL.into_iter().zip(0..) {
        let grown = fresh.filter(is_today).and_then(|money| money.today.get(index).copied().flatten());
        metrics.profit_today.set(&[day.as_str()], grown);
    }
    let realised: Option<Vec<_>> = told.map(|money| {
        let of_today = Some(money).filter(is_today).map(|money| &money.realised[..]).unwrap_or_default();
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
