//! `sentinel halt` and `sentinel resume`: make and remove the kill switch's file, and say what state that left. To
//! resume also means that failed orders in a row are counted afresh.

use super::journal;
use crate::{
    process::exit::{fail, refuse},
    settings::{Problem, Settings, SettingsError, Sources},
};
use anyhow::Context;
use sentinel_actors::{
    adapters::{
        halt_file::{self, HaltFile, HaltState},
        system_clock::SystemClock,
    },
    domain::clock::Clock,
};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Why there is nothing to make.
const NO_FILE: &str = "is not set; name the file that the daemon watches by --halt-file or --config";
/// Why there is nothing to end.
const NOTHING_TO_END: &str = "is not set, and no journal is known in which failed orders count; name the file that the \
                              daemon watches by --halt-file, its journal by --journal, or both by --config";

#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// Settings file (TOML) that names `guards.halt_file`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file itself [env SENTINEL__GUARDS__HALT_FILE]
    #[arg(long, value_name = "FILE")]
    halt_file: Option<String>,
}

#[derive(Debug, Default, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    halt: Args,
    /// The daemon's journal, which counts failed orders in a row [default: where the daemon has it by the same settings]
    #[arg(id = "resume_journal", long = "journal", value_name = "PATH")]
    journal: Option<PathBuf>,
}

/// Exits with 0 if orders are halted in the end.
pub(super) fn halt(args: &Args) -> ExitCode {
    let done = |made| if made { "made" } else { "was there already:" };
    match settings(&sources(args)).and_then(|settings| halt_path(&settings)?.ok_or_else(|| wrong(NO_FILE))) {
        Ok(path) => switch(&path, halt_file::halt, done, |state| *state != HaltState::Running),
        Err(error) => refuse(&error),
    }
}

/// Exits with 0 if orders may leave in the end, as far as the kill switch and failed orders are concerned.
pub(super) fn resume(args: &ResumeArgs) -> ExitCode {
    let sources = sources(&args.halt);
    let settings = match settings(&sources) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let failures_max = settings.guards.failures_in_a_row_max;
    let located = settings.journal.located(&sources.environment);
    let journal = args.journal.as_ref().unwrap_or(&located.path);
    let path = match halt_path(&settings) {
        Ok(path) => path,
        Err(error) => return refuse(&error),
    };
    let has_journal = journal.exists();
    if args.journal.is_none()
        && !has_journal
        && let Some(old) = located.old()
    {
        return refuse(&SettingsError::from(Problem { key: "journal.path".into(), message: old.message() }));
    }
    // A journal that was named has to be there; one that the settings name may be none of this daemon's.
    let counts = has_journal || args.journal.is_some();
    if path.is_none() && !counts {
        return refuse(&wrong(NOTHING_TO_END));
    }
    let done = |removed| if removed { "removed" } else { "was not there:" };
    let resumed =
        path.map_or(ExitCode::SUCCESS, |path| switch(&path, halt_file::resume, done, |s| *s == HaltState::Running));
    if !counts {
        println!("no journal at {}: no failed orders to count afresh; --journal names the daemon's", journal.display());
        return if failures_max > 0 { ExitCode::FAILURE } else { resumed };
    }
    match count_afresh(journal) {
        Ok(()) => {
            println!("failed orders in a row are counted afresh: {}", journal.display());
            resumed
        }
        Err(error) => fail(&error.context("failed orders in a row could not be counted afresh")),
    }
}

fn count_afresh(journal: &Path) -> anyhow::Result<()> {
    let mut store = super::journal::open_to_write(journal)?;
    store.resume(&journal::person(), SystemClock.now()).with_context(|| journal.display().to_string())
}

