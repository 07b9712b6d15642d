//! MetricsActor: takes what the others report ([`Event`]), answers `/metrics` with text and `/health` with a verdict.
//! It waits for nobody, and nobody but HTTP waits for it.

pub mod record;
#[cfg(test)]
mod tests;

use crate::{
    adapters::{
        breakers::Breakers,
        inflight::{Endpoint, Inflight},
    },
    domain::{clock::Clock, health::BuildInfo, instrument::Symbol},
    messages::{Event, GetHealth, GetMetrics, Ping},
};
use actix::{Actor, Context, Handler, MessageResult, Supervised};
use bytes::Bytes;
use record::Recorder;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Oldest text that is handed out although nothing happened: uptime and readiness change by themselves.
const TEXT_AGE_MAX: Duration = Duration::from_secs(1);
/// Messages that may wait before a scrape has to queue outside; events never do.
const MAILBOX_CAPACITY: usize = 1_024;

/// What the MetricsActor needs to know.
#[derive(Clone)]
pub struct Config {
    /// The configured symbols, in order.
    pub symbols: Vec<Symbol>,
    /// What runs.
    pub build: BuildInfo,
    /// Whether orders leave.
    pub live: bool,
    /// Time between two due cycles.
    pub period: Duration,
    /// Requests under way, counted by the adapters.
    pub inflight: Inflight,
    /// Kept by the stages that call.
    pub breakers: Breakers,
    /// Wall clock of ages and timestamps.
    pub clock: Arc<dyn Clock>,
}

/// The newest text, shared with HTTP: what it serves when the actor is late.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(Arc<Mutex<Option<Bytes>>>);

impl Snapshot {
    /// The newest text; `None` until there is a first one.
    pub fn get(&self) -> Option<Bytes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the text.
    pub fn set(&self, text: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// What the cached text was made from.
struct Encoded {
    text: Bytes,
    at: Duration,
    inflight: [i64; Endpoint::ALL.len()],
}

/// The owner of every metric.
pub struct MetricsActor {
    recorder: Recorder,
    inflight: Inflight,
    clock: Arc<dyn Clock>,
    snapshot: Snapshot,
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

    /// The text, made anew only if something changed: encoding costs more than everything else in a scrape.
    fn text(&mut self) -> Bytes {
        let now = self.clock.now();
        let inflight = Endpoint::ALL.map(|endpoint| self.inflight.get(endpoint));
        let fresh = |encoded: &&Encoded| encoded.inflight == inflight && encoded.at.abs_diff(now) < TEXT_AGE_MAX;
        if let Some(encoded) = self.encoded.as_ref().filter(fresh) {
            return encoded.text.clone();
        }
        let text = self.recorder.encode(now, inflight);
        self.snapshot.set(text.clone());
        self.encoded = Some(Encoded { text: text.clone(), at: now, inflight });
        text
    }
}

impl Actor for MetricsActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
        self.text();
    }
}

impl Supervised for MetricsActor {}

impl Handler<Event> for MetricsActor {
    type Result = ();

    fn handle(&mut self, event: Event, _: &mut Self::Context) {
        self.recorder.record(&event, self.clock.now());
        self.encoded = None;
    }
}

impl Handler<GetMetrics> for MetricsActor {
    type Result = MessageResult<GetMetrics>;

    fn handle(&mut self, _: GetMetrics, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.text())
    }
}

impl Handler<GetHealth> for MetricsActor {
    type Result = MessageResult<GetHealth>;

    fn handle(&mut self, _: GetHealth, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.recorder.health(self.clock.now()))
    }
}

impl Handler<Ping> for MetricsActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}
