//! The Predictor with a model that raises an error for certain rows: only these rows fail.

use super::super::*;
use crate::domain::{
    breaker::BreakerPolicy,
    features::{FEATURE_COUNT, SEQUENCE_BARS},
};
use actix::Addr;
use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Mutex,
    thread,
    time::Instant,
};

/// Long enough for bisecting on a slow machine; a test that needs another deadline sets it.
const DEADLINE: Duration = Duration::from_secs(20);

/// The behaviour of the model; tests change it.
#[derive(Default)]
struct Model {
    /// Rows for which it raises an error, by their number.
    bad: HashSet<usize>,
    /// Delay of each answer.
    delay: Duration,
    /// Answers everything with this status.
    status: Option<u16>,
    /// Leaves bad rows out of its answer instead of raising an error.
    drops: bool,
    /// The rows of each request.
    requests: Vec<Vec<usize>>,
}

/// A Predictor, its model, and the cycle's requests.
struct Harness {
    predictor: Addr<Predictor>,
    model: Arc<Mutex<Model>>,
    breakers: Breakers,
}

/// One kind per row; `None` means that it has probabilities, and that they are this row's own.
type Kinds = Vec<Option<&'static str>>;

impl Harness {
    fn new(bad: impl IntoIterator<Item = usize>) -> Self {
        Self::with(bad, |_| {})
    }

