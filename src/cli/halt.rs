//! `sentinel halt` and `sentinel resume`: make and remove the kill switch's file, and say what state that left.

use super::{fail, refuse};
use crate::settings::{Settings, Sources};
use anyhow::Context;
use sentinel_actors::adapters::halt_file::{self, HaltFile, HaltState};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Settings file (TOML) that names `guards.halt_file`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file itself [env SENTINEL__GUARDS__HALT_FILE]
    #[arg(long, value_name = "FILE")]
    halt_file: Option<String>,
}

/// Exits with 0 if orders are halted in the end.
pub(super) fn halt(args: &Args) -> ExitCode {
    let done = |made| if made { "made" } else { "was there already:" };
    run(args, halt_file::halt, done, |state| *state != HaltState::Running)
}

/// Exits with 0 if orders may leave in the end.
pub(super) fn resume(args: &Args) -> ExitCode {
    let done = |removed| if removed { "removed" } else { "was not there:" };
    run(args, halt_file::resume, done, |state| *state == HaltState::Running)
}

fn run(
    args: &Args,
    act: impl Fn(&Path) -> io::Result<bool>,
    done: impl Fn(bool) -> &'static str,
    wanted: impl Fn(&HaltState) -> bool,
) -> ExitCode {
    let path = match path(args) {
        Ok(path) => path,
        Err(code) => return code,
    };
    let acted = act(&path).with_context(|| path.display().to_string());
    // Looked at again, as the daemon will: what counts is what is there, not what was done.
    let state = HaltFile::new(Some(path.clone())).state();
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

/// The file's name. No other setting is looked at: a halt must not wait for a token to be found.
fn path(args: &Args) -> Result<PathBuf, ExitCode> {
    let flags = args.halt_file.iter().map(|path| ("guards.halt_file", path.clone())).collect();
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let sources = Sources { file: args.config.clone(), environment: environment.collect(), flags, symbols: None };
    let settings = Settings::load_unchecked(&sources).map_err(|error| refuse(&error))?;
    match settings.guards.halt_file {
        Some(path) if path.is_absolute() => Ok(path),
        Some(_) => Err(refuse(&"guards.halt_file: must be an absolute path")),
        None => Err(refuse(
            &"guards.halt_file: is not set; name the file that the daemon watches by --halt-file or --config",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(path: &Path) -> Args {
        Args { config: None, halt_file: Some(path.display().to_string()) }
    }

    #[test]
    fn a_halt_can_be_made_and_ended_twice() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("halt");
        for (command, is_there) in [(halt as fn(&Args) -> ExitCode, true), (resume, false)] {
            for _ in 0..2 {
                assert_eq!(command(&args(&path)), ExitCode::SUCCESS);
                assert_eq!(path.exists(), is_there);
            }
        }
    }

    #[test]
    fn a_halt_that_could_not_be_made_is_no_success() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(halt(&args(&place.path().join("gone").join("halt"))), ExitCode::FAILURE);
        assert_eq!(resume(&args(&place.path().join("gone").join("halt"))), ExitCode::FAILURE);
        assert_eq!(halt(&args(Path::new("halt"))), ExitCode::from(64), "the daemon may run elsewhere");
    }
}
