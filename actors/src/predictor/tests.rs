//! The Predictor against a scripted model server on a real socket.

mod bisection;

use super::*;
use crate::{
    domain::{
        breaker::BreakerPolicy,
        features::{FEATURE_COUNT, SEQUENCE_BARS},
        names::DropReason,
    },
    messages::PredictionReport,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    thread,
    time::Instant,
};

const DEADLINE: Duration = Duration::from_millis(400);

/// What the server does with a connection.
enum Step {
    /// Reads a request and answers it.
    Answer(u16, String),
    /// Closes the connection without an answer.
    Close,
    /// Reads a request, then sends a head that announces a body, and then a byte every 50 ms.
    Drip,
}

/// Serves one connection per step; returns its address and the request bodies.
fn serve(steps: Vec<Step>) -> (String, Arc<Mutex<Vec<serde_json::Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let bodies = Arc::<Mutex<Vec<serde_json::Value>>>::default();
    let seen = bodies.clone();
    thread::spawn(move || {
        for step in steps {
            let (mut stream, _) = listener.accept().unwrap();
            if matches!(step, Step::Close) {
                continue;
            }
            seen.lock().unwrap().push(read_body(&stream));
            match step {
                Step::Answer(status, body) => {
                    let head =
                        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all((head + &body).as_bytes());
                }
                Step::Drip => {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
                    while stream.write_all(b" ").is_ok() {
                        thread::sleep(Duration::from_millis(50));
                    }
                }
                Step::Close => {}
            }
        }
    });
    (address, bodies)
}

fn read_body(stream: &TcpStream) -> serde_json::Value {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        let lower = line.to_ascii_lowercase();
        assert!(!lower.starts_with("content-type") || lower.contains("application/json"));
        assert!(!lower.starts_with("post") || lower.starts_with("post /invocations "));
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// Stores every event.
#[derive(Default)]
struct Metrics(Arc<Mutex<Vec<Event>>>);

impl Actor for Metrics {
    type Context = Context<Self>;
}

impl Handler<Event> for Metrics {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.lock().unwrap().push(event);
    }
}

struct Run {
    /// Per row: the probability of BUY, or the kind of the error.
    answers: Vec<Result<f64, &'static str>>,
    requests: Vec<PredictionReport>,
    api: ApiUsage,
    /// Number of rows that were counted as discarded.
    unusable: u64,
}

async fn predict(base_url: &str, rows: usize, rows_per_request: usize) -> Run {
    predict_with(Breakers::default(), base_url, rows, rows_per_request).await
}

async fn predict_with(breakers: Breakers, base_url: &str, rows: usize, rows_per_request: usize) -> Run {
    let metrics = Metrics::default();
    let events = metrics.0.clone();
    let config = Config {
        base_url: base_url.into(),
        tabular: Tabular::Flat,
        rows_per_request,
        deadline: DEADLINE,
        body_bytes_max: 4_096,
        inflight: Inflight::default(),
        breakers,
        metrics: metrics.start().recipient().into(),
    };
    let backlog = config.metrics.backlog().clone();
    let inflight = config.inflight.clone();
    let predictor = Predictor::new(config).start();
    let features = |i| FeatureSet {
        tabular: [i as f64; FEATURE_COUNT],
        sequence: Box::new([[0.5; FEATURE_COUNT]; SEQUENCE_BARS]),
    };
    let rows: Vec<_> = (0..rows).map(|i| (Symbol::new(&format!("S{i}")), Arc::new(features(i)))).collect();
    let symbols: Vec<_> = rows.iter().map(|(symbol, _)| symbol.clone()).collect();
    let answers = predictor.send(Predict { cycle_id: 1, rows }).await.unwrap();
    assert!(answers.iter().map(|(symbol, _)| symbol).eq(&symbols), "answers come in the order of the rows");
    assert_eq!(inflight.get(Endpoint::Hub), 0);
    tokio::task::yield_now().await;
    let received = events.lock().unwrap().drain(..).find_map(|event| match event {
        Event::PredictionsReceived { requests, api, .. } => Some((requests, api)),
        _ => None,
    });
    let (requests, api) = received.unwrap_or_default();
    let answers = answers.into_iter().map(|(_, row)| row.map(|p| p.probabilities()[2]).map_err(|e| e.kind)).collect();
    Run { answers, requests, api, unusable: backlog.dropped(ActorName::Predictor, DropReason::Invalid) }
}

