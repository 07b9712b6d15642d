//! The two buttons: whose presses count, whose are refused, and what is kept of them.

use super::*;
use sentinel_actors::adapters::{journal::ConsoleReader, prometheus::Format};

const GOOD: [(&str, &str); 3] =
    [("Content-Type", "application/json"), ("X-Sentinel", "1"), ("Sec-Fetch-Site", "same-origin")];

impl World {
    /// A press with these headers, each with its line end.
    async fn press(&self, button: &str, headers: &str, body: &str) -> (u16, String) {
        let length = body.len();
        let request = format!(
            "POST /console/api/{button} HTTP/1.1\r\nHost: {}\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            self.address
        );
        let (status, _, body) = self.send(&request).await;
        (status, body)
    }

    /// A press as the page makes it.
    async fn good(&self, button: &str, more: &str, body: &str) -> (u16, serde_json::Value) {
        let (status, body) = self.press(button, &format!("{}{more}", lines(&GOOD)), body).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    fn is_halted(&self) -> bool {
        self.folder.path().join("halt").exists()
    }
}

fn lines(headers: &[(&str, &str)]) -> String {
    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

#[actix::test]
async fn forged_presses_do_nothing() {
    let world = World::new(&Setup::default());
    let own = format!("http://{}", world.address);
    let json = ("Content-Type", "application/json");
    let x = ("X-Sentinel", "1");
    let body = r#"{"reason":"x"}"#;
    let refused: [(&str, Vec<(&str, &str)>); 17] = [
        ("forged", vec![json, x]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "cross-site")]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "same-site")]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "none")]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "")]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "cross-site"), ("Origin", &own)]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "same-origin"), ("Origin", "http://evil.example")]),
        ("forged", vec![json, x, ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]),
        ("forged", vec![json, x, ("Origin", "null")]),
        ("forged", vec![json, x, ("Origin", "http://evil.example")]),
        ("forged", vec![json, x, ("Origin", "https://localhost")]),
        ("forged", vec![json, x, ("Origin", &own), ("Origin", "http://evil.example")]),
        ("forged", vec![json, ("Sec-Fetch-Site", "same-origin")]),
        ("forged", vec![json, ("X-Sentinel", "0"), ("Sec-Fetch-Site", "same-origin")]),
        ("not_json", vec![x, ("Sec-Fetch-Site", "same-origin")]),
        ("not_json", vec![("Content-Type", "text/plain"), x, ("Sec-Fetch-Site", "same-origin")]),
        ("not_json", vec![("Content-Type", "application/x-www-form-urlencoded"), x, ("Sec-Fetch-Site", "same-origin")]),
    ];
    for (expected, headers) in refused {
        let (status, answer) = world.press("halt", &lines(&headers), body).await;
        let wanted = if expected == "forged" { 403 } else { 415 };
        assert_eq!((status, code(&answer).as_str()), (wanted, expected), "{headers:?}");
        assert!(!world.is_halted(), "{headers:?}");
    }
    let simple = "POST /console/api/halt HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(world.send(simple).await.0, 421);
    // Plain http to another machine: the browser says only where the page came from.
    let (status, _) = world.press("halt", &lines(&[json, x, ("Origin", &own)]), body).await;
    assert!(status == 200 && world.is_halted());
}

#[actix::test]
async fn a_body_that_is_no_reason_is_refused() {
    let world = World::new(&Setup::default());
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(201));
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"reason":1}"#,
        r#"{"reason":" "}"#,
        r#"{"reason":"a\nb"}"#,
        r#"{"reason":"a","b":1}"#,
        &long,
    ] {
        let (status, answer) = world.good("halt", "", body).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("bad_request")), "{body}");
    }
    let (status, answer) = world.good("halt", "", &" ".repeat(5_000)).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("too_large")));
    let request = format!(
        "POST /console/api/halt HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n{}\r\n2000\r\n{}\r\n0\r\n\r\n",
        world.address,
        lines(&GOOD),
        " ".repeat(0x2000)
    );
    assert!([400, 413].contains(&world.send(&request).await.0), "a body without a length has the same limit");
    assert!(!world.is_halted());
    let umlauts = format!(r#"{{"reason":"{}"}}"#, "ü".repeat(200));
    assert_eq!(world.good("halt", "", &umlauts).await.0, 200, "characters, not bytes");
}

