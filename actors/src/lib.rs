//! Sentinel's parts. Imports go one way: scheduler -> cycle -> messages -> domain; stages use messages, adapters and domain,
//! but not each other; adapters use domain. In the order of a cycle:
//!
//! - [`scheduler`] - starts cycles, one at a time
//! - [`cycle`] - one cycle, the whole system on one page
//! - [`messages`] - all messages between actors
//! - [`fetcher`] - bars
//! - [`feature_builder`] - features
//! - [`predictor`] - the model's probabilities
//! - [`signal_sender`] - orders
//! - [`journal`] - decisions and orders on disk
//! - [`archive`] - the bars that decisions were made from, on disk
//! - [`metrics`] - counts events for `/metrics`, and judges the daemon's health for `/health`
//! - [`guardian`] - holds the account in etcd, so that no other daemon trades it
//! - [`deadman`] - pings an external service after good cycles
//! - [`domain`] - calculations that all of them use: pure
//! - [`adapters`] - the outside systems, one module each, and their shared code
//!
//! `x.rs` is a module and `x/` has its parts. Tests are in `x/tests.rs`, or below the code if they are short. Code that only
//! tests need is in `x/fixtures.rs`.

pub mod adapters;
pub mod archive;
pub mod cycle;
pub mod deadman;
pub mod domain;
pub mod feature_builder;
pub mod fetcher;
pub mod guardian;
pub mod journal;
pub mod messages;
pub mod metrics;
pub mod predictor;
pub mod scheduler;
pub mod signal_sender;
