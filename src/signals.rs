//! SIGINT and SIGTERM: the first stops gracefully, the second at once.

use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Exit code of a process that a second signal ended, as shells report SIGINT.
const EXIT_AT_ONCE: i32 = 130;

/// Listens from now on; the future completes at the first signal and from then on watches for a second.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn stop() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let name = next(&mut interrupt, &mut terminate).await;
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        actix_rt::spawn(async move {
            let name = next(&mut interrupt, &mut terminate).await;
            tracing::warn!(signal = name, "stopped at once; an order under way may have been executed");
            std::process::exit(EXIT_AT_ONCE);
        });
    })
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
