//! Pings to servers that answer, and to servers that fail in different ways.

use super::*;
use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SECRET: &str = "canary-5d0c9a7e";
const MINUTE: Duration = Duration::from_secs(60);
const DEADLINE: Duration = Duration::from_millis(300);
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Does {
    Says(&'static str),
    /// Closes the connection with a reset.
    Resets,
    /// Reads and never answers.
    Hangs,
}

/// A server that follows `script`, and then repeats its last step.
struct Receiver {
    base_url: String,
    asked: Arc<AtomicUsize>,
}

impl Receiver {
    fn start(script: &'static [Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let number = count.fetch_add(1, Ordering::SeqCst);
                let does = script[number.min(script.len() - 1)];
                thread::spawn(move || answer(stream, does));
            }
        });
        Self { base_url, asked }
    }

    fn url(&self) -> String {
        format!("{}/{SECRET}", self.base_url)
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, does: Does) {
    let (mut text, mut byte) = (Vec::new(), [0]);
    if matches!(does, Does::Resets) {
        // The request is not read, so closing this connection resets it.
        let _ = stream.peek(&mut byte);
        return;
    }
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    assert!(
        text.starts_with(&format!("GET /{SECRET} HTTP/1.1\r\n")) && text.contains("user-agent: sentinel/"),
        "{text}"
    );
    if let Does::Says(said) = does {
        stream.write_all(said.as_bytes()).unwrap();
    }
    // Stays open until the client closes it.
    let ended = stream.read(&mut byte);
    assert!(
        ended.as_ref().is_ok_and(|read| *read == 0) || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset)
    );
}

struct Ears(UnboundedSender<bool>);

impl Actor for Ears {
    type Context = Context<Self>;
}

impl Handler<Event> for Ears {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        if let Event::DeadmanPinged { is_ok } = event {
            self.0.send(is_ok).unwrap();
        }
    }
}

fn deadman(source: UrlSource) -> (actix::Addr<Deadman>, UnboundedReceiver<bool>) {
    let (said, heard) = unbounded_channel();
    let metrics = Ears(said).start().recipient().into();
    (Deadman::new(Config { source, every: MINUTE, deadline: DEADLINE, metrics }).start(), heard)
}

fn minute(number: u32) -> CycleWentWell {
    CycleWentWell { due: Duration::from_secs(1_600_000_018) + number * MINUTE }
}

/// The results of `count` pings, one per minute.
async fn outcomes(source: UrlSource, count: u32) -> Vec<bool> {
    let (deadman, mut heard) = deadman(source);
    let mut outcomes = Vec::new();
    for number in 0..count {
        deadman.send(minute(number)).await.unwrap();
        outcomes.push(heard.recv().await.unwrap());
    }
    outcomes
}

#[actix_rt::test]
async fn any_2xx_is_good_whatever_becomes_of_its_body() {
    const SCRIPT: [Does; 4] = [
        Does::Says(OK),
        Does::Says("HTTP/1.1 204 No Content\r\n\r\n"),
        Does::Says("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
        // A body that never ends.
        Does::Says("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n["),
    ];
    let receiver = Receiver::start(&SCRIPT);
    assert_eq!(outcomes(UrlSource::Value(receiver.url()), 4).await, [true; 4]);
    assert_eq!(receiver.asked(), 4);
}

#[actix_rt::test]
async fn what_is_no_2xx_fails_and_the_next_one_is_tried_all_the_same() {
    const SCRIPT: [Does; 8] = [
        Does::Says("HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        Does::Resets,
        Does::Says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
        Does::Hangs,
        Does::Says("HTTP/1.1 200"),
        Does::Says("no HTTP at all, my friend\r\n\r\n"),
        Does::Says("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"),
        Does::Says(OK),
    ];
    let receiver = Receiver::start(&SCRIPT);
    let wanted = [false, false, false, false, false, false, false, true];
    assert_eq!(outcomes(UrlSource::Value(receiver.url()), 8).await, wanted);
    assert_eq!(receiver.asked(), 8, "none was asked again within its minute, and no redirect was followed");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(outcomes(UrlSource::Value(format!("http://{nobody}/{SECRET}")), 1).await, [false]);
}

#[actix_rt::test]
async fn at_most_one_ping_a_minute_and_one_at_a_time() {
    const SCRIPT: [Does; 2] = [Does::Hangs, Does::Says(OK)];
    let receiver = Receiver::start(&SCRIPT);
    let (deadman, mut heard) = deadman(UrlSource::Value(receiver.url()));
    for number in [0, 1, 2] {
        // The first one hangs.
        deadman.send(minute(number)).await.unwrap();
    }
    assert_eq!(heard.recv().await, Some(false));
    for second in 0..121 {
        deadman.send(CycleWentWell { due: minute(3).due + Duration::from_secs(second) }).await.unwrap();
        if second % 60 == 0 {
            assert_eq!(heard.recv().await, Some(true));
        }
    }
    // If the clock was set back, pings do not stop until the old time is reached again.
    deadman.send(minute(0)).await.unwrap();
    assert_eq!(heard.recv().await, Some(true));
    assert_eq!(receiver.asked(), 5, "one that hung, and those of minutes 3, 4, 5 and 0");
}

#[actix_rt::test]
async fn a_urls_file_is_read_for_each_ping() {
    const SCRIPT: [Does; 1] = [Does::Says(OK)];
    let receiver = Receiver::start(&SCRIPT);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    let (deadman, mut heard) = deadman(UrlSource::File(path.clone()));
    let texts = [None, Some(receiver.url()), Some("no URL".into()), Some(format!("{}\n", receiver.url()))];
    for (number, text) in (0..).zip(texts) {
        text.iter().for_each(|text| fs::write(&path, text).unwrap());
        deadman.send(minute(number)).await.unwrap();
        assert_eq!(heard.recv().await, Some(number % 2 == 1));
    }
    assert_eq!(receiver.asked(), 2);
}
