//! Handles v43 requests: checks them as the real gateway does, keeps the account, writes the reply.

use super::{
    PriceBoard,
    account::{Account, Position, Summary},
};
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use sentinel_actors::{adapters::gateway::dialects::v43::risk_signature, domain::order::Side};
use serde_json::{Map, Value, json};
use std::time::Instant;

/// How old a risk signature may be, or how far in the future, because clocks differ.
const SIGNATURE_AGE_MS_MAX: i64 = 5_000;

/// The fields that the signature covers, in order.
const SIGNED_FIELDS: [&str; 6] = ["price", "sl", "symbol", "tp", "type", "volume"];

/// A refusal: `status`, `error_code`, `error_msg`.
type Refusal = (&'static str, &'static str, String);
type Request = Map<String, Value>;

/// The account and its prices.
#[derive(Debug)]
pub(super) struct Broker {
    account: Account,
    prices: PriceBoard,
    price: Option<f64>,
}

impl Broker {
    pub(super) fn new(prices: PriceBoard, price: Option<f64>) -> Self {
        Self { account: Account::default(), prices, price }
    }

    /// Answers one request; `now` is the time for the age of signatures.
    pub(super) fn answer(&mut self, request: &[u8], now: DateTime<Utc>) -> Value {
        let started = Instant::now();
        // Stops are checked at every request, which is often enough for the demo.
        let price_of = self.price_of();
        self.account.close_stopped(&price_of);
        let request: Request = match serde_json::from_slice(request) {
            Ok(Value::Object(request)) => request,
            _ => return refusal(&Value::Null, now, error("INVALID_JSON", "Not a JSON object")),
        };
        let uuid = request.get("uuid").cloned().unwrap_or_default();
        let handled = match request.get("action").and_then(Value::as_str) {
            None => Err(error("MISSING_ACTION", "No action")),
            Some("PING") => Ok(json!({"status": "ok", "server_time": text(now)})),
            Some("OPEN") => self.open(&request, now),
            Some("CLOSE") => self.close(&request),
            Some("GET_ACCOUNT") => Ok(self.get_account()),
            Some("GET_POSITIONS") => Ok(self.get_positions(request.get("symbol").and_then(Value::as_str))),
            Some(_) => Err(error("UNKNOWN_ACTION", "Unknown action")),
        };
        match handled {
            Ok(mut reply) => {
                reply["uuid"] = uuid;
                reply["latency_ms"] = json!(started.elapsed().as_secs_f64() * 1e3);
                reply
            }
            Err(cause) => refusal(&uuid, now, cause),
        }
    }

    /// The account at current prices.
    pub(super) fn summary(&self) -> Summary {
        self.account.summary(self.price_of())
    }

    fn open(&mut self, request: &Request, now: DateTime<Utc>) -> Result<Value, Refusal> {
        let symbol = request.get("symbol").and_then(Value::as_str).filter(|symbol| !symbol.is_empty());
        let symbol = symbol.ok_or_else(|| rejected("MISSING_SYMBOL", "No symbol"))?;
        let side = request.get("type").and_then(Value::as_str).ok_or_else(|| rejected("MISSING_TYPE", "No type"))?;
        let volume = number(request, "volume").filter(|volume| *volume > 0.0);
        let volume = volume.ok_or_else(|| rejected("INVALID_VOLUME", "The volume must be above 0"))?;
        check_signature(request, now).map_err(|why| rejected("RISK_SIGNATURE_INVALID", why))?;
        let side = match side {
            "BUY" => Side::Buy,
            "SELL" => Side::Sell,
            _ => return Err(rejected("MT5_ORDER_FAILED", "Unknown order type")),
        };
        let price = self.prices.get(symbol).or(self.price);
        let open_price = price.ok_or_else(|| rejected("MT5_ORDER_FAILED", "Cannot get tick"))?;
        let stop = |name| number(request, name).unwrap_or(0.0);
        let (stop_loss, take_profit) = (stop("sl"), stop("tp"));
        let symbol = symbol.to_owned();
        let reply = json!({
            "status": "FILLED", "symbol": symbol, "volume": volume, "price": open_price, "execution_time": text(now),
        });
        let position = Position { ticket: 0, symbol, side, volume, open_price, stop_loss, take_profit };
        let price_of = self.price_of();
        let ticket = self.account.open(position, price_of);
        Ok(with(reply, "ticket", json!(ticket)))
    }

