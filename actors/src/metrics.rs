//! MetricsActor: takes what the others report ([`Event`]), answers `/metrics` with text and `/health` with a verdict.
//! It waits for nobody, and nobody but HTTP waits for it.

mod account;
pub mod health;
mod messages;
pub mod recorder;
#[cfg(test)]
mod tests;

use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint, Inflight},
        gzip::gzip,
        prometheus::Format,
    },
    domain::{
        build_info::BuildInfo, clock::Clock, drift::Drift, guard::KillSwitch, instrument::Symbol, names::ActorName,
    },
    messages::{Backlog, Event, Ping, Reported, TakeEvents},
};
use actix::{Actor, Context, Handler, MessageResult};
pub use messages::{Exposition, GetHealth, GetMetrics};
use recorder::Recorder;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Oldest text that is handed out although nothing happened: uptime and readiness change by themselves.
const TEXT_AGE_MAX: Duration = Duration::from_secs(1);
/// Messages that may wait before a scrape has to queue outside; events have a limit of their own, in [`Backlog`].
const MAILBOX_CAPACITY: usize = 1_024;

/// What the MetricsActor needs to know.
#[derive(Clone)]
pub struct Config {
    /// The configured symbols, in order.
    pub symbols: Vec<Symbol>,
    /// What runs.
    pub build: BuildInfo,
    /// Below 2^48, so that a float has it exactly.
    pub config_hash: u64,
    /// What the model's confidences were until now.
    pub drift: Drift,
    /// Largest share of the symbols that may fail in a step before the step has, a ratio in 0..=1.
    pub failed_share_max: f64,
    /// Whether orders leave.
    pub live: bool,
    /// Oldest age of a bar's close that is traded on, seconds.
    pub max_bar_age_s: i64,
    /// The one that stops them: asked for each text and verdict, so that both are true without a signal or a cycle.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Time between two due cycles.
    pub period: Duration,
    /// Requests under way, counted by the adapters.
    pub inflight: Inflight,
    /// Kept by the stages that call.
    pub breakers: Breakers,
    /// Shared with everyone who reports.
    pub backlog: Backlog,
    /// Wall clock of ages and timestamps.
    pub clock: Arc<dyn Clock>,
}

/// The newest text, shared with HTTP: what it serves when the actor is late. It is in whichever format was asked for
/// last, which is better than an older one.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(Arc<Mutex<Option<Exposition>>>);

impl Snapshot {
    /// The newest text; `None` until there is a first one.
    pub fn get(&self) -> Option<Exposition> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the text.
    pub fn set(&self, text: Exposition) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// The cached texts and what they were made from.
struct Encoded {
    /// One per [`Format`], made when it is first asked for; compressed when that is.
    texts: [Option<Exposition>; 2],
    at: Duration,
    inflight: [i64; Endpoint::ALL.len()],
}

/// The owner of every metric.
pub struct MetricsActor {
    recorder: Recorder,
    inflight: Inflight,
    clock: Arc<dyn Clock>,
    snapshot: Snapshot,
    backlog: Backlog,
    /// `None` as soon as an event made it old.
    encoded: Option<Encoded>,
}

impl MetricsActor {
    /// Registers the catalogue; nothing is published before the actor starts.
    ///
    /// # Errors
    /// Only if the catalogue contradicts itself.
    pub fn new(config: Config) -> prometheus::Result<Self> {
        Ok(Self {
            inflight: config.inflight.clone(),
            backlog: config.backlog.clone(),
            clock: Arc::clone(&config.clock),
            recorder: Recorder::new(config)?,
            snapshot: Snapshot::default(),
            encoded: None,
        })
    }

    /// Where the newest text is always found.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Records what waits.
    fn take_events(&mut self) {
        for Reported { event, at, instant } in self.backlog.take() {
            self.recorder.record(&event, (at, instant));
            self.encoded = None;
        }
    }

    /// The text, made anew only if something changed: encoding costs more than everything else in a scrape, and
    /// compressing about as much again.
    fn text(&mut self, format: Format, is_gzipped: bool) -> Exposition {
        self.take_events();
        let now = self.clock.now();
        let inflight = Endpoint::ALL.map(|endpoint| self.inflight.get(endpoint));
        let fresh = |encoded: &Encoded| encoded.inflight == inflight && encoded.at.abs_diff(now) < TEXT_AGE_MAX;
        let mut encoded =
            self.encoded.take().filter(fresh).unwrap_or(Encoded { texts: [None, None], at: now, inflight });
        let text = encoded.texts[format as usize].get_or_insert_with(|| {
            let text = Exposition { format, text: self.recorder.encode(now, inflight, format), gzip: None };
            self.snapshot.set(text.clone());
            text
        });
        if is_gzipped && text.gzip.is_none() {
            text.gzip = gzip(&text.text);
            self.snapshot.set(text.clone());
        }
        let text = text.clone();
        self.encoded = Some(encoded);
        text
    }
}

impl Actor for MetricsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        self.recorder.record(&Event::ActorStarted(ActorName::Metrics), (self.clock.now(), Instant::now()));
        self.text(Format::Text, false);
    }
}

impl Handler<TakeEvents> for MetricsActor {
    type Result = ();

    fn handle(&mut self, _: TakeEvents, _: &mut Self::Context) {
        self.take_events();
    }
}

impl Handler<Event> for MetricsActor {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.take_events();
        self.recorder.record(&event, (self.clock.now(), Instant::now()));
        self.encoded = None;
    }
}

impl Handler<GetMetrics> for MetricsActor {
    type Result = MessageResult<GetMetrics>;

    fn handle(&mut self, GetMetrics { format, is_gzipped }: GetMetrics, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.text(format, is_gzipped))
    }
}

impl Handler<GetHealth> for MetricsActor {
    type Result = MessageResult<GetHealth>;

    fn handle(&mut self, _: GetHealth, _: &mut Self::Context) -> Self::Result {
        self.take_events();
        MessageResult(self.recorder.health(self.clock.now()))
    }
}

impl Handler<Ping> for MetricsActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}
