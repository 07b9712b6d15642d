//! Every place where text from outside comes in, each as one function over any bytes that asserts what must hold
//! whatever they are and says whether anything was accepted. The fuzz targets and `tests/properties.rs` call them.

pub mod bars;
pub mod gateway_reply;
pub mod model_answer;
pub mod settings;
