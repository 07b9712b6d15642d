//! The sources of a run's settings, before they are merged: flags, environment, the daemon's last start, a file.

use super::{
    LIVE,
    last_start::LastStart,
    variables::{SYMBOLS, by_variables, split_names},
};
use crate::process::{environment, output::complain};
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// The settings file that is used if it exists and no other one is named.
const DEFAULT_FILE: &str = "/etc/sentinel/production.toml";
/// The variable that names another one.
pub(super) const FILE_VARIABLE: &str = "SENTINEL_CONFIG";

/// All sources of a run's settings. A test can create its own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// The flags and variables of the daemon's last start, for the commands other than `run`.
    pub last_start: Option<LastStart>,
    /// The process's environment.
    pub environment: HashMap<String, String>,
    /// Keys given as flags, as text.
    pub flags: Vec<(&'static str, String)>,
    /// The names of `--symbol`, if given; they select tables of the file.
    pub symbols: Option<Vec<String>>,
}

impl Sources {
    /// The sources of a daemon, from this process.
    pub fn from_process(config: Option<&Path>) -> Self {
        Self::of_daemon(config, environment())
    }

    /// Those of a command on the daemon's machine: the settings file, flags and variables of the daemon's last start, unless
    /// another file is named. Prints a note about what it may not read.
    pub fn beside_daemon(config: Option<&Path>) -> Self {
        Self::found(config, false)
    }

    /// The same, even if the last start was refused.
    pub fn of_last_start(config: Option<&Path>) -> Self {
        Self::found(config, true)
    }

    fn found(config: Option<&Path>, or_refused: bool) -> Self {
        let environment = environment();
        let last_start = LastStart::find(&environment, or_refused).unwrap_or_else(|note| {
            complain(&format!("sentinel: note: {note}"));
            None
        });
        Self::beside(config, environment, last_start)
    }

    /// The sources of a daemon: the file of `--config`, else of SENTINEL_CONFIG, else the default one if it exists.
    pub fn of_daemon(config: Option<&Path>, environment: HashMap<String, String>) -> Self {
        let default = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let file = chosen(config, &environment).or_else(default);
        Self { file, environment, ..Self::default() }
    }

    /// The sources of a command other than `run`: the daemon's, unless another file is named.
    pub fn beside(config: Option<&Path>, environment: HashMap<String, String>, last_start: Option<LastStart>) -> Self {
        let mut sources = Self::of_daemon(config, environment);
        // The file that the daemon has read. Without a last start, the file that a daemon would read.
        if let (None, Some(last_start)) = (chosen(config, &sources.environment), &last_start) {
            sources.file.clone_from(&last_start.config);
        }
        let is_its_file = |last_start: &LastStart| match (&last_start.config, &sources.file) {
            (Some(its), Some(file)) => {
                its == file || its.canonicalize().is_ok_and(|its| file.canonicalize().is_ok_and(|file| its == file))
            }
            (its, file) => its.is_none() && file.is_none(),
        };
        let last_start = last_start.filter(is_its_file);
        Self { last_start, ..sources }
    }

    /// The names of symbols by flags, else by the environment.
    pub(super) fn picked_symbols(&self) -> Option<Vec<String>> {
        let by_environment = || self.environment.get(SYMBOLS).filter(|names| !names.is_empty());
        self.symbols.clone().or_else(|| by_environment().map(|names| split_names(names)))
    }

    /// What these sources set in addition to the settings file, to be kept for other commands. `journal` is its resolved path,
    /// because the default depends on the environment.
    pub fn to_last_start(&self, journal: Option<&Path>) -> LastStart {
        let mut flags: BTreeMap<_, _> =
            self.flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        flags.extend(journal.map(|path| ("journal.path".to_owned(), absolute(path).display().to_string())));
        let variables = by_variables(&self.environment).into_iter().collect();
        LastStart::new(self.file.as_deref().map(absolute), self.picked_symbols(), variables, flags)
    }

    /// Whether a flag asks for live mode: of this command, or of the daemon's last start.
    pub(super) fn is_live_asked(&self) -> bool {
        self.flags.iter().any(|(key, value)| *key == LIVE && value == "true")
            || self.last_start.as_ref().is_some_and(LastStart::is_live_asked)
    }
}

/// The file that the flag or the variable names.
fn chosen(config: Option<&Path>, environment: &HashMap<String, String>) -> Option<PathBuf> {
    let variable = environment.get(FILE_VARIABLE).filter(|path| !path.is_empty());
    config.map(Path::to_owned).or_else(|| variable.map(PathBuf::from))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
