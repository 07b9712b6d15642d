//! The core's way to the gateway, with the rules of the SignalSender's line: what it may ask, when it objects, and what
//! silence means.

use crate::{
    invariants::Told,
    plan::{Dialect, Spelling},
    world::{Shared, step, until_ms},
};
use sentinel_actors::domain::{
    breaker::{Breaker, BreakerState},
    clock::{Expiry, Moment},
    guard::{Obstacles, Suppression},
    order::{Order, Outcome, close_order_id},
    order_manager::{GatewayPort, OrderResult},
    position::{Position, Positions},
};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub const ACCOUNT: &str = "demo";

/// What outlives a cycle.
pub struct HandshakeGate {
    pub is_open: bool,
    pub breaker: Breaker,
    /// Monotonic zero of the breaker.
    pub began: (Instant, Duration),
    pub model: &'static str,
}

pub struct GatewaySession<'a> {
    pub world: Shared,
    pub gate: &'a mut HandshakeGate,
    pub is_gateway_absent: bool,
}

/// What a question came to.
enum Asked {
    Answered,
    Unreadable,
    NoGateway,
    NoReply,
}

impl GatewaySession<'_> {
    fn monotonic(&self) -> Instant {
        let (began, at) = self.gate.began;
        began + (self.world.borrow().monotonic() - at)
    }

    fn note(&mut self, is_good: bool) {
        let now = self.monotonic();
        if is_good { self.gate.breaker.succeeded() } else { self.gate.breaker.failed(now) }
    }

    fn is_absent(&mut self) {
        self.is_gateway_absent = true;
        self.gate.is_open = false;
    }

    /// Waits for the gateway in vain; `Err` if the daemon stops meanwhile.
    async fn wait_in_vain(&self) -> Result<(), Suppression> {
        let until = self.world.borrow().now_ms + self.world.borrow().plan.deadline_ms;
        until_ms(&self.world, until).await;
        if self.world.borrow().is_stopping { Err(Suppression::Shutdown) } else { Ok(()) }
    }

    async fn ask(&mut self, what: &str) -> Asked {
        step(&self.world, &format!("asks {what}")).await;
        if self.world.borrow_mut().is_gateway_absent() {
            let _ = self.wait_in_vain().await;
            return Asked::NoGateway;
        }
        let (is_silent, is_garbage) = {
            let mut world = self.world.borrow_mut();
            let chance = world.plan.gateway / 4.0;
            (world.fails(chance), world.fails(chance))
        };
        if is_silent {
            let _ = self.wait_in_vain().await;
            return Asked::NoReply;
        }
        step(&self.world, "is answered").await;
        if is_garbage { Asked::Unreadable } else { Asked::Answered }
    }

    /// The handshake, in every cycle until it succeeds.
    pub async fn try_open(&mut self) {
        if self.gate.is_open || self.world.borrow().is_stopping {
            return;
        }
        let is_good = matches!(self.ask("PING").await, Asked::Answered);
        self.note(is_good);
        self.gate.is_open = is_good;
    }

    async fn reply(&mut self, deadline_ms: u64) -> Option<Vec<u8>> {
        loop {
            let now = {
                let mut world = self.world.borrow_mut();
                if let Some(reply) = world.gateway.take_heard() {
                    return Some(reply);
                }
                world.now_ms
            };
            if now >= deadline_ms {
                return None;
            }
            until_ms(&self.world, deadline_ms).await;
        }
    }
}

fn not_sent(reason: &str) -> OrderResult {
    OrderResult::without_reply(Outcome::NotSent { reason: reason.into() })
}

