//! MetricsActor: records the events of all actors ([`Event`]), answers `/metrics` with text and `/health` with a verdict. It
//! waits for no other actor, and only HTTP waits for it.

mod account;
pub mod health;
mod messages;
mod money;
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
        build_info::BuildInfo,
        clock::Clock,
        cluster::Authority,
        drift::Drift,
        guard::KillSwitch,
        instrument::Symbol,
        names::ActorName,
        profit::{Figures, PaperFigures},
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

/// Largest age of a text that is returned although nothing happened, because uptime and readiness change without events.
const TEXT_AGE_MAX: Duration = Duration::from_secs(1);
/// Most waiting messages; more scrapes queue outside. Events have their own limit, in [`Backlog`].
const MAILBOX_CAPACITY: usize = 1_024;

/// The configuration of the MetricsActor.
#[derive(Clone)]
pub struct Config {
    /// The configured symbols, in order.
    pub symbols: Vec<Symbol>,
    /// The build that is running.
    pub build: BuildInfo,
    /// Below 2^48, so that a float represents it exactly.
    pub config_hash: u64,
    /// The drift of the model's confidences, with those known so far.
    pub drift: Drift,
    /// Largest share of the symbols that may fail in a step before the step counts as failed, a ratio in 0..=1.
    pub failed_share_max: f64,
    /// Whether orders are sent.
    pub live: bool,
    /// The account's money as the journal knows it; `None` in a dry run.
    pub money: Option<Figures>,
    /// What was realised on paper today, as the journal knows it; `None` without an account on paper.
    pub paper: Option<PaperFigures>,
    /// Oldest age of a bar's close at which it is traded on, seconds.
    pub max_bar_age_s: i64,
    /// The kill switch. It is checked for each text and verdict, so that both are right even without a signal or a cycle.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Whether this daemon may send orders for its account; read as often as the kill switch.
    pub authority: Arc<dyn Authority>,
    /// What is claimed in etcd, such as `/sentinel/ACCOUNT`, so that two daemons of one account are known from those of two.
    pub claim: String,
    /// Time between two due cycles.
    pub period: Duration,
    /// Open requests, counted by the adapters.
    pub inflight: Inflight,
    /// The breakers of the stages.
    pub breakers: Breakers,
    /// Shared with all actors that report events.
    pub backlog: Backlog,
    /// The wall clock for ages and timestamps.
    pub clock: Arc<dyn Clock>,
}

/// The newest text, shared with HTTP, which returns it if the actor is late. It has the format of the last request, because
/// the wrong format is better than an older text.
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

/// The cached texts, and when and from what they were encoded.
struct Encoded {
    /// One per [`Format`], encoded on its first request and compressed on the first request for that.
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
    /// `None` as soon as an event has made it outdated.
    encoded: Option<Encoded>,
}

impl MetricsActor {
    /// Registers the catalogue; nothing is published before the actor starts.
    ///
    /// # Errors
    /// Only if the catalogue is wrong.
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

    /// The place of the newest text.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    /// Records the waiting events.
    fn take_events(&mut self) {
        for Reported { event, at, instant } in self.backlog.take() {
            self.recorder.record(&event, (at, instant));
            self.encoded = None;
        }
    }

    /// The text, encoded again only if something changed: encoding costs more than all other parts of a scrape, and
    /// compressing costs about as much again.
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
