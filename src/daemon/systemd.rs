//! systemd's notify protocol (`sd_notify(3)`): readiness, watchdog and shutdown. Without `NOTIFY_SOCKET` nothing is sent.
//!
//! Implemented here because the existing crates block on a busy receiver and do not support abstract sockets.

use actix::Recipient;
use sentinel_actors::messages::Ping;
use std::{
    cell::Cell,
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process,
    time::Duration,
};
use tokio::time::MissedTickBehavior;

/// Keep-alives per watchdog interval; missing one must not cause a restart.
const KEEP_ALIVES: u32 = 3;

/// The service manager that started the daemon, if there is one.
#[derive(Debug, Default)]
pub struct ServiceManager {
    /// A path, or `@name` in the abstract namespace.
    socket: Option<OsString>,
    /// After this time without a keep-alive the service manager kills the daemon; `None` for no watchdog.
    watchdog: Option<Duration>,
    /// Whether the last message could not be sent.
    is_failing: Cell<bool>,
}

impl ServiceManager {
    /// By the environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_for_us = std::env::var_os("WATCHDOG_PID").is_none()
            || number("WATCHDOG_PID").is_some_and(|pid| pid == u64::from(process::id()));
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: number("WATCHDOG_USEC").filter(|us| *us > 0 && is_for_us).map(Duration::from_micros),
            is_failing: Cell::new(false),
        }
    }

    /// Sends `READY` once every stage has answered, then keep-alives as long as the Scheduler answers: a daemon that can no
    /// longer start cycles is killed and restarted. Returns only if there is no watchdog, or if a stage has stopped.
    pub async fn attend(&self, stages: Vec<Recipient<Ping>>, scheduler: Recipient<Ping>) {
        if self.socket.is_none() {
            return;
        }
        for stage in stages {
            if stage.send(Ping).await.is_err() {
                // The Application notices this, too, and ends the daemon.
                return;
            }
        }
        self.say("READY=1");
        if let Some(interval) = self.watchdog {
            tracing::info!(
                interval_s = interval.as_secs_f64(),
                "sending keep-alives to the service manager's watchdog"
            );
            self.feed(&scheduler, interval / KEEP_ALIVES).await;
        }
    }

    /// Announces the shutdown and how long it may take. Otherwise a service manager with a shorter timeout would kill the daemon
    /// while an order is in flight.
    pub fn stopping(&self, longest: Duration) {
        self.say(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", longest.as_micros()));
    }

    async fn feed(&self, scheduler: &Recipient<Ping>, pause: Duration) {
        let mut turns = tokio::time::interval(pause);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_silent = false;
        loop {
            turns.tick().await;
            let answered = matches!(tokio::time::timeout(pause, scheduler.send(Ping)).await, Ok(Ok(())));
            if answered {
                self.say("WATCHDOG=1");
            } else if !is_silent {
                tracing::error!("the Scheduler does not answer: no keep-alive is sent to the watchdog");
            }
            is_silent = !answered;
        }
    }

    /// If a message cannot be sent, trading continues; the service manager acts by its own rules.
    fn say(&self, state: &str) {
        let Some(socket) = &self.socket else { return };
        match send(socket, state) {
            Ok(()) => self.is_failing.set(false),
            Err(error) if !self.is_failing.replace(true) => {
                tracing::warn!(error = %error, "cannot notify the service manager (NOTIFY_SOCKET); trading continues");
            }
            Err(_) => {}
        }
    }
}