#[actix::test]
async fn a_halt_says_who_and_why_and_a_stale_page_cannot_end_it() {
    let world = World::new(&Setup::default());
    let hostile = r#"{"reason":"<img src=x onerror=alert(1)> \"news\""}"#;
    let (status, answer) = world.good("halt", "", hostile).await;
    assert_eq!(status, 200, "{answer}");
    let halt = &answer["halt"];
    assert_eq!((&halt["is_halted"], &halt["who"]), (&true.into(), &"console:@127.0.0.1".into()));
    assert_eq!(halt["reason"], "<img src=x onerror=alert(1)> \"news\"");
    assert_eq!(answer["doubts"], serde_json::json!([]));
    let generation = halt["generation"].as_u64().unwrap();
    let resume = r#"{"account":"12345678"}"#;
    for if_match in [
        "",
        "If-Match: *\r\n",
        &format!("If-Match: \"{}\"\r\n", generation - 1),
        &format!("If-Match: {generation}\r\n"),
    ] {
        let (status, answer) = world.good("resume", if_match, resume).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (412, Some("stale")), "{if_match}");
    }
    // Somebody else resumed and halted since: the file is another one.
    fs::remove_file(world.folder.path().join("halt")).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    fs::write(world.folder.path().join("halt"), "").unwrap();
    let old = format!("If-Match: \"{generation}\"\r\n");
    assert_eq!(world.good("resume", &old, resume).await.0, 412);
    assert!(world.is_halted());
    let (_, _, now) = world.get("/console/api/now", "").await;
    let now: serde_json::Value = serde_json::from_str(&now).unwrap();
    let newest = format!("If-Match: \"{}\"\r\n", now["halt"]["generation"]);
    let (status, answer) = world.good("resume", &newest, r#"{"account":"87654321"}"#).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("bad_request")), "another account");
    let (status, answer) = world.good("resume", &newest, resume).await;
    assert_eq!((status, &answer["halt"]["is_halted"]), (200, &false.into()), "{answer}");
    assert!(!world.is_halted());
    let rows = rows(&world);
    assert!(rows[0].starts_with("console:@127.0.0.1 halt <img"), "{rows:?}");
    assert_eq!(rows[1..], ["console:@127.0.0.1 ask_resume -", "console:@127.0.0.1 resume -"]);
    // Of all these presses two were carried out.
    let text = world.metrics.send(GetMetrics { format: Format::Text, is_gzipped: false }).await.unwrap().text;
    let text = std::str::from_utf8(&text).unwrap();
    let counts: Vec<_> = text.lines().filter(|line| line.starts_with("sentinel_console_presses_total{")).collect();
    let count = |action| format!("sentinel_console_presses_total{{action=\"{action}\"}} 1");
    assert_eq!(counts, [count("halt"), count("resume")]);
}

