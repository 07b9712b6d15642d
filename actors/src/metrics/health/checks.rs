//! The checks of `/health`, each with its verdict and a sentence.

use super::{
    CLAIM_OVER, ClusterState, CycleState, GatewayState, HealthCheck, JOURNAL_BROKEN, PositionsState, State, Status,
    in_words,
};
use crate::domain::{
    cycle_outcome::{CycleOutcome, SymbolFailure},
    instrument::Symbol,
    names::Step,
};
use std::time::Duration;

/// Most symbols that `/health` names in one line; of the others it shows only the number.
const SYMBOLS_NAMED_MAX: usize = 10;
/// Most unresolved orders that `/health` names; of the others it shows only the number.
const ORDERS_NAMED_MAX: usize = 5;

impl State {
    /// All checks, in the order in which they are shown.
    pub(super) fn checks(&self, now: Duration) -> Vec<HealthCheck> {
        let mut checks = vec![
            self.check_actors(),
            self.check_schedule(now),
            self.check_last_cycle(),
            self.check_market(),
            self.check_kill_switch(),
            self.check_journal(),
            self.check_gateway(),
            self.check_positions(),
            self.check_orders(),
            self.check_stops(),
        ];
        checks.extend(self.check_cluster());
        checks
    }

    fn check_actors(&self) -> HealthCheck {
        let silent = self.actor_names(|actor| actor.answered == Some(false));
        if !silent.is_empty() {
            return HealthCheck::new("actors", Status::Fail, format!("no answer from {silent}"));
        }
        HealthCheck::new("actors", Status::Ok, "no actor failed to answer".into())
    }

    fn check_schedule(&self, now: Duration) -> HealthCheck {
        if self.cycles_ended {
            return HealthCheck::new("schedule", Status::Ok, "all cycles asked for have run".into());
        }
        let age = now.saturating_sub(self.last_cycle.map_or(self.started_at, |cycle| cycle.finished_at));
        let status = if age > self.age_max() { Status::Fail } else { Status::Ok };
        let since =
            if self.last_cycle.is_some() { "the last cycle ended" } else { "no cycle has ended since the start" };
        let (age, period) = (in_words(age), in_words(self.period));
        HealthCheck::new("schedule", status, format!("{since} {age} ago, one is due every {period}"))
    }

    fn check_last_cycle(&self) -> HealthCheck {
        match self.last_cycle {
            None => HealthCheck::new("last_cycle", Status::Ok, "no cycle has ended yet".into()),
            Some(cycle) if self.verdict(&cycle) == CycleOutcome::Ok => {
                HealthCheck::new("last_cycle", Status::Ok, format!("cycle {} succeeded", cycle.cycle_id))
            }
            Some(cycle) if !cycle.failed => {
                let detail = format!("cycle {} degraded: {}", cycle.cycle_id, self.who_failed(&cycle));
                HealthCheck::new("last_cycle", Status::Degraded, detail)
            }
            Some(cycle) => {
                let faults = Step::ALL.into_iter().filter_map(|step| {
                    let faults = self.steps[step as usize].last_faults.as_ref().filter(|faults| !faults.is_empty())?;
                    Some(format!("; {}: {}", step.as_str(), faults.join(", ")))
                });
                let faults = faults.collect::<String>();
                let who = self.who_failed(&cycle);
                let who = if who.is_empty() { who } else { format!("; {who}") };
                HealthCheck::new(
                    "last_cycle",
                    Status::Degraded,
                    format!("cycle {} failed{faults}{who}", cycle.cycle_id),
                )
            }
        }
    }

    /// The result of a cycle. The symbols that failed are reported directly before it ends; a cycle that was given up reports
    /// none.
    pub(super) fn verdict(&self, cycle: &CycleState) -> CycleOutcome {
        match self.failures_of(cycle) {
            _ if cycle.failed => CycleOutcome::Failed,
            [] => CycleOutcome::Ok,
            _ => CycleOutcome::Degraded,
        }
    }

    fn failures_of(&self, cycle: &CycleState) -> &[SymbolFailure] {
        if self.failures.0 == cycle.cycle_id { &self.failures.1 } else { &[] }
    }

    /// `1 of 10 symbols failed: XX0USD (fetch: 404)`; empty if none failed or none were reported.
    fn who_failed(&self, cycle: &CycleState) -> String {
        let failures = self.failures_of(cycle);
        if failures.is_empty() {
            return String::new();
        }
        let name = |it: &SymbolFailure| format!("{} ({}: {})", it.symbol, it.step.as_str(), it.kind);
        format!("{} of {} symbols failed: {}", failures.len(), self.symbols, named(failures.iter().map(name)))
    }

