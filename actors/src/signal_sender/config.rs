//! What the SignalSender is told: the account and its rules, the gateway, and what it shares with the other stages.

use super::{ClaimsConfig, JournalActorHandle};
use crate::{
    adapters::{
        endpoint::{Breakers, Inflight},
        gateway::{Dialect, Peer},
    },
    domain::{clock::Clock, cluster::Authority, guard::KillSwitch, instrument::Instrument, order_manager::Rules},
    messages::Telemetry,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The configuration of the SignalSender.
pub struct Config {
    /// The configured instruments; positions with their names are ours.
    pub instruments: Arc<[Instrument]>,
    /// Whether orders are sent; `false` is dry run.
    pub live: bool,
    /// The broker's names of instruments that others trade on this account; their positions are not doubtful.
    pub other_names: Vec<String>,
    /// Account; part of an order's identity.
    pub account: String,
    /// Name of the model; part of an order's identity.
    pub model_name: String,
    /// The gateway's address and keys.
    pub peer: Peer,
    /// The gateway's message format.
    pub dialect: Box<dyn Dialect>,
    /// Longest time for one order, from connecting to the reply.
    pub deadline: Duration,
    /// The system clock: signatures contain its time, even if another clock is used for the market.
    pub clock: Arc<dyn Clock>,
    /// How often account and positions are asked for without an order; `None`: never.
    pub account_poll: Option<Duration>,
    /// The usual time between two cycles: account and positions are asked for no more often.
    pub cycle_step: Duration,
    /// Limits of orders, and how the broker books them.
    pub rules: Rules,
    /// The kill switch.
    pub kill_switch: Arc<dyn KillSwitch>,
    /// Whether this daemon may send orders for its account.
    pub authority: Arc<dyn Authority>,
    /// How each order is claimed, if the account is shared with other daemons.
    pub claims: Option<ClaimsConfig>,
    /// Stops calls to a gateway that fails.
    pub breakers: Breakers,
    /// Cancelled when the daemon stops; orders that were not sent by then are not sent.
    pub shutdown: CancellationToken,
    /// Where open requests are counted.
    pub inflight: Inflight,
    /// Where events are reported.
    pub metrics: Telemetry,
    /// Where every step of an order is written first.
    pub journal: JournalActorHandle,
}
