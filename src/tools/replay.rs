//! `sentinel replay`: every recorded decision again, through the functions of the actors, on the bars of the archive and by the
//! settings that were in force then. `core` makes one decision, `given` has functions and settings, `window` finds its bars,
//! `features` compares features, `reasons` action and reason, `earlier` has the orders before it, `report` has the result, `model` asks the model again.

mod decision_inputs;
pub mod earlier_orders;
pub mod features;
mod model;
mod reasons;
pub mod recompute;
pub mod report;
mod times;
pub(super) mod window;

use super::progress::Progress;
use crate::{
    process::{
        exit::refuse,
        output::{complain, print},
    },
    settings::{Resolved, Settings, SettingsArgs, VerifyModel},
};
use earlier_orders::Earlier;
use model::Model;
use recompute::{
    Difference, Functions, NO_SETTINGS, NOT_ARCHIVED, NOT_YET, OLDER, Replayed, Terms, UNREADABLE_SETTINGS, replay,
};
use report::Report;
use sentinel_actors::{
    adapters::{
        archive::Archive,
        journal::{ReplayRow, Store},
        system_clock::SystemClock,
    },
    domain::{clock::Clock, journal::Version},
};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};
use times::Time;

/// Between two lines of progress.
const SHOWN_EVERY: Duration = Duration::from_millis(500);
/// A cycle's bars are written right after its decisions; the archive's thread may be behind, and tries again after a fault. What is
/// older than this is lost.
const ARCHIVED_WITHIN_S: i64 = 120;
/// Exit code if something cannot be read, so that nothing was compared.
const EXIT_UNREADABLE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The bars that decisions were made from [default: archive.path of the settings, else bars.db beside the journal]
    #[arg(long, value_name = "PATH")]
    archive: Option<PathBuf>,
    /// Cycles that began on this day or at this minute (UTC) or later: 2026-11-22 or 2026-11-22T14:03
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Time>)]
    from: Option<Time>,
    /// Cycles that began before this day or minute (UTC)
    #[arg(long, value_name = "TIME", value_parser = str::parse::<Time>)]
    to: Option<Time>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Ask the model server of the settings again, and list odds that are more than 1e-9 from the recorded ones
    #[arg(long)]
    ask_model: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

pub(crate) fn main(args: &Args) -> ExitCode {
    let settings: Resolved<VerifyModel> = match Settings::load_for(&args.settings.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let journal = &settings.journal.path;
    let beside = || journal.with_file_name("bars.db");
    let archive = args.archive.clone().or_else(|| Some(settings.archive.as_ref()?.path.clone())).unwrap_or_else(beside);
    let range = (args.from.map_or(i64::MIN, Time::millis), args.to.map_or(i64::MAX, Time::millis));
    let model = args.ask_model.then_some(&settings);
    match run((journal, &archive), range, model, &Functions::OF_THE_DAEMON) {
        Ok(report) => {
            let text = if args.json { report.json() } else { report.text(journal, &archive) };
            match print(&format!("{text}\n")) {
                Ok(()) => ExitCode::from(report.exit_code()),
                Err(error) => unreadable(&error),
            }
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &anyhow::Error) -> ExitCode {
    complain(&format!("sentinel: {error:#}"));
    ExitCode::from(EXIT_UNREADABLE)
}

/// Replays the decisions of the cycles that began in this range, unix milliseconds.
///
/// # Errors
/// The journal or the archive cannot be read, or the address of the model is none.
pub fn run(
    (journal, archive): (&Path, &Path),
    range: (i64, i64),
    model: Option<&Resolved<VerifyModel>>,
    functions: &Functions,
) -> anyhow::Result<Report> {
    let store = Store::open_read_only(journal)?;
    store.hold_snapshot()?;
    let archive_path = archive;
    let archive = Archive::open_read_only(archive_path)?;
    let model = model.map(|settings| Model::new(&settings.model)).transpose()?;
    let mut replaying = Replaying {
        functions,
        archive: &archive,
        archive_path,
        began_at: SystemClock.now_unix(),
        terms: terms(&store)?,
        earlier: Earlier::read(&store)?,
        report: Report::new(model.as_ref().map(Model::url)),
        model,
    };
    let all = store.replay_count(range)?;
    let (mut progress, mut shown_at, mut failed) = (Progress::default(), Instant::now(), None);
    store.replay_rows(range, |row| {
        if let Err(error) = replaying.take(&row) {
            failed = Some(error.context(format!("the decision about {} in cycle {}", row.symbol, row.cycle_id)));
            return false;
        }
        // A short run prints only its result.
        if shown_at.elapsed() >= SHOWN_EVERY {
            shown_at = Instant::now();
            progress.show(|| format!("replay: {} of {all} decisions", replaying.report.decisions));
        }
        true
    })?;
    progress.end();
    failed.map_or(Ok(replaying.report), Err)
}

/// The settings of each version; `None` for those that this version cannot read, which matters only to decisions made by them.
fn terms(store: &Store) -> anyhow::Result<HashMap<i64, Option<Terms>>> {
    let parsed = |(id, version): (i64, Version)| match Terms::parse(&version.settings) {
        Ok(terms) => (id, Some(terms)),
        Err(error) => {
            complain(&format!(
                "sentinel: the settings recorded by version {} cannot be read: {error:#}",
                version.app_version
            ));
            (id, None)
        }
    };
    Ok(store.versions()?.into_iter().map(parsed).collect())
}

struct Replaying<'a> {
    functions: &'a Functions,
    archive: &'a Archive,
    archive_path: &'a Path,
    /// Unix seconds.
    began_at: i64,
    terms: HashMap<i64, Option<Terms>>,
    earlier: Earlier,
    report: Report,
    model: Option<Model>,
}

impl Replaying<'_> {
    fn take(&mut self, row: &ReplayRow) -> anyhow::Result<()> {
        let terms = row.version_id.and_then(|id| self.terms.get(&id));
        let replayed = match terms {
            None => Replayed::NotReplayable(NO_SETTINGS),
            Some(None) => Replayed::NotReplayable(UNREADABLE_SETTINGS),
            Some(Some(terms)) => replay(row, terms, (self.functions, self.archive), &mut self.earlier)?,
        };
        let replayed = if self.is_awaited(row, &replayed) { Replayed::NotReplayable(NOT_YET) } else { replayed };
        if let (Some(model), Replayed::Equal { features: Some(features), .. }, Some(odds)) =
            (&self.model, &replayed, row.odds)
        {
            match model.ask(features) {
                Ok(now) => self.report.asked(row, odds, now),
                Err(error) => {
                    // What was compared and asked so far is worth having; the next row would only wait for nothing.
                    self.report.model_stopped(error.to_string());
                    self.model = None;
                }
            }
        }
        self.report.count(row, replayed);
        Ok(())
    }

    /// Whether its bars, or a change of one of them, may still be on their way into the archive.
    fn is_awaited(&self, row: &ReplayRow, replayed: &Replayed) -> bool {
        let is_without_bars = match replayed {
            Replayed::NotReplayable(reason) => [OLDER, NOT_ARCHIVED].contains(reason),
            Replayed::Differs(Difference { field, .. }) => field == "bars_sha256",
            Replayed::Equal { .. } => false,
        };
        let is_young = row.cycle_id >= (self.began_at - ARCHIVED_WITHIN_S) * 1_000;
        is_without_bars && is_young && Archive::has_writer(self.archive_path)
    }
}
