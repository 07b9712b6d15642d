//! Places where a test build kills the process, to see what a restart makes of what is left: the feature `failpoints`.
//! In every other build they are nothing.

/// All of them, in the order of an order's life.
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

/// Kills the process here, as the system would (SIGKILL), if the environment's `FAILPOINTS` says so: `send.after=return`,
/// or `send.after=3*off->return` for the fourth time.
#[cfg(feature = "failpoints")]
pub fn reach(name: &str) {
    debug_assert!(ALL.contains(&name), "{name} is in no list");
    fail::fail_point!(name, |_| {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal ends every thread, this one included, sooner or later.
        std::thread::park();
    });
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
pub const fn reach(_: &str) {}

/// Reads `FAILPOINTS`; to be held for as long as the points are to work.
#[cfg(feature = "failpoints")]
pub fn arm() -> fail::FailScenario<'static> {
    fail::FailScenario::setup()
}
