//! Every message between actors: sender -> handler, and the answer.
//!
//! Requests are imperative and have an answer. [Events](Event) are in the past tense and have none. HTTP's requests to the
//! MetricsActor are in `metrics/messages.rs`.

mod event;
mod telemetry;

pub use event::{ApiUsage, BuildReport, DecisionReport, Event, FetchReport, PredictionReport};
pub use telemetry::{Backlog, Reported, Telemetry};

use crate::domain::{
    bar::Bar,
    clock::Moment,
    decision::Prediction,
    exposure::Fill,
    features::FeatureSet,
    guard::Suppression,
    instrument::{Instrument, Symbol},
    journal::{AccountSnapshot, DecisionRecord, History, JournalError, OrderStep, Press, Standing, StandingQuestion},
    order::{Order, Outcome, Side},
    order_manager::OrderResult,
};
use actix::{Message, dev::MessageResponse};
use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A cycle's id: its start in unix milliseconds. The Scheduler makes sure that ids increase strictly.
pub type CycleId = u64;

/// Why a stage could not do its part for a symbol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageFailure {
    /// Short name of the error for logs, `/health` and metric labels, from a fixed set: `timeout`, `bad_shape`.
    pub kind: &'static str,
    /// One line with details.
    pub detail: String,
}

impl fmt::Display for StageFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

/// One symbol's part of a stage's answer. The parts have the order of the request. The name is only for checks, not for
/// lookups.
pub type SymbolResult<T> = (Symbol, Result<T, StageFailure>);

/// Application -> every actor, HTTP and systemd -> Scheduler: answered if the actor still works.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Ping;

/// cycle -> Fetcher: update the symbols' windows.
#[derive(Debug, Clone, Message)]
#[rtype(result = "FetchedBars")]
pub struct FetchBars {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// The symbols; `None`: all that are configured. Of one that was not among them the last time, what was known is forgotten.
    pub only: Option<Arc<HashSet<Symbol>>>,
}

/// The Fetcher's answer, one entry per symbol that was asked for, in the order of the configuration.
#[derive(Debug, Clone)]
pub struct FetchedBars {
    /// "Now" for the age of bars and market hours, unix seconds: the wall clock, or the newest close with `--clock bars`.
    pub market_now: i64,
    /// Closed bars, oldest first: at least one, at most `data.lookback_bars`.
    pub windows: Vec<SymbolResult<Arc<[Bar]>>>,
}

/// cycle -> FeatureBuilder: build both feature arrays from every window.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SymbolResult<Arc<FeatureSet>>>")]
pub struct BuildFeatures {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// A window per symbol.
    pub windows: Vec<(Symbol, Arc<[Bar]>)>,
}

/// cycle -> Predictor: get the model's answer for all rows; one answer per row, in the same order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SymbolResult<Prediction>>")]
pub struct Predict {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// A row per symbol.
    pub rows: Vec<(Symbol, Arc<FeatureSet>)>,
}

/// cycle -> SignalSender, while the bars are fetched: the tasks that need the gateway but no signal, which are the handshake and
/// orders of unknown outcome. No effect in dry run.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct OpenGateway {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// Whether the wall clock jumped since the last cycle. If so, an earlier handshake's result about the clocks is invalid.
    pub has_clock_stepped: bool,
}

/// cycle -> SignalSender, while the model is called and if orders could follow: read the journal's state. The cycle does not
/// wait for it; without it, the first order reads the state. No effect in dry run.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct PrepareOrders;

/// cycle -> SignalSender, after the orders: ask for account and positions if that is due, for the record. The cycle does not wait
/// for it. No effect in dry run.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct LookAtAccount;

/// Application -> SignalSender, at shutdown: write steps that the journal does not have yet.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "OrdersFlushed")]
pub struct FlushUnwritten;

/// What is open at shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct OrdersFlushed {
    /// Whether the journal has all steps.
    pub is_written: bool,
    /// Whether it knows the outcome of every order.
    pub is_settled: bool,
}

/// A decided BUY or SELL to which no rule before the gateway applies.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The instrument to trade.
    pub instrument: Arc<Instrument>,
    /// Direction.
    pub side: Side,
    /// The model's probability for that side, a ratio in 0..=1.
    pub confidence: f64,
    /// Newest close, from which stop-loss and take-profit are computed.
    pub close: f64,
    /// When that bar closed, unix seconds.
    pub bar_close_time: i64,
    /// When its decision began, after the bars arrived and before the model was called. If that is too long ago, it is not
    /// sent.
    pub begun_at: Moment,
}

