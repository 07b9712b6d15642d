//! What looks at a daemon, a market, a model or a monitoring machine from outside, as another program would; and what
//! makes the files that a model of one's own is trained on: `bars`, then `dataset`.

pub mod bars;
pub mod dataset;
mod eodhd;
pub mod probe;
mod progress;
pub mod soak;
pub mod verify;
