//! All readers of text from outside. Each is a function that takes any bytes, asserts what must always hold, and returns
//! whether anything was accepted. The fuzz targets and `tests/properties.rs` call them.

pub mod bars;
pub mod gateway_reply;
pub mod model_answer;
pub mod settings;
