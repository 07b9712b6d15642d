//! The limits of a connection: one request, no body, a short head, a deadline.

use super::*;

/// Sends these bytes as they are and returns everything that comes back.
async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    // The server may stop reading and disconnect before everything is sent.
    let (_, _) = futures_util::future::join(writer.write_all(bytes), reader.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[actix::test]
async fn a_connection_serves_only_its_first_request() {
    let stub = Stub::default();
    let asked = Arc::clone(&stub.asked);
    let (address, _) = start(stubs(stub));
    let get = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    let bare = "GET /metrics HTTP/1.1\nHost: x\n\n";
    let begun = Instant::now();
    for behind in ["", get, bare, "\r\n\r\n", "GET /metrics HTTP/1.1\r\n", "\0\x7f"] {
        for head in [get, bare, &format!("\r\n\n{get}")] {
            asked.store(0, Ordering::Relaxed);
            let answer = send(address, format!("{head}{}", behind.repeat(3)).as_bytes()).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nfresh"),
                "{head:?} {behind:?}: {answer}"
            );
            assert_eq!(
                (answer.matches("HTTP/1.1").count(), asked.load(Ordering::Relaxed)),
                (1, 1),
                "{head:?} {behind:?}"
            );
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "no request waited for the deadline: {:?}", begun.elapsed());
}

#[actix::test]
async fn a_body_is_ignored_and_its_request_answered_at_once() {
    let (address, _) = start(stubs(Stub::default()));
    let large = "0".repeat(1 << 16);
    for (header, body) in [
        ("Content-Length: 65536", large.as_str()),
        ("Content-Length: 65536", ""),
        ("Content-Length: 18446744073709551615", "0"),
        ("Transfer-Encoding: chunked", "10000\r\n"),
        ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("Expect: 100-continue\r\nContent-Length: 9", "123456789"),
        ("Connection: upgrade\r\nUpgrade: websocket", &large),
    ] {
        let begun = Instant::now();
        for (method, code) in [("GET", "200"), ("POST", "405")] {
            let head = format!("{method} /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
            let answer = send(address, format!("{head}{body}").as_bytes()).await;
            let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
            assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{method} {header}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{method} {header}: {answer}");
        }
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{header}: {:?}", begun.elapsed());
    }
}

#[actix::test]
async fn a_head_that_is_too_long_is_refused() {
    let (address, _) = start(stubs(Stub::default()));
    let head = |bytes: usize| format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    assert!(send(address, head(7_900).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    for text in [head(8_192), head(200_000), "\r\n".repeat(100_000), "x".repeat(200_000)] {
        let answer = send(address, text.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 ") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
}

/// A text that is larger than the buffers of the kernel.
fn long() -> Deps {
    let deps = stubs(Stub { silent: true, ..Stub::default() });
    deps.snapshot.set(exposition(Format::Text, &"x".repeat(8 << 20)));
    deps
}

#[actix::test]
async fn a_long_text_arrives_complete() {
    let (address, _) = start(long());
    let (status, head, body) = ask(address, "GET", "/metrics").await;
    assert_eq!((status, body.len()), (200, 8 << 20));
    assert!(head.contains("\r\ncontent-length: 8388608\r\n"), "{head}");
}

#[actix::test]
async fn a_client_that_does_not_read_loses_its_slot() {
    let config = HttpConfig { connections_max: 2, ..config() };
    let (server, address) = serve(&config, long()).unwrap();
    actix::spawn(server);
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        deaf.push(stream);
    }
    let begun = Instant::now();
    assert_eq!(ask(address, "GET", "/livez").await.0, 503);
    assert!(begun.elapsed() < Duration::from_secs(1), "it got the slot of the oldest: {:?}", begun.elapsed());
    // The last of them keeps its slot until its deadline.
    let mut last = deaf.pop().unwrap();
    tokio::time::sleep((config.connection_deadline + Duration::from_millis(500)).saturating_sub(begun.elapsed())).await;
    let mut text = Vec::new();
    let _ = last.read_to_end(&mut text).await;
    assert!(text.starts_with(b"HTTP/1.1 200") && text.len() < 8 << 20, "{}", text.len());
}