fn switch(
    path: &Path,
    act: impl Fn(&Path) -> io::Result<bool>,
    done: impl Fn(bool) -> &'static str,
    wanted: impl Fn(&HaltState) -> bool,
) -> ExitCode {
    let acted = act(path).with_context(|| path.display().to_string());
    // Looked at again, as the daemon will: what counts is what is there, not what was done.
    let state = HaltFile::new(Some(path.to_owned())).state();
    println!("{state}");
    match acted {
        // A file that could not be made halts nobody, even if this path is in doubt: the daemon may watch another.
        Err(error) => fail(&error),
        Ok(changed) => {
            println!("{} {}", done(changed), path.display());
            if wanted(&state) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn sources(args: &Args) -> Sources {
    let flags = args.halt_file.iter().map(|path| ("guards.halt_file", path.clone())).collect();
    Sources { flags, ..Sources::beside_daemon(args.config.as_deref()) }
}

/// The settings as they are: a halt must not wait for a token to be found.
fn settings(sources: &Sources) -> Result<Settings, SettingsError> {
    Settings::load_unchecked(sources)
}

/// The kill switch's file, if there is one.
fn halt_path(settings: &Settings) -> Result<Option<PathBuf>, SettingsError> {
    match &settings.guards.halt_file {
        Some(path) if !path.is_absolute() => Err(wrong("must be an absolute path")),
        path => Ok(path.clone()),
    }
}

fn wrong(message: &str) -> SettingsError {
    Problem { key: "guards.halt_file".into(), message: message.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::adapters::journal::Store;

    fn args(path: &Path) -> Args {
        Args { config: None, halt_file: Some(path.display().to_string()) }
    }

    /// As `resume` in the folder of the file, where there may be a journal.
    fn end(path: &Path) -> ExitCode {
        let config = path.with_file_name("sentinel.toml");
        std::fs::write(&config, format!("journal.path = {:?}", path.with_file_name("journal.db"))).unwrap();
        let halt = Args { config: Some(config), ..args(path) };
        resume(&ResumeArgs { halt, journal: None })
    }

    #[test]
    fn a_halt_can_be_made_and_ended_twice() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("halt");
        for (command, is_there) in [((|path| halt(&args(path))) as fn(&Path) -> ExitCode, true), (end, false)] {
            for _ in 0..2 {
                assert_eq!(command(&path), ExitCode::SUCCESS);
                assert_eq!(path.exists(), is_there);
            }
        }
        assert!(!place.path().join("journal.db").exists(), "a journal is the daemon's to make");
    }

    #[test]
    fn a_halt_that_could_not_be_made_is_no_success() {
        let place = tempfile::tempdir().unwrap();
        let gone = place.path().join("gone").join("halt");
        let nowhere = ResumeArgs { halt: args(&gone), journal: None };
        assert_eq!(halt(&args(&gone)), ExitCode::FAILURE);
        assert_eq!(resume(&nowhere), ExitCode::FAILURE);
        assert_eq!(halt(&args(Path::new("halt"))), ExitCode::from(64), "the daemon may run elsewhere");
    }

    #[test]
    fn to_resume_needs_something_to_end() {
        let place = tempfile::tempdir().unwrap();
        let config = place.path().join("sentinel.toml");
        let journal = place.path().join("journal.db");
        let with = |failures: u32| {
            let text = format!("journal.path = {journal:?}\nguards.failures_in_a_row_max = {failures}\n");
            std::fs::write(&config, text).unwrap();
            let halt = Args { config: Some(config.clone()), halt_file: None };
            resume(&ResumeArgs { halt, journal: None })
        };
        assert_eq!(with(3), ExitCode::from(64), "no file and no journal");
        drop(Store::open(&journal).unwrap());
        assert_eq!(with(0), ExitCode::SUCCESS, "a journal that is there is enough");
        assert_eq!(with(3), ExitCode::SUCCESS);
        let named = ResumeArgs { journal: Some(journal), ..ResumeArgs::default() };
        assert_eq!(resume(&named), ExitCode::SUCCESS);
        let missing = ResumeArgs { journal: Some(place.path().join("none.db")), ..ResumeArgs::default() };
        assert_eq!(resume(&missing), ExitCode::FAILURE);
    }
}
