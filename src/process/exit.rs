//! How a command ends that cannot go on: what stderr says, and the exit code.

use std::process::ExitCode;

/// Settings or flags that cannot stand (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Says on stderr what is wrong with the settings.
pub fn refuse(error: &impl std::fmt::Display) -> ExitCode {
    eprintln!("sentinel: these settings cannot be used:\n{error}");
    ExitCode::from(EXIT_USAGE)
}

/// Says on stderr why the command could not go on.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("sentinel: {error:#}");
    ExitCode::FAILURE
}
