//! Every message between actors: sender -> handler, and what it answers.
//!
//! Requests are imperative and answered; events are past tense and never answered. A stage sends one event per
//! cycle with all symbols in it, so the number of messages does not grow with the number of symbols.

use crate::domain::{
    bar::Bar,
    decision::{Decision, Prediction},
    desk::Fate,
    features::{FeatureSet, InvalidValues},
    guard::Suppression,
    health::Health,
    instrument::Symbol,
    journal::{DecisionRecord, History, JournalError, OrderStep, Stock, StockQuestion, UnresolvedOrder},
    order::{Order, Side},
    position::Position,
    window::BarRejection,
};
use actix::Message;
use bytes::Bytes;
use std::{fmt, sync::Arc, time::Duration};

pub use crate::domain::health::ActorName;

/// A cycle's id: its start in unix milliseconds, made strictly increasing by the Scheduler.
pub type CycleId = u64;

/// Why a stage could not do its part for a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    /// Bounded name of the fault, as logs, `/health` and metric labels show it: `timeout`, `bad_shape`.
    pub kind: &'static str,
    /// One line for a person.
    pub detail: String,
}

impl fmt::Display for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

/// One symbol's share of a stage's answer.
pub type SymbolResult<T> = (Symbol, Result<T, StageFailure>);

/// Application -> every stage: answers if the actor can still answer.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Ping;

/// cycle -> Fetcher: bring every configured symbol's window up to date.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "FetchedBars")]
pub struct FetchBars {
    /// The cycle that asks.
    pub cycle_id: CycleId,
}

/// The Fetcher's answer, one entry per configured symbol, in the order of configuration.
#[derive(Debug, Clone)]
pub struct FetchedBars {
    /// "Now" for bar age and market hours, unix seconds: the wall clock, or the newest close with `--clock bars`.
    pub market_now: i64,
    /// Closed bars, oldest first, at most `data.lookback_bars` of them and at least one.
    pub windows: Vec<SymbolResult<Arc<[Bar]>>>,
}

/// cycle -> FeatureBuilder: build both feature arrays of every window.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SymbolResult<Arc<FeatureSet>>>")]
pub struct BuildFeatures {
    /// The cycle that asks.
    pub cycle_id: CycleId,
    /// A window per symbol.
    pub windows: Vec<(Symbol, Arc<[Bar]>)>,
}

/// cycle -> Predictor: ask the model about all rows; one answer per row, in the same order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SymbolResult<Prediction>>")]
pub struct Predict {
    /// The cycle that asks.
    pub cycle_id: CycleId,
    /// A row per symbol.
    pub rows: Vec<(Symbol, Arc<FeatureSet>)>,
}

/// cycle -> SignalSender, while the bars are fetched: connect to the gateway, and see to what does not need a signal. A
/// no-op in dry run.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct OpenGateway {
    /// The cycle that asks.
    pub cycle_id: CycleId,
    /// Whether the wall clock jumped since the last cycle: what a handshake found out about the clocks is then void.
    pub has_clock_stepped: bool,
}

/// Application -> SignalSender, at shutdown: write what the journal is still owed. Answers whether nothing is owed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct PayOff;

/// A decided BUY or SELL that nothing before the gateway objects to.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What to trade.
    pub symbol: Symbol,
    /// Direction.
    pub side: Side,
    /// The model's probability for that side, a ratio in 0..=1.
    pub confidence: f64,
    /// Newest close, the reference of stop-loss and take-profit.
    pub close: f64,
    /// When that bar closed, unix seconds.
    pub bar_close_time: i64,
}

/// cycle -> SignalSender: order these, one after the other; one answer per signal, in the same order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SignalReport>")]
pub struct SendSignals {
    /// The cycle that asks.
    pub cycle_id: CycleId,
    /// What was decided.
    pub signals: Vec<Signal>,
}

/// What the SignalSender did about a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalReport {
    /// What was to be traded.
    pub symbol: Symbol,
    /// Direction.
    pub side: Side,
    /// Orders that closed opposite positions first, and their fates.
    pub closes: Vec<(Order, Fate)>,
    /// The order's fate, or why there is none.
    pub result: SignalResult,
}

/// The fate of a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalResult {
    /// An order was made.
    Ordered {
        /// As it was built.
        order: Box<Order>,
        /// What became of it.
        fate: Fate,
    },
    /// No order left.
    Suppressed(Suppression),
}

/// SignalSender -> Journal, before a cycle's orders: what stands? Settles what no order under way stands for.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Stock, JournalError>")]
pub struct TakeStock(pub StockQuestion);

/// SignalSender -> Journal, once: what was ordered before?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<History, JournalError>")]
pub struct ReadHistory;

/// SignalSender -> Journal: which fills of this symbol count as open positions?
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Position>, JournalError>")]
pub struct ReadFills(pub Symbol);

/// SignalSender -> Journal: this is the account's equity; what was the day's first?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<f64, JournalError>")]
pub struct NoteEquity(pub f64);

/// SignalSender -> Journal: a step of an order, on disk when it is answered with `Ok`.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), JournalError>")]
pub struct WriteStep(pub OrderStep);

