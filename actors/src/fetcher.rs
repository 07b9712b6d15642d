//! Fetcher: updates every symbol's window, once per cycle. The cycle calls it; it sends requests to EODHD.
//!
//! `feed` knows which bars a symbol has and which it needs, `request` sends requests within a deadline, `failure` has the
//! errors.

mod failure;
mod feed;
#[cfg(test)]
mod fixtures;
mod request;
#[cfg(test)]
mod tests;

use crate::{
    adapters::{
        endpoint::{Breakers, Endpoint, Inflight},
        eodhd::{ApiToken, intraday_url},
    },
    domain::{
        bar::Bar,
        breaker::{BreakerState, CallEnd},
        calendar::Calendar,
        clock::Clock,
        features::SEQUENCE_BARS,
        instrument::Instrument,
        interval::Interval,
        names::{ActorName, DropReason},
        window::{Gap, Rejections},
    },
    messages::{ApiUsage, CycleId, Event, FetchBars, FetchReport, FetchedBars, Ping, StageFailure, Telemetry},
};
use actix::{Actor, Context, Handler, ResponseFuture};
pub use failure::FetchError;
use feed::{Feed, Notes};
use futures_util::{StreamExt, stream};
pub use request::{Requests, Session};
use serde::{Deserialize, Serialize};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// When a symbol's bars are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// In every cycle.
    Cycle,
    /// Only when a newer closed bar can exist, and then every `overdue_poll_s` until it comes.
    Bar,
}

/// The source of "now" for closed bars, the age of bars and market hours; `schedule.clock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MarketClock {
    /// The wall clock.
    System,
    /// The close of the newest bar received, for replays: every bar counts as closed and every cycle polls.
    Bars,
}

/// The effect of a gap that the calendar does not explain; `data.on_gap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnGap {
    /// None; the gap is counted and logged.
    Continue,
    /// No decision while the gap is among the [`SEQUENCE_BARS`] newest bars, which the model sees.
    Stop,
}

/// The configuration of a Fetcher.
#[derive(Clone)]
pub struct Config {
    /// The instruments to fetch, in the order of the answers.
    pub instruments: Arc<[Instrument]>,
    /// Length of a bar. If the provider does not have it, bars are made from finer ones.
    pub interval: Interval,
    /// Bars kept per symbol, 120 or more.
    pub lookback_bars: usize,
    /// `https://eodhd.com`, without a slash at its end.
    pub base_url: String,
    /// Where the key comes from.
    pub token: ApiToken,
    /// When a symbol's bars are requested.
    pub poll: Poll,
    /// With [`Poll::Bar`]: seconds between two requests for an overdue bar.
    pub overdue_poll_s: u64,
    /// For one symbol's whole call, including the body and one retry.
    pub deadline: Duration,
    /// Longest answer, after decompression.
    pub body_bytes_max: usize,
    /// Symbols fetched at the same time, 1 or more.
    pub concurrency: usize,
    /// The source of "now".
    pub market_clock: MarketClock,
    /// When bars are due.
    pub calendar: Arc<Calendar>,
    /// The effect of a gap.
    pub on_gap: OnGap,
    /// Largest difference of a price from the previous close, as a share of that close; 0 for no limit.
    pub jump_max: f64,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Counts open requests.
    pub inflight: Inflight,
    /// Stops requests to an endpoint that fails.
    pub breakers: Breakers,
    /// The MetricsActor.
    pub metrics: Telemetry,
}

/// The actor.
pub struct Fetcher {
    stage: Rc<Stage>,
}

impl Fetcher {
    /// A new one without bars. Create it in the arbiter in which it runs, because its HTTP client must stay on one thread.
    pub fn new(config: Config) -> Self {
        let feeds = config.instruments.iter().map(|_| Feed::new(&config)).collect();
        let requests = Requests::new(&config.base_url, config.deadline, config.body_bytes_max, config.inflight.clone());
        Self {
            stage: Rc::new(Stage {
                config,
                requests,
                feeds: RefCell::new(feeds),
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
        Box::pin(async move { stage.fetch_all(message.cycle_id).await })
    }
}

/// The data that a cycle's fetches share. Cells are never borrowed across an await.
struct Stage {
    config: Config,
    requests: Requests,
    /// One per instrument.
    feeds: RefCell<Vec<Feed>>,
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
    async fn fetch_all(&self, cycle_id: CycleId) -> FetchedBars {
        let now = self.config.clock.now_unix();
        let session = self.requests.open(&self.config.token);
        let (count, first) = (self.config.instruments.len(), self.next_trial.get());
        let mut indices = (0..count).map(move |index| (first + index) % count);
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
        self.report(&all);

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

    /// One line per symbol, because a first answer may have many gaps.
    fn log_gaps(&self, cycle_id: CycleId, all: &[Fetched]) {
        for fetched in all {
            let Some(newest) = fetched.gaps.last() else { continue };
            tracing::warn!(
                cycle_id,
                symbol = %self.config.instruments[fetched.index].symbol,
                stage = "fetch",
                error = "gap",
                gaps = fetched.gaps.len(),
                from = newest.from,
                to = newest.to,
                "bars are missing that the calendar does not explain"
            );
        }
    }

    /// One line for all symbols, because if our clock is slow, all of them have such bars.
    fn log_ahead(&self, cycle_id: CycleId, now: i64, all: &[Fetched]) {
        let ahead = all.iter().filter_map(|fetched| Some((fetched.notes.ahead?, fetched.index)));
        let Some((open_time, index)) = ahead.clone().max() else { return };
        tracing::warn!(
            cycle_id,
            symbol = %self.config.instruments[index].symbol,
            stage = "fetch",
            error = "in_future",
            symbols_affected = ahead.count(),
            open_time,
            now,
            "bars start in the future and are refused: this machine's clock is slow, or the provider's times are wrong"
        );
    }

    /// One event for the whole cycle.
    fn report(&self, all: &[Fetched]) {
        let (mut api, mut rejected) = (ApiUsage::default(), Rejections::default());
        for fetched in all {
            api.calls += fetched.api.calls;
            api.errors.extend(&fetched.api.errors);
            rejected.merge(&fetched.notes.rejected);
        }
        let fetches = all.iter().map(|fetched| FetchReport {
            symbol: self.config.instruments[fetched.index].symbol.clone(),
            duration: fetched.duration,
            newest_bar_close_time: fetched.newest_close_time,
            failure: fetched.result.as_ref().err().map(FetchError::kind),
            gaps: fetched.gaps.len() as u64,
        });
        let fetches = fetches.collect();
        let unusable = all.iter().filter(|fetched| fetched.result.as_ref().is_err_and(FetchError::discards_answer));
        self.config.metrics.dropped(ActorName::Fetcher, DropReason::Invalid, unusable.count() as u64);
        self.config.metrics.report(Event::BarsFetched { fetches, api, rejected: rejected.counted() });
    }

    fn market_now(&self, now: i64) -> i64 {
        match self.config.market_clock {
            MarketClock::System => now,
            MarketClock::Bars => self.newest_close_time.get().unwrap_or(now),
        }
    }
}
