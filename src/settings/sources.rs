//! What a run's settings are made from, before anything is merged: flags, environment, what a daemon was last_start, a file.

use super::{
    LIVE,
    last_start::LastStart,
    variables::{SYMBOLS, by_variables, split_names},
};
use crate::process::environment;
use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

/// The settings file of a machine that has one.
const DEFAULT_FILE: &str = "/etc/sentinel/production.toml";
/// Names another one.
pub(super) const FILE_VARIABLE: &str = "SENTINEL_CONFIG";

/// Everything a run's settings are made from, so that a test can make its own.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// What a running daemon was told beside its settings file, for the commands that work beside it.
    pub last_start: Option<LastStart>,
    /// The process's environment.
    pub environment: HashMap<String, String>,
    /// Keys given as flags, as text.
    pub flags: Vec<(&'static str, String)>,
    /// `--symbol`, if given: the names, which pick their tables from the file.
    pub symbols: Option<Vec<String>>,
}

impl Sources {
    /// Those of the daemon that this process is to be.
    pub fn from_process(config: Option<&Path>) -> Self {
        Self::of_daemon(config, environment())
    }

    /// Those of a command beside the daemon of this machine: the daemon's settings file and what it was last_start, unless
    /// another file is named. Says what it may not read.
    pub fn beside_daemon(config: Option<&Path>) -> Self {
        Self::found(config, false)
    }

    /// The same of the last start, even if that one was refused.
    pub fn of_last_start(config: Option<&Path>) -> Self {
        Self::found(config, true)
    }

    fn found(config: Option<&Path>, or_refused: bool) -> Self {
        let environment = environment();
        let last_start = LastStart::find(&environment, or_refused).unwrap_or_else(|note| {
            eprintln!("sentinel: note: {note}");
            None
        });
        Self::beside(config, environment, last_start)
    }

    /// Those of a daemon: the file is that of `--config`, else of SENTINEL_CONFIG, else the machine's, if it has one.
    pub fn of_daemon(config: Option<&Path>, environment: HashMap<String, String>) -> Self {
        let machines = || Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists());
        let file = chosen(config, &environment).or_else(machines);
        Self { file, environment, ..Self::default() }
    }

    /// Those of a command beside a daemon: the daemon's own, unless another file is named. `told` is what was found.
    pub fn beside(config: Option<&Path>, environment: HashMap<String, String>, last_start: Option<LastStart>) -> Self {
        let mut sources = Self::of_daemon(config, environment);
        // One that never ran, or keeps no word of it, reads what a daemon would; one that ran, what it has read.
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

    /// What these layers say beside the settings file, to be kept for the commands beside the daemon. `journal` is where it
    /// is in the end, for its default depends on the environment.
    pub fn to_last_start(&self, journal: Option<&Path>) -> LastStart {
        let mut flags: BTreeMap<_, _> =
            self.flags.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        flags.extend(journal.map(|path| ("journal.path".to_owned(), absolute(path).display().to_string())));
        let variables = by_variables(&self.environment).into_iter().collect();
        LastStart::new(self.file.as_deref().map(absolute), self.picked_symbols(), variables, flags)
    }

    /// Whether a flag asks for live mode, of this command or of the daemon beside it.
    pub(super) fn is_live_asked(&self) -> bool {
        self.flags.iter().any(|(key, value)| *key == LIVE && value == "true")
            || self.last_start.as_ref().is_some_and(LastStart::is_live_asked)
    }
}

/// The file that somebody named.
fn chosen(config: Option<&Path>, environment: &HashMap<String, String>) -> Option<PathBuf> {
    let variable = environment.get(FILE_VARIABLE).filter(|path| !path.is_empty());
    config.map(Path::to_owned).or_else(|| variable.map(PathBuf::from))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
