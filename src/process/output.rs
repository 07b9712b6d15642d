//! What commands print. Whoever reads it may close it early, which is no fault of the command.

use anyhow::Context;
use std::io::{ErrorKind, Write, stderr, stdout};

/// Prints. A reader that closes the pipe has seen enough: `sentinel orders | head`.
///
/// # Errors
/// Those of stdout, such as a full disk.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done.context("stdout"),
    }
}

/// Prints a line of a command that has more to do, and that has done it whether or not somebody reads so. If it cannot be
/// printed for another reason than a closed pipe, stderr says why.
pub fn say(line: &str) {
    if let Err(error) = print(&format!("{line}\n")) {
        complain(&format!("sentinel: {error:#}"));
    }
}

/// Prints a line to stderr. If that is gone, nothing can be said to anyone.
pub fn complain(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
