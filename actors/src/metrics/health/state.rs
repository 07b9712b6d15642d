//! The data on which the verdict is based.

use crate::domain::{
    build_info::BuildInfo,
    cycle_outcome::SymbolFailure,
    instrument::Symbol,
    journal::UnresolvedOrder,
    names::{ActorName, Step},
};
use std::time::Duration;

/// The state of an actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActorState {
    /// Whether it ever reported its start.
    pub started: bool,
    /// Whether it runs, as far as is known: it was started or restarted, and has answered since.
    pub up: bool,
    /// Whether it answered the last round of pings; `None` before the first.
    pub answered: Option<bool>,
}

/// The state of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepState {
    /// Kinds of the errors in its last run, empty if there were none; `None` before the first run.
    pub last_faults: Option<Vec<&'static str>>,
    /// When it last succeeded, time since the unix epoch.
    pub last_success_at: Option<Duration>,
}

/// A cycle that ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CycleState {
    /// Its id.
    pub cycle_id: u64,
    /// When it ended, time since the unix epoch.
    pub finished_at: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Whether it failed, by the rule of [`judge`](crate::domain::cycle_outcome::judge).
    pub failed: bool,
}

/// The state of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalState {
    /// Whether the last write succeeded; `None` before the Journal's first report.
    pub is_writable: Option<bool>,
    /// Orders of unknown outcome, oldest first.
    pub unresolved: Vec<UnresolvedOrder>,
}

/// The state of the gateway in live mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayState {
    /// Whether there was a handshake, successful or not.
    pub is_checked: bool,
    /// Why no order may be sent to it; `None` if orders may be sent.
    pub trouble: Option<String>,
}

/// The state of the claim on the account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterState {
    /// Whether an order may be sent.
    pub may_send: bool,
    /// Whether the account is shared with other daemons.
    pub is_member: bool,
    /// Why not; or what will end that.
    pub trouble: Option<String>,
    /// Who held the account before and did not give it back, in words, until a person acknowledges it.
    pub before: Option<String>,
}

/// The result of the last list of open positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionsState {
    /// Why it cannot be read; `None` if it can be read, or was not queried yet.
    pub trouble: Option<String>,
    /// Descriptions of positions that may be ours and have a name that no configured symbol explains.
    pub doubts: Vec<String>,
}

/// The data on which the verdict is based.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The build that is running.
    pub build: BuildInfo,
    /// Whether orders are sent.
    pub live: bool,
    /// Time between two due cycles.
    pub period: Duration,
    /// When the daemon started, time since the unix epoch.
    pub started_at: Duration,
    /// Indexed by [`ActorName`].
    pub actors: [ActorState; ActorName::ALL.len()],
    /// Indexed by [`Step`].
    pub steps: [StepState; Step::ALL.len()],
    /// The journal.
    pub journal: JournalState,
    /// The gateway's handshake.
    pub gateway: GatewayState,
    /// The gateway's list of open positions.
    pub positions: PositionsState,
    /// The claim on the account; `None` if none is needed.
    pub cluster: Option<ClusterState>,
    /// Why the gateway does not report the account; `None` if the last question was answered, or none was asked.
    pub account_trouble: Option<String>,
    /// Number of configured symbols.
    pub symbols: usize,
    /// A cycle that ended, and the symbols that failed in it.
    pub failures: (u64, Vec<SymbolFailure>),
    /// Symbols whose stop-loss or take-profit could not be built at their newest close, and why.
    pub bad_stops: Vec<(Symbol, String)>,
    /// The last cycle that ended.
    pub last_cycle: Option<CycleState>,
    /// When a cycle that did not fail last ended, time since the unix epoch.
    pub last_cycle_success_at: Option<Duration>,
    /// Whether no more cycles are due.
    pub cycles_ended: bool,
    /// Whether the last cycle found the market open; `None` before the first.
    pub is_market_open: Option<bool>,
    /// Whether the kill switch is on.
    pub is_halted: bool,
    /// Why no member of the account may order, in words; `None` if they may, or if it has no members.
    pub cluster_halt: Option<String>,
}

impl State {
    /// The state at the start.
    pub fn new(build: BuildInfo, live: bool, period: Duration, started_at: Duration) -> Self {
        Self {
            build,
            live,
            period,
            started_at,
            actors: Default::default(),
            steps: Default::default(),
            journal: JournalState::default(),
            gateway: GatewayState::default(),
            positions: PositionsState::default(),
            cluster: None,
            account_trouble: None,
            symbols: 0,
            failures: Default::default(),
            bad_stops: Vec::new(),
            last_cycle: None,
            last_cycle_success_at: None,
            cycles_ended: false,
            is_market_open: None,
            is_halted: false,
            cluster_halt: None,
        }
    }
}