#[actix::test]
async fn a_server_that_was_started_again_gives_no_number_twice() {
    let now = SystemClock.now().as_secs();
    let world = World::new(&Setup { up: Duration::from_secs(3_600), ..Setup::default() });
    let (_, answer) = world.good("halt", "", r#"{"reason":"x"}"#).await;
    let generation = answer["halt"]["generation"].as_u64().unwrap();
    assert!(generation > now, "counted from the server's start, not from the daemon's: {generation}");
}

#[actix::test]
async fn a_resume_that_was_not_carried_out_is_none_in_the_journal() {
    let world = World::new(&Setup::default());
    // It halts, and cannot be removed as a file.
    fs::create_dir(world.folder.path().join("halt")).unwrap();
    let (_, _, now) = world.get("/console/api/now", "").await;
    let now: serde_json::Value = serde_json::from_str(&now).unwrap();
    let newest = format!("If-Match: \"{}\"\r\n", now["halt"]["generation"]);
    let (status, answer) = world.good("resume", &newest, r#"{"account":"12345678"}"#).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (500, Some("failed")), "{answer}");
    assert_eq!(rows(&world), ["console:@127.0.0.1 ask_resume -"], "the count of failures goes on");
}

#[actix::test]
async fn a_second_halt_stands_against_an_older_resume() {
    let world = World::new(&Setup::default());
    let (_, first) = world.good("halt", "", r#"{"reason":"first"}"#).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (status, second) = world.good("halt", "", r#"{"reason":"second"}"#).await;
    assert_eq!((status, &second["halt"]["reason"]), (200, &"second".into()), "{second}");
    // A command between two presses of the same second is neither's.
    sentinel_actors::adapters::halt_file::halt(&world.folder.path().join("halt")).unwrap();
    let (_, _, now) = world.get("/console/api/now", "").await;
    let now: serde_json::Value = serde_json::from_str(&now).unwrap();
    assert_eq!((&now["halt"]["is_halted"], &now["halt"]["who"]), (&true.into(), &serde_json::Value::Null));
    let (_, second) = world.good("halt", "", r#"{"reason":"third"}"#).await;
    assert_eq!(second["halt"]["reason"], "third");
    let (old, new) = (&first["halt"]["generation"], &second["halt"]["generation"]);
    assert_ne!(old, new);
    let resume = r#"{"account":"12345678"}"#;
    assert_eq!(world.good("resume", &format!("If-Match: \"{old}\"\r\n"), resume).await.0, 412);
    assert!(world.is_halted());
    assert_eq!(world.good("resume", &format!("If-Match: \"{new}\"\r\n"), resume).await.0, 200);
    let (_, third) = world.good("halt", "", r#"{"reason":"fourth"}"#).await;
    assert_eq!(third["halt"]["reason"], "fourth", "not one from before the resume");
}

#[actix::test]
async fn a_press_is_carried_out_although_its_browser_goes_away() {
    let world = World::new(&Setup::default());
    // Somebody else holds the lock of the kill switch: the press has to wait.
    let lock = fs::File::open(world.folder.path()).unwrap();
    lock.lock().unwrap();
    let body = r#"{"reason":"gone"}"#;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!("POST /console/api/halt HTTP/1.1\r\nHost: {}\r\nContent-Length: {}", world.address, body.len());
    stream.write_all(format!("{head}\r\n{}\r\n{body}", lines(&GOOD)).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Not closed but reset, as by a phone that has lost its network.
    stream.set_zero_linger().unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rows(&world), [] as [&str; 0]);
    drop(lock);
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        if world.is_halted() && !rows(&world).is_empty() {
            break;
        }
    }
    assert_eq!(rows(&world), ["console:@127.0.0.1 halt gone"]);
}

/// What the journal keeps of presses.
fn rows(world: &World) -> Vec<String> {
    let connection = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    let sql = "SELECT who || ' ' || action || ' ' || coalesce(note, '-') FROM console_actions ORDER BY id";
    let mut select = connection.prepare(sql).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[actix::test]
async fn only_operators_press() {
    let world = World::new(&Setup { users: true, ..Setup::default() });
    let body = r#"{"reason":"x"}"#;
    assert_eq!(world.good("halt", "", body).await.0, 401);
    let (status, answer) = world.good("halt", BOB, body).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("not_operator")));
    let (_, _, now) = world.get("/console/api/now", BOB).await;
    assert!(now.contains(r#""user":{"is_operator":false,"name":"bob"}"#), "{now}");
    assert!(!world.is_halted());
    let (status, answer) = world.good("halt", ANN, body).await;
    assert_eq!((status, &answer["halt"]["who"]), (200, &"console:ann@127.0.0.1".into()));
}

#[actix::test]
async fn a_halt_needs_no_journal_and_a_resume_does() {
    let world = World::new(&Setup { is_writable: false, ..Setup::default() });
    let (status, answer) = world.good("halt", "", r#"{"reason":"x"}"#).await;
    assert_eq!((status, &answer["halt"]["is_halted"]), (200, &true.into()));
    let doubt = answer["doubts"][0].as_str().unwrap();
    assert!(
        doubt.starts_with("the journal does not have who halted") && doubt.contains("the disk is full"),
        "{answer}"
    );
    let newest = format!("If-Match: \"{}\"\r\n", answer["halt"]["generation"]);
    let (status, answer) = world.good("resume", &newest, r#"{"account":"12345678"}"#).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("journal")), "{answer}");
    assert!(world.is_halted() && answer["error"]["message"].as_str().unwrap().contains("the disk is full"));
}

#[actix::test]
async fn without_a_kill_switch_nothing_can_be_pressed() {
    let world = World::new(&Setup { has_halt_file: false, ..Setup::default() });
    for (button, body) in [("halt", r#"{"reason":"x"}"#), ("resume", r#"{"account":"12345678"}"#)] {
        let (status, answer) = world.good(button, "", body).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("no_halt_file")), "{button}");
    }
}

#[actix::test]
async fn a_resume_starts_the_count_of_failures_again() {
    let world = World::new(&Setup::default());
    let (_, answer) = world.good("halt", "", r#"{"reason":"x"}"#).await;
    let newest = format!("If-Match: \"{}\"\r\n", answer["halt"]["generation"]);
    assert_eq!(world.good("resume", &newest, r#"{"account":"12345678"}"#).await.0, 200);
    let reader = ConsoleReader::open(&world.folder.path().join("journal.db")).unwrap();
    assert_eq!(reader.failures_in_a_row("12345678", 3).unwrap(), 0);
    let connection = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    let who: String = connection.query_row("SELECT who FROM resumed", [], |row| row.get(0)).unwrap();
    assert_eq!(who, "console:@127.0.0.1");
}

#[actix::test]
async fn a_page_of_an_older_stop_after_failures_cannot_resume() {
    let world = World::new(&Setup::default());
    let fail = |ids: std::ops::Range<u32>| {
        let connection = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
        for id in ids {
            let sql = "INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss,
                       take_profit, confidence, created_at_ms, updated_at_ms, state)
                       VALUES (?1, '12345678', 'EURUSD', 'EURUSDm', 'm', ?2, 'BUY', 0.1, 1.0, 0, 0.7, 1, 1, 'rejected')";
            connection.execute(sql, rusqlite::params![format!("order-{id}"), id]).unwrap();
        }
    };
    let shown = async || {
        let (_, _, now) = world.get("/console/api/now", "").await;
        let now: serde_json::Value = serde_json::from_str(&now).unwrap();
        (now["halt"]["failures_in_a_row"].as_u64(), format!("If-Match: \"{}\"\r\n", now["halt"]["generation"]))
    };
    let resume = r#"{"account":"12345678"}"#;
    let (_, running) = shown().await;
    fail(0..3);
    assert_eq!(world.good("resume", &running, resume).await.0, 412, "a page from before the stop");
    let (failures, first) = shown().await;
    assert_eq!((failures, shown().await.1), (Some(3), first.clone()));
    assert_eq!(world.good("resume", &first, resume).await.0, 200);
    // No page asks meanwhile.
    fail(3..6);
    let (status, answer) = world.good("resume", &first, resume).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (412, Some("stale")), "{answer}");
    let (failures, second) = shown().await;
    assert_eq!(failures, Some(3), "the second stop stands");
    assert_eq!(world.good("resume", &second, resume).await.0, 200);
    assert_eq!(shown().await.0, Some(0));
}
