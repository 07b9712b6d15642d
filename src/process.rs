//! The process: its environment, its signals, its exit codes, its build.

pub mod build_info;
mod environment;
pub mod exit;
mod on_system;
pub mod output;
pub mod shell;
pub mod unix_signals;

pub use build_info::build_info;
pub use environment::environment;
pub use on_system::on_system;
