//! Sentinel's parts. Imports run one way: scheduler -> cycle -> messages -> domain; stages use messages, adapters
//! and domain and never each other; adapters use domain. In the order in which a cycle needs them:
//!
//! - [`scheduler`] - triggers cycles, one at a time
//! - [`cycle`] - one cycle, the whole system on one page
//! - [`messages`] - everything the actors say to each other
//! - [`fetcher`] - bars
//! - [`feature_builder`] - features
//! - [`predictor`] - the model's odds
//! - [`signal_sender`] - orders
//! - [`journal`] - what was decided and ordered, on disk
//! - [`archive`] - the bars that decisions were made from, on disk
//! - [`metrics`] - what happened, for `/metrics`, and how the daemon is, for `/health`
//! - [`deadman`] - a sign of life after a good cycle, for a service outside
//! - [`domain`] - what all of them compute with: pure
//! - [`adapters`] - the outside, one system each, and what these share
//!
//! `x.rs` is a module and `x/` holds its parts; tests are in `x/tests.rs`, or below the code where they are short, and what
//! only tests need is in `x/fixtures.rs`.

pub mod adapters;
pub mod archive;
pub mod cycle;
pub mod deadman;
pub mod domain;
pub mod feature_builder;
pub mod fetcher;
pub mod journal;
pub mod messages;
pub mod metrics;
pub mod predictor;
pub mod scheduler;
pub mod signal_sender;
