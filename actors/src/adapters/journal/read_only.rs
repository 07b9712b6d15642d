//! A journal that may be read and not written: another user's, or one on a disk that is mounted read-only. Nothing is
//! made beside it: a file of ours there could keep its daemon out.

use super::{BUSY_WAIT, CACHE_KIB, OpenError, Store, files, schema};
use rusqlite::{Connection, OpenFlags};
use std::{fs, os::unix::ffi::OsStrExt, os::unix::fs::MetadataExt, path::Path};

/// Opens it, whether a daemon writes to it or not.
pub(super) fn open(path: &Path) -> Result<Store, OpenError> {
    open_as(path, how(path)).map_err(|error| match error {
        OpenError::Failed { .. } => missing(path).map_or(error, |detail| OpenError::failed(path, detail)),
        error => error,
    })
}

/// With a write-ahead log beside it a daemon may be writing. Without one the last daemon closed the file properly, and
/// SQLite has to be told that it may go without the files that it cannot make.
fn how(path: &Path) -> &'static str {
    let is_empty = |suffix: &str| fs::metadata(files::beside(path, suffix)).map_or(true, |found| found.len() == 0);
    if is_empty("-wal") && is_empty("-shm") { "immutable=1" } else { "readonly_shm=1" }
}

fn open_as(path: &Path, how: &str) -> Result<Store, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::failed(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let real = files::real(path);
    let connection = Connection::open_with_flags(uri(&real, how), flags).map_err(failed)?;
    connection.busy_timeout(BUSY_WAIT).map_err(failed)?;
    schema::check(&connection, path)?;
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).map_err(failed)?;
    if found < schema::VERSION {
        return Err(OpenError::Older { found, known: schema::VERSION });
    }
    connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
    Ok(Store { connection, unwritten: files::beside(&real, ".unwritten"), version: None, open: None })
}

/// The path with everything escaped that means something else in a URI.
fn uri(path: &Path, how: &str) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    format!("{uri}?{how}")
}

/// What a reader lacks, and the way out.
fn missing(path: &Path) -> Option<String> {
    let way_out = "run this as that user or as root";
    for file in ["", "-wal", "-shm"].map(|suffix| files::beside(path, suffix)) {
        let Ok(found) = fs::metadata(&file) else { continue };
        if let Err(error) = fs::File::open(&file) {
            let (name, uid, mode) = (file.display(), found.uid(), found.mode() & 0o777);
            return Some(format!("{name} cannot be read ({error}): it is user {uid}'s, mode {mode:04o}; {way_out}"));
        }
    }
    let (wal, shm) = (files::beside(path, "-wal"), files::beside(path, "-shm"));
    let uid = fs::metadata(path).ok()?.uid();
    (wal.exists() && !shm.exists()).then(|| {
        let (wal, shm) = (wal.display(), shm.display());
        format!(
            "what was written last is in {wal}, which takes {shm} to read, and only user {uid} can make that; {way_out}"
        )
    })
}
