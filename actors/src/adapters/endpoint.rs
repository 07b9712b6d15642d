//! The three outside systems that a cycle calls, with their names in metric labels, and their shared state: the circuit
//! breaker and the number of open requests of each.

mod breakers;
mod inflight;

pub use breakers::Breakers;
pub use inflight::{Inflight, InflightGuard};

/// The system to which a request goes; the values of the label `endpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Market data.
    Eodhd,
    /// The model server.
    Hub,
    /// The MetaTrader gateway.
    Gateway,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Eodhd, Self::Hub, Self::Gateway];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eodhd => "eodhd",
            Self::Hub => "hub",
            Self::Gateway => "gateway",
        }
    }
}
