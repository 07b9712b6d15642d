//! The gateway's side of the wire: what has arrived, what it makes of it and when, and what it answers.

use crate::{plan::Dialect, reply, world::World};
use sentinel_actors::domain::order::Order;
use serde_json::Value;
use uuid::Uuid;

/// How long a signature is good, by the gateway's clock.
const SIGNED_MS_MAX: u64 = 5_000;

/// What truly became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Nobody knows yet.
    Open,
    /// Under this ticket.
    Executed(i64),
    /// It was not executed, and never will be.
    Never,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    InSocket { arrives_ms: u64 },
    Queued { looks_ms: u64 },
    Replying { at_ms: u64, reply: Vec<u8> },
    Over,
}

/// An order that was handed to a connected socket.
#[derive(Debug)]
pub struct Parcel {
    pub order: Order,
    dialect: Dialect,
    signed_ms: u64,
    stage: Stage,
    pub truth: Truth,
    /// Lots that were executed.
    pub volume: f64,
}

#[derive(Debug, Default)]
pub struct Gateway {
    /// Nobody listens before this.
    absent_until_ms: u64,
    pub parcels: Vec<Parcel>,
    /// The order whose socket is open.
    waiting: Option<Uuid>,
    heard: Option<Vec<u8>>,
}

impl Gateway {
    /// What became of an order; one that was never handed over was never executed.
    pub fn truth(&self, id: Uuid) -> Truth {
        let parcel = self.parcels.iter().find(|parcel| parcel.order.client_order_id == id);
        parcel.map_or(Truth::Never, |parcel| parcel.truth)
    }

    /// How much of an order was executed, in lots.
    pub fn volume(&self, id: Uuid) -> f64 {
        let parcel = self.parcels.iter().find(|parcel| parcel.order.client_order_id == id);
        parcel.map_or(0.0, |parcel| parcel.volume)
    }

    /// When something happens here next.
    pub fn next_ms(&self) -> Option<u64> {
        self.parcels.iter().filter_map(Parcel::due_ms).min()
    }

    /// Whether an order's reply is waited for.
    pub const fn is_waited_for(&self) -> bool {
        self.waiting.is_some()
    }

    pub fn take_heard(&mut self) -> Option<Vec<u8>> {
        self.heard.take()
    }
}

impl Parcel {
    const fn due_ms(&self) -> Option<u64> {
        match self.stage {
            Stage::InSocket { arrives_ms: at } | Stage::Queued { looks_ms: at } | Stage::Replying { at_ms: at, .. } => {
                Some(at)
            }
            Stage::Over => None,
        }
    }
}

impl World {
    /// Whether nobody listens; sometimes it goes away just now, and forgets what it had not looked at.
    pub fn is_gateway_absent(&mut self) -> bool {
        let chance = self.plan.gateway / 6.0;
        if self.now_ms >= self.gateway.absent_until_ms && self.fails(chance) {
            self.say("the gateway goes away");
            self.count("gateway restarts");
            let longest = 4 * self.plan.cycle_ms;
            self.gateway.absent_until_ms = self.now_ms + self.rng.between(1, longest);
            for parcel in &mut self.gateway.parcels {
                if matches!(parcel.stage, Stage::Queued { .. }) {
                    parcel.truth = Truth::Never;
                }
                if !matches!(parcel.stage, Stage::InSocket { .. }) {
                    parcel.stage = Stage::Over;
                }
            }
        }
        !self.is_calm && self.now_ms < self.gateway.absent_until_ms
    }

    /// The send completes: from here on it may arrive.
    pub fn post(&mut self, order: &Order, signed_ms: u64) {
        let id = order.client_order_id;
        self.say(&format!("sent {id}"));
        let arrives_ms = self.now_ms + self.rng.below(20);
        let stage = Stage::InSocket { arrives_ms };
        self.invariants.is_of_its_moment(id, self.now_ms, self.plan.rules.decision_age_max);
        let dialect = self.dialect;
        self.gateway.parcels.push(Parcel {
            order: order.clone(),
            dialect,
            signed_ms,
            stage,
            truth: Truth::Open,
            volume: 0.0,
        });
        self.gateway.waiting = Some(id);
        self.gateway.heard = None;
    }

