//! `sentinel halt` and `sentinel resume`: create and remove the file of the kill switch, and print the resulting state. Resume
//! also resets the count of failed orders in a row.

use crate::{
    process::{
        exit::{fail, refuse},
        output::say,
        person,
    },
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

/// Why `halt` has no file to create.
const NO_FILE: &str = "is not set; name the file that the daemon watches with --halt-file or --config";
/// Why `resume` has nothing to end.
const NOTHING_TO_END: &str = "is not set, and there is no journal with a count of failed orders; name the file that the \
                              daemon watches with --halt-file, its journal with --journal, or both with --config";

#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// Settings file (TOML) with `guards.halt_file`
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
    /// The daemon's journal, which counts failed orders in a row [default: as in the daemon's settings]
    #[arg(id = "resume_journal", long = "journal", value_name = "PATH")]
    journal: Option<PathBuf>,
}

/// Exits with 0 if orders are now halted.
pub(super) fn halt(args: &Args) -> ExitCode {
    let done = |is_new| if is_new { "created" } else { "already existed:" };
    match settings(&sources(args)).and_then(|settings| halt_path(&settings)?.ok_or_else(|| wrong(NO_FILE))) {
        Ok(path) => switch(&path, halt_file::halt, done, |state| *state != HaltState::Running),
        Err(error) => refuse(&error),
    }
}

/// Exits with 0 if neither the kill switch nor failed orders now stop orders.
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
    // A journal named by the flag must exist. One that the settings name may not have been created yet.
    let counts = has_journal || args.journal.is_some();
    if path.is_none() && !counts {
        return refuse(&wrong(NOTHING_TO_END));
    }
    let done = |removed| if removed { "removed" } else { "did not exist:" };
    let resumed =
        path.map_or(ExitCode::SUCCESS, |path| switch(&path, halt_file::resume, done, |s| *s == HaltState::Running));
    if !counts {
        say(&format!(
            "no journal at {}, so no count of failed orders: name the daemon's with --journal",
            journal.display()
        ));
        return if failures_max > 0 { ExitCode::FAILURE } else { resumed };
    }
    if resumed != ExitCode::SUCCESS {
        // Orders still stop, so that the next attempt is what starts the count again.
        say("the count of failed orders in a row is not reset");
        return resumed;
    }
    match reset_failures(journal) {
        Ok(()) => {
            say(&format!("the count of failed orders in a row is reset: {}", journal.display()));
            resumed
        }
        Err(error) => fail(&error.context("the count of failed orders in a row could not be reset")),
    }
}

fn reset_failures(journal: &Path) -> anyhow::Result<()> {
    let mut store = super::journal::open_to_write(journal)?;
    store.resume(&person(), SystemClock.now()).with_context(|| journal.display().to_string())
}

fn switch(
    path: &Path,
    act: impl Fn(&Path) -> io::Result<bool>,
    done: impl Fn(bool) -> &'static str,
    wanted: impl Fn(&HaltState) -> bool,
) -> ExitCode {
    let acted = act(path).with_context(|| path.display().to_string());
    // Read again, as the daemon will read it: what counts is the file, not what this command did.
    let state = HaltFile::new(Some(path.to_owned())).state();
    say(&state.to_string());
    match acted {
        // Even if this path counts as halted because it cannot be read: the daemon may watch another path.
        Err(error) => fail(&error),
        Ok(changed) => {
            say(&format!("{} {}", done(changed), path.display()));
            if wanted(&state) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}

fn sources(args: &Args) -> Sources {
    let flags = args.halt_file.iter().map(|path| ("guards.halt_file", path.clone())).collect();
    Sources { flags, ..Sources::beside_daemon(args.config.as_deref()) }
}

/// The settings without checks: a halt must not fail because a token is missing.
fn settings(sources: &Sources) -> Result<Settings, SettingsError> {
    Settings::load_unchecked(sources)
}

/// The file of the kill switch, if it is set.
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

    /// `resume` in the folder of the file, which may have a journal.
    fn end(path: &Path) -> ExitCode {
        let config = path.with_file_name("sentinel.toml");
        std::fs::write(&config, format!("journal.path = {:?}", path.with_file_name("journal.db"))).unwrap();
        let halt = Args { config: Some(config), ..args(path) };
        resume(&ResumeArgs { halt, journal: None })
    }

    #[test]
    fn halt_and_resume_can_be_repeated() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("halt");
        for (command, is_there) in [((|path| halt(&args(path))) as fn(&Path) -> ExitCode, true), (end, false)] {
            for _ in 0..2 {
                assert_eq!(command(&path), ExitCode::SUCCESS);
                assert_eq!(path.exists(), is_there);
            }
        }
        assert!(!place.path().join("journal.db").exists(), "only the daemon creates a journal");
    }

    #[test]
    fn a_halt_that_fails_exits_with_1() {
        let place = tempfile::tempdir().unwrap();
        let gone = place.path().join("gone").join("halt");
        let nowhere = ResumeArgs { halt: args(&gone), journal: None };
        assert_eq!(halt(&args(&gone)), ExitCode::FAILURE);
        assert_eq!(resume(&nowhere), ExitCode::FAILURE);
        assert_eq!(halt(&args(Path::new("halt"))), ExitCode::from(64), "the daemon may run in another folder");
    }

    #[test]
    fn resume_needs_a_file_or_a_journal() {
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
        assert_eq!(with(0), ExitCode::SUCCESS, "a journal is enough");
        assert_eq!(with(3), ExitCode::SUCCESS);
        let named = ResumeArgs { journal: Some(journal), ..ResumeArgs::default() };
        assert_eq!(resume(&named), ExitCode::SUCCESS);
        let missing = ResumeArgs { journal: Some(place.path().join("none.db")), ..ResumeArgs::default() };
        assert_eq!(resume(&missing), ExitCode::FAILURE);
    }
}
