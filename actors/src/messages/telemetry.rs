//! How actors report events to the MetricsActor: without waiting, with a limit on waiting events, and counting lost ones.

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

/// Most events that may wait for the MetricsActor: those of a quarter of an hour.
const EVENTS_WAITING_MAX: usize = 1_024;
/// With this many waiting events, the MetricsActor is woken. It also takes them before it encodes a text or judges health, so
/// the delay is never visible. Waking a thread for each of a cycle's dozen events would cost more than processing them.
const EVENTS_WAKE: usize = 64;

const REASONS: usize = DropReason::ALL.len();

/// An event, and the time when it was reported.
#[derive(Debug)]
pub struct Reported {
    /// The event.
    pub event: Event,
    /// Wall time, since the unix epoch.
    pub at: Duration,
    /// The same moment on the monotonic clock.
    pub instant: Instant,
}

/// Shared by all actors and the MetricsActor: the waiting events, and how many events every actor discarded. The latter are
/// plain atomics, because a report about a lost message must not be a message.
#[derive(Debug, Clone, Default)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Vec<Reported>>,
    dropped: [[AtomicU64; REASONS]; ActorName::ALL.len()],
}

impl Backlog {
    /// All waiting events, in the order in which they were reported.
    pub fn take(&self) -> Vec<Reported> {
        std::mem::take(&mut *self.waiting())
    }

    /// How many events `actor` has discarded for this reason since the start.
    pub fn dropped(&self, actor: ActorName, reason: DropReason) -> u64 {
        self.0.dropped[actor as usize][reason as usize].load(Ordering::Relaxed)
    }

    /// How many events are waiting.
    #[cfg(test)]
    pub fn waiting_len(&self) -> usize {
        self.waiting().len()
    }

    fn note(&self, actor: ActorName, reason: DropReason, count: u64) {
        self.0.dropped[actor as usize][reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// Adds an event. Returns how many are waiting then, or `None` if there are too many.
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

/// An actor's connection to the MetricsActor. Clones share it.
#[derive(Clone)]
pub struct Telemetry {
    way: Way,
    backlog: Backlog,
}

#[derive(Clone)]
enum Way {
    /// Through the backlog; the MetricsActor takes it when it is woken.
    Backlog(Recipient<TakeEvents>, Arc<dyn Clock>),
    /// One by one.
    Direct(Recipient<Event>),
}

impl Telemetry {
    /// A connection to the MetricsActor with this backlog. The clock gives the time of each report.
    pub const fn new(metrics: Recipient<TakeEvents>, backlog: Backlog, clock: Arc<dyn Clock>) -> Self {
        Self { way: Way::Backlog(metrics, clock), backlog }
    }

    /// Reports an event. If too many are waiting, the event is discarded as `full`, so that a MetricsActor that hangs cannot
    /// use up the memory.
    pub fn report(&self, event: Event) {
        let (metrics, clock) = match &self.way {
            Way::Direct(metrics) => return metrics.do_send(event),
            Way::Backlog(metrics, clock) => (metrics, clock),
        };
        let teller = event.teller();
        match self.backlog.put(Reported { event, at: clock.now(), instant: Instant::now() }) {
            // Not for later events: the MetricsActor was already woken, or it hangs.
            Some(EVENTS_WAKE) => metrics.do_send(TakeEvents),
            Some(_) => {}
            None => self.dropped(teller, DropReason::Full, 1),
        }
    }

    /// Counts what `actor` discarded instead of processing it.
    pub fn dropped(&self, actor: ActorName, reason: DropReason, count: u64) {
        self.backlog.note(actor, reason, count);
    }

    /// The data that is shared with the MetricsActor.
    pub const fn backlog(&self) -> &Backlog {
        &self.backlog
    }
}

/// A connection to a receiver that takes every event immediately.
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

    /// Takes events and reports that, but only when it is scheduled.
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
        // Without an await in between, the actor cannot take any of them.
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
