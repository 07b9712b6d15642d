//! What is read from a reply, and what is not.

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
    let too_large = parse_object(br#"{"price": 1e999, "profit": -1E+400, "comment": "1e999", "ticket": 9}"#);
    assert_eq!(too_large, Ok(json!({"price": {}, "profit": {}, "comment": "1e999", "ticket": 9})));
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
