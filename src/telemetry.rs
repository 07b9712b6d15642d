//! Log output: tracing to stdout, text for people, JSON for machines.

use crate::settings::{LogFormat, LogSettings};
use std::io::{self, IsTerminal};
use tracing_subscriber::{EnvFilter, fmt};

/// Installs the subscriber; later calls change nothing, so tests may call it too.
pub fn init(settings: &LogSettings) {
    // actix-server tells its own life at info. What the setting says comes last and so beats it.
    let filter = format!("actix_server=warn,{}", settings.level);
    // Validated with the settings; `info` is only for callers that skipped that.
    let filter = filter.parse().unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = io::stdout().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let builder = fmt().with_env_filter(filter).with_writer(io::stdout);
    // An error here means there is a subscriber already.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(is_terminal).with_target(false).try_init()
    };
}
