//! The process: its environment, its signals, its exit codes, its build.

pub mod build_info;
mod environment;
pub mod exit;
mod host_name;
mod on_system;
pub mod output;
mod person;
pub mod shell;
pub mod unix_signals;

pub use build_info::build_info;
pub use environment::environment;
pub use host_name::host_name;
pub use on_system::on_system;
pub use person::person;
