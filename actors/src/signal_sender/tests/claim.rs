//! An account that another daemon holds, or takes at the worst moment.

use super::*;
use crate::{
    adapters::system_clock::SystemClock,
    domain::cluster::{ClaimCell, Standing},
};
use serde_json::json;
use tempfile::TempDir;

const HOUR: Duration = Duration::from_secs(3_600);

fn cell() -> ClaimCell {
    ClaimCell::new(Arc::new(SystemClock))
}

fn held() -> Standing {
    let until = SystemClock.boottime() + HOUR;
    Standing { until, epoch: Some(1), is_holder: true, is_etcd_up: true, ..Standing::default() }
}

fn start(cell: &ClaimCell, setup: Setup, address: &str) -> Running {
    let authority: Arc<dyn Authority> = Arc::new(cell.clone());
    setup.start_by_authority(TempDir::new().unwrap(), (Arc::new(SystemClock), authority), address)
}

#[actix::test]
async fn only_the_holder_sends_and_writes_orders() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(all.len() as i64)]);
    let cell = cell();
    let running = start(&cell, V43, &gateway.address);
    assert_eq!(text(&running.one(1).await), "not_holder", "before etcd has answered");
    assert!(running.states().is_empty(), "nothing is written, so the bar can still be ordered");
    let now = SystemClock.boottime();
    for standing in [
        Standing { from: now + HOUR, ..held() },
        Standing { until: now, ..held() },
        Standing { is_holder: false, ..held() },
    ] {
        cell.set(standing.clone());
        assert_eq!(text(&running.one(1).await), "not_holder", "{standing:?}");
    }
    cell.set(held());
    assert_eq!(text(&running.one(1).await), "filled");
    cell.set(Standing::default());
    assert_eq!(text(&running.one(2).await), "not_holder");
    assert_eq!((gateway.received().len(), running.states()), (1, vec![OrderState::Filled]));
}

#[actix::test]
async fn a_bar_that_another_journal_may_have_ordered_is_not_ordered() {
    let gateway = Gateway::start(|all| vec![newest(all).fill(all.len() as i64)]);
    let cell = cell();
    let running = start(&cell, V43, &gateway.address);
    cell.set(Standing { bars_after: Some(BAR + 2), ..held() });
    for (bar, outcome) in [(1, "before_takeover"), (2, "before_takeover"), (3, "filled")] {
        assert_eq!(text(&running.one(bar).await), outcome, "bar {bar}");
    }
}

#[actix::test]
async fn an_account_lost_while_the_order_waits_for_its_connection_sends_nothing() {
    for (then, outcome, arrived) in [
        (held(), "filled", 1),
        (Standing::default(), "not_holder", 0),
        // Lost and taken again: not the claim that the journal names.
        (Standing { epoch: Some(2), ..held() }, "not_holder", 0),
        (Standing { bars_after: Some(BAR + 1), ..held() }, "before_takeover", 0),
    ] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("tcp://127.0.0.1:{port}");
        let cell = cell();
        cell.set(held());
        // The dialect has no handshake, so the order itself waits for the connection.
        let setup = Setup { kind: DialectKind::OrderSend, deadline: Duration::from_secs(4), ..V43 };
        let running = start(&cell, setup, &address);
        let waiting = running.one(1);
        let gateway = async {
            pause(300).await;
            cell.set(then);
            Gateway::start_at(&address, |all| {
                vec![newest(all).reply(r#"{"error": false, "ticket": 7, "retcode": 10009, "msg": "done"}"#)]
            })
        };
        let (result, gateway) = futures_util::future::join(waiting, gateway).await;
        assert_eq!(text(&result), outcome);
        pause(200).await;
        assert_eq!(gateway.received().len(), arrived);
        let state = if arrived == 0 { OrderState::NotSent } else { OrderState::Filled };
        assert_eq!(running.states(), [state]);
    }
}

#[actix::test]
async fn another_daemons_position_is_no_proof() {
    let gateway = Gateway::start(|_| Vec::new());
    let cell = cell();
    cell.set(held());
    let running = start(&cell, V43, &gateway.address);
    assert_eq!(text(&running.cycle(1, &["EURUSD"], BAR).await[0]), "unknown");
    let position = json!({"ticket": 77, "symbol": "EURUSD", "type": "BUY", "volume": 0.01});
    gateway.account().positions = Some(vec![position]);
    assert!(running.cycle(2, &[], BAR).await.is_empty(), "from now on it is known to be unknown");
    pause(7_100).await;
    for (standing, state) in [
        (Standing { is_holder: false, ..held() }, OrderState::Unknown),
        (Standing { bars_after: Some(BAR), ..held() }, OrderState::Unknown),
        (Standing { bars_after: Some(BAR - 1), ..held() }, OrderState::Filled),
    ] {
        cell.set(standing.clone());
        assert!(running.cycle(3, &[], BAR).await.is_empty());
        assert_eq!(running.states(), [state], "{standing:?}");
    }
}
