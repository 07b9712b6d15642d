//! SIGINT, SIGTERM and SIGHUP. The daemon stops gracefully at the first, and at once at a second SIGINT or SIGTERM; a command
//! ends at the first.

use super::output::complain;
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
    let mut signals = Signals::install()?;
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

/// Ends a command at the first signal: `last` cleans up and answers what is left, for a person. What the command does
/// meanwhile goes on until then.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn end_by(last: impl FnOnce() -> String + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::install()?
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let name = runtime.block_on(signals.next());
        let left = last();
        complain(&format!("\nsentinel: stopped by {name}: {left}"));
        std::process::exit(EXIT_AT_ONCE);
    })?;
    Ok(())
}

impl Signals {
    fn install() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

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
