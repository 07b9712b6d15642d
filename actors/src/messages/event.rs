//! The events that actors report to the MetricsActor. A stage sends one event per cycle with all symbols in it, so the number
//! of messages does not grow with the number of symbols.

use super::{CycleId, SignalReport};
use crate::domain::{
    cycle_outcome::SymbolFailure,
    decision::Decision,
    features::InvalidValues,
    guard::Suppression,
    instrument::Symbol,
    journal::UnresolvedOrder,
    names::ActorName,
    profit::{Figures, PaperFigures},
    regime::Regime,
    window::BarRejection,
};
use actix::Message;
use std::time::Duration;

/// HTTP requests to one endpoint, and those that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiUsage {
    /// Requests sent, including retries.
    pub calls: u64,
    /// `error_code` label of each request that failed.
    pub errors: Vec<&'static str>,
}

/// The result of fetching one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchReport {
    /// The symbol.
    pub symbol: Symbol,
    /// Time spent, including a retry; `None` if no request was due.
    pub duration: Option<Duration>,
    /// Close time of the newest accepted bar, unix seconds.
    pub newest_bar_close_time: Option<i64>,
    /// Kind of the error, if there are no usable bars.
    pub failure: Option<&'static str>,
    /// Number of gaps that are not explained by the calendar and were not seen before.
    pub gaps: u64,
}

/// The result of building one symbol's features.
#[derive(Debug, Clone, PartialEq)]
pub struct BuildReport {
    /// The symbol.
    pub symbol: Symbol,
    /// Time spent on both arrays.
    pub duration: Duration,
    /// Kind of the error, if there are no features.
    pub failure: Option<&'static str>,
    /// The state of the market, from the window's bars.
    pub regime: Regime,
}

/// The result of one request to the model.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionReport {
    /// Time to the checked answer.
    pub latency: Duration,
    /// Kind of the error if nothing in the answer was usable.
    pub failure: Option<&'static str>,
    /// Kinds of the errors of single rows in an answer that is otherwise usable.
    pub row_failures: Vec<&'static str>,
}

/// The decision for one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionReport {
    /// The symbol.
    pub symbol: Symbol,
    /// When the newest bar closed, unix seconds.
    pub bar_close_time: i64,
    /// The decision on that bar.
    pub decision: Decision,
}

