//! `sentinel study`: whether a model's odds are worth anything on these bars, after costs, and from which threshold on.

pub mod page;
pub mod result;
pub mod statistics;
