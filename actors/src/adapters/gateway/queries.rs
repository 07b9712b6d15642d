//! The requests that do not trade - handshake, account, positions - and their answers.

use super::{
    reply::{BadReply, Kind, kind, number, whole},
    return_codes,
};
use crate::domain::{
    position::{HeldPosition, Position},
    sanitize::one_line,
};
use chrono::{DateTime, NaiveDateTime};
use serde_json::Value;
use std::time::Duration;

/// Larger epoch times are milliseconds: in seconds this would be the year 5138.
const SECONDS_MAX: f64 = 1e11;

/// The queries: requests that do not trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// The handshake: does the gateway answer in this dialect?
    Handshake,
    /// The account.
    Account,
    /// The open positions.
    Positions,
}

impl Query {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Handshake, Self::Account, Self::Positions];
}

/// The account, in its own currency.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountState {
    /// Balance: money without open positions.
    pub balance: f64,
    /// Equity: money if all positions were closed now.
    pub equity: f64,
    /// Margin: money that the open positions bind, if the gateway reports it.
    pub margin: Option<f64>,
    /// The currency's name, if the gateway reports it.
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

    /// The gateway's wall clock as time since the unix epoch, if it reports it: unix seconds or milliseconds, ISO 8601 or
    /// MetaTrader's format. Without a time zone it is UTC.
    ///
    /// # Errors
    /// The reported value is not a time.
    pub fn server_time(&self) -> Result<Option<Duration>, BadReply> {
        let time = match &self.server_time {
            Value::Null => return Ok(None),
            Value::Number(number) => number.as_f64().and_then(epoch),
            Value::String(text) => text.parse().ok().and_then(epoch).or_else(|| iso(text)),
            _ => None,
        };
        time.map(Some).ok_or_else(|| BadReply::new(&format!("an invalid server time: {}", self.server_time)))
    }

    /// The account.
    ///
    /// # Errors
    /// The answer does not contain an account.
    pub fn account(&self) -> Result<AccountState, BadReply> {
        match (number(&self.body["balance"]), number(&self.body["equity"])) {
            (Some(balance), Some(equity)) => Ok(AccountState {
                balance,
                equity,
                margin: number(&self.body["margin"]),
                currency: self.body["currency"].as_str().map(one_line),
            }),
            _ => Err(BadReply::new(&format!("no account with balance and equity: {}", self.body))),
        }
    }

    /// The open positions, without pending orders. Every position must be readable, because any of them could be the one that
    /// matters.
    ///
    /// # Errors
    /// The answer does not contain a list of positions.
    pub fn positions(&self) -> Result<Vec<Position>, BadReply> {
        self.held_positions().map(|held| held.into_iter().map(|held| held.position).collect())
    }

    /// The same with what is told of their money: of that, what cannot be read counts as not told.
    ///
    /// # Errors
    /// As for [`QueryAnswer::positions`].
    pub fn held_positions(&self) -> Result<Vec<HeldPosition>, BadReply> {
        let listed = self.body.as_array().or_else(|| self.body["positions"].as_array());
        let listed = listed.ok_or_else(|| BadReply::new(&format!("no list of positions: {}", self.body)))?;
        let read = |entry| held(entry).ok_or_else(|| BadReply::new(&format!("no position: {entry}")));
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

fn held(entry: &Value) -> Option<HeldPosition> {
    // The second spelling is MetaTrader's own.
    let told = |keys: [&str; 2]| keys.iter().find_map(|key| number(&entry[key]));
    Some(HeldPosition {
        position: position(entry)?,
        open_price: told(["open_price", "price_open"]),
        current_price: told(["current_price", "price_current"]),
        profit: number(&entry["profit"]),
        swap: number(&entry["swap"]),
        stop_loss: told(["sl", "stop_loss"]),
        take_profit: told(["tp", "take_profit"]),
    })
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
        // The third format is MetaTrader's.
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y.%m.%d %H:%M:%S%.f", "%Y%m%dT%H%M%SZ"];
        let time = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
        time.map(|time| time.and_utc())
    };
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).or_else(naive)?;
    u64::try_from(time.timestamp_micros()).ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests;
