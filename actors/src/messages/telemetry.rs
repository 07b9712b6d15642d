//! How the actors tell the MetricsActor what happened: never waiting, never piling up, and counting what is lost.

use super::{Event, TakeEvents};
use crate::domain::{
    clock::Clock,
    names::{ActorName, DropReason},
};
use actix::Recipient;
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Events that may wait for the MetricsActor: a quarter of an hour of them.
const EVENTS_WAITING_MAX: usize = 1_024;
/// As soon as so many wait the MetricsActor is woken. Before a text or a verdict it takes them anyway, so that waiting shows
/// nowhere; a thread that is woken for each of a cycle's dozen events costs more than all that is done with them.
const EVENTS_WAKE: usize = 64;

const REASONS: usize = DropReason::ALL.len();

/// An event, and when it was reported.
#[derive(Debug)]
pub struct Reported {
    /// What happened.
    pub event: Event,
    /// Wall time, since the unix epoch.
    pub at: Duration,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
}

/// What the tellers and the MetricsActor share: the events that wait, and what every actor discarded. Plain atomics
/// for the latter, because word of a lost message must not be a message.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Vec<Reported>>,
    dropped: [[AtomicU64; REASONS]; ActorName::ALL.len()],
}

impl Backlog {
    /// All events that wait, in the order in which they were reported.
    pub fn take(&self) -> Vec<Reported> {
        std::mem::take(&mut *self.waiting())
    }

    /// What `actor` has discarded for this reason since the start.
    pub fn dropped(&self, actor: ActorName, reason: DropReason) -> u64 {
        self.0.dropped[actor as usize][reason as usize].load(Ordering::Relaxed)
    }

    fn note(&self, actor: ActorName, reason: DropReason, count: u64) {
        self.0.dropped[actor as usize][reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Puts an event behind the others; answers how many wait then, or `None` if there is no place for it.
    fn put(&self, reported: Reported) -> Option<usize> {
        let mut waiting = self.waiting();
        (waiting.len() < EVENTS_WAITING_MAX).then(|| {
            waiting.push(reported);
            waiting.len()
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Reported>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An actor's way to the MetricsActor. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    way: Way,
    backlog: Backlog,
}

#[derive(Clone)]
enum Way {
    /// By the backlog, which this one takes when it is woken.
    Backlog(Recipient<TakeEvents>, Arc<dyn Clock>),
    /// One by one.
    Direct(Recipient<Event>),
}

impl Telemetry {
    /// To the MetricsActor that has this backlog; the clock says when something was reported.
    pub const fn new(metrics: Recipient<TakeEvents>, backlog: Backlog, clock: Arc<dyn Clock>) -> Self {
        Self { way: Way::Backlog(metrics, clock), backlog }
    }

    /// Tells what happened. With too much waiting already the event is discarded, as `full`: a MetricsActor that hangs
    /// must not take the daemon's memory with it.
    pub fn report(&self, event: Event) {
        let (metrics, clock) = match &self.way {
            Way::Direct(metrics) => return metrics.do_send(event),
            Way::Backlog(metrics, clock) => (metrics, clock),
        };
        let teller = event.teller();
        match self.backlog.put(Reported { event, at: clock.now(), instant: Instant::now() }) {
            // Not again for every one that follows: it comes, or hangs.
            Some(EVENTS_WAKE) => metrics.do_send(TakeEvents),
            Some(_) => {}
            None => self.dropped(teller, DropReason::Full, 1),
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
        Self { way: Way::Direct(metrics), backlog: Backlog::default() }
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
    use crate::adapters::system_clock::SystemClock;
    use actix::{Actor, Context, Handler};
    use std::sync::atomic::AtomicUsize;

    /// Takes events and says so, but only when it gets to run.
    struct Ears(Backlog, Arc<AtomicUsize>);

    impl Actor for Ears {
        type Context = Context<Self>;
    }

    impl Handler<TakeEvents> for Ears {
        type Result = ();

        fn handle(&mut self, _: TakeEvents, _: &mut Self::Context) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.take();
        }
    }

    fn start() -> (Telemetry, Backlog, Arc<AtomicUsize>) {
        let (backlog, woken) = (Backlog::default(), Arc::default());
        let ears = Ears(backlog.clone(), Arc::clone(&woken)).start();
        (Telemetry::new(ears.recipient(), backlog.clone(), Arc::new(SystemClock)), backlog, woken)
    }

    async fn none_waits(backlog: &Backlog) {
        while !backlog.waiting().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[actix::test]
    async fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let (telemetry, backlog, _) = start();
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
        none_waits(&backlog).await;
        telemetry.report(Event::ClockStepped);
        assert_eq!(lost(), ([1, 0, 0, 2, 0, 0, 0], 7), "there is room again");
    }

    #[actix::test]
    async fn the_metrics_are_woken_once_for_many_events() {
        let (telemetry, backlog, woken) = start();
        for wakes in 1..=2 {
            for _ in 1..EVENTS_WAKE {
                telemetry.report(Event::TicksMissed(1));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert_eq!((backlog.waiting().len(), woken.load(Ordering::Relaxed)), (EVENTS_WAKE - 1, wakes - 1));
            telemetry.report(Event::TicksMissed(1));
            telemetry.report(Event::TicksMissed(1));
            none_waits(&backlog).await;
            assert_eq!(woken.load(Ordering::Relaxed), wakes);
        }
    }
}
