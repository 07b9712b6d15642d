//! The daemon: its actors and how they are wired, its claim on the account, the HTTP port, start and shutdown.

pub mod application;
pub mod cluster;
pub mod console;
pub mod discovery;
pub mod http;
mod port;
pub mod shutdown;
pub mod start_lines;
pub mod systemd;
pub mod telemetry;
mod watch;
pub mod wiring;
