//! What a supervisor is told: systemd's notify protocol (`sd_notify(3)`), spoken only where `NOTIFY_SOCKET` names a
//! socket. Anywhere else all of this is silent.

use actix::Recipient;
use sd_notify::NotifyState;
use sentinel_actors::messages::Ping;
use std::{convert::Infallible, time::Duration};

/// Tells systemd that the unit is started: settings are valid, the journal is open, the actors run.
pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// Tells systemd that the unit is on its way down, and that this may take as long as an order under way.
pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Tells systemd's watchdog that the daemon lives, twice per `WatchdogSec=`, for as long as the Scheduler answers: a
/// daemon whose cycles cannot start any more is killed and started afresh. Never ends; without a watchdog it only waits.
pub async fn watchdog(scheduler: Recipient<Ping>) -> Infallible {
    let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()) else {
        return std::future::pending().await;
    };
    let period = interval / 2;
    tracing::info!(interval_s = interval.as_secs_f64(), "the supervisor's watchdog is fed");
    loop {
        feed(&scheduler, period).await;
        tokio::time::sleep(period).await;
    }
}

async fn feed(scheduler: &Recipient<Ping>, patience: Duration) {
    if let Ok(Ok(())) = tokio::time::timeout(patience, scheduler.send(Ping)).await {
        say(&[NotifyState::Watchdog]);
    } else {
        tracing::error!("the scheduler does not answer; the supervisor's watchdog is not fed");
    }
}

/// A supervisor that cannot be told is no reason to stop trading: it will act on its own.
fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(error = %error, "the supervisor cannot be told");
    }
}
