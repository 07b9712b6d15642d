//! What is truly open. The gateway trades here, and so may a person.

use crate::invariants::root;
use sentinel_actors::domain::{
    order::{Order, Side},
    position::{AccountMode, Position},
};
use std::collections::VecDeque;
use uuid::Uuid;

const EPSILON: f64 = 1e-9;

/// An open position and the order that made it; `None` is a person.
#[derive(Debug, Clone)]
pub struct Held {
    pub position: Position,
    pub owner: Option<Uuid>,
}

#[derive(Debug)]
pub struct Broker {
    mode: AccountMode,
    held: Vec<Held>,
    /// What was open until when, for an answer that is late to notice.
    past: VecDeque<(u64, Vec<Position>)>,
    tickets: i64,
    pub equity: f64,
}

impl Broker {
    pub const fn new(mode: AccountMode) -> Self {
        Self { mode, held: Vec::new(), past: VecDeque::new(), tickets: 100, equity: 10_000.0 }
    }

    pub fn held(&self) -> &[Held] {
        &self.held
    }

    /// Newest first: nobody promises an order.
    pub fn positions(&self) -> Vec<Position> {
        self.held.iter().rev().map(|held| held.position.clone()).collect()
    }

    /// What was open then.
    pub fn positions_at(&self, ms: u64) -> Vec<Position> {
        let then = self.past.iter().find(|(until, _)| ms < *until);
        then.map_or_else(|| self.positions(), |(_, positions)| positions.clone())
    }

    pub fn is_open(&self, ticket: i64) -> bool {
        self.held.iter().any(|held| held.position.ticket == ticket)
    }

    fn remember(&mut self, now_ms: u64) {
        self.past.push_back((now_ms, self.positions()));
        if self.past.len() > 50 {
            self.past.pop_front();
        }
    }

    /// Executes so much of an order; `None` if there is nothing to close.
    pub fn execute(&mut self, order: &Order, volume: f64, now_ms: u64) -> Option<i64> {
        match order.closes {
            Some(ticket) => self.close(ticket, now_ms).then_some(ticket),
            None => Some(self.open(&order.gateway_name, order.side, volume, Some(order.client_order_id), now_ms)),
        }
    }

    pub fn close(&mut self, ticket: i64, now_ms: u64) -> bool {
        self.remember(now_ms);
        let before = self.held.len();
        self.held.retain(|held| held.position.ticket != ticket);
        self.held.len() < before
    }

    /// Opens, or on a netting account changes, a position; answers the order's ticket.
    pub fn open(&mut self, name: &str, side: Side, volume: f64, owner: Option<Uuid>, now_ms: u64) -> i64 {
        self.remember(now_ms);
        // Its own name, whatever the order calls it.
        let name = &format!("{}m", root(name));
        self.tickets += 1;
        let ticket = self.tickets;
        let made = |volume| Held { position: Position { ticket, gateway_name: name.to_owned(), side, volume }, owner };
        let there = self.held.iter().position(|held| held.position.gateway_name == *name);
        match there {
            Some(at) if self.mode == AccountMode::Netting => {
                let position = &mut self.held[at].position;
                if position.side == side {
                    position.volume += volume;
                } else if position.volume > volume + EPSILON {
                    position.volume -= volume;
                } else {
                    let rest = volume - position.volume;
                    self.held.remove(at);
                    if rest > EPSILON {
                        self.held.push(made(rest));
                    }
                }
            }
            _ => self.held.push(made(volume)),
        }
        ticket
    }
}
