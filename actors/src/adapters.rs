//! The outside: one system each, and what the adapters share. What comes in becomes a domain type or an error here. No system
//! uses another one.
//!
//! Systems:
//! - [`eodhd`] - market data
//! - [`mlflow`] - the model server
//! - [`gateway`] - the MetaTrader gateway
//! - [`journal`] - the SQLite file of decisions and orders
//! - [`archive`] - the SQLite file of bars
//! - [`prometheus`] - the text of `/metrics`
//! - [`deadman`] - the service that expects a sign of life
//! - [`halt_file`] - the kill switch, a file that `sentinel halt` makes
//! - [`system_clock`] - the machine's clocks
//!
//! Shared:
//! - [`endpoint`] - the name of a system that a cycle asks, its circuit breaker, its requests under way
//! - [`http`] - the client of everything that is asked over HTTP
//! - [`json`] - JSON with the bare NaN and infinity that Python and MQL5 write
//! - [`gzip`] - compression of what is served
//! - [`fail_points`] - where a test build kills the process

pub mod archive;
pub mod deadman;
pub mod endpoint;
pub mod eodhd;
pub mod fail_points;
pub mod gateway;
pub mod gzip;
pub mod halt_file;
pub mod http;
pub mod journal;
pub mod json;
pub mod mlflow;
pub mod prometheus;
pub mod system_clock;
