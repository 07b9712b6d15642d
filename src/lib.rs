//! Sentinel: fetch bars, build features, ask the model, send the order; once a minute, unattended.
//!
//! ```text
//! main -> cli -> settings -> daemon -> Scheduler -> run_cycle -> Fetcher         -> EODHD
//!                              |                       |      -> FeatureBuilder
//!                              |                       |      -> Predictor       -> HUB (MLflow)
//!                              |                       |      -> SignalSender    -> GTW (ZeroMQ)
//!                              |                       `------> Journal         <- sentinel orders
//!                              `-> http <- MetricsActor <-'  every stage reports what happened
//! ```
//!
//! The stages and the domain are in the crate `sentinel_actors`. This crate puts them together, in modules whose imports go one
//! way, which `tests/architecture.rs` checks:
//!
//! ```text
//! cli        parse, call, exit: one file for each command
//!  |-> tools     what looks at a daemon, a market or a model from outside: verify, soak, probe; account, which reads the
//!  |              journal; cluster, which reads and steers the members in etcd; bars, dataset, replay and study for a model of
//!  |              one's own; plot draws for them
//!  |-> daemon    what runs: application, wiring, watch, http, systemd, telemetry; console, the page's answers; cluster, which
//!  |              claims the account; discovery, where Prometheus finds the members
//!  `-> sandbox   the market, the model and the gateway that `sentinel demo` trades against
//!        `-> settings   every setting, where its value comes from, and what it means
//!              `-> process   signals, exit codes, the environment, the build
//!              `-> net       hosts and URLs
//!        `-> bar_files  bars in files: CSV, EODHD's JSON, MetaTrader's export
//! ```
//!
//! The console's page is in `console/web`, as the browser gets it.

pub mod bar_files;
pub mod cli;
pub mod daemon;
pub mod net;
pub mod process;
pub mod sandbox;
pub mod settings;
pub mod tools;