    fn check_stops(&self) -> HealthCheck {
        if self.bad_stops.is_empty() {
            return HealthCheck::new("stops", Status::Ok, "every stop-loss and take-profit can be built".into());
        }
        let name = |(symbol, why): &(Symbol, String)| format!("{symbol}: {why}");
        let detail = format!("no order can be built (bad_stop) for {}", named(self.bad_stops.iter().map(name)));
        HealthCheck::new("stops", Status::Degraded, detail)
    }

    fn check_market(&self) -> HealthCheck {
        let detail = match self.is_market_open {
            None => "no cycle has checked the calendar yet",
            Some(true) => "the market is open",
            Some(false) => "the market is closed; no order is sent until it opens",
        };
        HealthCheck::new("market", Status::Ok, detail.into())
    }

    fn check_kill_switch(&self) -> HealthCheck {
        let own = self.is_halted.then(|| "halted: no order is sent; see `sentinel resume`".to_owned());
        let halts: Vec<_> = own.into_iter().chain(self.cluster_halt.clone()).collect();
        match halts.is_empty() {
            true => HealthCheck::new("kill_switch", Status::Ok, "not halted".into()),
            false => HealthCheck::new("kill_switch", Status::Degraded, halts.join("; ")),
        }
    }

    fn check_journal(&self) -> HealthCheck {
        match self.journal.is_writable {
            Some(false) if self.live => HealthCheck::new("journal", Status::Fail, JOURNAL_BROKEN.into()),
            Some(false) => HealthCheck::new("journal", Status::Degraded, "the journal cannot be written".into()),
            Some(true) | None => HealthCheck::new("journal", Status::Ok, "the journal can be written".into()),
        }
    }

    fn check_gateway(&self) -> HealthCheck {
        match &self.gateway {
            _ if !self.live => HealthCheck::new("gateway", Status::Ok, "dry run: it is not used".into()),
            GatewayState { is_checked: false, .. } => {
                HealthCheck::new("gateway", Status::Ok, "no handshake yet; no order is sent before it answers".into())
            }
            GatewayState { trouble: None, .. } => HealthCheck::new("gateway", Status::Ok, "ready for orders".into()),
            GatewayState { trouble: Some(trouble), .. } => {
                HealthCheck::new("gateway", Status::Degraded, format!("no order is sent until it answers: {trouble}"))
            }
        }
    }

    /// Only where an account is claimed.
    fn check_cluster(&self) -> Option<HealthCheck> {
        let holds = |is_member: bool| match is_member {
            true => "this daemon is a member of the account's cluster in etcd",
            false => "this daemon holds the account in etcd",
        };
        Some(match self.cluster.as_ref()? {
            ClusterState { may_send: true, is_member, trouble: None, before: None } => {
                HealthCheck::new("cluster", Status::Ok, holds(*is_member).into())
            }
            ClusterState { may_send, is_member, trouble, before } => {
                let held = if *may_send { holds(*is_member) } else { CLAIM_OVER };
                let mut detail = trouble.clone().unwrap_or_else(|| held.into());
                if let Some(dead) = before {
                    detail += &format!(
                        "; {dead} held it before and did not give it back, so its last orders may be unknown: look for them in the account and \
                         in its journal, then `sentinel cluster acknowledge`"
                    );
                }
                HealthCheck::new("cluster", Status::Degraded, detail)
            }
        })
    }

    fn check_positions(&self) -> HealthCheck {
        let PositionsState { trouble, doubts } = &self.positions;
        if let Some(trouble) = trouble {
            let detail = format!("no order is sent: the gateway's list cannot be read: {trouble}");
            return HealthCheck::new("positions", Status::Degraded, detail);
        }
        if doubts.is_empty() {
            return HealthCheck::new("positions", Status::Ok, "no open position is doubtful".into());
        }
        let named = doubts.iter().take(ORDERS_NAMED_MAX).cloned().collect::<Vec<_>>().join("; ");
        let detail = format!("{} doubtful, which count as open: {named}", doubts.len());
        HealthCheck::new("positions", Status::Degraded, detail)
    }

    fn check_orders(&self) -> HealthCheck {
        let unresolved = &self.journal.unresolved;
        if unresolved.is_empty() {
            return HealthCheck::new("orders", Status::Ok, "no order has an unknown outcome".into());
        }
        let named = unresolved.iter().take(ORDERS_NAMED_MAX).map(|order| format!("{} {}", order.symbol, order.id));
        let named = named.collect::<Vec<_>>().join(", ");
        let detail = format!("{} of unknown outcome block their symbols until resolved: {named}", unresolved.len());
        HealthCheck::new("orders", Status::Degraded, detail)
    }
}

/// `a, b, c`, or the first few and the number of the others.
fn named(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(SYMBOLS_NAMED_MAX);
    let text = items.take(SYMBOLS_NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}
