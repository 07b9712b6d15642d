//! Places where a test build (feature `failpoints`) kills the process, to test what a restart does with the state that is
//! left. In all other builds they do nothing.

/// All places, in the order of an order's life.
pub const ALL: [&str; 10] = [
    "intent.before",
    "intent.after",
    "sending.after",
    "send.before",
    "send.after",
    "reply.after",
    "outcome.before",
    "outcome.after",
    "commit.before",
    "commit.after",
];

/// Kills the process here with SIGKILL if the environment's `FAILPOINTS` says so: `send.after=return`, or
/// `send.after=3*off->return` for the fourth time.
#[cfg(feature = "failpoints")]
pub fn reach(name: &str) {
    debug_assert!(ALL.contains(&name), "{name} is in no list");
    fail::fail_point!(name, |_| {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal ends all threads, including this one, after a short time.
        std::thread::park();
    });
}

/// Does nothing.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_: &str) {}

/// Reads `FAILPOINTS`. Keep the value as long as the places must work.
#[cfg(feature = "failpoints")]
pub fn arm() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
