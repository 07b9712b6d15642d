//! How a command ends: what it answers on stdout or what is wrong on stderr, and the exit code.

use super::output::{complain, print};
use std::process::ExitCode;

/// Invalid settings or flags (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Prints what is wrong with the settings.
pub fn refuse(error: &impl std::fmt::Display) -> ExitCode {
    complain(&format!("sentinel: these settings are not valid:\n{error}"));
    ExitCode::from(EXIT_USAGE)
}

/// Prints what is wrong with the flags.
pub fn refuse_flags(what: &impl std::fmt::Display) -> ExitCode {
    complain(&format!("sentinel: {what}"));
    ExitCode::from(EXIT_USAGE)
}

/// Prints why the command failed.
pub fn fail(error: &anyhow::Error) -> ExitCode {
    complain(&format!("sentinel: {error:#}"));
    ExitCode::FAILURE
}

/// Prints what the command has done, or why it failed.
pub fn answer(done: anyhow::Result<String>) -> ExitCode {
    match done.and_then(|said| print(&format!("{said}\n"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}
