//! How a gateway's reply is read: a JSON object in which no deciding key occurs twice; numbers, sides and ids in all formats
//! that gateways use.

pub(super) mod consistency;

use crate::{
    adapters::json::{with_bare_tokens_as, without_bom},
    domain::{order::Side, sanitize::one_line},
};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::fmt;
use uuid::Uuid;

/// Keys that decide something in some dialect. If one occurs twice, the reply is ambiguous.
const DECIDING: [&str; 28] = [
    "uuid",
    "req_id",
    "order_id",
    "client_order_id",
    "status",
    "success",
    "ticket",
    "deal",
    "order",
    "retcode",
    "volume",
    "price",
    "symbol",
    "side",
    "type",
    "signal",
    "error",
    "error_code",
    "error_msg",
    "error_message",
    "msg",
    "data",
    "result",
    "positions",
    "balance",
    "equity",
    "server_time",
    "timestamp",
];

/// Every smaller whole number is exact as a double. A larger ticket may be rounded to another one.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Why a reply is not valid in its dialect, on one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadReply(pub(super) String);

impl BadReply {
    pub(super) fn new(reason: &str) -> Self {
        Self(one_line(reason))
    }
}

/// Reads a JSON object, and nothing else. A bare `NaN` or the like is read as an object without members: code that needs a
/// value there finds none, but it does not count as absent.
///
/// # Errors
/// It is not an object, or a deciding key occurs twice.
pub(super) fn parse_object(reply: &[u8]) -> Result<Value, BadReply> {
    let unreadable = |why: String| BadReply::new(&format!("unreadable reply: {why}"));
    let reply = without_bom(reply);
    if reply.trim_ascii_start().first() != Some(&b'{') {
        return Err(unreadable(format!("no JSON object: {}", String::from_utf8_lossy(&reply[..reply.len().min(100)]))));
    }
    // The check includes parts that are not read: serde skips these without checking that they are valid text.
    let text = std::str::from_utf8(reply).map_err(|error| unreadable(error.to_string()))?;
    read(text).or_else(|error| {
        let repaired = String::from_utf8(with_bare_tokens_as(reply, b"{}")).unwrap_or_default();
        read(&repaired).map_err(|_| unreadable(error.to_string()))
    })
}

fn read(text: &str) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = UniqueKeys.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// A number, or a text with a number; never NaN or infinite.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// A whole number, also as a text or as a float without fraction.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let exact = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    #[allow(clippy::cast_possible_truncation)] // whole, and small enough
    exact.or_else(|| number(value).filter(|n| n.fract() == 0.0 && n.abs() < WHOLE_MAX).map(|n| n as i64))
}

/// Whether the value is this id as a text, in any of the formats of a UUID.
pub(super) fn is_id(value: &Value, id: Uuid) -> bool {
    value.as_str().and_then(|text| Uuid::parse_str(text.trim()).ok()) == Some(id)
}

/// What a `type` says about a position or an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The side of a position, or of a market order.
    Market(Side),
    /// The side of a pending order.
    Pending,
    /// Not a side.
    Other,
}

/// Reads `BUY`, `OP_SELL`, `POSITION_TYPE_BUY`, `Buy Limit`, 0, "1", 3.0 and the like, in any case.
pub(super) fn kind(value: &Value) -> Kind {
    match whole(value) {
        Some(0) => return Kind::Market(Side::Buy),
        Some(1) => return Kind::Market(Side::Sell),
        Some(2..=7) => return Kind::Pending,
        Some(_) => return Kind::Other,
        None => {}
    }
    let text = value.as_str().unwrap_or_default().trim().to_ascii_uppercase().replace([' ', '-'], "_");
    let prefixes = ["POSITION_TYPE_", "ORDER_TYPE_", "OP_"];
    let word = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(&text).replace('_', "");
    match word.as_str() {
        "BUY" => Kind::Market(Side::Buy),
        "SELL" => Kind::Market(Side::Sell),
        "BUYLIMIT" | "SELLLIMIT" | "BUYSTOP" | "SELLSTOP" | "BUYSTOPLIMIT" | "SELLSTOPLIMIT" => Kind::Pending,
        _ => Kind::Other,
    }
}

/// Reads JSON as a [`Value`], and refuses a deciding key that occurs twice: a plain `Value` would keep the last one.
#[derive(Clone, Copy)]
struct UniqueKeys;

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if map.contains_key(&key) && DECIDING.contains(&key.as_str()) {
                return Err(A::Error::custom(format!("{key} is given twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
