//! The three outside systems that a cycle asks, as metric labels name them, and what is kept of each: whether it may be
//! asked now, and how many requests to it are under way.

mod breakers;
mod inflight;

pub use breakers::Breakers;
pub use inflight::{Inflight, InflightGuard};

/// Whom a request goes to; the values of the label `endpoint`.
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
