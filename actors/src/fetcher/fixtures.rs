//! A market-data server with answers from the test, a clock that the test sets, and a recorder of events.

use crate::{domain::clock::Clock, messages::Event};
use actix::{Actor, Context, Handler, Message};
use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

/// What the server does with a request.
pub enum Reply {
    /// 200 with this body.
    Body(String),
    /// A status, and header lines each ended by CRLF.
    Status(u16, &'static str),
    /// Closes the connection without an answer.
    Close,
    /// A 200 whose body is sent one byte at a time and never ends.
    Drip,
    /// 200 after this long.
    Late(Duration, String),
}

/// A request as it arrived: the path with its query, and the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    pub authorization: String,
}

impl Request {
    /// `from` and `to`, if the request has both.
    pub fn range(&self) -> Option<(i64, i64)> {
        let value = |name: &str| {
            let query = self.path.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse().ok())
        };
        Some((value("from=")?, value("to=")?))
    }
}

/// A server on loopback; its threads end with the test process.
pub struct Server {
    pub base_url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `script` gets the number of the request, from 0, and the request.
    pub fn start(script: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, script) = (requests.clone(), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, script) = (log.clone(), script.clone());
                thread::spawn(move || while serve(&stream, &log, script.as_ref()).is_some() {});
            }
        });
        Self { base_url, requests }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// Answers one request; `None` ends the connection.
fn serve(
    mut stream: &TcpStream,
    log: &Mutex<Vec<Request>>,
    script: &(impl Fn(usize, &Request) -> Reply + ?Sized),
) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let mut authorization = String::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            authorization = value.to_owned();
        }
    }
    let request = Request { path, authorization };
    let number = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    let (status, headers, body) = match script(number, &request) {
        Reply::Body(body) => (200, "", body),
        Reply::Status(status, headers) => (status, headers, format!("you sent {}", request.authorization)),
        Reply::Close => return None,
        Reply::Late(wait, body) => {
            thread::sleep(wait);
            (200, "", body)
        }
        Reply::Drip => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[").ok()?;
            while stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
            return None;
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).ok()
}

/// Hourly rows from hour `hours.start`, as EODHD writes them.
pub fn rows(hours: std::ops::Range<i64>) -> String {
    let mut body = String::from("[");
    for hour in hours.clone() {
        let (comma, price) = (if hour == hours.start { "" } else { "," }, 1.0 + hour as f64 / 1e6);
        let _ = write!(body, r#"{comma}{{"timestamp":{},"open":{price},"high":{price},"low":{price},"#, hour * 3_600);
        let _ = write!(body, r#""close":{price},"volume":null}}"#);
    }
    body + "]"
}

/// A clock that only the test moves.
#[derive(Default)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    pub fn set(&self, unix: i64) {
        self.0.store(unix, Ordering::Relaxed);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed).unsigned_abs())
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Used in place of the MetricsActor.
#[derive(Default)]
pub struct Recorder(Vec<Event>);

impl Actor for Recorder {
    type Context = Context<Self>;
}

impl Handler<Event> for Recorder {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.0.push(event);
    }
}

/// test -> Recorder: the events since the last call.
#[derive(Message)]
#[rtype(result = "Vec<Event>")]
pub struct TakeEvents;

impl Handler<TakeEvents> for Recorder {
    type Result = Vec<Event>;

    fn handle(&mut self, _: TakeEvents, _: &mut Self::Context) -> Self::Result {
        std::mem::take(&mut self.0)
    }
}
