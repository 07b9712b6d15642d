//! The SignalSender against scripted gateways on real sockets.

mod account_poll;
mod claim;
mod decision_age;
mod failing_journal;
mod handshake_gate;

use super::{
    fixtures::{
        scripted_gateway::{Gateway, Reply, Request},
        *,
    },
    *,
};
use crate::{
    adapters::gateway::DialectKind,
    domain::{
        clock::Clock, cluster::Authority, names::DropReason, order::Side, order_manager::Rules, order_state::OrderState,
    },
};
use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

#[actix::test]
async fn what_cannot_be_an_order_is_no_halt() {
    for live in [true, false] {
        let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
        let running = Setup { live, ..V43 }.start(&gateway.address);
        // 0.002 is too near to a price of 150.
        let signals = vec![buy("USDJPY", 150.0, BAR)];
        let reports = running.sender.send(SendSignals { cycle_id: 1, signals }).await.unwrap();
        let results: Vec<_> = reports.into_iter().map(|report| report.result).collect();
        assert_eq!(texts(&results), ["bad_stop"], "live: {live}");
        assert!(gateway.received().is_empty() && running.states().is_empty());
    }
}

#[actix::test]
async fn orders_go_out_in_turn_on_one_socket_where_the_reply_has_the_id() {
    let gateway = Gateway::start(|all| match all.len() {
        2 => vec![newest(all).refuse("INVALID_VOLUME")],
        n => vec![newest(all).fill(n as i64)],
    });
    let running = V43.start(&gateway.address);
    let results = running.cycle(1, &["EURUSD", "GBPUSD", "USDJPY"], BAR).await;
    assert_eq!(texts(&results), ["filled", "rejected", "filled"]);
    let requests = gateway.received();
    assert_eq!(requests.iter().map(|r| &r.body["symbol"]).collect::<Vec<_>>(), ["EURUSD", "GBPUSD", "USDJPY"]);
    assert!(requests.iter().all(|r| r.peer == requests[0].peer));
    for result in &results {
        let SignalResult::Ordered { order, answer: OrderResult { send_latency, gateway_roundtrip, .. } } = result
        else {
            panic!()
        };
        assert!(send_latency.unwrap() >= gateway_roundtrip.unwrap(), "a rejection is a readable reply too");
        let id = client_order_id("demo", &order.symbol, "baseline", BAR);
        assert_eq!(order.client_order_id, id);
    }
    assert_eq!(text(&running.one(2).await), "filled");
    assert_ne!(gateway.received()[3].peer, requests[0].peer, "a socket serves one cycle");
    let handled = |e: &&Event| matches!(e, Event::SignalsHandled { .. });
    assert_eq!(running.events.lock().unwrap().iter().filter(handled).count(), 2, "one event per cycle");
}