impl GatewayPort for GatewaySession<'_> {
    fn obstacles(&self) -> Obstacles {
        let world = self.world.borrow();
        Obstacles {
            is_halted: world.is_halted,
            is_stopping: world.is_stopping,
            lacks_handshake: !self.gate.is_open && !self.is_gateway_absent,
            is_breaker_open: self.gate.breaker.state(self.monotonic()) == BreakerState::Open,
            ..Obstacles::default()
        }
    }

    async fn exchange(&mut self, order: &Order, expiry: Expiry, _: Option<i64>) -> Result<OrderResult, Suppression> {
        assert_eq!(self.obstacles(), Obstacles::default(), "an order goes out against an objection");
        if self.is_gateway_absent {
            return Ok(not_sent("the gateway did not accept the previous request"));
        }
        let (signed_ms, deadline_ms) = {
            let mut world = self.world.borrow_mut();
            let (wall, held) = (world.wall(), world.broker.held().to_vec());
            world.invariants.handed_over(order, self.gate.model, wall, &held);
            (u64::try_from(wall.as_millis()).unwrap(), world.now_ms + world.plan.deadline_ms)
        };
        if order.closes.is_some() && self.world.borrow().dialect == Dialect::Plain {
            return Ok(not_sent("it cannot close"));
        }
        step(&self.world, "connects").await;
        if self.world.borrow_mut().is_gateway_absent() {
            self.wait_in_vain().await?;
            self.note(false);
            self.is_absent();
            return Ok(not_sent("no gateway"));
        }
        if expiry.is_over(self.now()) {
            return Err(Suppression::StaleDecision);
        }
        self.world.borrow_mut().post(order, signed_ms);
        let reply = self.reply(deadline_ms).await;
        self.world.borrow_mut().close_socket();
        let dialect = self.world.borrow().dialect.reads();
        let heard = reply.map(|reply| dialect.classify(order, &reply));
        step(&self.world, &format!("hears {:?}", heard.as_ref().map(|heard| heard.outcome.as_str()))).await;
        let result = match heard {
            None => OrderResult::without_reply(Outcome::Unknown { reason: "no reply".into() }),
            Some(heard) if !heard.is_ours => OrderResult::without_reply(heard.outcome),
            Some(heard) => OrderResult {
                outcome: heard.outcome,
                send_latency: Some(Duration::ZERO),
                gateway_roundtrip: Some(Duration::ZERO),
            },
        };
        self.note(result.send_latency.is_some());
        self.world.borrow_mut().invariants.heard(order.client_order_id, &result.outcome);
        Ok(result)
    }

    async fn positions(&mut self) -> Result<Positions, Suppression> {
        let dialect = self.world.borrow().dialect;
        let asked = match dialect {
            Dialect::Plain => Asked::Unreadable,
            Dialect::V43 | Dialect::Envelope => self.ask("GET_POSITIONS").await,
        };
        let mut world = self.world.borrow_mut();
        let (told, positions) = match asked {
            Asked::NoReply => {
                drop(world);
                self.gate.is_open = false;
                return Err(Suppression::Handshake);
            }
            Asked::NoGateway => {
                drop(world);
                self.is_absent();
                return Ok(Positions::NoGateway);
            }
            Asked::Unreadable if dialect == Dialect::Plain => (Told::Nothing, Positions::Untold),
            Asked::Unreadable => {
                world.count("lists unreadable");
                return Err(Suppression::Positions);
            }
            Asked::Answered => {
                let chance = world.plan.gateway / 2.0;
                let is_cut_off = dialect == Dialect::Envelope && world.fails(chance);
                let all = if is_cut_off { Vec::new() } else { world.listed(world.broker.positions()) };
                if world.plan.spelling != Spelling::AsOrdered && !all.is_empty() {
                    world.count("names of another spelling");
                }
                match dialect {
                    Dialect::V43 => (Told::Positions, Positions::Known(all)),
                    _ if all.is_empty() => (Told::Nothing, Positions::Untold),
                    _ => (Told::Positions, Positions::Known(all)),
                }
            }
        };
        world.invariants.told(told);
        world.say(&format!("{positions:?}"));
        Ok(positions)
    }

    async fn equity(&mut self) -> Option<f64> {
        let is_plain = self.world.borrow().dialect == Dialect::Plain;
        if is_plain || !matches!(self.ask("GET_ACCOUNT").await, Asked::Answered) {
            self.world.borrow_mut().invariants.equity_told(None);
            return None;
        }
        let mut world = self.world.borrow_mut();
        world.broker.equity *= 0.97 + 0.058 * world.rng.unit();
        let equity = world.broker.equity;
        world.invariants.equity_told(Some(equity));
        Some(equity)
    }

    async fn positions_twice(&mut self) -> Option<[Vec<Position>; 2]> {
        if self.world.borrow().dialect != Dialect::V43 {
            return None;
        }
        if !matches!(self.ask("GET_POSITIONS for a proof").await, Asked::Answered) {
            return None;
        }
        let first = {
            let mut world = self.world.borrow_mut();
            // The first answer can come before what was queued has run, or from a terminal that has just connected.
            let longest = 2 * world.plan.cycle_ms;
            let lag = if world.fails(0.3) { world.rng.below(longest) } else { 0 };
            if world.fails(0.2) { Vec::new() } else { world.listed(world.broker.positions_at(world.now_ms - lag)) }
        };
        if !matches!(self.ask("GET_POSITIONS once more").await, Asked::Answered) {
            return None;
        }
        let world = self.world.borrow();
        Some([first, world.listed(world.broker.positions())])
    }

    fn may_ask(&self) -> bool {
        self.gate.is_open && !self.world.borrow().is_stopping
    }

    fn now(&self) -> Moment {
        self.world.borrow().moment()
    }

    fn close_order_id(&self, order: &Order, ticket: i64) -> Uuid {
        let id = close_order_id(ACCOUNT, &order.symbol, self.gate.model, order.bar_close_time, ticket);
        // It goes with the order that it makes room for.
        self.world.borrow_mut().invariants.decided_with(id, order.client_order_id);
        id
    }
}
