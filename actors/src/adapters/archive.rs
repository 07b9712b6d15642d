//! The bar archive: every closed bar that decisions were made from, with every change of it, in an SQLite file of its own.
//! Written by the Archivist's thread; read by `sentinel replay` and `sentinel study`, also beside a running daemon.
//!
//! A bar that changed, or that the provider took back, is a new revision; nothing is ever updated. So the window of any
//! recorded decision can be made again: of each bar the newest revision that was there in its cycle.

mod error;
mod open;
mod queue;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub use error::ArchiveError;
pub use queue::{NotTaken, Queue, Work, queue};
pub use read::SeriesRange;
pub use write::Written;

use rusqlite::Connection;
use std::{collections::HashMap, fs::File};
use write::{Ids, Known};

/// What a bar takes in the file, bytes, everything included; measured by `a_bar_takes_as_much_as_check_says`.
pub const BAR_BYTES: u64 = 74;

/// The open file.
#[derive(Debug)]
pub struct Archive {
    connection: Connection,
    /// The rows of names, so that a cycle need not look for them.
    ids: Ids,
    /// Of each series, what the file has of its newest window.
    known: HashMap<i64, Known>,
    /// Held for as long as this daemon writes.
    _lock: Option<File>,
}
