//! Sentinel: fetch bars, build features, ask the model, send the order; once a minute, unattended.
//!
//! ```text
//! main -> cli -> settings -> application -> Scheduler -> run_cycle -> Fetcher         -> EODHD
//!                               |                          |       -> FeatureBuilder
//!                               |                          |       -> Predictor       -> HUB (MLflow)
//!                               |                          |       -> SignalSender    -> GTW (ZeroMQ)
//!                               |                          `-------> Journal         <- sentinel orders
//!                               `-> http <- MetricsActor <-'  every stage reports what happened
//! ```
//!
//! The stages and what they compute with are in the crate `sentinel_actors`; this one puts them together, gives
//! them settings, a command line and HTTP, and has the sandbox that `sentinel demo` trades against.

pub mod application;
pub mod cli;
mod ending;
pub mod http;
pub mod probe;
pub mod sandbox;
pub mod settings;
pub mod signals;
pub mod stages;
pub mod start_lines;
pub mod supervisor;
pub mod telemetry;

use sentinel_actors::domain::health::BuildInfo;

/// What this binary was built from.
pub fn build_info() -> BuildInfo {
    BuildInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        revision: env!("SENTINEL_REVISION").into(),
        rustc: env!("SENTINEL_RUSTC").into(),
    }
}
