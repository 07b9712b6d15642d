//! Log output: tracing to stdout, as text or as JSON.

use super::console::warnings::Keeper;
use crate::settings::{Log, LogFormat};
use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::{
    Layer, Registry, filter::Targets, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

/// Installs the subscriber; later calls change nothing, so tests may call it too.
pub fn init(log: &Log) {
    install(log, log.filter.clone());
}

/// The same, but until [`Quiet::end`] only the start lines, signals and warnings; of the journal only errors, because for the
/// demo a new journal is not worth a warning.
pub fn init_quiet(log: &Log) -> Quiet {
    let quiet = Targets::new().with_default(Level::WARN).with_targets([
        ("sentinel::daemon::start_lines", Level::INFO),
        ("sentinel::process::unix_signals", Level::INFO),
        ("sentinel_actors::journal", Level::ERROR),
    ]);
    let (quiet, handle) = reload::Layer::new(quiet);
    install(log, quiet);
    Quiet { handle, filter: log.filter.clone() }
}

/// A log that is limited to problems for a while.
#[derive(Debug, Clone)]
pub struct Quiet {
    handle: reload::Handle<Targets, Registry>,
    filter: Targets,
}

impl Quiet {
    /// From now on the log is as in the settings.
    pub fn end(&self) {
        // It fails only if another subscriber was installed before; then the log was not limited.
        let _ = self.handle.reload(self.filter.clone());
    }
}

fn install(log: &Log, filter: impl Layer<Registry> + Send + Sync) {
    let is_terminal = io::stdout().is_terminal();
    // The convention of no-color.org: no colours if the variable is set and not empty.
    let colors = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let json = match log.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let registry = tracing_subscriber::registry().with(filter).with(Keeper);
    // An error means that there is a subscriber already.
    let _ = if json {
        let layer = fmt::layer().with_writer(io::stdout).json().flatten_event(true);
        registry.with(layer.with_current_span(false).with_span_list(false)).try_init()
    } else {
        registry.with(fmt::layer().with_writer(io::stdout).with_ansi(colors).with_target(false)).try_init()
    };
}
