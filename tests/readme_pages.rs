//! Checks actors/README.md against the code: the table of rules (written with `SENTINEL_WRITE_README=1 cargo test --test
//! readme_pages`), and every JSON message on the page. Checks that tests/README.md has the steps of tests/run.sh.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use sentinel_actors::{
    adapters::gateway::{Dialect, DialectKind, DialectParams, Query, dialect},
    domain::{
        guard::Suppression,
        instrument::{Instrument, Symbol},
        order::{Order, Side, client_order_id, close_order_id},
        position::Position,
    },
};
use serde_json::Value;
use std::{collections::BTreeSet, env, fs, path::PathBuf, process::Command, time::Duration};
use uuid::Uuid;

const BEGIN: &str = "<!-- rules: tests/readme_pages.rs writes them -->\n";
const END: &str = "<!-- end of rules -->";
const BASE: &str = include_str!("../config/base.toml");

/// The time of the page's requests.
const NOW: Duration = Duration::from_millis(1_795_438_858_250);
/// Close time of their bar.
const BAR_CLOSE_TIME: i64 = 1_795_438_800;
/// Account and model of the page.
const ACCOUNT: &str = "12345678";
const MODEL: &str = "baseline";
/// The position of the page's close.
const TICKET: i64 = 1_000_008;
/// The id of the page's queries.
const QUESTION_ID: &str = "3c9a1f0e-6d2b-4b8e-9c55-0f7a2e1d4b60";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("actors/README.md")
}

/// A setting and its default, as base.toml has them.
fn with_default(key: &str) -> String {
    let (section, name) = key.split_once('.').unwrap();
    let table = BASE.parse::<toml::Table>().unwrap();
    let default = match table[section].get(name) {
        Some(value) => value.to_string().trim_matches('"').to_owned(),
        None => {
            let (_, rest) = BASE.split_once(&format!("\n[{section}]\n")).unwrap();
            let section = rest.split("\n[").next().unwrap();
            assert!(section.contains(&format!("\n# {name} = ")), "base.toml has no {key}");
            "not set".to_owned()
        }
    };
    format!("`{key}`: {default}")
}

fn row(reason: &Suppression) -> String {
    let settings: Vec<_> = reason.settings().iter().map(|key| with_default(key)).collect();
    format!("| `{}` | {} | {} |\n", reason.as_str(), reason.sentence(), settings.join("<br>"))
}

#[test]
fn the_page_has_the_rules_of_the_code_in_their_order() {
    let text = fs::read_to_string(page()).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page marks where the table begins");
    let (table, after) = rest.split_once(END).expect("the page marks where the table ends");
    let rows: String = Suppression::ALL.iter().map(row).collect();
    let wanted = format!("| reason | no order, because | setting and default |\n|-|-|-|\n{rows}");
    if env::var_os("SENTINEL_WRITE_README").is_some() {
        fs::write(page(), format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "write it: SENTINEL_WRITE_README=1 cargo test --test readme_pages");
}

/// `4 to 6, 8, 9` for 4, 5, 6, 8 and 9.
fn ranges(codes: &[i64]) -> String {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for code in codes {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *code => *end = *code,
            _ => ranges.push((*code, *code)),
        }
    }
    let text = |(first, last): &(i64, i64)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_has_the_return_codes_that_refuse() {
    let refuses = |code: &i64| {
        let reply = format!(r#"{{"error": true, "ticket": 0, "retcode": {code}}}"#);
        read(DialectKind::OrderSend, "open", &reply) == "rejected"
    };
    let codes: Vec<_> = (10_000..11_000).filter(refuses).collect();
    let text = fs::read_to_string(page()).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = format!("refuse: {}.", ranges(&codes));
    assert!(text.contains(&wanted), "missing on the page: {wanted}");
}

#[test]
fn the_tests_page_has_the_steps_of_the_script_in_their_order() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let listed = Command::new("bash").arg(root.join("tests/run.sh")).arg("--list").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let steps: Vec<_> = listed.lines().collect();
    let page = fs::read_to_string(root.join("tests/README.md")).unwrap();
    let (_, table) = page.split_once("| step |").unwrap();
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.collect::<Vec<_>>(), steps);
}

/// A JSON block, the dialect of its section, and the words in backticks in the paragraph above it: `open` and, for a reply, the
/// outcome.
#[derive(Debug)]
struct Message {
    kind: DialectKind,
    what: String,
    reply: Option<String>,
    json: String,
}

fn messages() -> Vec<Message> {
    let text = fs::read_to_string(page()).unwrap();
    let (mut found, mut kind, mut caption) = (Vec::new(), None, "");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("### ") {
            kind = heading.trim_matches('`').parse().ok();
        }
        if line.contains("`, request") || line.contains("`, reply") {
            caption = line;
        }
        if line != "```json" {
            continue;
        }
        let json = lines.by_ref().take_while(|line| *line != "```").collect::<Vec<_>>().join("\n");
        let words: Vec<_> = std::mem::take(&mut caption).split('`').collect();
        let [_, what, rest, ..] = words[..] else { panic!("nothing says what this is: {json}") };
        let reply = rest.contains("reply").then(|| words[3].to_owned());
        let kind = kind.unwrap_or_else(|| panic!("in no dialect's section: {json}"));
        found.push(Message { kind, what: what.to_owned(), reply, json });
    }
    found
}

