//! SIGINT, SIGTERM and SIGHUP: the first stops gracefully; a second SIGINT or SIGTERM stops at once.

use procfs::process::Process;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code after a second signal, the code of shells for SIGINT.
const EXIT_AT_ONCE: i32 = 130;

/// The signals that end the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP was ignored when the process was started, as `nohup` does.
    hangup: Option<Signal>,
}

/// Installs the handlers. The future completes at the first signal; after that, a second one is watched for.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let mut signals =
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup };
    Ok(async move {
        let mut name = signals.next().await;
        tracing::info!(signal = name, "stopping; a second SIGINT or SIGTERM stops at once");
        actix_rt::spawn(async move {
            // A terminal that closes sends more than one SIGHUP, and systemd may send one after its SIGTERM. Neither means
            // that an order in flight should be abandoned.
            let mut is_asked = name != HANGUP;
            loop {
                name = signals.next().await;
                if name != HANGUP && is_asked {
                    tracing::warn!(signal = name, "stopped at once; an order in flight may have been executed");
                    std::process::exit(EXIT_AT_ONCE);
                }
                is_asked |= name != HANGUP;
            }
        });
    })
}

const HANGUP: &str = "SIGHUP";

impl Signals {
    async fn next(&mut self) -> &'static str {
        let Self { interrupt, terminate, hangup } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => HANGUP,
        }
    }
}

/// Whether SIGHUP was ignored at start. If that cannot be found out, it was not.
fn is_hangup_ignored() -> bool {
    // Signal 1 is the lowest bit.
    Process::myself().and_then(|process| process.status()).is_ok_and(|status| status.sigign & 1 != 0)
}
