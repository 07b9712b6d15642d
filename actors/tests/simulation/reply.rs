//! What the gateway says in each dialect: the truth, and replies that contradict themselves or their order. The product's
//! own reading decides what they prove.

use crate::{plan::Dialect, rng::Rng};
use sentinel_actors::{
    adapters::gateway::{self, DialectKind, DialectParams},
    domain::order::Order,
};
use serde_json::{Value, json};

impl Dialect {
    /// The product's own.
    pub fn reads(self) -> Box<dyn gateway::Dialect> {
        let kind = match self {
            Self::V43 => DialectKind::V43,
            Self::Envelope => DialectKind::Envelope,
            Self::Plain => DialectKind::OrderSend,
        };
        gateway::dialect(kind, DialectParams::default())
    }
}

/// The truth: the ticket that it has or closed, or why not.
pub fn honest(dialect: Dialect, order: &Order, executed: Result<i64, &str>, volume: f64) -> Value {
    let id = order.client_order_id.to_string();
    let code = if volume < order.volume { 10_010 } else { 10_009 };
    let status = if order.closes.is_some() { "CLOSED" } else { "FILLED" };
    let symbol = &order.gateway_name;
    match (dialect, executed) {
        (Dialect::V43, Ok(ticket)) => {
            json!({"uuid": id, "status": status, "ticket": ticket, "symbol": symbol, "volume": volume, "price": 1.1})
        }
        (Dialect::V43, Err(code)) => json!({"uuid": id, "status": "REJECTED", "error_code": code, "error_msg": "no"}),
        (Dialect::Envelope, Ok(ticket)) => {
            let data = json!({"status": status, "ticket": ticket, "volume": volume, "price": 1.1, "retcode": code});
            json!({"req_id": id, "status": "SUCCESS", "timestamp": 0, "data": data, "error": null})
        }
        (Dialect::Envelope, Err(_)) => {
            let data = json!({"status": "ERROR", "retcode": 10_019, "error": "No money"});
            json!({"req_id": id, "status": "SUCCESS", "timestamp": 0, "data": data, "error": null})
        }
        (Dialect::Plain, Ok(ticket)) => {
            let data = json!({"volume": volume, "price": 1.1});
            json!({"error": false, "ticket": ticket, "msg": "Done", "retcode": code, "data": data})
        }
        (Dialect::Plain, Err(_)) => json!({"error": true, "ticket": 0, "msg": "No money", "retcode": 10_019}),
    }
}

/// The honest reply with one thing in it that contradicts the rest or the order: it proves nothing any more.
pub fn contradicting(dialect: Dialect, honest: &Value, rng: &mut Rng) -> (&'static str, Value) {
    let mut reply = honest.clone();
    let is_fill = honest.to_string().contains("price");
    let id = match dialect {
        Dialect::V43 => Some("uuid"),
        Dialect::Envelope => Some("req_id"),
        Dialect::Plain => None,
    };
    if let Some(id) = id.filter(|_| rng.chance(0.25)) {
        reply[id] = "00000000-0000-4000-8000-000000000001".into();
        return ("id", reply);
    }
    let place = match dialect {
        Dialect::Envelope => &mut reply["data"],
        Dialect::V43 | Dialect::Plain => &mut reply,
    };
    let fills: [(&'static str, &str, Value); 5] = [
        ("return code", "retcode", 10_015.into()),
        ("no ticket", "ticket", 0.into()),
        ("no volume", "volume", json!(0.0)),
        ("symbol", "symbol", "XAUUSD".into()),
        ("larger volume", "volume", json!(7.0)),
    ];
    let refusals: [(&'static str, &str, Value); 2] =
        [("refused with a ticket", "ticket", 4_711.into()), ("refused with a volume", "volume", json!(0.1))];
    let (what, key, value) = if is_fill { rng.pick(&fills).clone() } else { rng.pick(&refusals).clone() };
    place[key] = value;
    (what, reply)
}
