//! One outside system each; what comes in becomes a domain type or an error here.

pub mod breakers;
pub mod deadman;
pub mod eodhd;
pub mod fail_points;
pub mod gateway;
pub mod gzip;
pub mod halt_file;
pub mod http;
pub mod inflight;
pub mod journal;
pub mod json;
pub mod mlflow;
pub mod prometheus;
pub mod system_clock;
