//! What `sentinel verify` and `sentinel soak` look at a running daemon with: an HTTP client that reports rather than
//! fails, and a reading of `/metrics` that is stricter than Prometheus's own.

mod client;
pub mod contract;
pub mod exposition;
pub mod listener;
pub mod route;

pub use client::{Client, Credentials, Page};
pub use exposition::{Exposition, Fault, Kind};
