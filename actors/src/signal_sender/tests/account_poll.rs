//! Account and positions, asked for the record: how often, and that a failure costs no order.

use super::{handshake_gate::told, *};
use crate::adapters::journal::Store;
use serde_json::json;

/// It is always due.
const POLLED: Setup = Setup { account_poll: Some(Duration::from_nanos(1)), ..V43 };
/// Of one look it is seen that none follows.
const SELDOM: Setup = Setup { account_poll: Some(Duration::from_secs(3_600)), ..V43 };

async fn open(running: &Running) {
    running.sender.send(OpenGateway { cycle_id: 1, has_clock_stepped: false }).await.unwrap();
    look(running).await;
}

async fn look(running: &Running) {
    running.sender.send(LookAtAccount).await.unwrap();
}

fn failures(running: &Running) -> usize {
    let is_failure = |event: &&Event| matches!(event, Event::AccountPollFailed);
    running.events.lock().unwrap().iter().filter(is_failure).count()
}

fn position(profit: f64) -> serde_json::Value {
    json!({"ticket": 7, "symbol": "EURUSD", "type": "BUY", "volume": 0.1, "profit": profit})
}

#[actix::test]
async fn it_is_asked_after_the_handshake_and_then_once_in_its_time() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let seldom = SELDOM.start(&gateway.address);
    gateway.account().positions = Some(vec![position(-1.5)]);
    open(&seldom).await;
    open(&seldom).await;
    assert_eq!(gateway.account().asked.len(), 4, "it is not due");
    let running = POLLED.start(&gateway.address);
    gateway.account().asked.clear();
    open(&running).await;
    // Nothing is known before: whether the account moved between the questions, a second one shows.
    assert_eq!(gateway.account().asked, ["PING", "GET_ACCOUNT", "GET_POSITIONS", "GET_ACCOUNT"]);
    gateway.account().positions = Some(vec![position(-2.5)]);
    open(&running).await;
    assert_eq!(gateway.account().asked[4..], ["GET_ACCOUNT", "GET_POSITIONS"], "a profit that moves opens nothing");
    gateway.account().positions = Some(Vec::new());
    open(&running).await;
    assert_eq!(gateway.account().asked[6..], ["GET_ACCOUNT", "GET_POSITIONS", "GET_ACCOUNT"], "one is gone");
    assert_eq!((failures(&running), told(&running).1), (0, vec![Some(1), Some(1), Some(0)]));
}

#[actix::test]
async fn what_was_told_together_is_kept_as_one_look() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = POLLED.start(&gateway.address);
    gateway.account().positions = Some(vec![position(-1.5)]);
    open(&running).await;
    running.journal.send(crate::messages::RecordDecisions { cycle_id: 1, decisions: Vec::new() }).await.unwrap();
    let store = Store::open_existing(&running.folder.path().join("journal.db")).unwrap();
    let told = store.told_account("demo").unwrap().unwrap();
    assert_eq!((told.balance, told.equity), (Some(1_000.0), Some(1_000.0)));
    assert_eq!(told.positions.unwrap()[0].profit, Some(-1.5));
    let money = |event: &Event| if let Event::MoneyCounted(money) = event { Some(money.open.clone()) } else { None };
    pause(50).await;
    let counted = running.events.lock().unwrap().iter().find_map(money);
    assert_eq!(counted, Some(Some(vec![("EURUSD".to_owned(), Some(-1.5))])));
}

#[actix::test]
async fn a_question_without_an_answer_closes_nothing_and_is_not_repeated_soon() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let rules = Rules { proving_dialect: None, ..RULES };
    let every = Duration::from_secs(1);
    let running = Setup { rules, account_poll: Some(every), ..V43 }.start(&gateway.address);
    gateway.account().positions = None;
    open(&running).await;
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    tokio::time::sleep(every).await;
    look(&running).await;
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 1).await[0]), "filled");
    assert_eq!(gateway.account().asked, ["PING", "GET_ACCOUNT", "GET_POSITIONS"], "later than usual");
    assert_eq!(failures(&running), 1);
}

