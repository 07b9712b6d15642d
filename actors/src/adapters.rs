//! The outside systems, one module each, and the code that these modules share. Input becomes a domain type or an error here.
//! No system's module uses another one.
//!
//! Systems:
//! - [`eodhd`] - market data
//! - [`mlflow`] - the model server
//! - [`gateway`] - the MetaTrader gateway
//! - [`journal`] - the SQLite file with decisions and orders
//! - [`archive`] - the SQLite file with bars
//! - [`prometheus`] - the text of `/metrics`
//! - [`deadman`] - the service that expects pings
//! - [`etcd`] - the claim on the account; members, shards and claims of orders
//! - [`halt_file`] - the kill switch, a file that `sentinel halt` creates
//! - [`system_clock`] - the machine's clocks
//!
//! Shared:
//! - [`endpoint`] - names of the systems that a cycle calls, their circuit breakers and their open requests
//! - [`http`] - the HTTP client
//! - [`patient_file`] - small files that may hang
//! - [`json`] - JSON with NaN and infinity, which Python and MQL5 write although JSON does not allow them
//! - [`gzip`] - compression of HTTP answers
//! - [`fail_points`] - places where a test build kills the process

pub mod archive;
pub mod deadman;
pub mod endpoint;
pub mod eodhd;
pub mod etcd;
pub mod fail_points;
pub mod gateway;
pub mod gzip;
pub mod halt_file;
pub mod http;
pub mod journal;
pub mod json;
pub mod mlflow;
pub mod patient_file;
pub mod prometheus;
pub mod system_clock;