/// cycle -> Journal, after the orders: what was decided. Not waited for; the next cycle's [`Ping`] is.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RecordDecisions {
    /// The cycle that tells.
    pub cycle_id: CycleId,
    /// One per configured symbol, in the order of configuration.
    pub decisions: Vec<DecisionRecord>,
}

/// Application -> Journal, at shutdown: answered when all before it is on disk and the file is closed and unlocked.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// HTTP -> MetricsActor: the exposition text, at most a second old.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Bytes")]
pub struct GetMetrics;

/// HTTP -> MetricsActor: how the daemon is.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Health")]
pub struct GetHealth;

/// HTTP requests made and those that failed, towards one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiUsage {
    /// Requests sent, retries included.
    pub calls: u64,
    /// `error_code` label of each request that failed.
    pub errors: Vec<&'static str>,
}

/// How fetching went for one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchReport {
    /// The symbol.
    pub symbol: Symbol,
    /// Time spent, retry included; `None` when no request was due.
    pub duration: Option<Duration>,
    /// Close time of the newest accepted bar, unix seconds.
    pub newest_bar_close_time: Option<i64>,
    /// Kind of the failure, if there are no usable bars.
    pub failure: Option<&'static str>,
    /// Gaps met for the first time that the calendar does not explain.
    pub gaps: u64,
}

/// How building features went for one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildReport {
    /// The symbol.
    pub symbol: Symbol,
    /// Time spent on both arrays.
    pub duration: Duration,
    /// Kind of the failure, if there are no features.
    pub failure: Option<&'static str>,
}

/// How one request to the model went.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionReport {
    /// Time to the checked answer.
    pub latency: Duration,
    /// Kind of the failure if the request gave no usable answer at all.
    pub failure: Option<&'static str>,
    /// Kinds of the failures of single rows in an answer that is otherwise usable.
    pub row_failures: Vec<&'static str>,
}

/// Everybody -> MetricsActor: what happened. Telemetry only: losing one costs a count, never an order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Event {
    /// An actor's `started` ran.
    ActorStarted(ActorName),
    /// An actor's `restarting` ran.
    ActorRestarted(ActorName),
    /// Application: who answered a [`Ping`] just now.
    ActorsPinged(Vec<(ActorName, bool)>),
    /// Scheduler: due cycles that were skipped.
    TicksMissed(u64),
    /// Scheduler: the wall clock moved by 2 s or more against the monotonic one since the last cycle.
    ClockStepped,
    /// Scheduler: a cycle began, this long after it was due.
    CycleStarted {
        /// The cycle.
        cycle_id: CycleId,
        /// Delay between due time and start.
        lag: Duration,
    },
    /// Fetcher: a cycle's fetches ended.
    BarsFetched {
        /// One per configured symbol.
        fetches: Vec<FetchReport>,
        /// Requests to EODHD.
        api: ApiUsage,
        /// Bars refused, by reason.
        rejected: Vec<(BarRejection, u64)>,
    },
    /// FeatureBuilder: a cycle's features are built.
    FeaturesBuilt {
        /// One per window.
        builds: Vec<BuildReport>,
        /// Values replaced or refused.
        invalid: InvalidValues,
    },
    /// Predictor: a cycle's requests to the model ended.
    PredictionsReceived {
        /// One per request.
        requests: Vec<PredictionReport>,
        /// Whether the breaker kept further requests from being made.
        is_refused: bool,
        /// Requests to HUB.
        api: ApiUsage,
    },
    /// cycle: the bars are there, and this is what holds for every order of the cycle.
    CycleGuarded {
        /// Whether the calendar has the market open.
        is_market_open: bool,
        /// Whether the kill switch is on.
        is_halted: bool,
    },
    /// cycle: every symbol with a prediction was decided.
    SignalsDecided {
        /// In the order of configuration.
        decisions: Vec<(Symbol, Decision)>,
        /// BUYs and SELLs that were stopped before the SignalSender, below-threshold ones included.
        suppressed: Vec<Suppression>,
    },
    /// SignalSender: a cycle's signals are dealt with.
    SignalsHandled {
        /// One per signal.
        reports: Vec<SignalReport>,
    },
    /// SignalSender, in live mode: whether the gateway may be sent an order.
    GatewayChecked {
        /// Why not; `None` if its handshake succeeded, or a person vouches for it.
        trouble: Option<String>,
    },
    /// Journal: it was written, or could not be.
    JournalChanged {
        /// Whether the last write went through.
        is_writable: bool,
        /// Writes that failed since the last such event.
        write_failures: u64,
        /// Orders that have no answer yet.
        pending: u64,
        /// Orders of unknown fate.
        unresolved: Vec<UnresolvedOrder>,
    },
    /// Scheduler: a cycle ended, well or not.
    CycleFinished {
        /// The cycle.
        cycle_id: CycleId,
        /// Wall time of the end, unix seconds.
        finished_at: f64,
        /// From start to end.
        duration: Duration,
        /// Whether any symbol failed in any stage.
        failed: bool,
    },
    /// Scheduler: the asked number of cycles ran; none is due any more.
    CyclesEnded,
}
