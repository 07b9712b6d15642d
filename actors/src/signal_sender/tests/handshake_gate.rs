//! The checks between a signal and the gateway: handshake, breaker, positions, proof.

use super::*;
use crate::{
    adapters::gateway::DialectKind,
    domain::{guard::Limits, order_state::OrderState, position::Opposite},
};
use serde_json::json;
use std::net::TcpListener;

fn trouble(running: &Running) -> Vec<Option<String>> {
    let events = running.events.lock().unwrap();
    let checked = events.iter().filter_map(|event| match event {
        Event::GatewayChecked { trouble } => Some(trouble.clone()),
        _ => None,
    });
    checked.collect()
}

fn limited(limits: Limits) -> Setup {
    Setup { rules: Rules { limits, ..RULES }, ..V43 }
}

/// The reported equities and open positions, in order.
pub(super) fn told(running: &Running) -> (Vec<Option<f64>>, Vec<Option<usize>>) {
    let events = running.events.lock().unwrap();
    let equity = events.iter().filter_map(|event| if let Event::EquityTold(told) = event { Some(*told) } else { None });
    let listed =
        events.iter().filter_map(|event| if let Event::PositionsTold(told) = event { Some(*told) } else { None });
    (equity.collect(), listed.collect())
}

#[actix::test]
async fn what_the_gateway_says_of_the_account_is_reported() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = limited(Limits { loss_pct_per_day_max: 50.0, ..Limits::default() }).start(&gateway.address);
    gateway.account().equity = 1_234.5;
    let position = json!({"ticket": 9, "symbol": "XAUUSD", "type": "BUY", "volume": 0.1});
    gateway.account().positions = Some(vec![position.clone(), position]);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    let (equity, listed) = told(&running);
    assert!(!equity.is_empty() && equity.iter().all(|equity| *equity == Some(1_234.5)), "{equity:?}");
    assert_eq!(listed, [Some(2)], "whoever opened them");
    gateway.account().positions = Some(vec![json!({"ticket": 9})]);
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 3_600).await[0]), "positions");
    assert_eq!(told(&running).1, [Some(2), None]);
}

#[actix::test]
async fn a_report_before_an_order_stays_before_it() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1).after_ms(50)]);
    let limits = Limits { positions_max: 1, loss_pct_per_day_max: 50.0, ..Limits::default() };
    let running = limited(limits).start(&gateway.address);
    gateway.account().positions = Some(Vec::new());
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    running.journal.send(crate::messages::RecordDecisions { cycle_id: 1, decisions: Vec::new() }).await.unwrap();
    let journal = rusqlite::Connection::open(running.folder.path().join("journal.db")).unwrap();
    let number = |sql: &str| journal.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let told = number("SELECT max(at_ms) FROM account_snapshots WHERE positions IS NOT NULL AND equity IS NOT NULL");
    assert!(told < number("SELECT at_ms FROM order_events WHERE state = 'filled'"));
}

#[actix::test]
async fn an_empty_list_that_proves_nothing_is_no_count() {
    let gateway = Gateway::start(|all| vec![newest(all).refuse("MARKET_CLOSED")]);
    let limits = Limits { positions_max: 1, ..Limits::default() };
    let running = Setup { kind: DialectKind::Envelope, ..limited(limits) }.start(&gateway.address);
    gateway.account().positions = Some(Vec::new());
    running.cycle(1, &["EURUSD"], BAR).await;
    assert_eq!(told(&running).1, [None]);
}

#[actix::test]
async fn nothing_is_sent_before_the_handshake_and_the_bar_is_not_used_up() {
    let address = format!("tcp://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let running = V43.start(&address);
    assert_eq!(texts(&running.cycle(1, &["EURUSD", "GBPUSD"], BAR).await), ["handshake", "handshake"]);
    assert!(trouble(&running)[0].as_ref().unwrap().contains("no gateway"));
    let gateway = Gateway::start_at(&address, |all| vec![newest(all).fill(1)]);
    pause(300).await;
    assert!(gateway.received().is_empty() && gateway.account().asked.is_empty(), "nothing arrives late");
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR).await[0]), "filled");
    assert_eq!(gateway.account().asked, ["PING", "GET_POSITIONS"]);
    assert_eq!(trouble(&running).last(), Some(&None));
    assert_eq!(text(&running.cycle(3, &["EURUSD"], BAR + 1).await[0]), "filled");
    assert_eq!(gateway.account().asked, ["PING", "GET_POSITIONS", "GET_POSITIONS"], "one handshake is enough");
}

