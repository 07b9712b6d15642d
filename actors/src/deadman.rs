//! The Deadman: after a good cycle, at most once per interval, it sends a GET to a URL. If the pings stop, an external
//! service notices that the daemon, its machine, its network or HUB is down. The Scheduler reports cycles to it and never
//! waits for it.

#[cfg(test)]
mod tests;

use crate::{
    adapters::deadman::{PingError, Pinger, UrlSource},
    messages::{CycleWentWell, Event, Telemetry},
};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::time::Duration;

/// Number of reports that may wait; more are dropped, because one is enough.
const MAILBOX_CAPACITY: usize = 4;

/// The configuration of the Deadman.
#[derive(Debug, Clone)]
pub struct Config {
    /// The URL of the ping.
    pub source: UrlSource,
    /// Least time between the due times of two cycles that are followed by a ping.
    pub every: Duration,
    /// For the whole ping.
    pub deadline: Duration,
    /// Where pings are reported.
    pub metrics: Telemetry,
}

/// The actor.
pub struct Deadman {
    /// `None` while a ping is running: there is never a second one.
    pinger: Option<Pinger>,
    every: Duration,
    metrics: Telemetry,
    /// The due time of the cycle of the last ping, since the unix epoch.
    last_due: Option<Duration>,
    /// Whether the last ping succeeded; `None` before the first.
    is_well: Option<bool>,
}

impl Deadman {
    /// A new one; it has sent nothing yet.
    pub fn new(config: Config) -> Self {
        let Config { source, every, deadline, metrics } = config;
        Self { pinger: Some(Pinger::new(source, deadline)), every, metrics, last_due: None, is_well: None }
    }

    /// Reports how a ping ended, and logs it if that has changed.
    fn ended(&mut self, result: &Result<(), PingError>) {
        let is_ok = result.is_ok();
        self.metrics.report(Event::DeadmanPinged { is_ok });
        if self.is_well == Some(is_ok) {
            return;
        }
        match (result, self.is_well) {
            (Ok(()), None) => tracing::info!("the dead-man ping succeeded"),
            (Ok(()), Some(_)) => tracing::info!("the dead-man ping succeeds again"),
            (Err(error), _) => tracing::warn!(
                error = %error,
                "the dead-man ping failed: its receiver may report this daemon as down. Trading and the pings continue"
            ),
        }
        self.is_well = Some(is_ok);
    }
}

/// Whether a cycle with this due time is followed by a ping. Due times are compared, not end times: otherwise a cycle that is
/// slightly shorter than the previous one would skip a ping. If the clock was set back, the interval starts again.
fn is_time(last: Option<Duration>, due: Duration, every: Duration) -> bool {
    last.is_none_or(|last| due.abs_diff(last) >= every)
}

impl Actor for Deadman {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<CycleWentWell> for Deadman {
    type Result = ();

    fn handle(&mut self, CycleWentWell { due }: CycleWentWell, ctx: &mut Self::Context) {
        if !is_time(self.last_due, due, self.every) {
            return;
        }
        let Some(mut pinger) = self.pinger.take() else { return };
        self.last_due = Some(due);
        let asking = async move {
            let result = pinger.ping().await;
            (pinger, result)
        };
        ctx.spawn(asking.into_actor(self).map(|(pinger, result), act, _| {
            act.pinger = Some(pinger);
            act.ended(&result);
        }));
    }
}