/// The BUY of the page, or the close that comes before it.
fn order(kind: DialectKind, is_close: bool) -> Order {
    let symbol = Symbol::new("EURUSD");
    let id = client_order_id(ACCOUNT, &symbol, MODEL, BAR_CLOSE_TIME);
    let close_id = close_order_id(ACCOUNT, &symbol, MODEL, BAR_CLOSE_TIME, TICKET);
    let instrument = Instrument {
        symbol,
        ticker: "EURUSD.FOREX".into(),
        gateway_name: "EURUSDm".into(),
        threshold: 0.6,
        volume: 0.1,
        digits: 5,
        stop_loss: Some(0.002),
        take_profit: Some(0.003),
    };
    let order = Order::new(id, &instrument, Side::Buy, 0.71, 1.17, BAR_CLOSE_TIME).unwrap();
    let position = Position { ticket: TICKET, gateway_name: "EURUSDm".into(), side: Side::Sell, volume: 0.1 };
    match is_close {
        true => order.closing(&position, close_id),
        false if kind.says_terms() => order,
        false => order.without_terms(),
    }
}

fn dialect_of(kind: DialectKind) -> Box<dyn Dialect> {
    dialect(kind, DialectParams { comment: "sentinel".into(), magic: Some(123_456) })
}

fn question(what: &str) -> Query {
    match what {
        "handshake" => Query::Handshake,
        "account" => Query::Account,
        "positions" => Query::Positions,
        other => panic!("the page has an unknown query {other}"),
    }
}

/// The request that the code sends.
fn request(kind: DialectKind, what: &str) -> Option<Vec<u8>> {
    let (dialect, id) = (dialect_of(kind), QUESTION_ID.parse().unwrap());
    match what {
        "open" => Some(dialect.open_order(&order(kind, false), NOW)),
        "close" => dialect.close_position(&order(kind, true), TICKET, NOW),
        question_of => dialect.ask(question(question_of), id, NOW),
    }
}

/// How the code reads a reply.
fn read(kind: DialectKind, what: &str, reply: &str) -> &'static str {
    let dialect = dialect_of(kind);
    if what == "open" || what == "close" {
        return dialect.classify(&order(kind, what == "close"), reply.as_bytes()).outcome.as_str();
    }
    let (question, id) = (question(what), QUESTION_ID.parse::<Uuid>().unwrap());
    let answer = match dialect.answer(question, id, reply.as_bytes()) {
        Ok(answer) => answer,
        Err(_) => return "no answer",
    };
    let is_read = match question {
        Query::Handshake => !answer.looks_like_a_trade() && answer.server_time().is_ok(),
        Query::Account => answer.account().is_ok(),
        Query::Positions => answer.positions().is_ok_and(|open| open.iter().any(|it| it.ticket == TICKET)),
    };
    if is_read { "answer" } else { "no answer" }
}

#[test]
fn every_request_on_the_page_is_what_the_code_sends() {
    let shown: Vec<_> = messages().into_iter().filter(|message| message.reply.is_none()).collect();
    for Message { kind, what, json, .. } in &shown {
        let sent = request(*kind, what).unwrap_or_else(|| panic!("{kind} has no request to {what}"));
        let shown: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{kind}, {what}: {error}"));
        assert_eq!(shown, serde_json::from_slice::<Value>(&sent).unwrap(), "{kind}, {what}");
    }
    for kind in DialectKind::ALL {
        let on_page: BTreeSet<_> = shown.iter().filter(|it| it.kind == kind).map(|it| it.what.as_str()).collect();
        let all = ["open", "close", "handshake", "account", "positions"];
        let wanted = all.into_iter().filter(|what| request(kind, what).is_some()).collect();
        assert_eq!(on_page, wanted, "{kind}");
    }
}

#[test]
fn every_reply_on_the_page_has_the_outcome_on_the_page() {
    let mut shown = BTreeSet::new();
    for Message { kind, what, reply, json } in messages() {
        let Some(outcome) = reply else { continue };
        assert_eq!(read(kind, &what, &json), outcome, "{kind}, {what}: {json}");
        shown.insert((kind.as_str(), what, outcome));
    }
    for kind in DialectKind::ALL {
        for what in ["open", "close", "handshake", "account", "positions"] {
            let outcomes: &[&str] = match what {
                _ if request(kind, what).is_none() => &[],
                "open" | "close" => &["filled", "rejected", "unknown"],
                "handshake" => &["answer", "no answer"],
                _ => &["answer"],
            };
            for outcome in outcomes {
                let message = (kind.as_str(), what.to_owned(), (*outcome).to_owned());
                assert!(shown.contains(&message), "the page lacks {message:?}");
            }
        }
    }
}
