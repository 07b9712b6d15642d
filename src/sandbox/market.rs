//! An EODHD-compatible market that replays the recording: every intraday request for a ticker reveals one more bar. So `sentinel
//! run --clock bars`, which polls once per cycle, gets exactly one new bar each time. It has hourly bars, of which the daemon makes
//! 4h and 1d. Bars from before the replay are available, too.

#![allow(clippy::result_large_err)] // the errors are whole HTTP answers, made once per bad request

use super::{
    PriceBoard, lock,
    recording::{INTERVAL, bar_at, closed_at, replayed_bar},
    server::{RequestCount, Server, send_at_once},
};
use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::{StatusCode, header},
    web,
};
use chrono::{DateTime, Utc};
use sentinel_actors::domain::bar::Bar;
use serde::Serialize;
use serde_json::json;
use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::Mutex,
};

/// EODHD's requests per minute. Reported in the headers but not enforced, because cycles without a pause are faster.
const RATE_LIMIT: u32 = 1_000;
/// Most rows in an answer, the newest ones. 200 daily bars are made of up to 5,100 hourly bars in 298 days.
const ROWS_MAX: usize = 10_000;
/// Bars before the history, about three years, for requests with `from`.
const OLDER_BARS: i64 = 20_000;
/// Most tickers with their own cursor.
const TICKERS_MAX: usize = 10_000;
/// EODHD's range for a request without `from`.
const DEFAULT_RANGE_S: i64 = 120 * 86_400;
/// A `to` no older than this means "up to now".
const TO_IS_NOW_S: i64 = 86_400;

/// The market's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on; port 0 chooses a free one.
    pub addr: SocketAddr,
    /// Bars already revealed at the first request for a ticker, at least 1.
    pub history_bars: usize,
    /// Receives each ticker's newest close.
    pub prices: PriceBoard,
}

impl Config {
    /// With 300 bars of history, more than the daemon's 200.
    pub fn new(addr: SocketAddr, prices: PriceBoard) -> Self {
        Self { addr, history_bars: 300, prices }
    }
}

/// Starts the market.
///
/// # Errors
/// When the address cannot be bound.
pub fn start(config: Config) -> io::Result<Server> {
    let requests = RequestCount::default();
    let count = requests.clone();
    Server::spawn_http("market", requests, move || {
        let listener = TcpListener::bind(config.addr)?;
        let addr = listener.local_addr()?;
        let market = web::Data::new(Market::new(config, count));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(market.clone())
                .service(web::resource("/api/intraday/{ticker}").route(web::get().to(intraday)))
                .service(web::resource("/api/real-time/{ticker}").route(web::get().to(real_time)))
        });
        Ok((addr, server.on_connect(send_at_once).workers(1).disable_signals().listen(listener)?.run()))
    })
}

/// State shared by all requests.
struct Market {
    /// Bars revealed so far, by ticker.
    revealed: Mutex<HashMap<String, usize>>,
    /// The current minute and the requests in it.
    minute: Mutex<(i64, u32)>,
    history_bars: usize,
    prices: PriceBoard,
    requests: RequestCount,
}

type Query = web::Query<HashMap<String, String>>;

impl Market {
    fn new(config: Config, requests: RequestCount) -> Self {
        let history_bars = config.history_bars.max(1);
        Self { revealed: Mutex::default(), minute: Mutex::default(), history_bars, prices: config.prices, requests }
    }

    /// Reveals the next bar of `ticker`, at first its history; returns how many are revealed.
    fn reveal(&self, ticker: &str) -> Result<usize, HttpResponse> {
        let mut cursors = lock(&self.revealed);
        if cursors.len() >= TICKERS_MAX && !cursors.contains_key(ticker) {
            return Err(self.text(StatusCode::NOT_FOUND, "Ticker Not Found."));
        }
        let revealed = cursors.entry(ticker.to_owned()).and_modify(|count| *count += 1).or_insert(self.history_bars);
        self.prices.set(ticker.trim_end_matches(".FOREX"), replayed_bar(*revealed - 1).close);
        Ok(*revealed)
    }

    /// Checks token, ticker and format, as EODHD does first.
    fn admit(&self, request: &HttpRequest, ticker: &str, query: &Query) -> Result<(), HttpResponse> {
        self.requests.add();
        let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let token = bearer.or(query.get("api_token").map(String::as_str));
        if token.is_none_or(|token| token.trim().is_empty()) {
            return Err(self.text(StatusCode::UNAUTHORIZED, "Unauthenticated"));
        }
        if !ticker.ends_with(".FOREX") || ticker.len() > 32 {
            return Err(self.text(StatusCode::NOT_FOUND, "Ticker Not Found."));
        }
        match query.get("fmt").map(String::as_str) {
            None | Some("json") => Ok(()),
            Some(_) => Err(self.unprocessable("fmt", "The sandbox supports only json.")),
        }
    }