    fn close(&mut self, request: &Request) -> Result<Value, Refusal> {
        let price_of = self.price_of();
        let closed =
            request.get("ticket").and_then(Value::as_i64).and_then(|ticket| self.account.close(ticket, price_of));
        let (position, price) = closed.ok_or_else(|| error("MT5_ORDER_FAILED", "Position not found"))?;
        Ok(json!({
            "status": "CLOSED", "ticket": position.ticket, "symbol": position.symbol, "volume": position.volume,
            "price": price, "profit": cents(position.profit(price)),
        }))
    }

    fn get_account(&self) -> Value {
        let Summary { balance, equity, margin, .. } = self.summary();
        // MetaTrader shows a margin level of 0 without margin.
        let margin_level = if margin > 0.0 { 100.0 * equity / margin } else { 0.0 };
        json!({
            "status": "ok", "balance": cents(balance), "equity": cents(equity), "margin": cents(margin),
            "free_margin": cents(equity - margin), "margin_level": cents(margin_level), "currency": "USD",
        })
    }

    fn get_positions(&self, symbol: Option<&str>) -> Value {
        let price_of = self.price_of();
        let wanted = self.account.positions().filter(|position| symbol.is_none_or(|symbol| symbol == position.symbol));
        let positions: Vec<Value> = wanted
            .map(|position| {
                let price = price_of(position);
                json!({
                    "ticket": position.ticket, "symbol": position.symbol, "type": position.side.as_str(),
                    "volume": position.volume, "open_price": position.open_price, "current_price": price,
                    "profit": cents(position.profit(price)),
                })
            })
            .collect();
        json!({"status": "ok", "positions": positions})
    }

    /// The current price for a position, or its open price if none is known.
    fn price_of(&self) -> impl Fn(&Position) -> f64 + use<> {
        let prices = self.prices.clone();
        move |position| prices.get(&position.symbol).unwrap_or(position.open_price)
    }
}

/// Checks `RISK_PASS:<checksum over the order as Python writes it>:<time>`, not older than five seconds.
fn check_signature(request: &Request, now: DateTime<Utc>) -> Result<(), &'static str> {
    let signature = request.get("risk_signature").and_then(Value::as_str).unwrap_or_default();
    let mut parts = signature.split(':');
    let (Some("RISK_PASS"), Some(checksum), Some(time), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("Not RISK_PASS:<checksum>:<time>");
    };
    if checksum != risk_signature::checksum(&canonical(request)) {
        return Err("Checksum mismatch");
    }
    let time = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ").map_err(|_| "Unreadable time")?;
    if (now - time.and_utc()).num_milliseconds().abs() > SIGNATURE_AGE_MS_MAX { Err("Expired") } else { Ok(()) }
}

/// The signed fields as Python writes them: without null values, whole numbers without a decimal point.
pub(super) fn canonical(request: &Request) -> String {
    let spelled = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(risk_signature::python_string(text)),
        Value::Number(number) if number.is_f64() => Some(risk_signature::python_float(number.as_f64()?)),
        other => Some(other.to_string()),
    };
    let field = |name: &&str| Some(format!("\"{name}\": {}", spelled(request.get(*name)?)?));
    let fields: Vec<String> = SIGNED_FIELDS.iter().filter_map(field).collect();
    format!("{{{}}}", fields.join(", "))
}

fn refusal(uuid: &Value, now: DateTime<Utc>, (status, code, message): Refusal) -> Value {
    json!({"uuid": uuid, "status": status, "error_code": code, "error_msg": message, "timestamp": text(now)})
}

/// The refusal of an order.
fn rejected(code: &'static str, message: &str) -> Refusal {
    ("REJECTED", code, message.to_owned())
}

/// The failure of another request.
fn error(code: &'static str, message: &str) -> Refusal {
    ("error", code, message.to_owned())
}

fn number(request: &Request, name: &str) -> Option<f64> {
    request.get(name).and_then(Value::as_f64)
}

fn with(mut reply: Value, name: &str, value: Value) -> Value {
    reply[name] = value;
    reply
}

fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn cents(money: f64) -> f64 {
    (money * 100.0).round() / 100.0
}
