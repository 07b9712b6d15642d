//! Answers, errors and connections, against servers that send arbitrary bytes.

use super::*;
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

#[test]
fn retry_after_is_seconds_or_a_date() {
    assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
    assert_eq!(retry_after("soon"), None);
    let in_a_minute = (chrono::Utc::now() + chrono::TimeDelta::seconds(60)).to_rfc2822();
    let wait = retry_after(&in_a_minute).unwrap();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:00 GMT"), None, "a date in the past is no wait");
}

#[test]
fn a_status_outside_the_closed_set_is_an_exception() {
    let error = |status| HttpError::Status { status, retry_after: None, body: String::new() };
    assert_eq!(error(503).error_code(), "503");
    assert_eq!(error(418).error_code(), "exception");
    assert_eq!(error(302).error_code(), "exception");
}

/// For an answer that comes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);
/// For an answer that never comes.
const DEADLINE: Duration = Duration::from_millis(600);
const MANY: &str = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";

/// A server of raw bytes: `script` gets the number of the connection and the path of its first request, and returns what is
/// written after it, in pieces, 20 ms apart. A second request on the same connection gets an answer that says so.
fn serve(tls: Option<TlsServer>, script: impl Fn(usize, &str) -> Vec<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (scheme, script) = (if tls.is_some() { "https" } else { "http" }, Arc::new(script));
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let (tls, script) = (tls.clone(), script.clone());
            thread::spawn(move || match tls {
                None => converse(stream, number, script.as_ref()),
                Some(config) => {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    converse(rustls::StreamOwned::new(connection, stream), number, script.as_ref());
                }
            });
        }
    });
    format!("{scheme}://localhost:{port}")
}

fn converse(mut stream: impl Read + Write, number: usize, script: &(impl Fn(usize, &str) -> Vec<String> + ?Sized)) {
    let Some(path) = request(&mut stream) else { return };
    for piece in script(number, &path) {
        if stream.write_all(piece.as_bytes()).and_then(|()| stream.flush()).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    if request(&mut stream).is_some() {
        let _ = stream.write_all(answer("a second request on one connection").as_bytes());
    }
}

/// Reads a request without a body; returns its path and its Host header.
fn request(stream: &mut impl Read) -> Option<String> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let text = String::from_utf8(text).unwrap();
    let host = text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
    Some(format!("{} {}", text.split(' ').nth(1)?, host.unwrap_or_default()))
}

fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n{body}", body.len())
}

type TlsServer = Arc<rustls::ServerConfig>;

/// A server's TLS configuration, and a client that trusts only its certificate.
fn tls() -> (TlsServer, Client) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    let server = server.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Client::with_tls(client))
}

async fn ask(client: &Client, url: &str) -> Result<String, HttpError> {
    ask_within(PATIENCE, client, url).await
}

async fn ask_within(deadline: Duration, client: &Client, url: &str) -> Result<String, HttpError> {
    let body = within(deadline, get(client.get(url), 1 << 20)).await?;
    Ok(String::from_utf8(body).unwrap())
}

/// The path of the request.
fn path(asked: &str) -> &str {
    asked.split(' ').next().unwrap()
}

#[actix::test]
async fn whatever_a_peer_sends_around_an_answer_every_request_gets_its_own() {
    type Script = fn(usize, &str) -> Vec<String>;
    let scripts: [(&str, Script); 9] = [
        ("nothing", |_, asked| vec![answer(path(asked))]),
        ("100 before the first", |number, asked| {
            let first = if number == 0 { vec!["HTTP/1.1 100 Continue\r\n\r\n".into()] } else { Vec::new() };
            [first, vec![answer(path(asked))]].concat()
        }),
        ("103 before each", |_, asked| vec![MANY.into(), answer(path(asked))]),
        ("several, in one packet", |_, asked| vec![MANY.repeat(3) + "HTTP/1.1 102 P\r\n\r\n" + &answer(path(asked))]),
        ("cut anywhere", |_, asked| {
            let all = MANY.repeat(2) + &answer(path(asked));
            all.as_bytes().chunks(9).map(|piece| String::from_utf8(piece.to_vec()).unwrap()).collect()
        }),
        ("two answers at once", |_, asked| vec![answer(path(asked)) + &answer("a stranger's")]),
        ("an answer behind the answer", |_, asked| vec![answer(path(asked)), answer("a stranger's")]),
        ("an interim answer behind the answer", |_, asked| vec![answer(path(asked)), MANY.into()]),
        ("bytes of nobody behind the answer", |_, asked| vec![answer(path(asked)) + "\r\nxyz"]),
    ];
    for (name, script) in scripts {
        for is_tls in [false, true] {
            let (server, client) = tls();
            let url = serve(is_tls.then_some(server), script);
            for number in 0..4 {
                let wanted = format!("/{number}");
                let got = ask(&client, &format!("{url}{wanted}")).await;
                assert_eq!(got, Ok(wanted), "{name}, TLS: {is_tls}");
            }
            let urls: Vec<_> = (0..8).map(|number| format!("{url}/{number}")).collect();
            let all = futures_util::future::join_all(urls.iter().map(|url| ask(&client, url))).await;
            let wanted: Vec<_> = (0..8).map(|number| Ok(format!("/{number}"))).collect();
            assert_eq!(all, wanted, "{name} at the same time, TLS: {is_tls}");
        }
    }
}

