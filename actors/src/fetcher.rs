//! Fetcher: updates every symbol's window, once per cycle. The cycle calls it; it sends requests to EODHD.
//!
//! `feed` knows which bars a symbol has and which it needs, `request` sends requests within a deadline, `report` tells the log
//! and the MetricsActor what came of a cycle's fetches, `failure` has the errors.

mod config;
mod failure;
mod feed;
#[cfg(test)]
mod fixtures;
mod report;
mod request;
#[cfg(test)]
mod tests;

use crate::{
    adapters::{endpoint::Endpoint, eodhd::intraday_url},
    domain::{
        bar::Bar,
        breaker::{BreakerState, CallEnd},
        features::SEQUENCE_BARS,
        instrument::Symbol,
        names::ActorName,
        window::Gap,
    },
    messages::{ApiUsage, Event, FetchBars, FetchedBars, Ping, StageFailure},
};
use actix::{Actor, Context, Handler, ResponseFuture};
pub use config::{Config, MarketClock, OnGap, Poll};
pub use failure::FetchError;
use feed::{Feed, Notes};
use futures_util::{StreamExt, stream};
pub use request::{Requests, Session};
use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// The actor.
pub struct Fetcher {
    stage: Rc<Stage>,
}

impl Fetcher {
    /// A new one without bars. Create it in the arbiter in which it runs, because its HTTP client must stay on one thread.
    pub fn new(config: Config) -> Self {
        let feeds: Vec<_> = config.instruments.iter().map(|_| Feed::new(&config)).collect();
        let chosen = RefCell::new(vec![true; feeds.len()]);
        let requests = Requests::new(&config.base_url, config.deadline, config.body_bytes_max, config.inflight.clone());
        Self {
            stage: Rc::new(Stage {
                config,
                requests,
                feeds: RefCell::new(feeds),
                chosen,
                newest_close_time: Cell::new(None),
                next_trial: Cell::new(0),
            }),
        }
    }
}

impl Actor for Fetcher {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.stage.config.metrics.report(Event::ActorStarted(ActorName::Fetcher));
    }
}

impl Handler<Ping> for Fetcher {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<FetchBars> for Fetcher {
    type Result = ResponseFuture<FetchedBars>;

    fn handle(&mut self, message: FetchBars, _: &mut Self::Context) -> Self::Result {
        let stage = Rc::clone(&self.stage);
        Box::pin(async move { stage.fetch_all(message).await })
    }
}

/// The data that a cycle's fetches share. Cells are never borrowed across an await.
struct Stage {
    config: Config,
    requests: Requests,
    /// One per instrument.
    feeds: RefCell<Vec<Feed>>,
    /// Whether each instrument was fetched in the last cycle; all of them before the first.
    chosen: RefCell<Vec<bool>>,
    /// The newest close of all accepted bars: the time of [`MarketClock::Bars`].
    newest_close_time: Cell<Option<i64>>,
    /// The instrument that a half-open breaker allows first: the one after the last that it allowed. So an instrument with
    /// problems of its own is not tested again and again.
    next_trial: Cell<usize>,
}

/// The result for one symbol.
struct Fetched {
    index: usize,
    result: Result<Arc<[Bar]>, FetchError>,
    duration: Option<Duration>,
    newest_close_time: Option<i64>,
    api: ApiUsage,
    notes: Notes,
    /// Gaps that were not seen before.
    gaps: Vec<Gap>,
}

impl Stage {
    async fn fetch_all(&self, FetchBars { cycle_id, only }: FetchBars) -> FetchedBars {
        let now = self.config.clock.now_unix();
        let session = self.requests.open(&self.config.token);
        let (count, first) = (self.config.instruments.len(), self.next_trial.get());
        let left = self.choose(only);
        let chosen = self.chosen.borrow().clone();
        let mut indices = (0..count).map(move |index| (first + index) % count).filter(|index| chosen[*index]);
        let mut all: Vec<Fetched> = Vec::with_capacity(count);
        // A half-open breaker gets a single request as a test; if it succeeds, the other symbols follow in the same cycle.
        while self.config.breakers.state(Endpoint::Eodhd) == BreakerState::HalfOpen
            && let Some(index) = indices.next()
        {
            let fetched = self.fetch(index, now, &session).await;
            if fetched.api.calls > 0 {
                self.next_trial.set((index + 1) % count);
            }
            all.push(fetched);
        }
        let fetches = stream::iter(indices.map(|index| self.fetch(index, now, &session)));
        // Unordered: otherwise one slow symbol at the beginning would stop the next ones from starting.
        all.extend(fetches.buffer_unordered(self.config.concurrency.max(1)).collect::<Vec<_>>().await);
        all.sort_unstable_by_key(|fetched| fetched.index);
        self.log_gaps(cycle_id, &all);
        self.log_ahead(cycle_id, now, &all);
        self.report(&all, &left);

        let windows = all.into_iter().map(|fetched| {
            let symbol = self.config.instruments[fetched.index].symbol.clone();
            let failure = |error: FetchError| StageFailure {
                kind: error.kind(),
                detail: format!("{}: {error}", self.config.base_url),
            };
            (symbol, fetched.result.map_err(failure))
        });
        FetchedBars { market_now: self.market_now(now), windows: windows.collect() }
    }

