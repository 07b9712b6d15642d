//! Compressed answers: the same content, with the headers that caches need.

use super::*;
use actix_web::web::Bytes;
use flate2::read::GzDecoder;
use std::io::Read;

const TAKES_GZIP: &str = "Accept-Encoding: gzip\r\n";
const OPEN: &str = "Accept: application/openmetrics-text;version=1.0.0\r\n";

/// The head in lower case, and the body as it came.
async fn bytes(address: SocketAddr, method: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: sentinel\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap().to_ascii_lowercase(), body)
}

fn unpacked(gzip: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text).unwrap();
    text
}

fn is_gzipped(head: &str) -> bool {
    head.contains("\r\ncontent-encoding: gzip\r\n")
}

#[actix::test]
async fn compressed_metrics_are_the_same_text_in_both_formats() {
    let text = "# some text\n".repeat(10_000);
    let deps = stubs(Stub { silent: true, ..Stub::default() });
    let snapshot = deps.snapshot.clone();
    let (address, _) = start(deps);
    for (format, accept) in [(Format::Text, ""), (Format::OpenMetrics, OPEN)] {
        let gzip = sentinel_actors::adapters::gzip::gzip(text.as_bytes());
        snapshot.set(Exposition { gzip, ..exposition(format, &text) });
        let (head, body) = bytes(address, "GET", "/metrics", &format!("{accept}{TAKES_GZIP}")).await;
        assert!(is_gzipped(&head) && head.contains("\r\nvary: accept, accept-encoding\r\n"), "{head}");
        assert!(head.contains(&format!("\r\ncontent-type: {}\r\n", format.content_type())), "{head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{head}");
        assert_eq!(unpacked(&body), text);
        let (head, body) = bytes(address, "GET", "/metrics", accept).await;
        assert!(!is_gzipped(&head) && head.contains("\r\nvary: accept, accept-encoding\r\n"), "{head}");
        assert_eq!(body, text.as_bytes());
    }
}

#[actix::test]
async fn if_the_actor_is_late_the_last_text_may_be_plain() {
    let deps = stubs(Stub { silent: true, ..Stub::default() });
    let snapshot = deps.snapshot.clone();
    let (address, _) = start(deps);
    let (head, body) = bytes(address, "GET", "/metrics", TAKES_GZIP).await;
    assert!(head.starts_with("http/1.1 503 ") && !is_gzipped(&head), "{head}");
    assert_eq!(body, b"no metrics yet\n");
    snapshot.set(exposition(Format::Text, "last known"));
    let (head, body) = bytes(address, "GET", "/metrics", TAKES_GZIP).await;
    assert!(head.starts_with("http/1.1 200 ") && !is_gzipped(&head), "{head}");
    assert_eq!(body, b"last known");
}

#[actix::test]
async fn a_text_is_compressed_only_once() {
    let (deps, actor) = real();
    let snapshot = deps.snapshot.clone();
    let (address, _) = start(deps);
    let (mut texts, mut compressed) = (Vec::<Bytes>::new(), Vec::<Bytes>::new());
    for _ in 0..40 {
        let (head, body) = bytes(address, "GET", "/metrics", TAKES_GZIP).await;
        assert!(is_gzipped(&head), "{head}");
        let Exposition { text, gzip, .. } = snapshot.get().unwrap();
        let gzip = gzip.unwrap();
        assert_eq!((&gzip[..], unpacked(&body)), (&body[..], String::from_utf8(text.to_vec()).unwrap()));
        // Bytes that are kept have a unique address.
        for (all, one) in [(&mut texts, text), (&mut compressed, gzip)] {
            if all.iter().all(|known| known.as_ptr() != one.as_ptr()) {
                all.push(one);
            }
        }
    }
    assert_eq!(texts.len(), compressed.len(), "each text once");
    assert!(texts.len() < 20, "most scrapes got the same text: {}", texts.len());
    actor.do_send(Event::TicksMissed(1));
    let (_, body) = bytes(address, "GET", "/metrics", TAKES_GZIP).await;
    assert!(unpacked(&body).contains("sentinel_scheduler_ticks_missed_total 1\n"), "a new text is compressed again");
}

#[actix::test]
async fn nothing_is_compressed_without_a_request_for_gzip() {
    let (deps, _actor) = real();
    let snapshot = deps.snapshot.clone();
    let (address, _) = start(deps);
    for headers in ["", "Accept-Encoding: identity\r\n", "Accept-Encoding: gzip;q=0, *\r\n", OPEN] {
        let (head, _) = bytes(address, "GET", "/metrics", headers).await;
        assert!(!is_gzipped(&head), "{head}");
        assert_eq!(snapshot.get().unwrap().gzip, None);
    }
}

#[actix::test]
async fn health_is_compressed_with_any_status() {
    let (deps, actor) = real();
    let (address, _) = start(deps);
    for status in ["200", "503"] {
        let (head, body) = bytes(address, "GET", "/health", TAKES_GZIP).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")) && is_gzipped(&head), "{head}");
        assert!(head.contains("\r\nvary: accept-encoding\r\n") && head.contains("\r\ncontent-type: application/json"));
        let health: serde_json::Value = serde_json::from_str(&unpacked(&body)).unwrap();
        assert!(health["checks"].is_array());
        let (head, body) = bytes(address, "GET", "/health", "").await;
        assert!(!is_gzipped(&head) && head.contains("\r\nvary: accept-encoding\r\n"), "{head}");
        assert!(serde_json::from_slice::<serde_json::Value>(&body).is_ok());
        actor.do_send(Event::ActorsPinged(vec![(ActorName::Fetcher, false)]));
    }
}

#[actix::test]
async fn head_has_the_headers_of_get_and_short_texts_stay_plain() {
    let (deps, _actor) = real();
    let (address, _) = start(deps);
    for path in ["/metrics", "/health"] {
        let (head, body) = bytes(address, "HEAD", path, TAKES_GZIP).await;
        assert!(is_gzipped(&head) && head.contains("\r\ncontent-length: "), "{head}");
        assert!(body.is_empty());
    }
    for (method, path) in
        [("GET", "/"), ("POST", "/metrics"), ("GET", "/livez"), ("GET", "/readyz"), ("GET", "/startupz")]
    {
        let (head, body) = bytes(address, method, path, TAKES_GZIP).await;
        assert!(!is_gzipped(&head), "{method} {path}: {head}");
        assert!(body.is_ascii() && body.ends_with(b"\n"));
    }
}
