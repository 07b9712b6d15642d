//! Tools that examine a daemon, its journal, a market, a model or a monitoring machine from outside, and those that make the files
//! to train your own model on: `bars`, then `dataset`; and `study`, which says whether it is worth anything.

pub(crate) mod account;
pub mod bars;
pub(crate) mod cluster;
pub mod dataset;
mod eodhd;
mod gaps;
mod plot;
pub mod probe;
mod progress;
pub mod replay;
pub mod soak;
pub mod study;
pub mod verify;
