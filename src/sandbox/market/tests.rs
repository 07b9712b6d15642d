//! The market over real sockets: token, ranges, and one more bar per request.

use super::*;
use serde_json::Value;

fn market(history_bars: usize) -> (Server, PriceBoard) {
    let prices = PriceBoard::default();
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    (start(Config { addr, history_bars, prices: prices.clone() }).unwrap(), prices)
}

async fn get(server: &Server, path: &str) -> (u16, Value) {
    let request = awc::Client::default().get(format!("http://{}{path}", server.addr()));
    let mut response = request.insert_header(("Authorization", "Bearer demo")).send().await.unwrap();
    let body = response.body().await.unwrap();
    (response.status().as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

fn times(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row["timestamp"].as_i64().unwrap()).collect()
}

const EURUSD: &str = "/api/intraday/EURUSD.FOREX?interval=1h&fmt=json";

#[actix_rt::test]
async fn every_request_reveals_one_more_bar_of_its_ticker() {
    let (server, prices) = market(300);
    let first = times(&get(&server, EURUSD).await.1);
    let second = times(&get(&server, EURUSD).await.1);
    assert_eq!((first.len(), second.len()), (300, 301));
    assert_eq!(first[..], second[..300]);
    assert_eq!(prices.get("EURUSD"), Some(replayed_bar(300).close));
    let other = times(&get(&server, "/api/intraday/GBPUSD.FOREX?interval=1h").await.1);
    assert_eq!(other, first, "each ticker has its own cursor");
    assert_eq!(server.requests(), 3);
    server.stop();
}

#[actix_rt::test]
async fn a_range_is_inclusive_and_today_means_up_to_now() {
    let (server, _) = market(10);
    let all = times(&get(&server, EURUSD).await.1);
    let range = format!("{EURUSD}&from={}&to={}", all[3], all[5]);
    assert_eq!(times(&get(&server, &range).await.1), all[3..=5]);
    let since = format!("{EURUSD}&from={}&to={}", all[9], Utc::now().timestamp());
    assert_eq!(times(&get(&server, &since).await.1), (9..12).map(|i| replayed_bar(i).open_time).collect::<Vec<_>>());
}

#[actix_rt::test]
async fn bars_from_before_the_history_are_available() {
    let (server, _) = market(300);
    let first = times(&get(&server, EURUSD).await.1);
    let from = first[299] - 298 * 86_400;
    let older = times(&get(&server, &format!("{EURUSD}&from={from}&to={}", Utc::now().timestamp())).await.1);
    assert!(older.len() > 4_800 && older.len() < ROWS_MAX, "{}", older.len());
    assert!(older[0] - from < 3 * 86_400 && older.is_sorted());
    assert_eq!(older[older.len() - 301..older.len() - 1], first);
}

#[actix_rt::test]
async fn a_replay_moved_past_the_wall_clock_still_has_new_bars() {
    let bars_past_now = 60_000;
    assert!(replayed_bar(bars_past_now).open_time > Utc::now().timestamp());
    let (server, _) = market(bars_past_now);
    let to = Utc::now().timestamp();
    let rows = times(&get(&server, &format!("{EURUSD}&from=0&to={to}")).await.1);
    assert_eq!((rows.len(), rows[ROWS_MAX - 1]), (ROWS_MAX, replayed_bar(bars_past_now - 1).open_time));
}

#[actix_rt::test]
async fn rows_have_the_shape_of_eodhd() {
    let (server, _) = market(1);
    let row = &get(&server, EURUSD).await.1[0];
    assert_eq!(row["datetime"], "2017-09-10 21:00:00");
    assert_eq!(row["gmtoffset"], 0);
    assert!(row["volume"].is_u64() && row["close"].is_f64());
    let quote = get(&server, "/api/real-time/EURUSD.FOREX?fmt=json").await.1;
    assert_eq!((&quote["code"], &quote["close"]), (&json!("EURUSD.FOREX"), &row["close"]));
}

#[actix_rt::test]
async fn without_a_token_there_are_no_bars() {
    let (server, _) = market(1);
    for (query, status) in [("interval=1h", 401), ("interval=1h&api_token=", 401), ("interval=1h&api_token=x", 200)] {
        let url = format!("http://{}/api/intraday/EURUSD.FOREX?{query}", server.addr());
        let response = awc::Client::default().get(url).send().await.unwrap();
        assert_eq!(response.status(), status, "{query}");
        assert_eq!(response.headers().get("X-RateLimit-Limit").unwrap(), "1000");
        assert!(response.headers().contains_key("X-RateLimit-Remaining"));
    }
}

#[actix_rt::test]
async fn bad_arguments_are_refused_and_reveal_nothing() {
    let (server, _) = market(5);
    for (path, status) in [
        ("/api/intraday/EURUSD.FOREX?fmt=json", 422),
        ("/api/intraday/EURUSD.FOREX?interval=2h", 422),
        ("/api/intraday/EURUSD.FOREX?interval=5m", 422),
        ("/api/intraday/EURUSD.FOREX?interval=1h&from=yesterday", 422),
        ("/api/intraday/EURUSD.FOREX?interval=1h&to=1.5", 422),
        ("/api/intraday/EURUSD.FOREX?interval=1h&from=2&to=1", 422),
        ("/api/intraday/EURUSD.FOREX?interval=1h&fmt=csv", 422),
        ("/api/intraday/AAPL.US?interval=1h", 404),
        ("/api/real-time/AAPL.US", 404),
        ("/elsewhere", 404),
    ] {
        assert_eq!(get(&server, path).await.0, status, "{path}");
    }
    assert_eq!(times(&get(&server, EURUSD).await.1).len(), 5);
}