fn ok(rows: &str) -> Step {
    Step::Answer(200, format!(r#"{{"predictions": [{rows}]}}"#))
}

#[actix::test]
async fn rows_are_chunked_and_answered_in_order() {
    let (url, bodies) = serve(vec![ok("[0.9,0,0.1],[0.8,0,0.2]"), ok("[0.7,0,0.3]")]);
    let run = predict(&url, 3, 2).await;
    assert_eq!(run.answers, [Ok(0.1), Ok(0.2), Ok(0.3)]);
    assert_eq!(run.api, ApiUsage { calls: 2, errors: vec![] });
    assert!(run.requests.iter().all(|request| request.failure.is_none() && request.row_failures.is_empty()));
    let bodies = bodies.lock().unwrap();
    let first = |i: usize, row: usize| bodies[i]["dataframe_split"]["data"][row][0][0].as_f64();
    assert_eq!((first(0, 0), first(0, 1), first(1, 0), first(1, 1)), (Some(0.0), Some(1.0), Some(2.0), None));
}

#[actix::test]
async fn an_open_breaker_makes_no_request_until_its_pause_is_over() {
    let mut steps: Vec<_> = (0..3).map(|_| Step::Answer(503, "busy".into())).collect();
    steps.extend([ok("[0,0,1]"), ok("[0,0,1]")]);
    let (url, bodies) = serve(steps);
    let breakers = Breakers::new(BreakerPolicy { failures: 3, pause: Duration::from_millis(300) });
    let failing = predict_with(breakers.clone(), &url, 4, 1).await;
    assert_eq!(failing.answers, [Err("503"), Err("503"), Err("503"), Err("breaker")]);
    assert_eq!((failing.requests.len(), failing.api.calls, bodies.lock().unwrap().len()), (3, 3, 3));
    let open = predict_with(breakers.clone(), &url, 2, 1).await;
    assert_eq!((open.answers, open.api.calls), (vec![Err("breaker"); 2], 0));
    tokio::time::sleep(Duration::from_millis(350)).await;
    let healed = predict_with(breakers.clone(), &url, 2, 1).await;
    assert_eq!((healed.answers, healed.api.calls), (vec![Ok(1.0); 2], 2));
}

#[actix::test]
async fn a_failed_request_fails_its_own_rows_only() {
    let (url, _) = serve(vec![Step::Answer(503, "busy".into()), ok("[0,0,1]")]);
    let run = predict(&url, 2, 1).await;
    assert_eq!((run.answers, run.unusable), (vec![Err("503"), Ok(1.0)], 0), "an error is no answer to discard");
    assert_eq!(run.api, ApiUsage { calls: 2, errors: vec!["503"] });
    assert_eq!(run.requests.iter().map(|r| r.failure).collect::<Vec<_>>(), [Some("503"), None]);
}

#[actix::test]
async fn a_bad_row_costs_its_symbol_and_one_error() {
    let (url, _) = serve(vec![ok("[0,0,1],NaN,[0.5,0.5]")]);
    let run = predict(&url, 3, 50).await;
    assert_eq!((run.answers, run.unusable), (vec![Ok(1.0), Err("bad_shape"), Err("bad_shape")], 2));
    assert_eq!(run.api, ApiUsage { calls: 1, errors: vec!["bad_shape"] });
    assert_eq!((run.requests[0].failure, run.requests[0].row_failures.len()), (None, 2));
}

#[actix::test]
async fn an_answer_without_a_good_row_is_a_failed_request() {
    for (rows, body) in [(1, "[0,0,1],[0,0,1]"), (2, "null,null"), (1, "")] {
        let (url, _) = serve(vec![ok(body)]);
        let run = predict(&url, rows, 50).await;
        assert_eq!(run.answers, vec![Err("bad_shape"); rows], "{body}");
        assert_eq!(run.api, ApiUsage { calls: 1, errors: vec!["bad_shape"] }, "{body}");
        assert_eq!((run.requests[0].failure, run.requests[0].row_failures.len()), (Some("bad_shape"), 0), "{body}");
    }
}

#[actix::test]
async fn a_connection_that_was_closed_is_tried_once_more() {
    let (url, _) = serve(vec![Step::Close, ok("[0,0,1]")]);
    let run = predict(&url, 1, 50).await;
    assert_eq!(run.answers, [Ok(1.0)]);
    assert_eq!((run.api.calls, run.api.errors.len()), (2, 1));

    let (url, _) = serve(vec![Step::Close, Step::Close, ok("[0,0,1]")]);
    let run = predict(&url, 1, 50).await;
    assert_eq!(run.answers, [Err("exception")]);
    assert_eq!((run.api.calls, run.api.errors.len()), (2, 2));
}

#[actix::test]
async fn a_dripping_answer_ends_with_the_deadline() {
    let (url, _) = serve(vec![Step::Drip]);
    let started = Instant::now();
    let run = predict(&url, 1, 50).await;
    assert_eq!(run.answers, [Err("timeout")]);
    assert_eq!(run.api, ApiUsage { calls: 1, errors: vec!["timeout"] });
    assert!(started.elapsed() < DEADLINE * 2);
}

#[actix::test]
async fn an_absent_server_and_a_huge_answer_are_named() {
    let absent = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let run = predict(&absent, 1, 50).await;
    assert_eq!((run.answers, run.api.calls), (vec![Err("connect")], 2));
    let (url, _) = serve(vec![ok(&" ".repeat(5_000))]);
    assert_eq!(predict(&url, 1, 50).await.answers, [Err("exception")]);
}

#[actix::test]
async fn no_rows_make_no_request() {
    let run = predict("http://127.0.0.1:9", 0, 50).await;
    assert!(run.answers.is_empty() && run.requests.is_empty());
    assert_eq!(run.api.calls, 0);
}