/// Any actor -> MetricsActor: something happened. Only for metrics: if one is lost, a count is wrong, but no order is
/// affected.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Event {
    /// An actor's `started` ran.
    ActorStarted(ActorName),
    /// An actor caught its own panic and continues. Only the Journal does this; a panic in any other actor ends the actor and
    /// the daemon.
    ActorRestarted(ActorName),
    /// Application: which actors have just answered a [`Ping`](super::Ping).
    ActorsPinged(Vec<(ActorName, bool)>),
    /// Scheduler: number of due cycles that were skipped.
    TicksMissed(u64),
    /// Scheduler: the wall clock moved by 2 s or more relative to the monotonic clock since the last cycle.
    ClockStepped,
    /// console: a person halted or resumed.
    ConsolePressed {
        /// Whether orders were halted.
        is_halt: bool,
    },
    /// Deadman: a ping ended.
    DeadmanPinged {
        /// Whether it was answered with 2xx.
        is_ok: bool,
    },
    /// Scheduler: a cycle began, this long after it was due.
    CycleStarted {
        /// The cycle.
        cycle_id: CycleId,
        /// Delay between due time and start.
        lag: Duration,
    },
    /// Fetcher: a cycle's fetches have ended.
    BarsFetched {
        /// One per configured symbol.
        fetches: Vec<FetchReport>,
        /// Requests to EODHD.
        api: ApiUsage,
        /// Bars refused, by reason.
        rejected: Vec<(BarRejection, u64)>,
    },
    /// FeatureBuilder: a cycle's features have been built.
    FeaturesBuilt {
        /// One per window.
        builds: Vec<BuildReport>,
        /// Values that were replaced or refused.
        invalid: InvalidValues,
    },
    /// Predictor: a cycle's requests to the model have ended.
    PredictionsReceived {
        /// One per request.
        requests: Vec<PredictionReport>,
        /// Whether the breaker stopped further requests.
        is_refused: bool,
        /// Requests to HUB.
        api: ApiUsage,
    },
    /// cycle: the bars have arrived; this applies to all orders of the cycle.
    CycleGuarded {
        /// Whether the market is open by the calendar.
        is_market_open: bool,
    },
    /// cycle: the bars have arrived, and the stop-loss or take-profit of these symbols cannot be built at their newest close.
    StopsChecked {
        /// The symbols, and why.
        bad: Vec<(Symbol, String)>,
        /// Symbols without bars, for which nothing new is known.
        unpriced: Vec<Symbol>,
    },
    /// cycle: it ended; sent directly before its [`Event::CycleFinished`], but not by a cycle that was given up.
    SymbolsEnded {
        /// The cycle.
        cycle_id: CycleId,
        /// The symbols that failed; all other configured symbols did not.
        failures: Vec<SymbolFailure>,
    },
    /// cycle: decisions were made for all symbols with a prediction.
    SignalsDecided {
        /// In the order of the configuration.
        decisions: Vec<DecisionReport>,
        /// Reasons of the BUYs and SELLs that were stopped before the SignalSender, including those below the threshold.
        suppressed: Vec<Suppression>,
    },
    /// SignalSender: a cycle's signals have been processed.
    SignalsHandled {
        /// One per signal.
        reports: Vec<SignalReport>,
    },
    /// SignalSender: the open positions were queried from the gateway.
    PositionsChecked {
        /// Why the list cannot be read, so no order is sent; `None` if it can be read.
        trouble: Option<String>,
        /// Descriptions of positions that may be ours and have a name that no configured symbol explains.
        doubts: Vec<String>,
    },
    /// SignalSender: the account's equity was queried from the gateway, in the account's currency; `None` if the gateway did
    /// not report it.
    EquityTold(Option<f64>),
    /// SignalSender: the open positions were queried from the gateway. The number of positions, whoever opened them; `None`
    /// if the list cannot be read, or is empty where that proves nothing.
    PositionsTold(Option<usize>),
    /// SignalSender: the claim of an order in etcd ended.
    OrderClaimed {
        /// `made`, `refused` or `late`.
        result: &'static str,
        /// From the first attempt on; `None` if there was none.
        took: Option<Duration>,
    },
    /// SignalSender: the gateway was asked for account and positions for the record, and did not tell them.
    AccountPollFailed,
    /// Journal: what it knows of the account's money changed.
    MoneyCounted(Box<Figures>),
    /// Journal: what the account on paper earned changed.
    PaperCounted(Box<PaperFigures>),
    /// SignalSender, in live mode: whether orders may be sent to the gateway.
    GatewayChecked {
        /// Why not; `None` if its handshake succeeded, or the user confirmed it in the settings.
        trouble: Option<String>,
    },
    /// Journal: it was written, or could not be written.
    JournalChanged {
        /// Whether the last write succeeded.
        is_writable: bool,
        /// Writes that failed since the last event of this kind.
        write_failures: u64,
        /// Orders without an answer yet.
        pending: u64,
        /// Orders of unknown outcome.
        unresolved: Vec<UnresolvedOrder>,
    },
    /// Archivist, or the Journal for it: bars were archived, or could not be.
    BarsArchived {
        /// Writes that failed, and cycles for which there was no place in the queue.
        failures: u64,
        /// Closed bars that changed, by symbol.
        revisions: Vec<(Symbol, u64)>,
    },
    /// Scheduler: a cycle ended, successfully or not.
    CycleFinished {
        /// The cycle.
        cycle_id: CycleId,
        /// Wall time of the end, unix seconds.
        finished_at: f64,
        /// From start to end.
        duration: Duration,
        /// Whether it failed, by the rule of [`judge`](crate::domain::cycle_outcome::judge).
        failed: bool,
    },
    /// Scheduler: the configured number of cycles has run; no more are due.
    CyclesEnded,
}

impl Event {
    /// The actor that reports the event. Application, console and Deadman have no label of their own, so their events count as
    /// the Scheduler's, and the Archivist's as the Journal's.
    pub const fn teller(&self) -> ActorName {
        match self {
            Self::ActorStarted(name) | Self::ActorRestarted(name) => *name,
            Self::ActorsPinged(_)
            | Self::TicksMissed(_)
            | Self::ClockStepped
            | Self::ConsolePressed { .. }
            | Self::DeadmanPinged { .. }
            | Self::CycleStarted { .. }
            | Self::CycleGuarded { .. }
            | Self::StopsChecked { .. }
            | Self::SymbolsEnded { .. }
            | Self::SignalsDecided { .. }
            | Self::CycleFinished { .. }
            | Self::CyclesEnded => ActorName::Scheduler,
            Self::BarsFetched { .. } => ActorName::Fetcher,
            Self::FeaturesBuilt { .. } => ActorName::FeatureBuilder,
            Self::PredictionsReceived { .. } => ActorName::Predictor,
            Self::SignalsHandled { .. }
            | Self::GatewayChecked { .. }
            | Self::PositionsChecked { .. }
            | Self::EquityTold(_)
            | Self::PositionsTold(_)
            | Self::OrderClaimed { .. }
            | Self::AccountPollFailed => ActorName::SignalSender,
            Self::JournalChanged { .. } | Self::BarsArchived { .. } | Self::MoneyCounted(_) | Self::PaperCounted(_) => {
                ActorName::Journal
            }
        }
    }
}