/// cycle -> SignalSender: send orders for these, one after the other; one answer per signal, in the same order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Vec<SignalReport>")]
pub struct SendSignals {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// The decided signals.
    pub signals: Vec<Signal>,
}

/// What the SignalSender did with a signal.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalReport {
    /// The symbol of the signal.
    pub symbol: Symbol,
    /// Direction.
    pub side: Side,
    /// Orders that closed opposite positions before, and their outcomes.
    pub closes: Vec<(Order, OrderResult)>,
    /// When the rules that count earlier orders were asked, wall clock since the unix epoch; `None` if they were not.
    pub judged_at: Option<Duration>,
    /// By how much the fill is worse than the close that was decided on, in units of the last decimal place, negative if it is
    /// better; `None` if there is no fill or its price is not told.
    pub slippage_points: Option<f64>,
    /// The order's outcome, or why there is no order.
    pub result: SignalResult,
}

/// The result of a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalResult {
    /// An order was made.
    Ordered {
        /// The order as it was built.
        order: Box<Order>,
        /// Its outcome.
        answer: OrderResult,
    },
    /// No order was sent.
    Suppressed(Suppression),
}

/// SignalSender -> Journal, before a cycle's orders: read the state. Also settles orders that an earlier run left open.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<Standing, JournalError>")]
pub struct ReadStanding(pub StandingQuestion);

/// SignalSender -> Journal, once: read earlier orders.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<History, JournalError>")]
pub struct ReadHistory;

/// SignalSender -> Journal: read the account's fills that count as open positions, and those with these tickets.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Fill>, JournalError>")]
pub struct ReadFills(pub Vec<i64>);

/// SignalSender -> Journal: record the account's equity if it is the day's first, and return the day's first.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<f64, JournalError>")]
pub struct NoteEquity(pub f64);

/// SignalSender -> Journal: write steps of one order, in one transaction. The answer `Ok` means that all are on disk.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), JournalError>")]
pub struct WriteSteps(pub Vec<OrderStep>);

/// SignalSender -> Journal: read what is known of the outcomes of these orders.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<(Uuid, Outcome)>, JournalError>")]
pub struct ReadOutcomes(pub Vec<(Uuid, i64)>);

/// SignalSender -> Journal: what the gateway reported about the account in this cycle. Not answered and not waited for.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct NoteAccount(pub AccountSnapshot);

/// console -> Journal: note who halted or resumed. The answer `Ok` means that it is on disk.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), JournalError>")]
pub struct NotePress {
    /// What was pressed.
    pub press: Press,
    /// Later than this nothing is written: the person was told by then that it was not done.
    pub until: Instant,
}

/// cycle -> Journal, after the orders: record the decisions. The cycle does not wait for it; the next cycle's [`Settled`]
/// does.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RecordDecisions {
    /// The cycle that sends this.
    pub cycle_id: CycleId,
    /// One per configured symbol, in the order of the configuration.
    pub decisions: Vec<DecisionRecord>,
}

/// cycle -> Journal, while the bars are fetched: answered when the decisions of the previous cycle are on disk, or given up.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Settled;

/// Scheduler -> Deadman: a cycle ended and has not failed. Some symbols may have failed, and the market may be closed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CycleWentWell {
    /// When it was due, since the unix epoch.
    pub due: Duration,
}

/// Application -> Guardian, at shutdown: give the account back in etcd. Answers whether etcd confirmed it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct ReleaseClaim {
    /// Whether the outcome of every order is known and in the journal. If not, the next daemon waits as after a crash.
    pub is_settled: bool,
}

/// Application -> Journal, at shutdown: answered when everything before it is on disk and the file is closed and unlocked.
/// Steps that could not be written by then are kept in a file beside it.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Flushed")]
pub struct Flush;

/// The result of closing the journal.
#[derive(Debug, Clone, PartialEq, MessageResponse)]
pub struct Flushed {
    /// Whether the last write succeeded.
    pub is_written: bool,
    /// Outcomes of orders that are neither in the journal nor in the file beside it; only the log has them.
    pub lost: Vec<OrderStep>,
}

/// Telemetry -> MetricsActor: many [events](Event) are waiting in the [`Backlog`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct TakeEvents;