#[actix::test]
async fn a_dialect_without_ids_gets_a_socket_per_order() {
    let gateway = Gateway::start(|all| vec![newest(all).reply(r#"{"status": "ok"}"#)]);
    let results = PLACE_ORDER.start(&gateway.address).cycle(1, &["EURUSD", "GBPUSD"], BAR).await;
    assert_eq!(texts(&results), ["filled", "filled"]);
    let requests = gateway.received();
    assert_ne!(requests[0].peer, requests[1].peer);
}

#[actix::test]
async fn a_silent_gateway_makes_the_order_unknown_and_ends_the_cycles_orders() {
    let gateway = Gateway::start(|_| Vec::new());
    let running = V43.start(&gateway.address);
    let results = running.cycle(1, &["EURUSD", "GBPUSD", "USDJPY"], BAR).await;
    assert_eq!(texts(&results), ["unknown", "unresolved", "unresolved"]);
    assert!(matches!(
        results[0],
        SignalResult::Ordered { answer: OrderResult { send_latency: None, gateway_roundtrip: None, .. }, .. }
    ));
    assert_eq!(gateway.received().len(), 1);
    let results = running.cycle(2, &["EURUSD", "GBPUSD"], BAR).await;
    assert_eq!(texts(&results), ["already_ordered", "unknown"], "an unknown order is never sent again");
    let results = running.cycle(3, &["EURUSD", "GBPUSD"], BAR + 3_600).await;
    assert_eq!(texts(&results), ["unresolved", "unresolved"], "nor is its symbol traded");
    assert_eq!(running.states(), [OrderState::Unknown; 2]);
}

#[actix::test]
async fn a_restart_on_the_same_journal_orders_no_bar_twice() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    let running = running.restart(V43, &gateway.address).await;
    assert_eq!(texts(&running.cycle(2, &["EURUSD", "GBPUSD"], BAR).await), ["already_ordered", "filled"]);
    assert_eq!(gateway.received().len(), 2);
    assert_eq!(running.states(), [OrderState::Filled; 2]);
}

#[actix::test]
async fn an_unknown_order_blocks_its_symbol_across_a_restart() {
    let gateway = Gateway::start(|all| if all.len() == 1 { Vec::new() } else { vec![newest(all).fill(1)] });
    let running = V43.start(&gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "unknown");
    let running = running.restart(V43, &gateway.address).await;
    let results = running.cycle(2, &["EURUSD", "GBPUSD"], BAR + 3_600).await;
    assert_eq!(texts(&results), ["unresolved", "filled"]);
}

#[actix::test]
async fn an_absent_gateway_gets_nothing_when_it_appears_later() {
    let address = format!("tcp://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let gateway = Gateway::start_at(&address, |_| Vec::new());
    let running = V43.start(&address);
    running.sender.send(OpenGateway { cycle_id: 0, has_clock_stepped: false }).await.unwrap();
    drop(gateway);
    assert_eq!(text(&running.send(1, &["EURUSD"], BAR + 1).await[0]), "not_sent");
    let gateway = Gateway::start_at(&address, |all| vec![newest(all).fill(1)]);
    pause(800).await;
    assert_eq!(gateway.received().len(), 0, "a ghost order");
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 1).await[0]), "already_ordered");
    assert_eq!(text(&running.one(3).await), "filled", "the next bar finds the gateway");
}

