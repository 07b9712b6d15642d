//! Log output: tracing to stdout, text for people, JSON for machines.

use crate::settings::{LogFormat, LogSettings};
use std::io::{self, IsTerminal};
use tracing::Level;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Installs the subscriber; later calls change nothing, so tests may call it too.
pub fn init(settings: &LogSettings) {
    // actix-server tells its own life at info. What the setting says comes last and so beats it.
    let filter = format!("actix_server=warn,{}", settings.level);
    // Validated with the settings; `info` is only for callers that skipped that.
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let is_terminal = io::stdout().is_terminal();
    // The convention of no-color.org: set and not empty.
    let colors = is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let json = match settings.format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    // An error here means there is a subscriber already.
    let _ = if json {
        let layer = fmt::layer().with_writer(io::stdout).json().flatten_event(true);
        registry.with(layer.with_current_span(false).with_span_list(false)).try_init()
    } else {
        registry.with(fmt::layer().with_writer(io::stdout).with_ansi(colors).with_target(false)).try_init()
    };
}
