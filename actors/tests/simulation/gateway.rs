//! The gateway's side of the wire: what has arrived, what it makes of it and when, and what it answers.

use crate::{plan::Dialect, world::World};
use sentinel_actors::domain::order::{Order, Outcome};
use uuid::Uuid;

/// How long a signature is good, by the gateway's clock.
const SIGNED_MS_MAX: u64 = 5_000;

/// What truly became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Nobody knows yet.
    Open,
    Executed(i64),
    /// It was not executed, and never will be.
    Never,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    InSocket { arrives_ms: u64 },
    Queued { looks_ms: u64 },
    Replying { at_ms: u64, heard: Heard },
    Over,
}

/// A reply, as the dialect reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub outcome: Outcome,
    /// Whether it is readable and about this order.
    pub is_ours: bool,
}

/// An order that was handed to a connected socket.
#[derive(Debug)]
pub struct Parcel {
    pub order: Order,
    dialect: Dialect,
    signed_ms: u64,
    stage: Stage,
    pub truth: Truth,
}

#[derive(Debug, Default)]
pub struct Gateway {
    /// Nobody listens before this.
    absent_until_ms: u64,
    pub parcels: Vec<Parcel>,
    /// The order whose socket is open.
    waiting: Option<Uuid>,
    heard: Option<Heard>,
}

impl Gateway {
    /// What became of an order; one that was never handed over was never executed.
    pub fn truth(&self, id: Uuid) -> Truth {
        let parcel = self.parcels.iter().find(|parcel| parcel.order.client_order_id == id);
        parcel.map_or(Truth::Never, |parcel| parcel.truth)
    }

    /// When something happens here next.
    pub fn next_ms(&self) -> Option<u64> {
        self.parcels.iter().filter_map(Parcel::due_ms).min()
    }

    /// Whether an order's reply is waited for.
    pub const fn is_waited_for(&self) -> bool {
        self.waiting.is_some()
    }

    pub fn take_heard(&mut self) -> Option<Heard> {
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
        self.checks.is_of_its_moment(id, self.now_ms, self.plan.rules.decision_age_max);
        let dialect = self.dialect;
        self.gateway.parcels.push(Parcel { order: order.clone(), dialect, signed_ms, stage, truth: Truth::Open });
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
                Stage::Replying { heard, .. } => {
                    let parcel = &mut self.gateway.parcels[at];
                    parcel.stage = Stage::Over;
                    if self.gateway.waiting == Some(parcel.order.client_order_id) {
                        self.gateway.heard = Some(heard);
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
        self.checks.arrived(&order);
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
        let (order, signed_ms) = (self.gateway.parcels[at].order.clone(), self.gateway.parcels[at].signed_ms);
        let id = order.client_order_id;
        let refused = |reason: &str| Heard { outcome: Outcome::Rejected { reason: reason.into() }, is_ours: true };
        let vague = |reason: &str, is_ours| Heard { outcome: Outcome::Unknown { reason: reason.into() }, is_ours };
        // A request to close is not signed.
        let is_signed = self.gateway.parcels[at].dialect == Dialect::V43 && order.closes.is_none();
        let is_refused = self.fails(0.15);
        let (truth, honest) = if is_signed && self.now_ms.saturating_sub(signed_ms) > SIGNED_MS_MAX {
            self.count("signatures expired");
            (Truth::Never, refused("RISK_SIGNATURE_INVALID"))
        } else if is_refused && self.rng.chance(0.3) {
            (Truth::Never, vague("filled with ticket 0", true))
        } else if is_refused {
            (Truth::Never, refused("no money"))
        } else {
            match self.broker.execute(&order, self.now_ms) {
                Some(ticket) => {
                    self.checks.executed(id);
                    let price = Some(1.1);
                    (
                        Truth::Executed(ticket),
                        Heard { outcome: Outcome::Filled { ticket, price, volume: None }, is_ours: true },
                    )
                }
                None => (Truth::Never, refused("no such position")),
            }
        };
        self.say(&format!("{truth:?} {id}"));
        let heard = if self.fails(self.plan.gateway) {
            match self.rng.below(4) {
                0 => None,
                1 => Some(vague("another order's reply", false)),
                2 => Some(vague("unreadable", false)),
                _ => Some(vague("MT5_EXCEPTION", true)),
            }
        } else {
            Some(honest)
        };
        let is_late = self.fails(self.plan.gateway / 2.0);
        let at_ms = self.now_ms + if is_late { self.rng.between(1_000, 10_000) } else { self.rng.between(1, 50) };
        let stage = heard.map_or(Stage::Over, |heard| Stage::Replying { at_ms, heard });
        let parcel = &mut self.gateway.parcels[at];
        (parcel.truth, parcel.stage) = (truth, stage);
    }
}
