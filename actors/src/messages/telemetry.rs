//! How the actors tell the MetricsActor what happened: never waiting, never piling up, and counting what is lost.

use super::Event;
use crate::domain::names::{ActorName, DropReason};
use actix::Recipient;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

/// Events that may wait for the MetricsActor: a quarter of an hour of them. A mailbox of
/// actix takes any number, so the limit is here.
const EVENTS_WAITING_MAX: usize = 1_024;

const REASONS: usize = DropReason::ALL.len();

/// What the tellers and the MetricsActor share: how many events wait, and what every actor discarded. Plain atomics,
/// because word of a lost message must not be a message.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    dropped: [[AtomicU64; REASONS]; ActorName::ALL.len()],
}

impl Backlog {
    /// One event less waits.
    pub fn arrived(&self) {
        // Not below zero: an event may have come by another way than a `Telemetry`.
        let less = |waiting: usize| waiting.checked_sub(1);
        let _ = self.0.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// What `actor` has discarded for this reason since the start.
    pub fn dropped(&self, actor: ActorName, reason: DropReason) -> u64 {
        self.0.dropped[actor as usize][reason as usize].load(Ordering::Relaxed)
    }

    fn note(&self, actor: ActorName, reason: DropReason, count: u64) {
        self.0.dropped[actor as usize][reason as usize].fetch_add(count, Ordering::Relaxed);
    }
}

/// An actor's way to the MetricsActor. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    metrics: Recipient<Event>,
    backlog: Backlog,
    waiting_max: usize,
}

impl Telemetry {
    /// To the MetricsActor that has this backlog.
    pub const fn new(metrics: Recipient<Event>, backlog: Backlog) -> Self {
        Self { metrics, backlog, waiting_max: EVENTS_WAITING_MAX }
    }

    /// Tells what happened. With too much waiting already the event is discarded, as `full`: a MetricsActor that hangs
    /// must not take the daemon's memory with it.
    pub fn report(&self, event: Event) {
        let one_more = |waiting: usize| (waiting < self.waiting_max).then_some(waiting + 1);
        match self.backlog.0.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => self.metrics.do_send(event),
            Err(_) => self.dropped(event.teller(), DropReason::Full, 1),
        }
    }

    /// Counts what `actor` discarded instead of processing it.
    pub fn dropped(&self, actor: ActorName, reason: DropReason, count: u64) {
        self.backlog.note(actor, reason, count);
    }

    /// What is shared with the MetricsActor.
    pub const fn backlog(&self) -> &Backlog {
        &self.backlog
    }
}

/// To someone who takes every event, however many wait.
impl From<Recipient<Event>> for Telemetry {
    fn from(metrics: Recipient<Event>) -> Self {
        Self { metrics, backlog: Backlog::default(), waiting_max: usize::MAX }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("backlog", &self.backlog).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler};

    /// Takes events and says so, but only when it gets to run.
    struct Ears(Backlog);

    impl Actor for Ears {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Ears {
        type Result = ();

        fn handle(&mut self, _: Event, _: &mut Self::Context) {
            self.0.arrived();
        }
    }

    #[actix::test]
    async fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let backlog = Backlog::default();
        let telemetry = Telemetry::new(Ears(backlog.clone()).start().recipient(), backlog.clone());
        let lost = || {
            (
                ActorName::ALL.map(|actor| backlog.dropped(actor, DropReason::Full)),
                backlog.dropped(ActorName::Journal, DropReason::Stale),
            )
        };
        // Without an await in between the actor cannot take any of them.
        for _ in 0..EVENTS_WAITING_MAX {
            telemetry.report(Event::TicksMissed(1));
        }
        assert_eq!(lost(), ([0; 7], 0), "all of them have a place");
        telemetry.report(Event::ClockStepped);
        telemetry.report(Event::ActorStarted(ActorName::Predictor));
        telemetry.clone().report(Event::ActorStarted(ActorName::Predictor));
        assert_eq!(lost(), ([1, 0, 0, 2, 0, 0, 0], 0));
        telemetry.dropped(ActorName::Journal, DropReason::Stale, 7);
        while backlog.0.waiting.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        telemetry.report(Event::ClockStepped);
        assert_eq!(lost(), ([1, 0, 0, 2, 0, 0, 0], 7), "there is room again");
    }

    #[test]
    fn nothing_waits_less_than_nothing() {
        let backlog = Backlog::default();
        backlog.arrived();
        assert_eq!(backlog.0.waiting.load(Ordering::Relaxed), 0);
    }
}
