//! The order that tests of the dialects send.

use crate::domain::{
    instrument::Symbol,
    order::{Order, Side},
};
use uuid::Uuid;

pub fn order() -> Order {
    Order {
        client_order_id: Uuid::from_u128(7),
        symbol: Symbol::new("EURUSD"),
        gateway_name: "EURUSDm".into(),
        closes: None,
        side: Side::Buy,
        volume: 0.1,
        stop_loss: 1.05,
        take_profit: 0.0,
        confidence: 0.7,
        bar_close_time: 1_500_000_000,
    }
}
