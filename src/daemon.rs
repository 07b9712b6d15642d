//! What runs: the actors put together, the port they are asked at, and the way they end.

pub mod application;
pub mod http;
mod port;
pub mod shutdown;
pub mod start_lines;
pub mod systemd;
pub mod telemetry;
mod watch;
pub mod wiring;
