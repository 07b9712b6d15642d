//! Every message between actors: sender -> handler, and what it answers.
//!
//! Requests are imperative and answered; [events](Event) are past tense and never answered. What HTTP asks the MetricsActor
//! is in `metrics/messages.rs`.

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
    journal::{AccountSnapshot, DecisionRecord, History, JournalError, OrderStep, Standing, StandingQuestion},
    order::{Order, Side},
    order_manager::Fate,
};
use actix::{Message, dev::MessageResponse};
use std::{fmt, sync::Arc, time::Duration};

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

/// One symbol's share of a stage's answer: shares come in the order of the question. The name is there to be checked, not
/// to be looked for.
pub type SymbolResult<T> = (Symbol, Result<T, StageFailure>);

/// Application -> every actor, HTTP and systemd -> Scheduler: answered if the actor can still answer.
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

/// cycle -> SignalSender, while the model is asked and if orders could follow: see what stands in the journal. Not waited
/// for; without it the first order asks. A no-op in dry run.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct PrepareOrders;

/// Application -> SignalSender, at shutdown: write what the journal is still owed. Answers whether nothing is owed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "bool")]
pub struct FlushUnwritten;

/// A decided BUY or SELL that nothing before the gateway objects to.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// What to trade, and how.
    pub instrument: Arc<Instrument>,
    /// Direction.
    pub side: Side,
    /// The model's probability for that side, a ratio in 0..=1.
    pub confidence: f64,
    /// Newest close, the reference of stop-loss and take-profit.
    pub close: f64,
    /// When that bar closed, unix seconds.
    pub bar_close_time: i64,
    /// When its decision began, with the bars at hand and the model not yet asked: much later it is not sent.
    pub begun_at: Moment,
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
    /// When the rules that count earlier orders were asked, wall clock since the unix epoch; `None` if they were not.
    pub judged_at: Option<Duration>,
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
#[rtype(result = "Result<Standing, JournalError>")]
pub struct ReadStanding(pub StandingQuestion);

/// SignalSender -> Journal, once: what was ordered before?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<History, JournalError>")]
pub struct ReadHistory;

/// SignalSender -> Journal: which of the account's fills count as open positions, and which are of these tickets?
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<Vec<Fill>, JournalError>")]
pub struct ReadFills(pub Vec<i64>);

/// SignalSender -> Journal: this is the account's equity; what was the day's first?
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<f64, JournalError>")]
pub struct NoteEquity(pub f64);

/// SignalSender -> Journal: steps of one order, in one transaction: all on disk when it is answered with `Ok`.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), JournalError>")]
pub struct WriteSteps(pub Vec<OrderStep>);

/// SignalSender -> Journal: what the gateway told of the account in this cycle. Not answered and not waited for.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct NoteAccount(pub AccountSnapshot);

/// cycle -> Journal, after the orders: what was decided. Not waited for; the next cycle's [`Settled`] is.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct RecordDecisions {
    /// The cycle that tells.
    pub cycle_id: CycleId,
    /// One per configured symbol, in the order of configuration.
    pub decisions: Vec<DecisionRecord>,
}

/// cycle -> Journal, while the bars are fetched: answered when the decisions of the cycle before are on disk, or given up.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct Settled;

/// Scheduler -> Deadman: a cycle ended, and it did not fail; some symbols may have, and the market may be closed.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct CycleWentWell {
    /// When it was due, since the unix epoch.
    pub due: Duration,
}

/// Application -> Journal, at shutdown: answered when all before it is on disk and the file is closed and unlocked.
/// What could not be written by then is kept beside the file.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Flushed")]
pub struct Flush;

/// How the journal was closed.
#[derive(Debug, Clone, PartialEq, MessageResponse)]
pub struct Flushed {
    /// Whether the last write went through.
    pub is_written: bool,
    /// Fates of orders that are neither in the journal nor kept beside it: nobody will know of them but the log.
    pub lost: Vec<OrderStep>,
}

/// Telemetry -> MetricsActor: many [events](Event) wait in the [`Backlog`].
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "()")]
pub struct TakeEvents;
