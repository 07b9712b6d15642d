//! What looks at a daemon, a market, a model or a monitoring machine from outside, as another program would.

pub mod probe;
pub mod soak;
pub mod verify;
