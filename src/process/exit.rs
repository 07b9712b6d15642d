//! How a command ends with an error: the message on stderr, and the exit code.

use std::process::ExitCode;

/// Invalid settings or flags (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Prints what is wrong with the settings.
pub fn refuse(error: &impl std::fmt::Display) -> ExitCode {
    eprintln!("sentinel: these settings are not valid:\n{error}");
    ExitCode::from(EXIT_USAGE)
}

/// Prints why the command failed.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("sentinel: {error:#}");
    ExitCode::FAILURE
}
