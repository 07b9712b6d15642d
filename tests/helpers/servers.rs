//! Simple servers: a market with old bars and a model that always answers BUY, and a gateway with the same answer to every order.

use actix_web::{App, HttpResponse, HttpServer, web};
use sentinel_actors::{adapters::system_clock::SystemClock, domain::clock::Clock};
use serde_json::Value;
use std::future::ready;
use tmq::AsZmqSocket;

/// One server for both: hourly bars up to a day ago, and always BUY. Returns its base URL and its port.
pub fn yesterdays_market_and_a_sure_model() -> (String, String) {
    let newest = SystemClock.now().as_secs() / 3_600 * 3_600 - 86_400 - 3_600;
    let bar = |hours: u64| {
        let close = 1.1 + 0.01 * (hours as f64 * 0.37).sin();
        serde_json::json!({
            "timestamp": newest - hours * 3_600, "gmtoffset": 0, "datetime": "",
            "open": close, "high": close + 0.001, "low": close - 0.001, "close": close, "volume": 1,
        })
    };
    let bars: Value = (0..400).rev().map(bar).collect();
    let app = move || {
        let bars = bars.clone();
        App::new()
            .route("/api/intraday/EURUSD.FOREX", web::get().to(move || ready(HttpResponse::Ok().json(&bars))))
            .route("/invocations", web::post().to(|| ready(HttpResponse::Ok().json([[0.1, 0.2, 0.7]]))))
    };
    let server = HttpServer::new(app).workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let port = server.addrs()[0].port().to_string();
    actix_rt::spawn(server.run());
    (format!("http://127.0.0.1:{port}"), port)
}

/// A gateway without positions, with the same answer to every order.
pub struct PlaceOrderGateway {
    port: String,
}

impl PlaceOrderGateway {
    /// Runs as long as the test's thread.
    pub fn start(status: &'static str) -> Self {
        let context = tmq::Context::new();
        let mut socket = tmq::reply(&context).set_linger(0).bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_socket().get_last_endpoint().unwrap().unwrap();
        let port = endpoint.rsplit(':').next().unwrap().to_owned();
        actix_rt::spawn(async move {
            let _context = context;
            loop {
                let (request, sender) = socket.recv().await.unwrap();
                let request: Value = serde_json::from_slice(&request[0]).unwrap();
                let status = if request["action"] == "check_connection" { "ok" } else { status };
                let reply = serde_json::json!({ "status": status }).to_string();
                socket = sender.send(vec![reply.as_bytes()].into()).await.unwrap();
            }
        });
        Self { port }
    }

    pub fn flags(&self) -> [(&'static str, &str); 4] {
        [
            ("gateway.port", &self.port),
            ("gateway.dialect", "place_order"),
            ("gateway.i_checked_it_by_hand", "true"),
            ("trading.stop_loss", "none"),
        ]
    }
}
