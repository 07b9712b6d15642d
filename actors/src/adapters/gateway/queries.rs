//! The requests that trade nothing - handshake, account, positions - and what their answers say.

use super::{
    reply::{BadReply, Kind, kind, number, whole},
    return_codes,
};
use crate::domain::{position::Position, sanitize::one_line};
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;
use std::time::Duration;

/// Epoch times above this are milliseconds: as seconds it would be the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// What can be asked without trading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// Are you there, and do you speak this dialect?
    Handshake,
    /// What is in the account?
    Account,
    /// What is open?
    Positions,
}

impl Query {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Handshake, Self::Account, Self::Positions];
}

/// What the account holds, in its own currency.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountState {
    /// Money without open positions.
    pub balance: f64,
    /// Money if all positions were closed now.
    pub equity: f64,
    /// The currency's name, where it is told.
    pub currency: Option<String>,
}

/// A successful reply to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryAnswer {
    server_time: Value,
    body: Value,
}

impl QueryAnswer {
    pub(super) fn new(server_time: Value, body: Value) -> Self {
        Self { server_time, body }
    }

    /// The gateway's wall clock as time since the unix epoch, where it tells it: unix seconds or milliseconds,
    /// ISO 8601 or MetaTrader's spelling, which are UTC unless they say otherwise.
    ///
    /// # Errors
    /// When it tells something that is no time.
    pub fn server_time(&self) -> Result<Option<Duration>, BadReply> {
        let time = match &self.server_time {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_f64().and_then(epoch),
            Value::String(text) => text.parse().ok().and_then(epoch).or_else(|| iso(text)),
            _ => None,
        };
        time.map(Some).ok_or_else(|| BadReply::new(&format!("a server time that is none: {}", self.server_time)))
    }

    /// The account.
    ///
    /// # Errors
    /// When the answer does not hold one.
    pub fn account(&self) -> Result<AccountState, BadReply> {
        match (number(&self.body["balance"]), number(&self.body["equity"])) {
            (Some(balance), Some(equity)) => {
                Ok(AccountState { balance, equity, currency: self.body["currency"].as_str().map(one_line) })
            }
            _ => Err(BadReply::new(&format!("no account with balance and equity: {}", self.body))),
        }
    }

    /// The open positions; orders that wait for their price are none. All positions must be readable: one that is left
    /// out could be the one that matters.
    ///
    /// # Errors
    /// When the answer does not hold a list of positions.
    pub fn positions(&self) -> Result<Vec<Position>, BadReply> {
        let listed = self.body.as_array().or_else(|| self.body["positions"].as_array());
        let listed = listed.ok_or_else(|| BadReply::new(&format!("no list of positions: {}", self.body)))?;
        let read = |entry| position(entry).ok_or_else(|| BadReply::new(&format!("no position: {entry}")));
        listed.iter().filter(|entry| kind(&entry["type"]) != Kind::Pending).map(read).collect()
    }

    /// Whether the answer to a query looks like an executed order.
    pub fn looks_like_a_trade(&self) -> bool {
        let is_fill = self.body["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case("filled"));
        let is_done = whole(&self.body["retcode"]).is_some_and(return_codes::is_done);
        let has_number = ["ticket", "deal", "order_id"].iter().any(|key| whole(&self.body[key]) > Some(0));
        is_fill || is_done || has_number
    }
}

fn position(entry: &Value) -> Option<Position> {
    let Kind::Market(side) = kind(&entry["type"]) else { return None };
    Some(Position {
        ticket: whole(&entry["ticket"]).filter(|ticket| *ticket > 0)?,
        gateway_name: one_line(entry["symbol"].as_str()?),
        side,
        volume: number(&entry["volume"]).filter(|volume| *volume > 0.0)?,
    })
}

fn epoch(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(if number > SECONDS_MAX { number / 1e3 } else { number }).ok()
}

fn iso(text: &str) -> Option<Duration> {
    let naive = || {
        // The third is MetaTrader's.
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y.%m.%d %H:%M:%S%.f", "%Y%m%dT%H%M%SZ"];
        let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        time.map(|time| time.and_utc())
    };
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(naive)?;
    u64::try_from(time.timestamp_micros()).ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
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
        let expected =
            Position { ticket: 10_006_293_775, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.1 };
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
            assert_eq!(
                QueryAnswer::new(Value::Null, json!([entry])).positions(),
                Ok(vec![expected.clone()]),
                "{entry}"
            );
        }
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
        assert_eq!(read, AccountState { balance: 100.0, equity: 99.5, currency: Some("U SD".into()) });
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
}