#[actix::test]
async fn a_gateway_that_appears_within_the_deadline_gets_the_order() {
    let address = format!("tcp://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let running = Setup { deadline: Duration::from_secs(5), ..V43 }.start(&address);
    let (result, _gateway) = tokio::join!(running.one(1), async {
        pause(200).await;
        Gateway::start_at(&address, |all| vec![newest(all).fill(1)])
    });
    assert_eq!(text(&result), "filled");
}

#[actix::test]
async fn a_late_reply_is_never_credited_to_the_next_order() {
    let late = |all: &[Request]| match all.len() {
        1 => Vec::new(),
        _ => vec![all[0].reply(r#"{"status": "ok"}"#), newest(all).reply(r#"{"status": "rejected"}"#).after_ms(50)],
    };
    let gateway = Gateway::start(late);
    let running = PLACE_ORDER.start(&gateway.address);
    assert_eq!(text(&running.one(1).await), "unknown");
    let other = running.cycle(2, &["GBPUSD"], BAR).await;
    assert_eq!(texts(&other), ["rejected"]);
}

#[actix::test]
async fn a_reply_that_is_not_ours_or_not_readable_is_unknown() {
    let other = |request: &Request| request.reply(r#"{"uuid": "other", "status": "FILLED", "ticket": 9}"#);
    let replies: [fn(&Request) -> Reply; 6] = [
        other,
        |request| request.reply("garbage"),
        |request| request.reply(""),
        |request| request.reply_frames(vec![request.fill(1).frame(), b"{}".to_vec()]),
        |request| request.reply([request.fill(1).frame(), vec![b' '; 1 << 20]].concat()),
        |request| request.fill(0),
    ];
    for (i, reply) in replies.into_iter().enumerate() {
        let gateway = Gateway::start(move |all| vec![reply(newest(all))]);
        let running = V43.start(&gateway.address);
        let result = running.one(1).await;
        assert_eq!(text(&result), "unknown", "reply {i}");
        let discarded = running.metrics.backlog().dropped(ActorName::SignalSender, DropReason::Invalid);
        assert_eq!(discarded, u64::from(i < 4 && i != 3), "reply {i}");
        let SignalResult::Ordered { answer: OrderResult { send_latency, .. }, .. } = result else { panic!() };
        assert_eq!(send_latency.is_some(), i == 5, "reply {i}: ticket 0 proves nothing, but it is our reply");
    }
}

#[actix::test]
async fn a_bar_is_ordered_once_and_an_older_one_never() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    assert_eq!(texts(&running.cycle(2, &["EURUSD", "GBPUSD"], BAR).await), ["already_ordered", "filled"]);
    assert_eq!(text(&running.cycle(3, &["EURUSD"], BAR - 3_600).await[0]), "already_ordered");
    assert_eq!(text(&running.cycle(4, &["EURUSD"], BAR + 3_600).await[0]), "filled");
    assert_eq!(gateway.received().len(), 3);
}

#[actix::test]
async fn a_dry_run_opens_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let running = Setup { live: false, ..V43 }.start(&format!("tcp://{}", listener.local_addr().unwrap()));
    assert_eq!(texts(&running.cycle(1, &["EURUSD", "GBPUSD"], BAR).await), ["dry_run", "dry_run"]);
    assert_eq!(texts(&running.cycle(2, &["EURUSD"], BAR).await), ["dry_run"]);
    pause(100).await;
    assert!(listener.accept().is_err());
}

#[actix::test]
async fn a_shutdown_gives_up_what_is_not_sent() {
    let address = format!("tcp://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let running = Setup { deadline: Duration::from_secs(60), ..V43 }.start(&address);
    let started = Instant::now();
    let stop = async {
        pause(100).await;
        running.shutdown.cancel();
    };
    let (results, ()) = tokio::join!(running.cycle(1, &["EURUSD", "GBPUSD"], BAR), stop);
    assert_eq!(texts(&results), ["shutdown", "shutdown"]);
    assert!(started.elapsed() < Duration::from_secs(1));
    let gateway = Gateway::start_at(&address, |all| vec![newest(all).fill(1)]);
    pause(500).await;
    assert_eq!(gateway.received().len(), 0);
}

#[actix::test]
async fn a_shutdown_waits_for_an_order_that_is_out() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1).after_ms(250)]);
    let running = Setup { deadline: Duration::from_secs(5), ..V43 }.start(&gateway.address);
    let stop = async {
        while gateway.received().is_empty() {
            pause(5).await;
        }
        running.shutdown.cancel();
    };
    let (results, ()) = tokio::join!(running.cycle(1, &["EURUSD", "GBPUSD"], BAR), stop);
    assert_eq!(texts(&results), ["filled", "shutdown"]);
    assert_eq!(gateway.received().len(), 1);
}

#[actix::test]
async fn a_cycle_without_signals_connects_only_for_the_handshake() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    assert!(running.cycle(1, &[], BAR).await.is_empty());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let without_handshake = Setup { kind: DialectKind::OrderSend, ..V43 };
    let quiet = without_handshake.start(&format!("tcp://{}", listener.local_addr().unwrap()));
    assert!(quiet.cycle(1, &[], BAR).await.is_empty());
    pause(100).await;
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(texts(&quiet.cycle(2, &["EURUSD"], BAR).await), ["not_sent"], "it answers nothing");
    assert!(listener.accept().is_ok());
}

#[actix::test]
async fn a_sell_goes_out_as_a_sell_in_one_event() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    assert!(running.cycle(1, &[], BAR).await.is_empty());
    let signals = vec![Signal { side: Side::Sell, ..buy("EURUSD", 1.1, BAR) }];
    let reports = running.sender.send(SendSignals { cycle_id: 3, signals }).await.unwrap();
    assert_eq!(text(&reports[0].result), "filled");
    assert_eq!(gateway.received()[0].body["type"], "SELL");
    let handled = |e: &&Event| matches!(e, Event::SignalsHandled { .. });
    assert_eq!(running.events.lock().unwrap().iter().filter(handled).count(), 1, "no event without signals");
}