/// Sends one datagram without blocking: the whole daemon would wait.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        Some((b'/', _)) => SocketAddr::from_pathname(socket)?,
        _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET is neither /a/path nor @name")),
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix::{Actor, Context, Handler, ResponseFuture};
    use std::{future::pending, path::Path};

    /// Answers this many times, then never again.
    struct Stage {
        answers: usize,
    }

    impl Actor for Stage {
        type Context = Context<Self>;
    }

    impl Handler<Ping> for Stage {
        type Result = ResponseFuture<()>;

        fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
            if self.answers == 0 {
                return Box::pin(pending());
            }
            self.answers -= 1;
            Box::pin(async {})
        }
    }

    fn stage(answers: usize) -> Recipient<Ping> {
        Stage { answers }.start().recipient()
    }

    fn ears_at(path: &Path) -> UnixDatagram {
        let ears = UnixDatagram::bind(path).unwrap();
        ears.set_nonblocking(true).unwrap();
        ears
    }

    fn manager(socket: impl Into<OsString>, watchdog_ms: Option<u64>) -> ServiceManager {
        let watchdog = watchdog_ms.map(Duration::from_millis);
        ServiceManager { socket: Some(socket.into()), watchdog, is_failing: Cell::new(false) }
    }

    fn heard(ears: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| ears.recv(&mut buffer).ok().map(|n| String::from_utf8_lossy(&buffer[..n]).into_owned()))
            .collect()
    }

    /// Attends for this long, then stops.
    async fn attend(manager: &ServiceManager, stages: Vec<Recipient<Ping>>, scheduler: Recipient<Ping>, ms: u64) {
        let _ = tokio::time::timeout(Duration::from_millis(ms), manager.attend(stages, scheduler)).await;
    }

    #[actix_rt::test]
    async fn keep_alives_are_sent_as_long_as_the_scheduler_answers() {
        let place = tempfile::tempdir().unwrap();
        let ears = ears_at(&place.path().join("notify"));
        let manager = manager(place.path().join("notify"), Some(600));
        attend(&manager, vec![stage(1)], stage(3), 1_500).await;
        assert_eq!(heard(&ears), ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
        manager.stopping(Duration::from_secs(9));
        assert_eq!(heard(&ears), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=9000000"]);
    }

    #[actix_rt::test]
    async fn a_stage_that_has_not_answered_yet_is_not_ready() {
        let place = tempfile::tempdir().unwrap();
        let ears = ears_at(&place.path().join("notify"));
        attend(&manager(place.path().join("notify"), Some(30)), vec![stage(1), stage(0)], stage(9), 200).await;
        assert_eq!(heard(&ears), [""; 0]);
    }

    #[actix_rt::test]
    async fn without_a_watchdog_only_readiness_is_sent() {
        let place = tempfile::tempdir().unwrap();
        let ears = ears_at(&place.path().join("notify"));
        manager(place.path().join("notify"), None).attend(vec![stage(1)], stage(9)).await;
        assert_eq!(heard(&ears), ["READY=1"]);
    }

    #[actix_rt::test]
    async fn an_abstract_socket_works_too() {
        let name = format!("sentinel-supervisor-{}", process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let ears = UnixDatagram::bind_addr(&address).unwrap();
        ears.set_nonblocking(true).unwrap();
        manager(format!("@{name}"), None).stopping(Duration::from_millis(1));
        assert_eq!(heard(&ears), ["STOPPING=1\nEXTEND_TIMEOUT_USEC=1000"]);
    }

    #[test]
    fn a_receiver_that_is_busy_or_missing_does_not_block() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("notify");
        let ears = ears_at(&path);
        let busy = manager(&path, None);
        // More than any queue of datagrams holds.
        for _ in 0..10_000 {
            busy.say("WATCHDOG=1");
        }
        assert!(busy.is_failing.get());
        heard(&ears);
        busy.say("WATCHDOG=1");
        assert!(!busy.is_failing.get(), "it works again once the receiver reads");
        drop(ears);
        busy.say("WATCHDOG=1");
        assert!(busy.is_failing.get());
        for nowhere in ["/nonexistent/notify", "notify", "vsock:2:1234"] {
            assert!(send(OsStr::new(nowhere), "READY=1").is_err(), "{nowhere}");
        }
    }

    #[test]
    fn without_a_socket_nothing_is_sent() {
        let silent = ServiceManager::default();
        silent.stopping(Duration::from_secs(1));
        assert!(!silent.is_failing.get());
    }
}
