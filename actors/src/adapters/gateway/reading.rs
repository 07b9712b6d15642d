//! How a gateway's reply is read: an object without twins; numbers, sides and ids in the spellings that gateways have.

use super::BadReply;
use crate::{
    adapters::json::{with_bare_tokens_as, without_bom},
    domain::order::Side,
};
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use std::fmt;
use uuid::Uuid;

/// Keys that decide something, in some dialect. One that is given twice leaves open what was meant.
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

/// Whole numbers below this one have a double of their own; a larger ticket may be another's.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a JSON object, and nothing else. A bare `NaN` or the like is read as an object without members: whatever needs
/// a value there finds none, and it is not taken for absent.
///
/// # Errors
/// When it is no object, or a key that decides is given twice.
pub(super) fn parse_object(reply: &[u8]) -> Result<Value, BadReply> {
    let unreadable = |why: String| BadReply::new(&format!("unreadable reply: {why}"));
    let reply = without_bom(reply);
    if reply.trim_ascii_start().first() != Some(&b'{') {
        return Err(unreadable(format!("no JSON object: {}", String::from_utf8_lossy(&reply[..reply.len().min(100)]))));
    }
    // Also where nobody looks: serde skips what it does not need without checking that it is text.
    let text = std::str::from_utf8(reply).map_err(|error| unreadable(error.to_string()))?;
    read(text).or_else(|error| {
        let mended = String::from_utf8(with_bare_tokens_as(reply, b"{}")).unwrap_or_default();
        read(&mended).map_err(|_| unreadable(error.to_string()))
    })
}

fn read(text: &str) -> serde_json::Result<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Twinless.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// A number or a text that is one; never NaN or infinite.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

/// A whole number, also as text or as a float that is whole.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let exact = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    #[allow(clippy::cast_possible_truncation)] // whole, and small enough
    exact.or_else(|| number(value).filter(|n| n.fract() == 0.0 && n.abs() < WHOLE_MAX).map(|n| n as i64))
}

/// Whether it is the text of this id, in any of the spellings that a UUID has.
pub(super) fn is_id(value: &Value, id: Uuid) -> bool {
    value.as_str().and_then(|text| Uuid::parse_str(text.trim()).ok()) == Some(id)
}

/// What a `type` says of a position or an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of a position, or of an order at the market.
    Market(Side),
    /// Of an order that waits for its price.
    Pending,
    /// It is no side at all.
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

/// Makes a [`Value`] of JSON, and refuses a key that decides and is given twice: a plain `Value` would keep the last.
#[derive(Clone, Copy)]
struct Twinless;

impl<'de> DeserializeSeed<'de> for Twinless {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Twinless {
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
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_garbled_reply_is_unreadable_even_where_nobody_looks() {
        assert!(parse_object(b"{\"status\": \"ok\", \"message\": \"\xff\"}").is_err());
    }

    #[test]
    fn a_list_is_no_object() {
        for reply in [&b" [1]"[..], b"", b"1", b"{} x", b"{", b"\"ok\"", b"NaN"] {
            assert!(parse_object(reply).is_err(), "{reply:?}");
        }
        assert_eq!(parse_object(b" {} "), Ok(json!({})));
        assert_eq!(
            parse_object(b"\xef\xbb\xbf{\"a\": [1, -2, 0.5, true, null, \"t\"]}"),
            Ok(json!({"a": [1, -2, 0.5, true, null, "t"]}))
        );
    }

    #[test]
    fn a_bare_token_is_no_value_and_not_absent() {
        let reply = parse_object(br#"{"price": NaN, "volume": -Infinity, "comment": "NaN", "ticket": 9}"#);
        assert_eq!(reply, Ok(json!({"price": {}, "volume": {}, "comment": "NaN", "ticket": 9})));
        assert_eq!(number(&json!({})), None);
    }

    #[test]
    fn a_twin_that_decides_makes_a_reply_unreadable_and_any_other_does_not() {
        for key in DECIDING {
            let reply = format!(r#"{{"{key}": "a", "{key}": "a"}}"#);
            assert!(parse_object(reply.as_bytes()).is_err(), "{reply}");
            let deep = format!(r#"{{"data": {{"{key}": 1, "{key}": 2}}}}"#);
            assert!(parse_object(deep.as_bytes()).is_err(), "{deep}");
        }
        assert_eq!(parse_object(br#"{"comment": "a", "comment": "b"}"#), Ok(json!({"comment": "b"})));
        assert_eq!(parse_object(br#"{"positions": [{"ticket": 1}, {"ticket": 1}]}"#).map(|_| ()), Ok(()));
    }

    #[test]
    fn numbers_have_many_spellings_and_none_of_them_is_rounded() {
        for value in [json!(9), json!(9.0), json!("9"), json!(" 9 "), json!("9.0"), json!("+9")] {
            assert_eq!((whole(&value), number(&value)), (Some(9), Some(9.0)), "{value}");
        }
        assert_eq!(whole(&json!(10_006_293_775.0)), Some(10_006_293_775));
        assert_eq!(whole(&json!(9_223_372_036_854_775_807_i64)), Some(i64::MAX));
        for value in [
            json!(9.5),
            json!("9.5"),
            json!(1e17),
            json!(u64::MAX),
            json!("9x"),
            json!(""),
            json!("NaN"),
            json!("inf"),
            json!(true),
            json!(null),
            json!([9]),
            json!({}),
        ] {
            assert_eq!(whole(&value), None, "{value}");
        }
        assert_eq!((number(&json!("NaN")), number(&json!("inf")), number(&json!("0.05"))), (None, None, Some(0.05)));
    }

    #[test]
    fn an_id_is_the_same_in_every_spelling() {
        let id = Uuid::from_u128(0xf20c_fd40_3bf1_5e7f_b0ab_e952_611b_c0a1);
        for text in [
            "f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1",
            "F20CFD40-3BF1-5E7F-B0AB-E952611BC0A1",
            "f20cfd403bf15e7fb0abe952611bc0a1",
            "{F20CFD40-3BF1-5E7F-B0AB-E952611BC0A1}",
        ] {
            assert!(is_id(&json!(text), id), "{text}");
        }
        for value in [json!("f20cfd40-3bf1-5e7f-b0ab-e952611bc0a2"), json!(null), json!(""), json!(7), json!({})] {
            assert!(!is_id(&value, id), "{value}");
        }
    }

    #[test]
    fn a_side_has_the_spellings_of_mql_and_a_pending_order_has_none() {
        for value in [
            json!("BUY"),
            json!("buy"),
            json!("OP_BUY"),
            json!("POSITION_TYPE_BUY"),
            json!("order_type_buy"),
            json!(0),
            json!(0.0),
            json!("0"),
        ] {
            assert_eq!(kind(&value), Kind::Market(Side::Buy), "{value}");
        }
        for value in [json!("Sell"), json!("op_sell"), json!("POSITION_TYPE_SELL"), json!(1), json!("1"), json!(1.0)] {
            assert_eq!(kind(&value), Kind::Market(Side::Sell), "{value}");
        }
        for value in [
            json!("BUY LIMIT"),
            json!("sell_stop"),
            json!("ORDER_TYPE_BUY_STOP_LIMIT"),
            json!("OP_SELLLIMIT"),
            json!("Buy Stop"),
            json!(2),
            json!("7"),
            json!(5.0),
        ] {
            assert_eq!(kind(&value), Kind::Pending, "{value}");
        }
        for value in [json!("HOLD"), json!(""), json!(8), json!(-1), json!(null), json!(true), json!(0.5), json!([])] {
            assert_eq!(kind(&value), Kind::Other, "{value}");
        }
    }
}