    /// The socket closes, or its process is killed: what it still holds gets through now or never.
    pub fn close_socket(&mut self) {
        self.gateway.waiting = None;
        self.gateway.heard = None;
        for at in 0..self.gateway.parcels.len() {
            if matches!(self.gateway.parcels[at].stage, Stage::InSocket { .. }) {
                if self.rng.chance(0.5) {
                    self.arrive(at);
                } else {
                    let parcel = &mut self.gateway.parcels[at];
                    (parcel.stage, parcel.truth) = (Stage::Over, Truth::Never);
                }
            }
        }
    }

    /// All that is due by now, in order.
    pub fn run_gateway(&mut self) {
        loop {
            let now = self.now_ms;
            let due = self.gateway.parcels.iter().enumerate().filter_map(|(at, it)| Some((it.due_ms()?, at)));
            let Some((_, at)) = due.filter(|(due, _)| *due <= now).min() else { return };
            match self.gateway.parcels[at].stage.clone() {
                Stage::InSocket { .. } => self.arrive(at),
                Stage::Queued { .. } => self.look(at),
                Stage::Replying { reply, .. } => {
                    let parcel = &mut self.gateway.parcels[at];
                    parcel.stage = Stage::Over;
                    if self.gateway.waiting == Some(parcel.order.client_order_id) {
                        self.gateway.heard = Some(reply);
                        self.wake_at_ms = now;
                    }
                }
                Stage::Over => {}
            }
        }
    }

    fn arrive(&mut self, at: usize) {
        let order = self.gateway.parcels[at].order.clone();
        self.say(&format!("arrives {}", order.client_order_id));
        self.count(if order.closes.is_some() { "closes arrived" } else { "orders arrived" });
        self.invariants.arrived(&order);
        let is_slow = self.fails(self.plan.gateway);
        let slowest = match self.gateway.parcels[at].dialect {
            Dialect::V43 => 9_000,
            Dialect::Envelope | Dialect::Plain => 3_600_000,
        };
        let wait = match is_slow {
            false => self.rng.between(1, 200),
            true if self.rng.chance(0.5) => self.rng.between(1, 6_000),
            true => self.rng.between(1, slowest),
        };
        self.gateway.parcels[at].stage = Stage::Queued { looks_ms: self.now_ms + wait };
    }

    /// The gateway looks at an order, at last.
    fn look(&mut self, at: usize) {
        let Parcel { order, dialect, signed_ms, .. } = &self.gateway.parcels[at];
        let (order, dialect, signed_ms) = (order.clone(), *dialect, *signed_ms);
        // A request to close is not signed.
        let is_signed = dialect == Dialect::V43 && order.closes.is_none();
        let is_refused = self.fails(0.15);
        let is_part = order.closes.is_none() && self.fails(0.1);
        let volume = if is_part { order.volume / 2.0 } else { order.volume };
        let executed = if is_signed && self.now_ms.saturating_sub(signed_ms) > SIGNED_MS_MAX {
            self.count("signatures expired");
            Err("RISK_SIGNATURE_INVALID")
        } else if is_refused {
            Err("MT5_NOT_CONNECTED")
        } else {
            self.broker.execute(&order, volume, self.now_ms).ok_or("MT5_NOT_CONNECTED")
        };
        if executed.is_ok() {
            self.invariants.executed(order.client_order_id);
            self.count(if is_part { "filled in part" } else { "filled wholly" });
        }
        let truth = executed.map_or(Truth::Never, Truth::Executed);
        self.say(&format!("{truth:?} {}", order.client_order_id));
        let mut reply = Some(reply::honest(dialect, &order, executed, volume));
        if self.fails(self.plan.gateway) {
            reply = self.garbled(dialect, reply.as_ref());
        }
        let is_late = self.fails(self.plan.gateway / 2.0);
        let at_ms = self.now_ms + if is_late { self.rng.between(1_000, 10_000) } else { self.rng.between(1, 50) };
        let stage = reply.map_or(Stage::Over, |reply| Stage::Replying { at_ms, reply: reply.to_string().into_bytes() });
        let parcel = &mut self.gateway.parcels[at];
        (parcel.truth, parcel.stage, parcel.volume) = (truth, stage, volume);
    }

    /// No reply, no JSON, another order's, or one that contradicts itself.
    fn garbled(&mut self, dialect: Dialect, honest: Option<&Value>) -> Option<Value> {
        let kind = self.rng.below(4);
        match (kind, honest) {
            (0, _) | (_, None) => None,
            (1, _) => Some(Value::from("unreadable")),
            (_, Some(honest)) => {
                let (what, reply) = reply::contradicting(dialect, honest, &mut self.rng);
                self.count(&format!("contradiction: {what}"));
                Some(reply)
            }
        }
    }
}
