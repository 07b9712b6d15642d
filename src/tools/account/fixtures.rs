//! A filled order, for tests of what is known of it and how it is printed.

use sentinel_actors::{adapters::journal::OrderRow, domain::order_state::OrderState};
use uuid::Uuid;

pub(crate) const BAR: i64 = 1_795_356_000;

pub(crate) fn filled(id: &str) -> OrderRow {
    OrderRow {
        id: id.parse::<Uuid>().unwrap(),
        account: "demo".into(),
        symbol: "EURUSD".into(),
        model: "baseline".into(),
        bar_close_time: BAR,
        closes: None,
        side: "BUY".into(),
        volume: 0.1,
        filled_volume: None,
        dialect: Some("v43".into()),
        stop_loss: 1.08,
        take_profit: 0.0,
        state: OrderState::Filled,
        ticket: Some(50_000_001),
        price: Some(1.09321),
        reason: None,
        closed_at_ms: None,
        is_close_known: false,
        created_at_ms: BAR * 1_000,
        updated_at_ms: BAR * 1_000,
    }
}

pub(crate) const ID: &str = "f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1";
