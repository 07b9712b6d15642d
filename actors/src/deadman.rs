//! The Deadman: after a good cycle, at most once in a while, it asks a URL for an answer, so that a service outside notices
//! when the daemon, its machine, its network or HUB is dead. The Scheduler tells it of cycles and never waits for it.

#[cfg(test)]
mod tests;

use crate::{
    adapters::deadman::{PingError, Pinger, UrlSource},
    messages::{CycleWentWell, Event, Telemetry},
};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::time::Duration;

/// Cycles that may wait to be heard of; of more, nobody needs to hear.
const MAILBOX_CAPACITY: usize = 4;

/// What the Deadman needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is asked.
    pub source: UrlSource,
    /// Least time between the due times of two cycles that are followed by a ping.
    pub every: Duration,
    /// For the whole ping.
    pub deadline: Duration,
    /// Counts the pings.
    pub metrics: Telemetry,
}

/// The actor.
pub struct Deadman {
    /// `None` while a ping is under way: there is never a second one.
    pinger: Option<Pinger>,
    every: Duration,
    metrics: Telemetry,
    /// When the cycle of the last ping was due, since the unix epoch.
    last_due: Option<Duration>,
    /// How the last ping ended.
    is_well: Option<bool>,
}

impl Deadman {
    /// One that has asked nothing yet.
    pub fn new(config: Config) -> Self {
        let Config { source, every, deadline, metrics } = config;
        Self { pinger: Some(Pinger::new(source, deadline)), every, metrics, last_due: None, is_well: None }
    }

    /// Counts how a ping ended, and says so if it is news.
    fn ended(&mut self, result: &Result<(), PingError>) {
        let is_ok = result.is_ok();
        self.metrics.report(Event::DeadmanPinged { is_ok });
        if self.is_well == Some(is_ok) {
            return;
        }
        match (result, self.is_well) {
            (Ok(()), None) => tracing::info!("the dead-man ping is answered"),
            (Ok(()), Some(_)) => tracing::info!("the dead-man ping is answered again"),
            (Err(error), _) => tracing::warn!(
                error = %error,
                "the dead-man ping fails: whoever waits for it will take this daemon for dead. Trading goes on, and so do the pings"
            ),
        }
        self.is_well = Some(is_ok);
    }
}

/// Whether a cycle that was due then is followed by a ping. By when cycles are due and not by when they ended: one that took
/// a little less time than the one before would otherwise cost a ping a minute. A clock that was set back starts afresh.
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