    /// Which instruments are fetched from now on. One that was not fetched before begins with an empty window: its bars are old.
    /// Answers those that are not fetched any more.
    fn choose(&self, only: Option<Arc<HashSet<Symbol>>>) -> Vec<usize> {
        let mut left = Vec::new();
        for (index, was_chosen) in self.chosen.borrow_mut().iter_mut().enumerate() {
            let is_chosen = only.as_ref().is_none_or(|only| only.contains(&self.config.instruments[index].symbol));
            match (std::mem::replace(was_chosen, is_chosen), is_chosen) {
                (false, true) => self.feeds.borrow_mut()[index] = Feed::new(&self.config),
                (true, false) => left.push(index),
                (_, _) => {}
            }
        }
        left
    }

    async fn fetch(&self, index: usize, now: i64, session: &Result<Session, FetchError>) -> Fetched {
        let (started, api) = (Instant::now(), RefCell::new(ApiUsage::default()));
        let mut notes = Notes::default();
        let needs_older = || self.feeds.borrow()[index].needs_older(&self.config);
        let needed_older = needs_older();
        let mut result = self.ask_once(index, now, session, &api, &mut notes).await;
        if needs_older() && !needed_older {
            result = self.ask_once(index, now, session, &api, &mut notes).await;
        }
        let mut api = api.into_inner();
        if let Err(error @ (FetchError::Answer(_) | FetchError::NoBars | FetchError::NoKey(_))) = &result {
            api.errors.push(error.kind());
        }
        let feed = &mut self.feeds.borrow_mut()[index];
        self.newest_close_time.set(self.newest_close_time.get().max(feed.window().newest_source_close()));
        let newest_close_time = feed.window().newest_close_time();
        let gaps = feed.new_gaps();
        let result = result.and_then(|bars| self.without_gap(feed, bars));
        // If nothing was due and nothing failed, there was no fetch to measure.
        let duration = (api.calls > 0 || result.is_err()).then(|| started.elapsed());
        Fetched { index, result, duration, newest_close_time, api, notes, gaps }
    }

    /// Sends one request, if one is due, and returns the stored bars.
    async fn ask_once(
        &self,
        index: usize,
        now: i64,
        session: &Result<Session, FetchError>,
        api: &RefCell<ApiUsage>,
        notes: &mut Notes,
    ) -> Result<Arc<[Bar]>, FetchError> {
        let ask = self.feeds.borrow_mut()[index].ask(now, &self.config);
        let Some(ask) = ask else { return self.feeds.borrow_mut()[index].held() };
        let session = session.as_ref().map_err(FetchError::clone)?;
        if !self.config.breakers.admits(Endpoint::Eodhd) {
            return Err(FetchError::Breaker);
        }
        let Config { base_url, instruments, interval, .. } = &self.config;
        let url = intraday_url(base_url, &instruments[index].ticker, *interval, ask.range);
        let calls_before = api.borrow().calls;
        let rows = self.requests.bars(session, &url, api).await;
        if api.borrow().calls > calls_before {
            // The content of the rows does not matter here: a provider without newer bars does answer.
            let end = rows.as_ref().err().map_or(CallEnd::Answered, FetchError::call_end);
            self.config.breakers.note_end(Endpoint::Eodhd, end);
        }
        let feed = &mut self.feeds.borrow_mut()[index];
        match rows {
            Ok(rows) => feed.take(&rows, now, &self.config, notes),
            Err(error) => {
                feed.failed(now);
                Err(error)
            }
        }
    }

    /// With [`OnGap::Stop`], refuses bars if the model would see bars on both sides of a gap.
    fn without_gap(&self, feed: &Feed, bars: Arc<[Bar]>) -> Result<Arc<[Bar]>, FetchError> {
        let newest_gap = match self.config.on_gap {
            OnGap::Continue => None,
            OnGap::Stop => feed.window().gap_among(SEQUENCE_BARS),
        };
        newest_gap.map_or(Ok(bars), |Gap { from, to }| Err(FetchError::Gap { from, to }))
    }

    fn market_now(&self, now: i64) -> i64 {
        match self.config.market_clock {
            MarketClock::System => now,
            MarketClock::Bars => self.newest_close_time.get().unwrap_or(now),
        }
    }
}
