//! The binary as a process that knows nothing of the machine it runs on: neither variables nor a settings file of its own.

use std::process::Command;

/// `sentinel` with an empty environment, but for an empty settings file instead of /etc/sentinel/production.toml.
pub fn sentinel() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"));
    command.env_clear().env("SENTINEL_CONFIG", "/dev/null");
    command
}
