//! The files that belong to the journal, and who may read them: its user alone. They name the account and every order.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tracing::warn;

/// The owner reads and writes, nobody else does anything.
const PRIVATE: u32 = 0o600;
/// All that a journal may have beside it, the journal itself first.
const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", ".lock", ".unwritten"];

/// `<path><suffix>`.
pub(super) fn beside(path: &Path, suffix: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file's own path, or while there is none its folder's: two daemons must not get past each other through a link.
pub(super) fn real(path: &Path) -> PathBuf {
    let folder = || path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let by_folder = || Some(folder()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(by_folder).unwrap_or_else(|| path.to_owned())
}

/// Options under which a file that is made is private from its first moment.
pub(super) fn private() -> OpenOptions {
    let mut options = File::options();
    options.mode(PRIVATE);
    options
}

/// Makes an empty journal if there is none; SQLite gives its other files the mode of this one. A file that is there is
/// not opened: to close it again would end the locks that this process has on it.
pub(super) fn make(path: &Path) -> io::Result<()> {
    match private().write(true).create_new(true).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Takes from everybody else what an earlier version let them do with the journal's files, and says so.
pub(super) fn tighten(journal: &Path) {
    for path in SUFFIXES.map(|suffix| beside(journal, suffix)) {
        tighten_one(&path);
    }
}

/// As [`tighten`], for one file.
pub(super) fn tighten_one(path: &Path) {
    let Ok(metadata) = fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() || mode & !PRIVATE == 0 {
        return;
    }
    let path_shown = path.display();
    match fs::set_permissions(path, Permissions::from_mode(PRIVATE)) {
        Ok(()) => warn!("others could open {path_shown} (mode {mode:04o}): from now on only its user can (0600)"),
        Err(error) => warn!("others can open {path_shown} (mode {mode:04o}), and that cannot be changed: {error}"),
    }
}
