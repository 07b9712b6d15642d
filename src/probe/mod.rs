//! What `sentinel verify` and `sentinel soak` look at a running daemon with: an HTTP client that reports rather than
//! fails, and a reading of `/metrics` that is stricter than Prometheus's own.

mod client;
pub mod exposition;

pub use client::{Client, Credentials, Page};
pub use exposition::{Exposition, Fault, Kind};
