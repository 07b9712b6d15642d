//! The state directory: the one directory of a machine for what must not depend on where Sentinel was started. It holds the
//! journal, unless a setting names another path, and the locks of live accounts.

use std::{
    collections::HashMap,
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// The journal's name in it.
pub(super) const JOURNAL: &str = "journal.db";
/// The name of the file that counts studies.
const STUDIES: &str = "studies.db";

/// The state directory of this environment: systemd's `STATE_DIRECTORY` (the first, if there are several), else the XDG base
/// directory for state, else `None`. Creates nothing.
pub(super) fn find(environment: &HashMap<String, String>) -> Option<PathBuf> {
    let named = |name: &str| environment.get(name).and_then(|path| absolute(path));
    of_service(environment)
        .or_else(|| Some(named("XDG_STATE_HOME")?.join("sentinel")))
        .or_else(|| Some(named("HOME")?.join(".local/state/sentinel")))
}

/// The state directory that a service manager or an image sets.
pub(super) fn of_service(environment: &HashMap<String, String>) -> Option<PathBuf> {
    environment.get("STATE_DIRECTORY").and_then(|paths| paths.split(':').find_map(absolute))
}

/// The XDG specification says to ignore relative paths. In the other variables they would depend on the working folder.
fn absolute(path: &str) -> Option<PathBuf> {
    Some(PathBuf::from(path)).filter(|path| path.is_absolute())
}

/// The journal in this directory; without one, in the working folder.
pub(super) fn journal(directory: Option<&Path>) -> PathBuf {
    directory.map_or_else(|| PathBuf::from(JOURNAL), |directory| directory.join(JOURNAL))
}

/// The count of studies in this directory; without one, in the working folder.
pub fn studies(directory: Option<&Path>) -> PathBuf {
    directory.map_or_else(|| PathBuf::from(STUDIES), |directory| directory.join(STUDIES))
}

/// Creates a state directory that only this user can read. An existing one is not changed.
///
/// # Errors
/// When the system cannot create it.
pub fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn found(variables: &[(&str, &str)]) -> Option<String> {
        let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        find(&environment).map(|path| path.display().to_string())
    }

    #[test]
    fn systemds_directory_comes_before_xdgs() {
        let home = ("HOME", "/home/eve");
        let xdg = ("XDG_STATE_HOME", "/state");
        for (variables, wanted) in [
            (vec![], None),
            (vec![home], Some("/home/eve/.local/state/sentinel")),
            (vec![home, xdg], Some("/state/sentinel")),
            (vec![home, xdg, ("STATE_DIRECTORY", "/var/lib/sentinel:/var/lib/other")], Some("/var/lib/sentinel")),
            (vec![home, ("XDG_STATE_HOME", "state"), ("STATE_DIRECTORY", "")], Some("/home/eve/.local/state/sentinel")),
            (vec![("HOME", "eve"), ("STATE_DIRECTORY", "here")], None),
        ] {
            assert_eq!(found(&variables).as_deref(), wanted, "{variables:?}");
        }
    }

    #[test]
    fn only_its_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = TempDir::new().unwrap();
        let directory = folder.path().join("a/sentinel");
        make(&directory).unwrap();
        make(&directory).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
