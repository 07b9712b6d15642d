//! `sentinel dataset`: what the daemon would ask a model with, for every bar of a file that has a window: to train on the
//! very numbers that will be asked. `source` is a file of bars made ready, `blocks` its features on all cores, `files` what
//! is written of them, `manifest` how it was made.

mod blocks;
mod files;
mod manifest;
mod source;

use super::progress::Progress;
use crate::{
    bar_files::{self, BadFile, NewPlace, Zone},
    process::exit::{EXIT_USAGE, fail, refuse},
    settings::{Resolved, Settings, SettingsArgs, VerifyModel},
};
use chrono::DateTime;
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
    /// File of bars: CSV, EODHD's JSON or MetaTrader's export; repeatable, one file for each symbol, which has its name
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    bars: Vec<PathBuf>,
    /// Folder to make; one that is there is never written into
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// For MetaTrader's export, whose times are the broker's: America/New_York+7 is New York's clock and 7 hours
    #[arg(long, value_name = "ZONE", value_parser = str::parse::<Zone>)]
    time_zone: Option<Zone>,
    /// Without sequence.npy, which takes 5.5 kB a row, for a model that looks at the 23 features only
    #[arg(long)]
    no_sequence: bool,
    #[command(flatten)]
    settings: SettingsArgs,
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
            eprintln!("sentinel: {what}");
            return ExitCode::from(EXIT_USAGE);
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
    match make(&inputs, args.time_zone.as_ref(), &recipe, &args.out) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

/// Of the files: as `--symbol` says, else as they are called.
fn names(files: &[PathBuf], said: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let names = said.unwrap_or_else(|| files.iter().map(|path| bar_files::symbol_of(path)).collect());
    if names.len() != files.len() {
        return Err(format!("--symbol names {} symbols, and there are {} files of bars", names.len(), files.len()));
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
    NewPlace::refuse_existing(out)?;
    let sources = inputs.iter().map(|(path, symbol)| Source::read(path, symbol, zone, recipe));
    let sources = sources.collect::<Result<Vec<_>, BadFile>>()?;
    let rows = sources.iter().map(|source| source.ends.len()).sum();
    let place = NewPlace::claim(out)?;
    let mut files = Files::begin(place.path(), rows, recipe.has_sequence)?;
    let (mut progress, mut shown_at, mut done) = (Progress::default(), Instant::now(), 0);
    for source in &sources {
        blocks::of(source, recipe, |block| {
            files.write(&block)?;
            done += block.rows;
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
    let (rows, interval, lookback) = (ends.len(), recipe.interval.as_str(), recipe.lookback_bars);
    let at = |index: &usize| at(source.bars[*index].close_time(recipe.interval, &recipe.calendar));
    let (first, last) = (ends.first().map_or_else(String::new, &at), ends.last().map_or_else(String::new, &at));
    let mut text = format!(
        "{rows} rows of {symbol}, {interval} bars that closed {first} to {last}, each with a window of {lookback}"
    );
    if let Some(newest) = gaps.last() {
        let what = match recipe.on_gap {
            OnGap::Continue => {
                "windows go over them as if nothing were missing (data.on_gap = \"continue\")".to_owned()
            }
            OnGap::Stop => {
                let left_out = source.windows() - rows;
                format!("{left_out} bars with one among their newest 60 have no row (data.on_gap = \"stop\")")
            }
        };
        let (count, from, to) = (gaps.len(), self::at(newest.from), self::at(newest.to));
        text += &format!(
            "\n{symbol}: bars are missing in {count} places that calendar {} does not explain, the newest from {from} to \
             {to}: {what}",
            recipe.calendar_name
        );
    }
    if source.without_prices > 0 {
        text += &format!("\n{symbol}: {} rows without prices are left out", source.without_prices);
    }
    text
}

fn at(time: i64) -> String {
    DateTime::from_timestamp(time, 0).map_or_else(|| time.to_string(), |at| at.format("%F %H:%M UTC").to_string())
}
