//! Tools that examine a daemon, a market, a model or a monitoring machine from outside.

pub mod probe;
pub mod soak;
pub mod verify;
