//! What the verdict is made from.

use crate::domain::{
    build_info::BuildInfo,
    cycle_outcome::SymbolFailure,
    instrument::Symbol,
    journal::UnresolvedOrder,
    names::{ActorName, Step},
};
use std::time::Duration;

/// What is known of an actor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ActorState {
    /// Whether it ever reported its start.
    pub started: bool,
    /// Whether it runs, as far as is known: started or restarted, and not silent since.
    pub up: bool,
    /// Whether it answered the last Ping round; `None` before the first.
    pub answered: Option<bool>,
}

/// What is known of a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepState {
    /// Kinds of the faults of its last run, empty if there were none; `None` before the first.
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

/// What is known of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JournalState {
    /// Whether the last write went through; `None` before the Journal said anything.
    pub is_writable: Option<bool>,
    /// Orders of unknown fate, oldest first.
    pub unresolved: Vec<UnresolvedOrder>,
}

/// What is known of the gateway in live mode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayState {
    /// Whether it was asked at all.
    pub is_checked: bool,
    /// Why it may not be sent an order; `None` if it may.
    pub trouble: Option<String>,
}

/// What the last list of open positions said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PositionsState {
    /// Why it cannot be read; `None` if it can, or nobody asked yet.
    pub trouble: Option<String>,
    /// Positions that may be ours and have a name that no configured symbol explains, each in words.
    pub doubts: Vec<String>,
}

/// What the verdict is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What runs.
    pub build: BuildInfo,
    /// Whether orders leave.
    pub live: bool,
    /// Time between two due cycles.
    pub period: Duration,
    /// When the daemon started, time since the unix epoch.
    pub started_at: Duration,
    /// Indexed by [`ActorName`].
    pub actors: [ActorState; ActorName::ALL.len()],
    /// Indexed by [`Step`].
    pub steps: [StepState; Step::ALL.len()],
    /// Decisions and orders on disk.
    pub journal: JournalState,
    /// The gateway's handshake.
    pub gateway: GatewayState,
    /// The gateway's list of open positions.
    pub positions: PositionsState,
    /// How many symbols are configured.
    pub symbols: usize,
    /// A cycle that ended, and who failed in it.
    pub failures: (u64, Vec<SymbolFailure>),
    /// Symbols whose stop-loss or take-profit could not be built at their newest close, and why.
    pub bad_stops: Vec<(Symbol, String)>,
    /// The last cycle that ended.
    pub last_cycle: Option<CycleState>,
    /// When a cycle that did not fail last ended, time since the unix epoch.
    pub last_cycle_success_at: Option<Duration>,
    /// Whether no cycle is due any more.
    pub cycles_ended: bool,
    /// Whether the last cycle found the market open; `None` before the first.
    pub is_market_open: Option<bool>,
    /// Whether the kill switch is on.
    pub is_halted: bool,
}

impl State {
    /// Before anything happened.
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
            symbols: 0,
            failures: Default::default(),
            bad_stops: Vec::new(),
            last_cycle: None,
            last_cycle_success_at: None,
            cycles_ended: false,
            is_market_open: None,
            is_halted: false,
        }
    }
}
