//! Whether the position of an order is open and what it brings: as the gateway reported it, else as the journal counts it.

use anyhow::Context;
use sentinel_actors::{
    adapters::journal::{OrderRow, Store},
    domain::{order_state::OrderState, position::HeldPosition, profit::Source},
};
use std::collections::HashMap;

/// What is known of the accounts of a journal.
#[derive(Debug, Default)]
pub(crate) struct Holdings(HashMap<String, Account>);

#[derive(Debug, Default)]
struct Account {
    /// When the list was told last, unix milliseconds; `None`: never.
    told_ms: Option<i64>,
    held: HashMap<i64, HeldPosition>,
    realised: HashMap<i64, Realised>,
}

#[derive(Debug, Clone, Copy)]
struct Realised {
    profit: f64,
    /// The worst of its parts.
    source: Source,
    /// Whether all of the position is closed.
    is_closed: bool,
}

/// The position that an order opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PositionState {
    /// `open`, `closed` or `unknown`.
    pub position: &'static str,
    /// Who says so: `gateway` or `journal`.
    pub told_by: &'static str,
    /// What it brings now or brought, in the account's currency, if the gateway reported it.
    pub profit: Option<f64>,
    /// `open`: it moves with the price; else where the figure is from.
    pub profit_source: Option<&'static str>,
}

impl Holdings {
    /// Of the accounts of these orders.
    pub(crate) fn read(store: &Store, orders: &[OrderRow]) -> anyhow::Result<Self> {
        let mut accounts = HashMap::new();
        for order in orders {
            if !accounts.contains_key(&order.account) {
                let account = Account::read(store, &order.account).context("the journal")?;
                accounts.insert(order.account.clone(), account);
            }
        }
        Ok(Self(accounts))
    }

    /// The position of this order; `None` if it opened none.
    pub(crate) fn of(&self, order: &OrderRow) -> Option<PositionState> {
        if order.state != OrderState::Filled || order.closes.is_some() {
            return None;
        }
        let account = self.0.get(&order.account);
        let ticket = order.ticket.filter(|ticket| *ticket > 0);
        let known = account.zip(ticket).and_then(|(account, ticket)| account.state(order, ticket));
        Some(known.unwrap_or_else(|| by_journal(order)))
    }
}

impl Account {
    fn read(store: &Store, name: &str) -> anyhow::Result<Self> {
        let (told_ms, held) = store.told_positions(name)?.unzip();
        let held = held.unwrap_or_default().into_iter().map(|held| (held.position.ticket, held)).collect();
        let mut realised = HashMap::new();
        for row in store.realised(name, 0..i64::MAX)? {
            let first = Realised { profit: 0.0, source: row.source, is_closed: false };
            let sum: &mut Realised = realised.entry(row.ticket).or_insert(first);
            sum.profit += row.profit;
            sum.source = sum.source.min(row.source);
            sum.is_closed |= row.kind == "close";
        }
        Ok(Self { told_ms, held, realised })
    }

    /// What the gateway reported of it; `None` if that is nothing, or older than what the journal knows.
    fn state(&self, order: &OrderRow, ticket: i64) -> Option<PositionState> {
        let state = |position, profit: Option<f64>, profit_source: Option<&'static str>| {
            Some(PositionState {
                position,
                told_by: "gateway",
                profit,
                profit_source: profit_source.filter(|_| profit.is_some()),
            })
        };
        let told_ms = self.told_ms?;
        if let Some(held) = self.held.get(&ticket).filter(|_| order.closed_at_ms.is_none_or(|at| told_ms >= at)) {
            return state("open", held.net_profit(), Some("open"));
        }
        match self.realised.get(&ticket) {
            Some(sum) if sum.is_closed => state("closed", Some(sum.profit), Some(sum.source.as_str())),
            _ if order.closed_at_ms.is_some() && order.is_close_known => None,
            // It is not in a list that was told after it was filled, and nobody saw it being closed.
            _ if told_ms > order.updated_at_ms => state("unknown", None, None),
            _ => None,
        }
    }
}

/// As the journal's fills count. A position that no longer counts because the other side was filled later may still be open on
/// an account that keeps both: only the broker knows.
fn by_journal(order: &OrderRow) -> PositionState {
    let position = match order.closed_at_ms {
        None => "open",
        Some(_) if order.is_close_known => "closed",
        Some(_) => "unknown",
    };
    PositionState { position, told_by: "journal", profit: None, profit_source: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::account::fixtures::{BAR, ID, filled};
    use sentinel_actors::domain::{position::Position, side::Side};

    const FILLED_MS: i64 = BAR * 1_000;

    fn told(at_ms: i64, tickets: &[i64], realised: &[(i64, bool)]) -> Holdings {
        let held = |ticket: &i64| {
            let position = Position { ticket: *ticket, gateway_name: "EURUSDm".into(), side: Side::Buy, volume: 0.1 };
            (*ticket, HeldPosition { profit: Some(12.5), swap: Some(-0.25), ..position.into() })
        };
        let brought = |(ticket, is_closed): &(i64, bool)| {
            (*ticket, Realised { profit: -3.0, source: Source::Gateway, is_closed: *is_closed })
        };
        let account = Account {
            told_ms: Some(at_ms),
            held: tickets.iter().map(held).collect(),
            realised: realised.iter().map(brought).collect(),
        };
        Holdings(HashMap::from([("demo".to_owned(), account)]))
    }

    fn word(holdings: &Holdings, order: &OrderRow) -> (&'static str, &'static str, Option<f64>) {
        let PositionState { position, told_by, profit, .. } = holdings.of(order).unwrap();
        (position, told_by, profit)
    }

    #[test]
    fn a_position_is_what_the_gateway_told_last() {
        let order = filled(ID);
        let ticket = order.ticket.unwrap();
        let later = FILLED_MS + 1;
        assert_eq!(word(&told(later, &[ticket], &[]), &order), ("open", "gateway", Some(12.25)));
        assert_eq!(word(&told(later, &[], &[(ticket, true)]), &order), ("closed", "gateway", Some(-3.0)));
        assert_eq!(word(&told(later, &[], &[]), &order), ("unknown", "gateway", None), "nobody saw it being closed");
        assert_eq!(word(&told(later, &[], &[(ticket, false)]), &order), ("unknown", "gateway", None));
        assert_eq!(word(&told(FILLED_MS - 1, &[], &[]), &order), ("open", "journal", None), "the list is older");
        assert_eq!(word(&Holdings::default(), &order), ("open", "journal", None));
    }

    #[test]
    fn a_position_is_called_closed_only_if_somebody_knows_it() {
        let none = Holdings::default();
        let made_room = OrderRow { closed_at_ms: Some(FILLED_MS + 5), ..filled(ID) };
        assert_eq!(word(&none, &made_room).0, "unknown");
        let ticket = made_room.ticket.unwrap();
        assert_eq!(word(&told(FILLED_MS + 9, &[ticket], &[]), &made_room).0, "open", "a hedging account keeps both");
        let closed = OrderRow { is_close_known: true, ..made_room };
        assert_eq!(word(&none, &closed).0, "closed");
        assert_eq!(word(&told(FILLED_MS + 9, &[], &[]), &closed).0, "closed");
        assert_eq!(word(&told(FILLED_MS + 4, &[ticket], &[]), &closed).0, "closed", "the list is of before the close");
        assert_eq!(none.of(&OrderRow { closes: Some(7), ..filled(ID) }), None);
        assert_eq!(none.of(&OrderRow { state: OrderState::Rejected, ..filled(ID) }), None);
    }
}
