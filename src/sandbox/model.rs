//! An MLflow-compatible model server around the [`Baseline`], as strict about shapes as the model on HUB.

use super::{
    baseline::Baseline,
    server::{RequestCount, Server, send_at_once},
};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, http::StatusCode, web};
use sentinel_actors::domain::{
    features::{FEATURE_COUNT, FeatureSet, SEQUENCE_BARS},
    sanitize::one_line,
};
use serde::Deserialize;
use serde_json::json;
use std::{
    io,
    net::{SocketAddr, TcpListener},
};

/// Largest request, for somewhat more than 1,000 rows.
const BODY_BYTES_MAX: usize = 48 << 20;
const COLUMNS: [&str; 2] = ["X_tabular", "X_sequential"];

/// Starts the model server on `addr` (port 0 chooses a free one).
///
/// # Errors
/// When the address cannot be bound.
pub fn start(addr: SocketAddr, baseline: Baseline) -> io::Result<Server> {
    let requests = RequestCount::default();
    let count = requests.clone();
    Server::spawn_http("model", requests, move || {
        let listener = TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let model = web::Data::new(Model { baseline, requests: count });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(model.clone())
                .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
                .service(web::resource("/invocations").route(web::post().to(invocations)))
                .service(web::resource(["/ping", "/health"]).route(web::get().to(health)))
                .service(web::resource("/version").route(web::get().to(version)))
        });
        Ok((addr, server.on_connect(send_at_once).workers(1).disable_signals().listen(listener)?.run()))
    })
}

struct Model {
    baseline: Baseline,
    requests: RequestCount,
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body("\n")
}

async fn version() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(env!("CARGO_PKG_VERSION"))
}

async fn invocations(model: web::Data<Model>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    model.requests.add();
    if request.content_type() != "application/json" {
        let message = "This predictor only supports the content type application/json";
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    match parse(&body) {
        Ok(rows) => {
            let predictions: Vec<_> = rows.iter().map(|features| model.baseline.probabilities(features)).collect();
            HttpResponse::Ok().json(json!({ "predictions": predictions }))
        }
        Err(message) => error(StatusCode::BAD_REQUEST, &message),
    }
}

fn error(status: StatusCode, message: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"error_code": "BAD_REQUEST", "message": message}))
}

#[derive(Deserialize)]
struct Request {
    dataframe_split: Split,
}

#[derive(Deserialize)]
struct Split {
    columns: Vec<String>,
    data: Vec<(Vec<f64>, Vec<Vec<f64>>)>,
}

/// The rows of a request, or its fault.
fn parse(body: &[u8]) -> Result<Vec<FeatureSet>, String> {
    let request: Request = serde_json::from_slice(body)
        .map_err(|error| format!("Failed to parse dataframe_split: {}", one_line(&error.to_string())))?;
    let Split { columns, data } = request.dataframe_split;
    if columns != COLUMNS {
        return Err(format!("the columns must be {COLUMNS:?}"));
    }
    if data.is_empty() {
        return Err("need at least one row".to_owned());
    }
    data.into_iter().enumerate().map(|(row, cells)| features(cells).map_err(|e| format!("row {row}: {e}"))).collect()
}

fn features((tabular, sequence): (Vec<f64>, Vec<Vec<f64>>)) -> Result<FeatureSet, String> {
    let width = tabular.len();
    let tabular = tabular.try_into().map_err(|_| format!("X_tabular has {width} numbers, not {FEATURE_COUNT}"))?;
    if sequence.len() != SEQUENCE_BARS {
        return Err(format!("X_sequential has {} bars, not {SEQUENCE_BARS}", sequence.len()));
    }
    let mut bars = Box::new([[0.0; FEATURE_COUNT]; SEQUENCE_BARS]);
    for (bar, numbers) in bars.iter_mut().zip(sequence) {
        if numbers.len() != FEATURE_COUNT {
            return Err(format!("a bar of X_sequential has {} numbers, not {FEATURE_COUNT}", numbers.len()));
        }
        // The daemon's sequence is float32, too.
        *bar = std::array::from_fn(|i| numbers[i] as f32);
    }
    Ok(FeatureSet { tabular, sequence: bars })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn server() -> Server {
        start(SocketAddr::from(([127, 0, 0, 1], 0)), Baseline::fitted()).unwrap()
    }

    fn request(tabular: Value, bars: usize, width: usize) -> String {
        json!({"dataframe_split": {"columns": COLUMNS, "data": [[tabular, vec![vec![0.5; width]; bars]]]}}).to_string()
    }

    async fn post(server: &Server, content_type: &str, body: String) -> (u16, Value) {
        let client = awc::Client::default().post(format!("http://{}/invocations", server.addr()));
        let mut response = client.content_type(content_type).send_body(body).await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    #[actix_rt::test]
    async fn a_row_of_the_right_shape_gets_three_probabilities() {
        let server = server();
        for number in [0.0, 1.0, -1e9, 1e300] {
            let body = request(json!(vec![number; 23]), 60, 23);
            let (status, answer) = post(&server, "application/json; charset=utf-8", body).await;
            let row: [f64; 3] = serde_json::from_value(answer["predictions"][0].clone()).unwrap();
            assert_eq!(status, 200);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}");
        }
        server.stop();
    }

    #[actix_rt::test]
    async fn other_shapes_are_refused() {
        let server = server();
        for (what, body) in [
            ("nested tabular", request(json!([vec![0.0; 23]]), 60, 23)),
            ("22 numbers", request(json!(vec![0.0; 22]), 60, 23)),
            ("59 bars", request(json!(vec![0.0; 23]), 59, 23)),
            ("bars of 24", request(json!(vec![0.0; 23]), 60, 24)),
            ("a null", request(json!(vec![Value::Null; 23]), 60, 23)),
            ("too large a number", request(json!(vec![0.0; 23]), 60, 23).replacen("0.5", "1e999", 1)),
            ("columns", request(json!(vec![0.0; 23]), 60, 23).replace("X_tabular", "x")),
            ("no rows", json!({"dataframe_split": {"columns": COLUMNS, "data": []}}).to_string()),
            ("another format", json!({"instances": [[0.0]]}).to_string()),
            ("not JSON", "{".to_owned()),
        ] {
            let (status, answer) = post(&server, "application/json", body).await;
            assert_eq!((status, &answer["error_code"]), (400, &json!("BAD_REQUEST")), "{what}: {answer}");
            assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
    }

    #[actix_rt::test]
    async fn another_content_type_is_refused() {
        let body = request(json!(vec![0.0; 23]), 60, 23);
        assert_eq!(post(&server(), "text/csv", body).await.0, 415);
    }

    #[actix_rt::test]
    async fn the_small_endpoints_answer() {
        let server = server();
        for (path, wanted) in [("ping", "\n"), ("health", "\n"), ("version", env!("CARGO_PKG_VERSION"))] {
            let url = format!("http://{}/{path}", server.addr());
            let mut response = awc::Client::default().get(url).send().await.unwrap();
            assert_eq!((response.status().as_u16(), &response.body().await.unwrap()[..]), (200, wanted.as_bytes()));
        }
    }
}
