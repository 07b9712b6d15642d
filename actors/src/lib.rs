//! Sentinel's parts, in pipeline order. Imports run one way: scheduler -> cycle -> messages -> domain; stages use
//! messages, adapters and domain and never each other; adapters use domain.

pub mod adapters;
pub mod cycle;
mod cycle_log;
pub mod domain;
pub mod feature_builder;
pub mod fetcher;
pub mod messages;
pub mod scheduler;
pub mod predictor;
pub mod signal_sender;
pub mod metrics;