#[actix::test]
async fn an_order_waits_for_a_slow_answer_no_longer_than_a_second() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let rules = Rules { proving_dialect: None, ..RULES };
    let running = Setup { rules, deadline: Duration::from_secs(60), ..SELDOM }.start(&gateway.address);
    gateway.account().positions = None;
    let began = std::time::Instant::now();
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "filled");
    assert_eq!(gateway.account().asked, ["PING"], "nothing is asked before the orders");
    running.sender.do_send(LookAtAccount);
    running.sender.do_send(LookAtAccount);
    assert_eq!(text(&running.cycle(2, &["EURUSD"], BAR + 1).await[0]), "filled");
    assert_eq!(gateway.account().asked[1..], ["GET_ACCOUNT", "GET_POSITIONS"], "never two at once");
    assert!(began.elapsed() < Duration::from_secs(30), "not the deadline of an order: {:?}", began.elapsed());
}

#[actix::test]
async fn a_gateway_that_is_away_when_it_is_asked_costs_no_order() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let rules = Rules { proving_dialect: None, ..RULES };
    let running = Setup { rules, ..POLLED }.start(&gateway.address);
    running.sender.send(OpenGateway { cycle_id: 1, has_clock_stepped: false }).await.unwrap();
    let address = gateway.address.clone();
    drop(gateway);
    look(&running).await;
    assert_eq!(failures(&running), 1);
    let _gateway = Gateway::start_at(&address, |all| vec![newest(all).fill(1)]);
    assert_eq!(texts(&running.send(1, &["EURUSD"], BAR).await), ["filled"]);
}

#[actix::test]
async fn a_stop_gives_the_question_up() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = Setup { deadline: Duration::from_secs(4), ..POLLED }.start(&gateway.address);
    gateway.account().positions = None;
    running.sender.send(OpenGateway { cycle_id: 1, has_clock_stepped: false }).await.unwrap();
    let looking = running.sender.send(LookAtAccount);
    running.shutdown.cancel();
    looking.await.unwrap();
    assert_eq!(failures(&running), 0, "it would be one if it had waited for its limit");
}

#[actix::test]
async fn an_answer_that_cannot_be_read_is_counted_and_closes_nothing() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let rules = Rules { proving_dialect: None, ..RULES };
    let running = Setup { rules, ..POLLED }.start(&gateway.address);
    gateway.account().positions = Some(vec![json!({"ticket": 0})]);
    for (cycle, count) in [(1, 1), (2, 2)] {
        assert_eq!(text(&running.cycle(cycle, &["EURUSD"], BAR + cycle as i64).await[0]), "filled");
        look(&running).await;
        pause(200).await;
        assert_eq!(failures(&running), count);
    }
    assert_eq!(gateway.account().asked.iter().filter(|action| *action == "PING").count(), 1);
}

#[actix::test]
async fn without_a_handshake_or_while_stopping_or_in_dry_run_nothing_is_asked() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let dry = Setup { live: false, ..POLLED }.start(&gateway.address);
    open(&dry).await;
    let stopping = POLLED.start(&gateway.address);
    stopping.shutdown.cancel();
    open(&stopping).await;
    assert!(gateway.account().asked.is_empty());
    let other = Setup { kind: DialectKind::PlaceOrder, ..POLLED }.start(&gateway.address);
    open(&other).await;
    assert_eq!(gateway.account().asked, ["check_connection"], "this dialect tells no account");
}

#[actix::test]
async fn an_empty_list_is_believed_if_no_profit_is_open() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = Setup { kind: DialectKind::Envelope, ..POLLED }.start(&gateway.address);
    for (equity, count) in [(1_000.0, Some(0)), (990.0, None)] {
        gateway.account().equity = equity;
        open(&running).await;
        pause(200).await;
        assert_eq!(told(&running).1.last(), Some(&count), "balance 1000, equity {equity}");
    }
}

#[actix::test]
async fn slippage_is_the_fill_against_the_close_and_worse_is_positive() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(1)]);
    let running = V43.start(&gateway.address);
    open(&running).await;
    for (side, bar, points) in [(Side::Buy, BAR, 20.0), (Side::Sell, BAR + 1, -20.0)] {
        let signal = Signal { side, ..buy("EURUSD", 1.0998, bar) };
        let reports = running.sender.send(SendSignals { cycle_id: 1, signals: vec![signal] }).await.unwrap();
        let slippage = reports[0].slippage_points.unwrap();
        assert!((slippage - points).abs() < 1e-6, "{side:?}: {slippage}");
    }
}