/// A server that ends the connection behind these bytes.
fn serve_and_hang_up(bytes: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = request(&mut stream);
            let _ = stream.write_all(bytes.as_bytes());
        }
    });
    url
}

#[actix::test]
async fn an_answer_that_breaks_off_is_none() {
    let broken = HttpError::Broken("after 3 of 9 bytes".into());
    assert_eq!(broken.to_string(), "the connection broke after 3 of 9 bytes");
    let cut_off = serve_and_hang_up("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1]");
    let client = Client::new(&cut_off).unwrap();
    assert_eq!(ask(&client, &cut_off).await, Err(broken.clone()));
    let fetched = within(PATIENCE, fetch(client.get(&cut_off), None, 1_000)).await;
    assert_eq!(fetched.unwrap_err(), broken);
    let whole = serve_and_hang_up("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n[1]");
    assert_eq!(ask(&client, &whole).await, Ok("[1]".into()));
}

#[actix::test]
async fn an_answer_that_comes_before_its_request_reaches_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.write_all(answer(&number.to_string()).as_bytes());
                let _ = request(&mut stream);
            });
        }
    });
    for number in 0..3 {
        // It is detected only if the answer arrives before the request is sent, which may or may not happen here.
        match ask(&Client::new(&url).unwrap(), &url).await {
            Err(HttpError::Broken(text)) => assert!(text.contains("before the request"), "{text}"),
            answered => assert_eq!(answered, Ok(number.to_string())),
        }
    }
}

#[actix::test]
async fn interim_answers_without_an_answer_end_at_the_deadline_or_at_a_bound() {
    let (slow, fast) =
        (serve(None, |_, _| vec![MANY.to_owned(); 90]), serve(None, |_, _| vec![MANY.repeat(500), answer("too late")]));
    let client = Client::new(&slow).unwrap();
    let late = ask_within(DEADLINE, &client, &slow).await;
    assert_eq!(late, Err(HttpError::Timeout { deadline: DEADLINE }));
    let refused = ask(&client, &fast).await.unwrap_err();
    assert!(matches!(&refused, HttpError::Broken(text) if text.contains("100 interim answers")), "{refused}");
}

#[actix::test]
async fn a_change_of_protocol_that_nobody_asked_for_is_no_answer() {
    let url = serve(None, |_, _| vec!["HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n".into(), answer("x")]);
    let client = Client::new(&url).unwrap();
    let refused = ask(&client, &url).await.unwrap_err();
    assert_eq!(refused, HttpError::Broken("status 101 instead of an answer".into()));
    let refused = within(PATIENCE, fetch(client.get(&url), None, 1_000)).await.unwrap_err();
    assert_eq!(refused, HttpError::Broken("status 101 instead of an answer".into()));
}

#[actix::test]
async fn the_host_is_named_as_the_url_has_it_with_tls_and_without() {
    for is_tls in [false, true] {
        let (server, client) = tls();
        let url = serve(is_tls.then_some(server), |_, asked| vec![answer(asked)]);
        let host = url.split("//").nth(1).unwrap();
        assert_eq!(ask(&client, &format!("{url}/a?b=c&d=%20")).await, Ok(format!("/a?b=c&d=%20 {host}")));
    }
}

#[actix::test]
async fn an_https_url_never_goes_out_in_the_clear() {
    let url = serve(None, |_, _| vec![answer("in the clear")]).replace("http:", "https:");
    for client in [Client::new("http://localhost").unwrap(), tls().1] {
        let refused = ask_within(DEADLINE, &client, &url).await.unwrap_err();
        assert!(matches!(refused, HttpError::Connect(_) | HttpError::Timeout { .. }), "{refused}");
    }
}

#[actix::test]
async fn an_ipv6_address_is_reached() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let url = format!("http://[::1]:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || converse(listener.accept().unwrap().0, 0, &|_, asked: &str| vec![answer(asked)]));
    assert_eq!(ask(&Client::new(&url).unwrap(), &url).await, Ok(format!("/ {}", &url[7..url.len() - 1])));
}

#[test]
fn what_concerns_one_request_says_nothing_about_the_endpoint() {
    let end = |status| HttpError::Status { status, retry_after: None, body: String::new() }.call_end();
    for status in [204, 206, 400, 404, 405, 410, 413, 414, 422, 451] {
        assert_eq!(end(status), CallEnd::Refused, "{status}");
    }
    for status in [301, 302, 401, 402, 403, 407, 408, 429, 500, 502, 503, 504, 599] {
        assert_eq!(end(status), CallEnd::Failed, "{status}");
    }
    assert_eq!(HttpError::BodyTooLarge { limit: 1 }.call_end(), CallEnd::Refused);
    for error in
        [HttpError::Timeout { deadline: DEADLINE }, HttpError::Connect(String::new()), HttpError::Broken(String::new())]
    {
        assert_eq!(error.call_end(), CallEnd::Failed, "{error}");
    }
}
