//! Who gets in, and what every answer has.

use super::*;

#[actix::test]
async fn every_answer_has_the_safe_headers_and_errors_are_json() {
    let world = World::new(&Setup { users: true, ..Setup::default() });
    let host = world.address;
    let requests = [
        (200, format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (200, format!("GET /console/app.js HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (200, format!("GET /console/api/now HTTP/1.1\r\nHost: {host}\r\n{BOB}\r\n")),
        (302, format!("GET / HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (400, format!("GET /console/api/bars HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (400, format!("GET /console/api/decisions?limit=501 HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (401, format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n\r\n")),
        (
            401,
            format!("GET /console/api/now HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic aHViOnNjcmFwZQ==\r\n\r\n"),
        ),
        (404, format!("GET /console/../etc/passwd HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/none HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/odds?symbol=XAUUSD HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (404, format!("GET /console/api/orders/none HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (405, format!("DELETE /console/api/now HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (405, format!("GET /console/api/halt HTTP/1.1\r\nHost: {host}\r\n{ANN}\r\n")),
        (421, "GET /console/ HTTP/1.1\r\nHost: evil.example\r\n\r\n".into()),
    ];
    for (status, request) in requests {
        let (found, head, body) = world.send(&request).await;
        assert_eq!(found, status, "{request}: {body}");
        for header in [
            "\r\ncontent-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'\r\n",
            "\r\nx-content-type-options: nosniff",
            "\r\nreferrer-policy: no-referrer",
            "\r\ncache-control: ",
        ] {
            assert!(format!("{head}\r\n").contains(header), "{request}: {header}: {head}");
        }
        if status >= 400 {
            assert!(head.contains("\r\ncontent-type: application/json"), "{request}: {head}");
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert!(body["error"]["message"].as_str().unwrap().len() > 10 && body["schema"] == 1, "{body}");
        }
        assert_eq!(head.contains("www-authenticate: basic"), status == 401, "{request}");
    }
}

#[actix::test]
async fn only_names_of_the_console_reach_it() {
    let world = World::new(&Setup { hosts: vec!["INF.example".into()], ..Setup::default() });
    for host in
        ["localhost", "LOCALHOST:9001", "127.0.0.1", "127.0.0.1:8001", "[::1]:8001", "127.3.2.1", "inf.example:80"]
    {
        let request = format!("GET /console/ HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(world.send(&request).await.0, 200, "{host}");
    }
    for headers in [
        "",
        "Host: evil.example\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: evil.example#localhost\r\n",
        "Host: ann@localhost\r\n",
        "Host: 10.0.0.7\r\n",
        "Host: \r\n",
        "Host: localhost\r\nHost: evil.example\r\n",
        "Host: 0.0.0.0:8001\r\n",
    ] {
        let (status, _, body) = world.send(&format!("GET /console/api/now HTTP/1.1\r\n{headers}\r\n")).await;
        assert!(status == 421 || status == 400, "{headers}: {status}");
        assert!(status == 400 || code(&body) == "wrong_host", "{headers}");
    }
    let absolute = "GET http://evil.example/console/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(world.send(absolute).await.0, 421);
}

#[actix::test]
async fn an_answer_that_has_not_changed_is_304() {
    let world = World::new(&Setup::default());
    let paths = [
        "now",
        "decisions",
        "orders",
        "orders?ledger=paper",
        "positions",
        "equity",
        "money",
        "stages",
        "model",
        "system",
        "bars?symbol=EURUSD",
        "odds?symbol=EURUSD",
    ];
    for path in paths {
        let path = format!("/console/api/{path}");
        let (status, head, body) = world.get(&path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(answer["schema"] == 1 && answer["now_ms"].as_i64().unwrap() > 1_500_000_000_000, "{path}: {body}");
        assert!(
            answer.as_object().unwrap().contains_key("cycle_id") && head.contains("\r\ncache-control: no-store"),
            "{path}"
        );
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
        let (status, head, body) = world.get(&path, &format!("If-None-Match: \"other\", W/{tag}\r\n")).await;
        assert_eq!((status, body.as_str()), (304, ""), "{path}");
        assert!(head.contains(&format!("etag: {tag}")), "{head}");
        assert_eq!(world.get(&path, "If-None-Match: \"other\"\r\n").await.0, 200, "{path}");
    }
    let before = world.get("/console/api/now", "").await;
    let tag = before.1.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    fs::write(world.folder.path().join("halt"), "").unwrap();
    let (status, _, body) = world.get("/console/api/now", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(status == 200 && body.contains("\"is_halted\":true"), "a halt is news: {body}");
}

#[actix::test]
async fn of_very_many_symbols_and_positions_the_first_are_answered() {
    let world = World::new(&Setup { symbols: 10_000, ..Setup::default() });
    let journal = rusqlite::Connection::open(world.folder.path().join("journal.db")).unwrap();
    for (symbol, bar) in [("EURUSD", 1), ("S499", 2), ("S500", 3)] {
        let sql = "INSERT INTO decisions (cycle_id, symbol, bar_close_time, threshold, action, suppressed) VALUES (?1, ?2, ?1, 0.6, 'BUY', 'halted')";
        journal.execute(sql, (bar, symbol)).unwrap();
    }
    let many = "WITH RECURSIVE it (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM it WHERE n < 501)
                INSERT INTO orders (id, account, symbol, gateway_name, model, bar_close_time, side, volume, stop_loss, take_profit, confidence,
                  created_at_ms, updated_at_ms, state, ticket, price)
                SELECT 'order-' || n, '12345678', 'EURUSD', 'm', 'm', n, 'BUY', 0.1, 1.0, 0, 0.7, n, n, 'filled', n, 1.2 FROM it";
    journal.execute(many, []).unwrap();
    let answer = async |path: &str| {
        let (status, _, body) = world.get(&format!("/console/api/{path}"), "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    let now = answer("now").await;
    let symbols = now["symbols"].as_array().unwrap();
    assert_eq!((symbols.len(), &now["symbols_total"]), (500, &10_000.into()));
    assert_eq!(symbols[0]["positions_live"], 501, "counted before they are cut");
    let signals: Vec<_> = symbols.iter().filter(|it| !it["signal"].is_null()).map(|it| &it["symbol"]).collect();
    assert_eq!(signals, ["EURUSD", "S499"]);
    let positions = answer("positions").await;
    assert_eq!((positions["rows"].as_array().unwrap().len(), &positions["total"]), (500, &501.into()));
}

#[actix::test]
async fn a_journal_that_is_gone_is_an_error_and_not_an_empty_answer() {
    let world = World::new(&Setup::default());
    assert_eq!(world.get("/console/api/orders", "").await.0, 200);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(world.folder.path().join(format!("journal.db{suffix}")));
    }
    for path in ["now", "orders", "money"] {
        let (status, head, body) = world.get(&format!("/console/api/{path}"), "").await;
        assert_eq!((status, code(&body).as_str()), (503, "journal"), "{path}: {body}");
        assert!(head.contains("\r\nretry-after: 1"), "{head}");
    }
    assert_eq!(world.get("/console/api/system", "").await.0, 200, "what the process knows is still shown");
    assert_eq!(world.get("/console/", "").await.0, 200);
}
