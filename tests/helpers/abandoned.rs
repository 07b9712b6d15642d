//! A journal of a daemon that stopped while an order was in flight.

use sentinel_actors::{
    adapters::journal::{Identity, Store},
    domain::{
        instrument::Symbol,
        journal::OrderStep,
        order::{Order, Side, client_order_id},
    },
};
use std::{path::Path, time::Duration};
use uuid::Uuid;

/// Writes the journal of a daemon that stopped while an order for EURUSD was in flight.
pub fn leave_an_order_in_flight(journal: &Path) -> Uuid {
    let symbol = Symbol::new("EURUSD");
    let id = client_order_id("test", &symbol, "baseline", 1_000_000_000);
    let order = Order {
        client_order_id: id,
        gateway_name: "EURUSD".into(),
        symbol,
        closes: None,
        side: Side::Buy,
        volume: 0.01,
        stop_loss: 1.0,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: 1_000_000_000,
    };
    let identity = Identity {
        account: "test".into(),
        model: "baseline".into(),
        dialect: "v43",
        account_mode: sentinel_actors::domain::position::AccountMode::Hedging,
    };
    let mut store = Store::open(journal).unwrap();
    for step in [OrderStep::Intent { order: Box::new(order), tickets_before: None }, OrderStep::Sending(id, None)] {
        store.order_step(&step, &identity, Duration::from_secs(1_000_000_000)).unwrap();
    }
    id
}
