//! SIGINT, SIGTERM and SIGHUP: the first stops gracefully; SIGINT or SIGTERM once more stops at once.

use procfs::process::Process;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that a second signal ended, as shells report SIGINT.
const EXIT_AT_ONCE: i32 = 130;

/// The signals that end the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where whoever started the process has it ignored, as `nohup` does.
    hangup: Option<Signal>,
}

/// Listens from now on; the future completes at the first signal and from then on watches for a second.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let mut signals =
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup };
    Ok(async move {
        let mut name = signals.next().await;
        tracing::info!(signal = name, "stopping; SIGINT or SIGTERM once more stops at once");
        actix_rt::spawn(async move {
            // A terminal that closes sends more than one SIGHUP, and systemd may send one after its SIGTERM; nobody
            // means by that to give up an order under way.
            let mut is_asked = name != HANGUP;
            loop {
                name = signals.next().await;
                if name != HANGUP && is_asked {
                    tracing::warn!(signal = name, "stopped at once; an order under way may have been executed");
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

/// Whether SIGHUP is ignored from the start. Where nobody can say, it is not.
fn is_hangup_ignored() -> bool {
    // Signal 1 is the lowest bit.
    Process::myself().and_then(|process| process.status()).is_ok_and(|status| status.sigign & 1 != 0)
}
