//! The configurations of the metrics port and of the console.

use crate::{
    daemon::{console::BODY_BYTES_MAX, http::HttpConfig},
    settings::Resolved,
};
use std::time::Duration;

/// Twenty open pages, each with the six requests that a browser sends at once.
const CONSOLE_CONNECTIONS_MAX: usize = 128;

/// The configuration of the console's port. Its limits are its own: a browser keeps a few connections.
pub fn console_config(settings: &Resolved) -> HttpConfig {
    let console = &settings.console;
    HttpConfig {
        host: console.bind.clone(),
        port: console.port,
        connections_max: CONSOLE_CONNECTIONS_MAX,
        header_deadline: Duration::from_millis(settings.metrics.header_deadline_ms),
        connection_deadline: Duration::from_millis(settings.metrics.connection_deadline_ms),
        body_bytes_max: BODY_BYTES_MAX,
        ask_deadline: Duration::from_millis(settings.metrics.ask_deadline_ms),
        protection: settings.console_protection.clone(),
    }
}

/// The configuration of the port.
pub fn http_config(settings: &Resolved) -> HttpConfig {
    let metrics = &settings.metrics;
    HttpConfig {
        host: metrics.bind.clone(),
        port: metrics.port,
        connections_max: metrics.connections_max,
        header_deadline: Duration::from_millis(metrics.header_deadline_ms),
        connection_deadline: Duration::from_millis(metrics.connection_deadline_ms),
        body_bytes_max: 0,
        ask_deadline: Duration::from_millis(metrics.ask_deadline_ms),
        protection: settings.protection.clone(),
    }
}
