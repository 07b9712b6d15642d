//! People: they settle what is unknown by what the broker says, halt and resume, and trade beside the daemon.

use crate::{
    gateway::Truth,
    invariants::{opposite, root},
    plan::Dialect,
    world::World,
};
use sentinel_actors::{
    adapters::journal::{Store, Verdict},
    domain::{order::Side, order_state::OrderState, position::AccountMode},
};
use std::path::Path;
use uuid::Uuid;

/// No order has it: a trade of an order's own size could be taken for it.
const VOLUME: f64 = 0.37;

const WHO: &str = "person:test";

impl World {
    /// Somebody does something, or thinks better of it.
    pub fn person_acts(&mut self, path: &Path) {
        if self.is_halted {
            self.is_halted = false;
            return;
        }
        match self.rng.below(6) {
            0 | 1 => self.resolve(path),
            2 => self.mark_closed(path),
            3 => self.is_halted = true,
            4 => {
                let now = self.wall();
                Store::open_existing(path).unwrap().resume(WHO, now).unwrap();
                self.invariants.resumed();
                self.say("a person resumes");
            }
            _ => self.trade(),
        }
    }

    /// Settles an unknown order by the truth, once that cannot change any more.
    pub fn resolve(&mut self, path: &Path) {
        let unknown = self.invariants.rows().iter().filter(|row| row.state == OrderState::Unknown);
        let known: Vec<_> = unknown.map(|row| (row.id, row.closes, self.gateway.truth(row.id))).collect();
        let verdict = known.into_iter().find_map(|(id, closes, truth)| match (truth, closes) {
            (Truth::Executed(ticket), _) => Some((id, Verdict::Filled { ticket })),
            (_, Some(ticket)) if !self.broker.is_open(ticket) => Some((id, Verdict::Filled { ticket })),
            (Truth::Never, _) => Some((id, Verdict::Rejected)),
            (Truth::Open, _) => None,
        });
        let Some((id, verdict)) = verdict else { return };
        self.say(&format!("a person says {verdict:?} of {id}"));
        self.count("resolved by a person");
        let mut store = Store::open_existing(path).unwrap();
        store.resolve(id, verdict, WHO, "looked it up", self.wall()).unwrap();
        self.refresh(&store);
    }

    /// Tells the journal of a position that is gone.
    fn mark_closed(&mut self, path: &Path) {
        let gone = self.invariants.rows().iter().find_map(|row| {
            let counts = row.state == OrderState::Filled && row.closes.is_none() && row.closed_at_ms.is_none();
            let ticket = row.ticket.filter(|ticket| counts && !self.broker.is_open(*ticket))?;
            Some((row.id, ticket))
        });
        let Some((id, ticket)) = gone else { return };
        let mut store = Store::open_existing(path).unwrap();
        // A fill of the other direction may have ended it since.
        if store.mark_closed(id, WHO, "stopped out", self.wall()).is_ok() {
            self.say(&format!("a person says {id} is closed"));
            self.count("marked closed by a person");
            self.invariants.marked_closed(ticket);
        }
        self.refresh(&store);
    }

    /// Trades by hand, or a stop does it. On a netting account not while the outcome of an order of the instrument is
    /// open, on a hedging account not with that order's own position: see the module of the checks.
    fn trade(&mut self) {
        let instrument = self.rng.pick(&self.plan.instruments).clone();
        let unsettled: Vec<Uuid> = self
            .invariants
            .rows()
            .iter()
            .filter(|row| root(&row.symbol) == root(instrument.symbol.as_str()) && !row.state.is_settled())
            .map(|row| row.id)
            .collect();
        if self.plan.rules.account_mode == AccountMode::Netting
            && (!unsettled.is_empty() || self.plan.dialects.contains(&Dialect::V43))
        {
            return;
        }
        let now = self.now_ms;
        if self.rng.chance(0.5) {
            let name = &instrument.gateway_name;
            let may_go = |held: &&crate::broker::Held| {
                root(&held.position.gateway_name) == root(name)
                    && held.owner.is_none_or(|owner| !unsettled.contains(&owner))
            };
            let Some(ticket) = self.broker.held().iter().find(may_go).map(|held| held.position.ticket) else { return };
            self.say(&format!("a person closes {ticket}"));
            self.count("closed by hand");
            self.broker.close(ticket, now);
        } else {
            let side = if self.rng.chance(0.5) { Side::Buy } else { opposite(Side::Buy) };
            self.say(&format!("a person trades {}", instrument.symbol));
            self.count("traded by hand");
            // Of the very size and side of an order that was executed, there are then two: which of them is it?
            let is_executed = |id: &&Uuid| matches!(self.gateway.truth(**id), Truth::Executed(_));
            let twin = unsettled.iter().find(is_executed).and_then(|id| {
                let parcel = self.gateway.parcels.iter().find(|parcel| parcel.order.client_order_id == *id)?;
                parcel.order.closes.is_none().then_some((parcel.order.side, parcel.order.volume))
            });
            let (side, volume) = twin.unwrap_or((side, VOLUME));
            self.broker.open(&instrument.gateway_name, side, volume, None, now);
        }
    }
}
