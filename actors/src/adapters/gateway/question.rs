//! What can be asked of a gateway without trading, and what its answers say.

use super::BadReply;
use crate::{
    adapters::http::one_line,
    domain::{order::Side, position::Position},
};
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;
use std::time::Duration;

/// Epoch times above this are milliseconds: as seconds it would be the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// A request that trades nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Are you there, and do you speak this dialect?
    Handshake,
    /// What is in the account?
    Account,
    /// What is open?
    Positions,
}

impl Question {
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

/// A successful reply to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    server_time: Value,
    body: Value,
}

impl Answer {
    pub(super) fn new(server_time: Value, body: Value) -> Self {
        Self { server_time, body }
    }

    /// The gateway's wall clock as time since the unix epoch, where it tells it: unix seconds or milliseconds, or
    /// ISO 8601, which is UTC unless it says otherwise.
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
        match (self.body["balance"].as_f64(), self.body["equity"].as_f64()) {
            (Some(balance), Some(equity)) => {
                Ok(AccountState { balance, equity, currency: self.body["currency"].as_str().map(one_line) })
            }
            _ => Err(BadReply::new(&format!("no account with balance and equity: {}", self.body))),
        }
    }

    /// The open positions. All of them must be readable: one that is left out could be the one that matters.
    ///
    /// # Errors
    /// When the answer does not hold a list of positions.
    pub fn positions(&self) -> Result<Vec<Position>, BadReply> {
        let listed = self.body.as_array().or_else(|| self.body["positions"].as_array());
        let listed = listed.ok_or_else(|| BadReply::new(&format!("no list of positions: {}", self.body)))?;
        let read = |entry| position(entry).ok_or_else(|| BadReply::new(&format!("no position: {entry}")));
        listed.iter().map(read).collect()
    }

    /// Whether the answer to a harmless question looks like an executed order.
    pub fn looks_like_a_trade(&self) -> bool {
        let is_fill = self.body["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case("filled"));
        is_fill || self.body["ticket"].as_i64().is_some_and(|ticket| ticket > 0)
    }
}

fn position(entry: &Value) -> Option<Position> {
    let side = match entry["type"].as_str()?.to_ascii_uppercase().as_str() {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return None,
    };
    Some(Position {
        ticket: entry["ticket"].as_i64().filter(|ticket| *ticket > 0)?,
        gateway_name: one_line(entry["symbol"].as_str()?),
        side,
        volume: entry["volume"].as_f64().filter(|volume| *volume > 0.0)?,
    })
}

fn epoch(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(if number > SECONDS_MAX { number / 1e3 } else { number }).ok()
}

fn iso(text: &str) -> Option<Duration> {
    let naive = || {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y%m%dT%H%M%SZ"];
        let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        time.map(|time| time.and_utc())
    };
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(naive)?;
    u64::try_from(time.timestamp_micros()).ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        ] {
            let told = Answer::new(time.clone(), Value::Null).server_time();
            assert_eq!(told, Ok(Some(Duration::from_secs(1_500_000_000))), "{time}");
        }
        assert_eq!(Answer::new(Value::Null, Value::Null).server_time(), Ok(None));
        for time in [json!("soon"), json!(-1), json!(true), json!([]), json!("NaN"), json!("")] {
            assert!(Answer::new(time.clone(), Value::Null).server_time().is_err(), "{time}");
        }
    }

    #[test]
    fn one_unreadable_position_makes_the_list_unreadable() {
        let good = json!({"ticket": 5, "symbol": "EURUSDm", "type": "sell", "volume": 0.1, "profit": -1.0});
        let positions = |list: Value| Answer::new(Value::Null, list).positions();
        let expected = Position { ticket: 5, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.1 };
        assert_eq!(positions(json!([good])), Ok(vec![expected.clone()]));
        assert_eq!(positions(json!({"positions": [good]})), Ok(vec![expected]));
        assert_eq!(positions(json!([])), Ok(vec![]));
        for (field, odd) in [
            ("ticket", json!(0)),
            ("ticket", json!("5")),
            ("symbol", Value::Null),
            ("type", json!("HOLD")),
            ("type", json!(1)),
            ("volume", json!(0)),
        ] {
            let mut bad = good.clone();
            bad[field] = odd;
            assert!(positions(json!([good, bad])).is_err(), "{bad}");
        }
        assert!(positions(json!({"status": "ok"})).is_err() && positions(Value::Null).is_err());
    }

    #[test]
    fn an_account_has_balance_and_equity() {
        let account = |body: Value| Answer::new(Value::Null, body).account();
        let read = account(json!({"balance": 100, "equity": 99.5, "currency": "U\nSD"})).unwrap();
        assert_eq!(read, AccountState { balance: 100.0, equity: 99.5, currency: Some("U SD".into()) });
        assert!(account(json!({"balance": 100})).is_err() && account(json!({"error": "no terminal"})).is_err());
    }

    proptest! {
        #[test]
        fn any_text_or_number_is_a_time_or_an_error(text in ".{0,40}", number in any::<f64>()) {
            let _ = Answer::new(Value::from(text), Value::Null).server_time();
            let _ = Answer::new(Value::from(number), Value::Null).server_time();
        }
    }
}