    fn with(bad: impl IntoIterator<Item = usize>, change: impl FnOnce(&mut Config)) -> Self {
        let model = Arc::new(Mutex::new(Model { bad: bad.into_iter().collect(), ..Model::default() }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let served = model.clone();
        thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(|stream| serve(stream, &served)));
        let breakers = Breakers::new(BreakerPolicy { failures: 2, pause: Duration::from_millis(200) });
        let mut config = Config {
            base_url,
            tabular: Tabular::Flat,
            rows_per_request: 50,
            deadline: DEADLINE,
            body_bytes_max: 1 << 20,
            inflight: Inflight::default(),
            breakers: breakers.clone(),
            metrics: Nobody.start().recipient().into(),
        };
        change(&mut config);
        Self { predictor: Predictor::new(config).start(), model, breakers }
    }

    /// A cycle with these rows; each row has its own probabilities.
    async fn cycle(&self, rows: usize) -> (Kinds, Vec<Vec<usize>>) {
        self.model.lock().unwrap().requests.clear();
        let answers = self.predictor.send(Predict { cycle_id: 1, rows: features(rows) }).await.unwrap();
        let kinds = answers.into_iter().enumerate().map(|(row, (symbol, answer))| {
            assert_eq!(symbol, Symbol::new(&format!("S{row}")));
            let buy = odds(row)[2];
            answer.map(|odds| assert!((odds.probabilities()[2] - buy).abs() < 1e-9, "{row} has another's odds")).err()
        });
        let kinds = kinds.map(|failure| failure.map(|failure| failure.kind)).collect();
        (kinds, std::mem::take(&mut self.model.lock().unwrap().requests))
    }
}

/// No two rows have the same probabilities.
fn odds(row: usize) -> [f64; 3] {
    let buy = row as f64 / 1_000.0;
    [1.0 - buy, 0.0, buy]
}

fn features(rows: usize) -> Vec<(Symbol, Arc<FeatureSet>)> {
    let sequence = Box::new([[0.5; FEATURE_COUNT]; SEQUENCE_BARS]);
    let features = |row| FeatureSet { tabular: [row as f64; FEATURE_COUNT], sequence: sequence.clone() };
    (0..rows).map(|row| (Symbol::new(&format!("S{row}")), Arc::new(features(row)))).collect()
}

/// The expected result: these rows failed with 400, all others have their probabilities.
fn only(bad: &[usize], rows: usize) -> Kinds {
    (0..rows).map(|row| bad.contains(&row).then_some("exception")).collect()
}

fn serve(mut stream: TcpStream, model: &Mutex<Model>) {
    let mut reader = BufReader::new(&stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap_or_default() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let rows = body["dataframe_split"]["data"].as_array().unwrap();
    let rows: Vec<_> = rows.iter().map(|row| row[0][0].as_f64().unwrap() as usize).collect();
    let (status, body, delay) = {
        let mut model = model.lock().unwrap();
        model.requests.push(rows.clone());
        let raises = rows.iter().find(|row| model.bad.contains(row));
        let answer = |rows: &mut dyn Iterator<Item = &usize>| {
            let odds: Vec<_> = rows.map(|&row| serde_json::json!(odds(row))).collect();
            (200, serde_json::json!({ "predictions": odds }).to_string())
        };
        let (status, body) = match (model.status, raises) {
            (Some(status), _) => (status, "down".into()),
            (None, Some(_)) if model.drops => answer(&mut rows.iter().filter(|row| !model.bad.contains(row))),
            (None, Some(row)) => {
                let trace = format!("Traceback\nValueError: row {row} is NaN\n");
                (400, serde_json::json!({"message": "It failed.", "stack_trace": trace}).to_string())
            }
            (None, None) => answer(&mut rows.iter()),
        };
        (status, body, model.delay)
    };
    thread::sleep(delay);
    let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

/// Ignores all events.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<Event> for Nobody {
    type Result = ();

    fn handle(&mut self, _: Event, _: &mut Self::Context) {}
}

#[actix::test]
async fn a_row_that_makes_the_model_raise_costs_its_own_symbol() {
    for (rows, bad) in [(2, vec![0]), (10, vec![9]), (100, vec![37]), (100, vec![3, 51, 52]), (100, vec![0, 1, 2])] {
        let harness = Harness::new(bad.clone());
        let (kinds, requests) = harness.cycle(rows).await;
        assert_eq!(kinds, only(&bad, rows), "{bad:?} of {rows}");
        let (ordinary, steps) = (rows.div_ceil(50), rows.min(50).ilog2() as usize + 1);
        assert!(requests.len() <= ordinary + 2 * steps * bad.len(), "{} requests", requests.len());

        let (kinds, requests) = harness.cycle(rows).await;
        assert_eq!(kinds, only(&bad, rows));
        let alone: Vec<_> = bad.iter().map(|&row| vec![row]).collect();
        assert_eq!(requests[requests.len() - bad.len()..], alone, "each on its own, after the others");
        assert_eq!(requests.len(), (rows - bad.len()).div_ceil(50) + bad.len());
        assert!(
            harness.breakers.admits(Endpoint::Hub) && harness.breakers.state(Endpoint::Hub) == BreakerState::Closed
        );
    }
}

#[actix::test]
async fn a_row_that_is_well_again_goes_back_to_the_others() {
    let harness = Harness::new([4]);
    harness.cycle(10).await;
    harness.model.lock().unwrap().bad.clear();
    let (kinds, requests) = harness.cycle(10).await;
    assert_eq!((kinds, requests.len()), (only(&[], 10), 2), "asked alone once more");
    let (kinds, requests) = harness.cycle(10).await;
    assert_eq!((kinds, requests), (only(&[], 10), vec![(0..10).collect::<Vec<_>>()]));
}

#[actix::test]
async fn the_failure_says_what_the_model_said_to_the_row_alone() {
    let harness = Harness::new([1]);
    let answers = harness.predictor.send(Predict { cycle_id: 1, rows: features(3) }).await.unwrap();
    let failure = answers[1].1.as_ref().unwrap_err();
    assert_eq!(failure.kind, "exception");
    assert!(failure.detail.ends_with(r#"status 400: "It failed. (ValueError: row 1 is NaN)""#), "{}", failure.detail);
}

#[actix::test]
async fn a_model_that_refuses_everything_is_asked_a_few_times() {
    let harness = Harness::new(0..200);
    for _ in 0..3 {
        let (kinds, requests) = harness.cycle(200).await;
        assert_eq!((kinds, requests.len()), (vec![Some("exception"); 200], 4 + 16));
        assert_eq!(harness.breakers.state(Endpoint::Hub), BreakerState::Closed, "it is the rows', as far as it says");
    }
    harness.model.lock().unwrap().bad.clear();
    let (kinds, requests) = harness.cycle(200).await;
    assert_eq!((kinds, requests.len()), (only(&[], 200), 4), "no row is in quarantine");
}

#[actix::test]
async fn many_bad_rows_are_found_within_the_bound_of_a_cycle() {
    let bad: Vec<_> = (0..600).step_by(12).collect();
    let harness = Harness::new(bad.clone());
    let mut found = Vec::new();
    for cycle in 0..4 {
        let (kinds, requests) = harness.cycle(600).await;
        assert!(requests.len() <= 12 + 256, "{} requests in cycle {cycle}", requests.len());
        found.push(kinds.iter().filter(|kind| kind.is_some()).count());
        assert!(bad.iter().all(|&row| kinds[row].is_some()));
    }
    assert_eq!(found.last(), Some(&bad.len()), "failed rows in each cycle: {found:?}");
}

#[actix::test]
async fn the_next_cycle_goes_on_with_the_halves() {
    let deadline = Duration::from_millis(1_400);
    let harness = Harness::with([37], |config| config.deadline = deadline);
    harness.model.lock().unwrap().delay = Duration::from_millis(400);
    let started = Instant::now();
    let (kinds, _) = harness.cycle(100).await;
    let took = started.elapsed();
    assert!(took < deadline * 3, "two requests and one deadline for all halves: {took:?}");
    assert!(kinds.iter().all(|kind| kind.is_none_or(|kind| kind == "exception")), "the first error stays: {kinds:?}");
    let failed = |kinds: &Kinds| kinds.iter().filter(|kind| kind.is_some()).count();
    assert!(kinds[37].is_some() && failed(&kinds) < 50, "{kinds:?}");
    let mut last = failed(&kinds);
    for _ in 0..4 {
        let (kinds, _) = harness.cycle(100).await;
        assert!(failed(&kinds) <= last && kinds[37].is_some(), "{last}, then {kinds:?}");
        last = failed(&kinds);
    }
    assert_eq!(last, 1, "the rest is well");
    assert_eq!(harness.breakers.state(Endpoint::Hub), BreakerState::Closed, "a deadline cut short is not the server's");
}

#[actix::test]
async fn an_answer_without_a_row_is_not_asked_in_halves() {
    let harness = Harness::new([7]);
    harness.model.lock().unwrap().drops = true;
    for _ in 0..5 {
        let (kinds, requests) = harness.cycle(20).await;
        assert_eq!((kinds, requests.len()), (vec![Some("bad_shape"); 20], 1));
        assert_eq!(harness.breakers.state(Endpoint::Hub), BreakerState::Closed);
    }
}

#[actix::test]
async fn what_is_the_servers_is_not_asked_in_halves() {
    for (status, kind) in [(500, "500"), (503, "503"), (404, "404"), (405, "exception")] {
        let harness = Harness::new([]);
        harness.model.lock().unwrap().status = Some(status);
        let (kinds, requests) = harness.cycle(10).await;
        assert_eq!((kinds, requests.len()), (vec![Some(kind); 10], 1), "{status}");
    }
}

#[actix::test]
async fn after_an_outage_a_bad_row_keeps_nobody_out() {
    let harness = Harness::new([0]);
    harness.model.lock().unwrap().status = Some(503);
    for _ in 0..2 {
        harness.cycle(100).await;
    }
    assert_eq!(harness.breakers.state(Endpoint::Hub), BreakerState::Open);
    harness.model.lock().unwrap().status = None;
    tokio::time::sleep(Duration::from_millis(250)).await;
    let (kinds, _) = harness.cycle(100).await;
    assert_eq!(kinds, only(&[0], 100));
    assert_eq!(harness.breakers.state(Endpoint::Hub), BreakerState::Closed);
}

#[actix::test]
async fn a_half_open_breaker_lets_another_request_through_each_time() {
    let harness = Harness::with([], |config| config.rows_per_request = 2);
    harness.model.lock().unwrap().status = Some(503);
    harness.cycle(6).await;
    let mut trials = Vec::new();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let (_, requests) = harness.cycle(6).await;
        assert_eq!(requests.len(), 1);
        trials.push(requests[0][0]);
    }
    assert_eq!(trials, [0, 2, 4, 0]);
}
