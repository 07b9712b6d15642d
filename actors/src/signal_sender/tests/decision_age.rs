//! An order that waits for its connection while the process or the machine is suspended.

use super::*;
use crate::adapters::{gateway::DialectKind, system_clock::SystemClock};
use std::{
    net::TcpListener,
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
};

/// The system's clock with a wall time that jumps ahead by this many seconds, as on a machine that was suspended.
#[derive(Default)]
struct Jumping(AtomicU64);

impl Clock for Jumping {
    fn now(&self) -> Duration {
        SystemClock.now() + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(duration)
    }
}

#[actix::test]
async fn an_order_that_is_old_when_its_gateway_comes_back_is_not_handed_over() {
    for (jump_s, outcome, arrived) in [(0, "filled", 1), (6, "stale_decision", 0)] {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("tcp://127.0.0.1:{port}");
        let clock = Arc::new(Jumping::default());
        // The dialect has no handshake, so the order itself waits for the connection.
        let setup = Setup { kind: DialectKind::OrderSend, deadline: Duration::from_secs(4), ..V43 };
        let running = setup.start_by(clock.clone(), &address);
        running.sender.send(OpenGateway { cycle_id: 1, has_clock_stepped: false }).await.unwrap();
        let signals = vec![Signal { begun_at: clock.moment(), ..buy("EURUSD", 1.1, BAR) }];
        let sending = running.sender.send(SendSignals { cycle_id: 1, signals });
        let gateway = async {
            pause(300).await;
            clock.0.store(jump_s, Ordering::Relaxed);
            Gateway::start_at(&address, |all| {
                let done = r#"{"error": false, "ticket": 7, "retcode": 10009, "msg": "done"}"#;
                vec![newest(all).reply(done)]
            })
        };
        let (reports, gateway) = futures_util::future::join(sending, gateway).await;
        assert_eq!(text(&reports.unwrap()[0].result), outcome);
        pause(200).await;
        assert_eq!(gateway.received().len(), arrived, "after a jump of {jump_s} s");
    }
}
