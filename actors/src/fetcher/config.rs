//! What a Fetcher is told: the settings of `[data]` as it takes them, and what it shares with the other stages.

use crate::{
    adapters::{
        endpoint::{Breakers, Inflight},
        eodhd::ApiToken,
    },
    domain::{calendar::Calendar, clock::Clock, instrument::Instrument, interval::Interval},
    messages::Telemetry,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

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
    /// No decision while the gap is among the [`SEQUENCE_BARS`](crate::domain::features::SEQUENCE_BARS) newest bars, which the model sees.
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
