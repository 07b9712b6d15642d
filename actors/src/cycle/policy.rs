//! What a cycle needs: the actors that it asks, and the rules by which it decides.

use crate::{
    domain::{
        calendar::Calendar, clock::Clock, cluster::shared::MemberCell, guard::KillSwitch, instrument::Instrument,
        interval::Interval,
    },
    messages::{
        BuildFeatures, FetchBars, LookAtAccount, OpenGateway, Predict, PrepareOrders, RecordDecisions, SendSignals,
        Settled, Telemetry,
    },
};
use actix::Recipient;
use std::sync::Arc;

/// The actors of a cycle, by what they do: a test can pass its own.
#[derive(Debug, Clone)]
pub struct Stages {
    /// Fetches bars.
    pub fetch: Recipient<FetchBars>,
    /// Builds features.
    pub build: Recipient<BuildFeatures>,
    /// Asks the model.
    pub predict: Recipient<Predict>,
    /// Handshake and orders of unknown outcome, while the bars are fetched.
    pub open: Recipient<OpenGateway>,
    /// Reads the journal's state while the model computes. Positions are asked for later, so that they are as new as possible.
    pub prepare: Recipient<PrepareOrders>,
    /// Sends orders.
    pub send: Recipient<SendSignals>,
    /// Asks for account and positions after the orders.
    pub look: Recipient<LookAtAccount>,
    /// Keeps what was decided.
    pub record: Recipient<RecordDecisions>,
    /// Answers when all that was recorded before is on disk.
    pub settled: Recipient<Settled>,
    /// Is told what was decided.
    pub metrics: Telemetry,
}

/// The rules of a decision.
#[derive(Clone)]
pub struct Policy {
    /// What is traded, in the order of configuration.
    pub instruments: Arc<[Arc<Instrument>]>,
    /// What this daemon owns, if the account is shared with other daemons; only that is decided.
    pub members: Option<MemberCell>,
    /// Length of a bar.
    pub interval: Interval,
    /// Oldest age of the newest bar's close that may still be traded on, in seconds.
    pub max_bar_age_s: i64,
    /// When the market is open.
    pub calendar: Arc<Calendar>,
    /// Stops orders from outside.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Largest order, lots; 0 is no limit.
    pub volume_max: f64,
    /// Dates every decision, whatever clock the market follows.
    pub clock: Arc<dyn Clock>,
    /// Largest share of the symbols that may fail before the cycle has, a ratio in 0..=1.
    pub failed_share_max: f64,
    /// Whether the wall clock jumped since the last cycle, so that this one sends no order; the Scheduler says so.
    pub has_clock_stepped: bool,
}
