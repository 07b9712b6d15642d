//! The flags and variables of the daemon's last start, kept in its state directory for the commands that run beside it:
//! those of a unit or a container are in no shell. `run` writes the file and never reads it. It holds no secret.

mod trust;

use super::{LIVE, base::is_setting, state_directory};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The file's name in the state directory.
const FILE: &str = "daemon.toml";
/// The same of a start whose settings were refused. Only `check` reads it, to say why; all other commands use the last start
/// that was not refused.
const REFUSED_FILE: &str = "daemon-refused.toml";
/// The state directory of docker/sentinel.service, for users other than the daemon's.
const USUAL_DIRECTORY: &str = "/var/lib/sentinel";
/// Keys whose value must not be in a file.
const SECRETS: [&str; 2] = ["data.api_token", "deadman.url"];
/// Longest file that is read.
const BYTES_MAX: u64 = 1 << 20;
const HEAD: &str = "# The flags and variables of the daemon's last start. The daemon writes this file, and the other sentinel commands read it.\n\
                    # To change a setting, change the unit, compose.yaml or the settings file.\n";

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStart {
    /// The daemon's settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<PathBuf>,
    /// Names of symbols, if a flag or a variable set them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symbols: Option<Vec<String>>,
    /// Keys set by variables.
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// Keys set by flags, which override the variables.
    #[serde(default)]
    pub(super) flags: BTreeMap<String, String>,
    /// Keys that are left out because they name files that another user chose.
    #[serde(skip)]
    untrusted: Vec<String>,
    /// Where it was read.
    #[serde(skip)]
    path: PathBuf,
}

impl LastStart {
    /// What set this daemon's settings, without what must not be in a file.
    pub(super) fn new(
        config: Option<PathBuf>,
        symbols: Option<Vec<String>>,
        mut variables: BTreeMap<String, String>,
        mut flags: BTreeMap<String, String>,
    ) -> Self {
        // A value that is not a path may be the secret itself, in the wrong one of two variables.
        let is_misplaced = |key: &str, value: &str| key.ends_with("_file") && !Path::new(value).is_absolute();
        let is_kept = |key: &str, value: &str| !SECRETS.contains(&key) && !is_misplaced(key, value) && is_setting(key);
        variables.retain(|key, value| is_kept(key, value));
        flags.retain(|key, value| is_kept(key, value));
        Self { config, symbols, variables, flags, ..Self::default() }
    }

    /// Writes it to the state directory of the environment. If there is none, this is not a service but a trial in a shell, and
    /// nothing is written. `is_refused`: the settings were refused.
    ///
    /// # Errors
    /// When the system cannot write it.
    pub fn write(&self, environment: &HashMap<String, String>, is_refused: bool) -> io::Result<()> {
        let Some(directory) = state_directory::of_service(environment) else { return Ok(()) };
        let (path, refused) = (directory.join(FILE), directory.join(REFUSED_FILE));
        let path = if is_refused { &refused } else { &path };
        let new = path.with_extension("toml.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let text = toml::to_string(self).map_err(io::Error::other)?;
        file.write_all(format!("{HEAD}\n{text}").as_bytes())?;
        fs::rename(&new, path)?;
        if is_refused {
            return Ok(());
        }
        match fs::remove_file(&refused) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The daemon's file: in the state directory of the environment, else in the usual one. `None` if there is none. With
    /// `or_refused`, that of a later start that was refused comes first.
    ///
    /// # Errors
    /// A file that exists but cannot be read, as a message for a person.
    pub fn find(environment: &HashMap<String, String>, or_refused: bool) -> Result<Option<Self>, String> {
        let directory = state_directory::of_service(environment).unwrap_or_else(|| PathBuf::from(USUAL_DIRECTORY));
        let names: &[&str] = if or_refused { &[REFUSED_FILE, FILE] } else { &[FILE] };
        for path in names.iter().map(|name| directory.join(name)) {
            if let Some(found) = Self::read(&path)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn read(path: &Path) -> Result<Option<Self>, String> {
        let shown = path.display();
        let (text, owner) = match read(path) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(format!(
                    "the daemon's flags and variables are in {shown}, which this user cannot read: run this command as root or \
                     as the daemon's user"
                ));
            }
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let unreadable =
            |_| format!("{shown} is not a file of the daemon and is ignored; the next start writes a new one");
        let mut last_start = Self { path: path.to_owned(), ..toml::from_str(&text).map_err(unreadable)? };
        if owner != geteuid().as_raw() {
            last_start.drop_untrusted(path.parent().unwrap_or(Path::new(USUAL_DIRECTORY)));
        }
        last_start.drop_missing_credentials();
        Ok(Some(last_start))
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that it sets.
    pub fn keys(&self) -> Vec<&str> {
        let symbols = self.symbols.as_ref().map(|_| "symbols");
        let mut keys: Vec<_> =
            self.variables.keys().chain(self.flags.keys()).map(String::as_str).chain(symbols).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The keys that it sets, but that are not used because another user wrote the file.
    pub fn untrusted(&self) -> &[String] {
        &self.untrusted
    }

    /// Whether the daemon was started with `--live`.
    pub(super) fn is_live_asked(&self) -> bool {
        self.flags.get(LIVE).is_some_and(|value| value == "true")
    }
}

/// The text and its owner. Follows no link, and never blocks on a pipe.
fn read(path: &Path) -> io::Result<(String, u32)> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let owner = file.metadata()?.uid();
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, owner))
}

#[cfg(test)]
mod tests;