#[actix::test]
async fn a_wall_clock_that_jumped_makes_the_handshake_due_again() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    for has_clock_stepped in [false, false, true, false] {
        running.sender.send(OpenGateway { cycle_id: 1, has_clock_stepped }).await.unwrap();
    }
    assert_eq!(gateway.account().asked, ["PING", "PING"]);
}

#[actix::test]
async fn a_gateway_silent_about_positions_needs_a_new_handshake() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    gateway.account().positions = None;
    assert_eq!(texts(&running.cycle(1, &["EURUSD", "GBPUSD"], BAR).await), ["handshake", "handshake"]);
    assert_eq!(gateway.account().asked, ["PING", "GET_POSITIONS"], "asked once, not for each order");
    gateway.account().positions = Some(Vec::new());
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR).await[0]), "filled");
    assert_eq!(gateway.account().asked.iter().filter(|action| *action == "PING").count(), 2);
}

#[actix::test]
async fn a_gateway_that_fails_again_and_again_is_left_alone() {
    let gateway = Gateway::start(|all| vec![newest(all).reply("garbage")]);
    for kind in [DialectKind::V43, DialectKind::PlaceOrder] {
        let running = Setup { kind, ..V43 }.start(&gateway.address);
        for (cycle_id, symbol) in [(1, "EURUSD"), (2, "GBPUSD"), (3, "USDJPY")] {
            assert_eq!(text(&running.cycle(cycle_id, &[symbol], BAR).await[0]), "unknown");
        }
        let sent = gateway.received().len();
        let fourth = running.cycle(4, &["AUDUSD"], BAR).await;
        assert_eq!(text(&fourth[0]), "breaker");
        assert_eq!(gateway.received().len(), sent);
    }
}

#[actix::test]
async fn open_positions_of_the_gateway_limit_and_are_closed_first() {
    let gateway = Gateway::start(|all| {
        let request = newest(all);
        vec![match request.body["action"].as_str() {
            Some("CLOSE") => request.reply(json!({"uuid": request.body["uuid"], "status": "CLOSED"}).to_string()),
            _ => request.fill(9),
        }]
    });
    let position = |ticket: i64, side: &str| json!({"ticket": ticket, "symbol": "EURUSD", "type": side, "volume": 0.2});
    let limits = Limits { positions_max: 1, opposite: Opposite::CloseThenOpen, ..Limits::default() };
    let running = limited(limits).start(&gateway.address);
    gateway.account().positions = Some(vec![position(5, "BUY")]);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "position_limit");
    assert!(gateway.received().is_empty());
    gateway.account().positions = Some(vec![position(6, "SELL")]);
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR).await[0]), "filled");
    let sent: Vec<_> = gateway.received().iter().map(|request| request.body.clone()).collect();
    assert_eq!((&sent[0]["action"], &sent[0]["ticket"]), (&json!("CLOSE"), &json!(6)));
    assert_eq!((&sent[1]["action"], &sent[1]["type"]), (&json!("OPEN"), &json!("BUY")));
    assert_ne!(sent[0]["uuid"], sent[1]["uuid"], "a close has an identity of its own");
    let handled = running.events.lock().unwrap().iter().find_map(|event| match event {
        Event::SignalsHandled { reports } => reports.iter().find(|report| !report.closes.is_empty()).cloned(),
        _ => None,
    });
    assert_eq!(handled.unwrap().closes[0].0.closes, Some(6));
}

#[actix::test]
async fn a_halt_stops_the_very_next_order() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    running.halted.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 1).await[0]), "halted");
    assert_eq!(gateway.received().len(), 1);
}

#[actix::test]
async fn what_is_unknown_is_proven_by_open_positions_after_seven_seconds() {
    let gateway = Gateway::start(|_| Vec::new());
    let running = V43.start(&gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "unknown");
    let position = json!({"ticket": 77, "symbol": "EURUSD", "type": "BUY", "volume": 0.01});
    gateway.account().positions = Some(vec![position]);
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 1).await[0]), "unresolved");
    assert_eq!(running.states(), [OrderState::Unknown]);
    pause(7_100).await;
    assert!(running.cycle(3, &[], BAR).await.is_empty(), "no signal is needed");
    assert_eq!(running.states(), [OrderState::Filled]);
    assert_eq!(gateway.account().asked.iter().filter(|action| *action == "GET_POSITIONS").count(), 3);
    assert_eq!(gateway.received().len(), 1, "and nothing was sent for it");
}
