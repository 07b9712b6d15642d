//! `sentinel dataset`: what the daemon would ask a model with, for every bar of a file that has a window: to train on the
//! very numbers that will be asked. `source` is a file of bars made ready, `blocks` its features on all cores, `files` what
//! is written of them, `manifest` how it was made.

mod blocks;
mod files;
mod manifest;
mod source;

use super::progress::{Progress, amount, at, longest, missing};
use crate::{
    bar_files::{self, BadFile, NewPlace, Zone},
    process::{
        exit::{answer, refuse, refuse_flags},
        unix_signals::end_by,
    },
    settings::{BarsArgs, Resolved, Settings, VerifyModel},
};
use anyhow::Context;
use files::Files;
use sentinel_actors::{
    domain::{calendar::Calendar, features::TimeColumns, interval::Interval},
    fetcher::OnGap,
};
use source::Source;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Between two lines of progress.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File of bars: CSV, EODHD's JSON or MetaTrader's export; repeatable, one file per symbol, named after it
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    bars: Vec<PathBuf>,
    /// Folder to create; an existing folder is refused
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Time zone of MetaTrader's export: America/New_York+7 is New York time plus 7 hours
    #[arg(long, value_name = "ZONE", value_parser = str::parse::<Zone>)]
    time_zone: Option<Zone>,
    /// Do not write sequence.npy (5.5 kB per row), for a model that uses only the 23 features
    #[arg(long)]
    no_sequence: bool,
    #[command(flatten)]
    settings: BarsArgs,
}

/// What a dataset is made by: the daemon's settings that its features depend on.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// `data.interval`; what a file does not have is made of its finer bars.
    pub interval: Interval,
    /// `data.lookback_bars`: the window of each row.
    pub lookback_bars: usize,
    /// `features.hour_and_weekday`
    pub time_columns: TimeColumns,
    /// When bars are due.
    pub calendar: Arc<Calendar>,
    /// `fx`, `always` or a file.
    pub calendar_name: String,
    /// `data.jump_max`
    pub jump_max: f64,
    /// `data.on_gap`: with `stop`, no row for a bar on which the daemon makes no decision.
    pub on_gap: OnGap,
    /// Whether `sequence.npy` is written.
    pub has_sequence: bool,
}

impl Recipe {
    fn of(settings: &Resolved<VerifyModel>, has_sequence: bool) -> Self {
        Self {
            interval: settings.data.interval,
            lookback_bars: settings.data.lookback_bars,
            time_columns: settings.time_columns,
            calendar: settings.calendar.clone(),
            calendar_name: settings.calendar_name.clone(),
            jump_max: settings.data.jump_max,
            on_gap: settings.data.on_gap,
            has_sequence,
        }
    }
}

pub(crate) fn main(args: &Args) -> ExitCode {
    let mut sources = args.settings.beside();
    let names = match names(&args.bars, sources.symbols.take()) {
        Ok(names) => names,
        Err(what) => {
            return refuse_flags(&what);
        }
    };
    // The calendar follows the symbols, and these are the files'.
    sources.symbols = Some(names.clone());
    let settings = match Settings::load_for(&sources) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let recipe = Recipe::of(&settings, !args.no_sequence);
    let inputs: Vec<_> = args.bars.iter().cloned().zip(names).collect();
    let out = args.out.display().to_string();
    let stopped = move || {
        bar_files::abandon();
        format!("nothing is left of {out}")
    };
    let made = end_by(stopped).context("signals");
    answer(made.and_then(|()| make(&inputs, args.time_zone.as_ref(), &recipe, &args.out)))
}

/// Of the files: as `--symbol` says, else as they are called.
fn names(files: &[PathBuf], said: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let names = said.unwrap_or_else(|| files.iter().map(|path| bar_files::symbol_of(path)).collect());
    if names.len() != files.len() {
        let (symbols, files) = (amount(names.len(), "symbol"), amount(files.len(), "file"));
        return Err(format!("--symbol names {symbols}, and --bars {files}"));
    }
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((index, name)) => Err(format!(
            "{} is of {name} as well: one file for each symbol, or --symbol with a name for each file",
            files[index].display()
        )),
        None => Ok(names),
    }
}

