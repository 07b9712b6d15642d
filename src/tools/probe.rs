//! Shared by `sentinel verify` and `sentinel soak`: an HTTP client that reports any status instead of failing, and a parser of
//! `/metrics` that is stricter than Prometheus's own.

mod client;
pub mod contract;
pub mod exposition;
pub mod listener;
pub mod route;

pub use client::{Client, Credentials, Page};
pub use exposition::{Exposition, Fault, Kind};
