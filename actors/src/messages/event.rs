//! What the actors tell the MetricsActor. A stage sends one event per cycle with all symbols in it, so the number of
//! messages does not grow with the number of symbols.

use super::{CycleId, SignalReport};
use crate::domain::{
    cycle_outcome::SymbolFailure, decision::Decision, features::InvalidValues, guard::Suppression, instrument::Symbol,
    journal::UnresolvedOrder, names::ActorName, regime::Regime, window::BarRejection,
};
use actix::Message;
use std::time::Duration;

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
    /// What the market does, by the window's bars.
    pub regime: Regime,
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

/// What was decided for one symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionReport {
    /// The symbol.
    pub symbol: Symbol,
    /// When the newest bar closed, unix seconds.
    pub bar_close_time: i64,
    /// What was decided on it.
    pub decision: Decision,
}

/// Everybody -> MetricsActor: what happened. Telemetry only: losing one costs a count, never an order.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Event {
    /// An actor's `started` ran.
    ActorStarted(ActorName),
    /// An actor caught a panic of its own and goes on. That is the Journal alone: a panic ends any other actor, and the daemon
    /// with it.
    ActorRestarted(ActorName),
    /// Application: who answered a [`Ping`](super::Ping) just now.
    ActorsPinged(Vec<(ActorName, bool)>),
    /// Scheduler: due cycles that were skipped.
    TicksMissed(u64),
    /// Scheduler: the wall clock moved by 2 s or more against the monotonic one since the last cycle.
    ClockStepped,
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
    },
    /// cycle: the bars are there, and these symbols' stop-loss or take-profit cannot be built at their newest close.
    StopsChecked {
        /// Which, and why.
        bad: Vec<(Symbol, String)>,
        /// Those without bars, of which nothing new is known.
        unpriced: Vec<Symbol>,
    },
    /// cycle: it ended, right before its [`Event::CycleFinished`]; not told by one that was given up.
    SymbolsEnded {
        /// The cycle.
        cycle_id: CycleId,
        /// Who failed; every other configured symbol got through.
        failures: Vec<SymbolFailure>,
    },
    /// cycle: every symbol with a prediction was decided.
    SignalsDecided {
        /// In the order of configuration.
        decisions: Vec<DecisionReport>,
        /// BUYs and SELLs that were stopped before the SignalSender, below-threshold ones included.
        suppressed: Vec<Suppression>,
    },
    /// SignalSender: a cycle's signals are dealt with.
    SignalsHandled {
        /// One per signal.
        reports: Vec<SignalReport>,
    },
    /// SignalSender: the gateway was asked what is open.
    PositionsChecked {
        /// Why the list cannot be read, so that no order leaves; `None` if it can.
        trouble: Option<String>,
        /// Positions that may be ours and have a name that no configured symbol explains, each in words.
        doubts: Vec<String>,
    },
    /// SignalSender: the gateway was asked for the account's equity, and this is what it told, in the account's currency;
    /// `None` if it told none.
    EquityTold(Option<f64>),
    /// SignalSender: the gateway was asked for the open positions, and so many it listed, whoever opened them; `None` if
    /// its list cannot be read, or is empty where that proves nothing.
    PositionsTold(Option<usize>),
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
    /// Archivist, or the Journal for it: bars were archived, or could not be.
    BarsArchived {
        /// Writes that failed, and cycles for which there was no place in the queue.
        failures: u64,
        /// Closed bars that changed, by symbol.
        revisions: Vec<(Symbol, u64)>,
    },
    /// Scheduler: a cycle ended, well or not.
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
    /// Scheduler: the asked number of cycles ran; none is due any more.
    CyclesEnded,
}

impl Event {
    /// Whose event it is. Application and Deadman have no label of their own: their word goes with the Scheduler's,
    /// and the Archivist's with the Journal's.
    pub const fn teller(&self) -> ActorName {
        match self {
            Self::ActorStarted(name) | Self::ActorRestarted(name) => *name,
            Self::ActorsPinged(_)
            | Self::TicksMissed(_)
            | Self::ClockStepped
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
            | Self::PositionsTold(_) => ActorName::SignalSender,
            Self::JournalChanged { .. } | Self::BarsArchived { .. } => ActorName::Journal,
        }
    }
}