/// Makes the folder: all of it, or nothing. Answers what is in it, for a person.
///
/// # Errors
/// A folder that is there, and files that no features can be made of, by their line.
pub fn make(inputs: &[(PathBuf, String)], zone: Option<&Zone>, recipe: &Recipe, out: &Path) -> anyhow::Result<String> {
    // Before the long reading: a second run is refused at once.
    let place = NewPlace::claim(out)?;
    let sources = inputs.iter().map(|(path, symbol)| Source::read(path, symbol, zone, recipe));
    let sources = sources.collect::<Result<Vec<_>, BadFile>>()?;
    let rows = sources.iter().map(|source| source.ends.len()).sum();
    let mut files = Files::begin(place.path(), rows, recipe.has_sequence)?;
    let (mut progress, mut shown_at, mut done) = (Progress::default(), Instant::now(), 0);
    for source in &sources {
        blocks::of(source, recipe, |block| {
            done += block.rows;
            files.write(block)?;
            if shown_at.elapsed() >= SHOWN_EVERY {
                shown_at = Instant::now();
                progress.show(|| format!("{done} of {rows} rows"));
            }
            Ok(())
        })?;
    }
    progress.end();
    let digests = files.finish()?;
    manifest::write(place.path(), &sources, recipe, rows, digests)?;
    place.finish()?;
    let lines = sources.iter().map(|source| format!("{}: {}", out.display(), line(source, recipe)));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn line(source: &Source, recipe: &Recipe) -> String {
    let Source { symbol, ends, gaps, .. } = source;
    let (interval, lookback) = (recipe.interval.as_str(), recipe.lookback_bars);
    let rows = amount(ends.len(), "row");
    let at = |index: &usize| at(source.bars[*index].close_time(recipe.interval, &recipe.calendar));
    let (first, last) = (ends.first().map_or_else(String::new, &at), ends.last().map_or_else(String::new, &at));
    let mut text =
        format!("{rows} of {symbol}, {interval} bars that closed {first} to {last}, each with a window of {lookback}");
    if let (Some(missing), Some(longest)) = (missing(gaps, &recipe.calendar_name), longest(gaps)) {
        let what = match recipe.on_gap {
            OnGap::Continue => {
                "windows go over what is missing as if it were a weekend (data.on_gap = \"continue\")".to_owned()
            }
            OnGap::Stop => {
                let left_out = amount(source.windows() - ends.len(), "bar");
                format!("{left_out} with such a place among the newest 60 bars: without a row (data.on_gap = \"stop\")")
            }
        };
        let across = source.windows_across(longest);
        let (go, it) = (if across == 1 { "goes" } else { "go" }, if gaps.len() == 1 { "it" } else { "the longest" });
        let across = amount(across, "window");
        text += &format!("\n{symbol}: {missing}; {across} of {lookback} bars with a row {go} over {it}; {what}");
    }
    if source.while_closed > 0 {
        let (bars, calendar) = (amount(source.while_closed, "bar"), &recipe.calendar_name);
        let lie = if source.while_closed == 1 { "lies" } else { "lie" };
        text += &format!(
            "\n{symbol}: {bars} {lie} where the market is closed by calendar {calendar}: is it another --time-zone, or another \
             market.calendar?"
        );
    }
    if source.left_out_while_closed > 0 {
        let (bars, calendar) = (amount(source.left_out_while_closed, "bar"), &recipe.calendar_name);
        text += &format!(
            "\n{symbol}: {bars} of hours in which the market is closed by calendar {calendar} left out, as by the daemon"
        );
    }
    if source.without_prices > 0 {
        text += &format!(
            "\n{symbol}: {} without prices left out",
            amount(usize::try_from(source.without_prices).unwrap_or(usize::MAX), "row")
        );
    }
    text
}
