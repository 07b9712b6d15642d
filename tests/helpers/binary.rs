//! The binary as a process without this machine's variables and settings file.

use std::process::Command;

/// `sentinel` with an empty environment, except for an empty settings file instead of /etc/sentinel/production.toml.
pub fn sentinel() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"));
    command.env_clear().env("SENTINEL_CONFIG", "/dev/null");
    command
}
