//! The formats of answers that can be read, and answers that contain nothing usable.

use super::*;
use crate::domain::order::Side;
use proptest::prelude::*;
use serde_json::json;

#[test]
fn a_server_time_has_many_spellings() {
    for time in [
        json!(1_500_000_000),
        json!(1_500_000_000.0),
        json!(1_500_000_000_000_i64),
        json!("1500000000"),
        json!("2017-07-14T02:40:00Z"),
        json!("2017-07-14T02:40:00.000000+00:00"),
        json!("2017-07-14T04:40:00+02:00"),
        json!("2017-07-14T02:40:00"),
        json!("2017-07-14 02:40:00.000"),
        json!("20170714T024000Z"),
        json!("2017.07.14 02:40:00"),
        json!("2017.07.14 02:40:00.000"),
    ] {
        let told = QueryAnswer::new(time.clone(), Value::Null).server_time();
        assert_eq!(told, Ok(Some(Duration::from_secs(1_500_000_000))), "{time}");
    }
    assert_eq!(QueryAnswer::new(Value::Null, Value::Null).server_time(), Ok(None));
    for time in [json!("soon"), json!(-1), json!(true), json!([]), json!("NaN"), json!("")] {
        assert!(QueryAnswer::new(time.clone(), Value::Null).server_time().is_err(), "{time}");
    }
}

#[test]
fn one_unreadable_position_makes_the_list_unreadable() {
    let good = json!({"ticket": 5, "symbol": "EURUSDm", "type": "sell", "volume": 0.1, "profit": -1.0});
    let positions = |list: Value| QueryAnswer::new(Value::Null, list).positions();
    let expected = Position { ticket: 5, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.1 };
    assert_eq!(positions(json!([good])), Ok(vec![expected.clone()]));
    assert_eq!(positions(json!({"positions": [good]})), Ok(vec![expected]));
    assert_eq!(positions(json!([])), Ok(vec![]));
    for (field, odd) in [
        ("ticket", json!(0)),
        ("ticket", json!("five")),
        ("ticket", json!(5.5)),
        ("symbol", Value::Null),
        ("symbol", json!({})),
        ("type", json!("HOLD")),
        ("type", json!(8)),
        ("type", Value::Null),
        ("volume", json!(0)),
        ("volume", json!({})),
        ("volume", json!("NaN")),
    ] {
        let mut bad = good.clone();
        bad[field] = odd;
        assert!(positions(json!([good, bad])).is_err(), "{bad}");
    }
    assert!(positions(json!([good, {}])).is_err(), "a position that is a bare token");
    assert!(positions(json!({"status": "ok"})).is_err() && positions(Value::Null).is_err());
    assert!(positions(json!({})).is_err() && positions(json!({"positions": {}})).is_err(), "a bare token");
}

#[test]
fn positions_have_many_spellings() {
    let expected = Position { ticket: 10_006_293_775, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.1 };
    for (field, spelling) in [
        ("ticket", json!("10006293775")),
        ("ticket", json!(10_006_293_775.0)),
        ("type", json!(1)),
        ("type", json!("1")),
        ("type", json!("POSITION_TYPE_SELL")),
        ("type", json!("OP_SELL")),
        ("volume", json!("0.10")),
        ("profit", json!({})),
    ] {
        let mut entry = json!({"ticket": 10_006_293_775_i64, "symbol": "EURUSDm", "type": "SELL", "volume": 0.1});
        entry[field] = spelling;
        assert_eq!(QueryAnswer::new(Value::Null, json!([entry])).positions(), Ok(vec![expected.clone()]), "{entry}");
    }
}

#[test]
fn a_positions_money_is_read_as_far_as_it_is_reported() {
    let position = json!({"ticket": 5, "symbol": "EURUSDm", "type": "SELL", "volume": 0.1});
    let held = |more: Value| {
        let mut entry = position.clone();
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        QueryAnswer::new(Value::Null, json!([entry])).held_positions().unwrap().remove(0)
    };
    let told = held(json!({
        "open_price": 1.1, "current_price": "1.1012", "profit": -12, "swap": -0.5, "sl": 1.2, "tp": 0
    }));
    let numbers = [told.open_price, told.current_price, told.profit, told.swap, told.stop_loss, told.take_profit];
    assert_eq!(numbers, [Some(1.1), Some(1.1012), Some(-12.0), Some(-0.5), Some(1.2), Some(0.0)]);
    assert_eq!(told.net_profit(), Some(-12.5));
    assert_eq!(held(json!({"price_open": 1.1, "price_current": 1.2})).current_price, Some(1.2), "MetaTrader's names");
    for odd in [json!({}), json!(null), json!("much"), json!("NaN"), json!([1.0]), json!(true)] {
        let told = held(json!({"open_price": odd, "profit": odd, "swap": odd, "sl": odd}));
        assert_eq!(told, told.position.clone().into(), "{odd}");
    }
    assert_eq!(held(json!({"profit": 3.0, "swap": "?"})).net_profit(), Some(3.0));
    assert_eq!(held(json!({"swap": -1.0})).net_profit(), None, "never a guess");
}

#[test]
fn an_order_that_waits_for_its_price_is_no_position() {
    for pending in [json!(2), json!("7"), json!("BUY LIMIT"), json!("ORDER_TYPE_SELL_STOP"), json!("buy_stop")] {
        let list = json!([{"ticket": 5, "symbol": "EURUSDm", "type": pending}]);
        assert_eq!(QueryAnswer::new(Value::Null, list).positions(), Ok(vec![]), "{pending}");
    }
}

#[test]
fn an_answer_that_reads_like_a_trade_is_known_by_any_of_its_marks() {
    for body in [
        json!({"status": "Filled"}),
        json!({"ticket": "9"}),
        json!({"deal": 9}),
        json!({"order_id": 9.0}),
        json!({"retcode": 10_009}),
    ] {
        assert!(QueryAnswer::new(Value::Null, body.clone()).looks_like_a_trade(), "{body}");
    }
    for body in [json!({"status": "ok"}), json!({"ticket": 0}), json!([]), Value::Null] {
        assert!(!QueryAnswer::new(Value::Null, body.clone()).looks_like_a_trade(), "{body}");
    }
}

#[test]
fn an_account_has_balance_and_equity() {
    let account = |body: Value| QueryAnswer::new(Value::Null, body).account();
    let read = account(json!({"balance": 100, "equity": 99.5, "currency": "U\nSD"})).unwrap();
    assert_eq!(read, AccountState { balance: 100.0, equity: 99.5, margin: None, currency: Some("U SD".into()) });
    assert_eq!(account(json!({"balance": "100", "equity": "99.5"})).unwrap().equity, 99.5);
    assert!(account(json!({"balance": 100, "equity": {}})).is_err(), "a bare token");
    assert!(account(json!({"balance": 100})).is_err() && account(json!({"error": "no terminal"})).is_err());
}

proptest! {
    #[test]
    fn any_text_or_number_is_a_time_or_an_error(text in ".{0,40}", number in any::<f64>()) {
        let _ = QueryAnswer::new(Value::from(text), Value::Null).server_time();
        let _ = QueryAnswer::new(Value::from(number), Value::Null).server_time();
    }
}
