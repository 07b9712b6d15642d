//! Gateway replies: the same bytes as the reply to an order and to each query, in every dialect.

use sentinel_actors::{
    adapters::{
        gateway::{Dialect, DialectKind, DialectParams, Query, QueryAnswer, dialect},
        json,
    },
    domain::{
        instrument::Symbol,
        order::{Order, Outcome, Side},
    },
};
use serde_json::{Map, Value, value::RawValue};
use std::{collections::HashMap, str};
use uuid::Uuid;

/// The id of the order and the query that the seeds answer: f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1.
const OURS: Uuid = Uuid::from_u128(0xf20c_fd40_3bf1_5e7f_b0ab_e952_611b_c0a1);
/// Another id: f20cfd40-3bf1-5e7f-b0ab-e952611bc0a2.
const OTHER: Uuid = Uuid::from_u128(0xf20c_fd40_3bf1_5e7f_b0ab_e952_611b_c0a2);

/// True if it settles the order in some dialect.
pub fn enter(bytes: &[u8]) -> bool {
    let mut settled = false;
    for kind in DialectKind::ALL {
        let dialect = dialect(kind, DialectParams::default());
        settled |= order(&*dialect, bytes);
        for question in Query::ALL {
            let answer = dialect.answer(question, OURS, bytes);
            if dialect.echoes_id() {
                let to_other = dialect.answer(question, OTHER, bytes);
                assert!(answer.is_err() || to_other.is_err(), "{kind}: one reply answers one request");
            }
            match answer {
                Ok(answer) => readable(&answer),
                Err(error) => one_line(&error.to_string()),
            }
        }
    }
    settled
}

/// What a reply proves about the order, compared with a second reading of the reply that does not use the dialect.
fn order(dialect: &dyn Dialect, bytes: &[u8]) -> bool {
    let kind = dialect.kind();
    let verdict = dialect.classify(&an_order(OURS), bytes);
    let reply = fields(bytes);
    let is_object = reply.is_some();
    let field = |name: &str| -> Value {
        let raw = reply.as_ref().and_then(|reply| reply.get(name));
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    };
    let (id, ticket) = match kind {
        DialectKind::V43 => (field("uuid"), field("ticket")),
        DialectKind::Envelope => (field("req_id"), field("data")["ticket"].clone()),
        DialectKind::OrderSend | DialectKind::PlaceOrder => (Value::Null, field("ticket")),
    };
    let ticket = whole(&ticket);
    let has_ticket = ticket.is_some_and(|ticket| ticket > 0.0);
    if dialect.echoes_id() {
        assert!(!verdict.is_ours || is_ours(&id), "{kind}: another's reply was taken");
        let of_other = dialect.classify(&an_order(OTHER), bytes);
        assert!(!(verdict.is_ours && of_other.is_ours), "{kind}: one reply settles two orders");
    }
    match &verdict.outcome {
        Outcome::Filled { ticket: told, price, volume } => {
            assert!(verdict.is_ours && is_object, "{kind}: filled without a reply of its own");
            assert!(price.is_none_or(|price| price.is_finite() && price > 0.0));
            assert!(volume.is_none_or(|volume| volume.is_finite() && volume > 0.0));
            if kind == DialectKind::PlaceOrder {
                let status = field("status").as_str().unwrap_or_default().to_ascii_lowercase();
                assert!(["ok", "success", "filled"].contains(&status.as_str()), "{status}");
            } else {
                assert!(has_ticket && ticket == Some(*told as f64), "{kind}: filled without a ticket");
                assert!(volume.is_none_or(|volume| volume < 0.1 + 1e-6), "{kind}: more than was ordered");
            }
            for place in [&Value::Object(top(&field)), &field("data"), &field("result")] {
                fits(kind, place);
            }
            true
        }
        Outcome::Rejected { reason } => {
            assert!(verdict.is_ours && is_object, "{kind}: rejected without a reply of its own");
            assert!(!has_ticket, "{kind}: rejected although there is a ticket");
            for place in [field("data"), field("result")] {
                assert!(whole(&place["ticket"]).is_none_or(|ticket| ticket <= 0.0), "{kind}: {place}");
                assert!(whole(&place["deal"]).is_none_or(|deal| deal <= 0.0), "{kind}: {place}");
            }
            one_line(reason);
            true
        }
        Outcome::Unknown { reason } => {
            one_line(reason);
            false
        }
        Outcome::NotSent { .. } => unreachable!("{kind}: a reply says that the order was sent"),
    }
}

/// The members at the top that may contradict a fill.
fn top(field: &dyn Fn(&str) -> Value) -> Map<String, Value> {
    ["ticket", "volume", "retcode", "symbol", "side", "uuid", "req_id"]
        .into_iter()
        .map(|key| (key.to_owned(), field(key)))
        .collect()
}

/// Whether nothing in this part of a reply contradicts the fill of the order.
fn fits(kind: DialectKind, place: &Value) {
    let told = |key: &str| Some(&place[key]).filter(|value| !value.is_null());
    assert!(told("ticket").is_none_or(|ticket| whole(ticket) > Some(0.0)), "{kind}: {place}");
    assert!(told("volume").is_none_or(|volume| number(volume) > Some(0.0)), "{kind}: {place}");
    assert!(
        told("retcode").is_none_or(|code| [Some(10_009.0), Some(10_010.0)].contains(&whole(code))),
        "{kind}: {place}"
    );
    assert!(
        told("symbol").is_none_or(|name| name.as_str().is_some_and(|name| name.trim().eq_ignore_ascii_case("EURUSDm")))
    );
    assert!(
        told("side").is_none_or(|side| side.as_str().is_none_or(|side| !side.to_ascii_uppercase().contains("SELL")))
    );
    assert!(["uuid", "req_id"].iter().all(|key| told(key).is_none_or(is_ours)), "{kind}: {place}");
}

fn is_ours(id: &Value) -> bool {
    id.as_str().and_then(|text| Uuid::parse_str(text.trim()).ok()) == Some(OURS)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn whole(value: &Value) -> Option<f64> {
    number(value).filter(|number| number.fract() == 0.0)
}

/// The members of an object. Members that are not read may be any JSON, as long as it is valid text. A byte order mark is not
/// part of it, and a bare `NaN` or the like is read as an object.
fn fields(bytes: &[u8]) -> Option<HashMap<String, Box<RawValue>>> {
    let text = str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mended = || String::from_utf8(json::with_bare_tokens_as(text.as_bytes(), b"{}")).ok();
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&mended()?).ok())
}

fn readable(answer: &QueryAnswer) {
    if let Err(error) = answer.server_time() {
        one_line(&error.to_string());
    }
    if let Ok(account) = answer.account() {
        assert!(account.balance.is_finite() && account.equity.is_finite());
        one_line(account.currency.as_deref().unwrap_or_default());
    }
    for position in answer.positions().unwrap_or_default() {
        assert!(position.ticket > 0 && position.volume > 0.0 && position.volume.is_finite(), "{position:?}");
        one_line(&position.gateway_name);
    }
    let _ = answer.looks_like_a_trade();
}

fn one_line(text: &str) {
    assert!(!text.contains(char::is_control) && text.chars().count() <= 500, "{text:?}");
}

fn an_order(client_order_id: Uuid) -> Order {
    Order {
        client_order_id,
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