    fn json(&self, status: StatusCode, body: &impl Serialize) -> HttpResponse {
        self.rate_headers(status).json(body)
    }

    fn text(&self, status: StatusCode, body: &'static str) -> HttpResponse {
        self.rate_headers(status).content_type("text/plain; charset=utf-8").body(body)
    }

    fn unprocessable(&self, argument: &str, message: &str) -> HttpResponse {
        let body = json!({"message": "The given data was invalid.", "errors": {argument: [message]}});
        self.json(StatusCode::UNPROCESSABLE_ENTITY, &body)
    }

    fn rate_headers(&self, status: StatusCode) -> actix_web::HttpResponseBuilder {
        let now_minute = Utc::now().timestamp() / 60;
        let mut minute = lock(&self.minute);
        let used = if minute.0 == now_minute { minute.1.saturating_add(1) } else { 1 };
        *minute = (now_minute, used);
        let mut response = HttpResponse::build(status);
        response.insert_header(("X-RateLimit-Limit", RATE_LIMIT));
        response.insert_header(("X-RateLimit-Remaining", RATE_LIMIT.saturating_sub(used)));
        response
    }

    /// `from` or `to`: unix seconds, if given.
    fn time(&self, query: &Query, argument: &str) -> Result<Option<i64>, HttpResponse> {
        let parse = |text: &String| text.parse().map_err(|_| self.unprocessable(argument, "Must be a unix timestamp."));
        query.get(argument).map(parse).transpose()
    }

    fn intraday(&self, request: &HttpRequest, ticker: &str, query: &Query) -> Result<HttpResponse, HttpResponse> {
        self.admit(request, ticker, query)?;
        if query.get("interval").map(String::as_str) != Some(INTERVAL.as_str()) {
            let message = "The recording has only 1h bars: Sentinel makes 4h and 1d of them.";
            return Err(self.unprocessable("interval", message));
        }
        let (from, to) = (self.time(query, "from")?, self.time(query, "to")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(self.unprocessable("from", "Must not be later than `to`."));
        }
        // The replay's time is its newest bar. A `to` of today means all bars up to now, even when a long replay has moved
        // past the wall clock.
        let to = to.filter(|to| *to < Utc::now().timestamp() - TO_IS_NOW_S).unwrap_or(i64::MAX);
        let revealed = self.reveal(ticker)?;
        let oldest = if from.is_some() { -OLDER_BARS } else { 0 };
        let from = from.unwrap_or(replayed_bar(revealed - 1).open_time - DEFAULT_RANGE_S);
        let indices = oldest..i64::try_from(revealed).unwrap_or(i64::MAX);
        let newest_first = indices.rev().map(bar_at).skip_while(|bar| bar.open_time > to);
        let wanted = newest_first.take_while(|bar| bar.open_time >= from).take(ROWS_MAX);
        let mut rows: Vec<Row> = wanted.map(Row::from).collect();
        rows.reverse();
        Ok(self.json(StatusCode::OK, &rows))
    }

    /// The newest revealed bar as a quote; does not reveal a bar.
    fn real_time(&self, request: &HttpRequest, ticker: &str, query: &Query) -> Result<HttpResponse, HttpResponse> {
        self.admit(request, ticker, query)?;
        let newest = lock(&self.revealed).get(ticker).copied().unwrap_or(self.history_bars) - 1;
        let (bar, before) = (replayed_bar(newest), replayed_bar(newest.saturating_sub(1)));
        let change = bar.close - before.close;
        let body = json!({
            "code": ticker, "timestamp": closed_at(&bar), "gmtoffset": 0,
            "open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": 0,
            "previousClose": before.close, "change": change, "change_p": 100.0 * change / before.close,
        });
        Ok(self.json(StatusCode::OK, &body))
    }
}

/// A row as EODHD writes it.
#[derive(Debug, Serialize)]
struct Row {
    timestamp: i64,
    gmtoffset: i64,
    datetime: String,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: u64,
}

impl From<Bar> for Row {
    fn from(bar: Bar) -> Self {
        let Bar { open_time: timestamp, open, high, low, close, volume } = bar;
        let datetime = DateTime::from_timestamp(timestamp, 0).unwrap_or_default().format("%F %T").to_string();
        // Volumes are whole numbers in the recording.
        Self { timestamp, gmtoffset: 0, datetime, open, high, low, close, volume: volume as u64 }
    }
}

async fn intraday(
    market: web::Data<Market>,
    ticker: web::Path<String>,
    request: HttpRequest,
    query: Query,
) -> HttpResponse {
    market.intraday(&request, &ticker, &query).unwrap_or_else(|refusal| refusal)
}

async fn real_time(
    market: web::Data<Market>,
    ticker: web::Path<String>,
    request: HttpRequest,
    query: Query,
) -> HttpResponse {
    market.real_time(&request, &ticker, &query).unwrap_or_else(|refusal| refusal)
}

#[cfg(test)]
mod tests;
