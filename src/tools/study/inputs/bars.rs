//! Bars of a study: from a file, checked as the daemon checks what it is answered, or from its archive, where they were checked.

use super::{Recipe, functions::Functions};
use crate::{
    bar_files::{self, BadFile, Checks, Zone},
    tools::{gaps::Missing, progress::amount, study::result::Input},
};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::archive::{Archive, SeriesRange},
    domain::bar::Bar,
};
use sha2::{Digest, Sha256};
use std::{ops::Range, path::Path};

/// Bars, and where they are from.
#[derive(Debug)]
pub struct Bars {
    /// Of the wanted interval, oldest first.
    pub bars: Vec<Bar>,
    /// The bars of the file, if those are made of them.
    pub finer: Option<Vec<Bar>>,
    /// For the report.
    pub input: Input,
    /// Where bars are missing although the market was open.
    pub(super) missing: Missing,
    /// What a reader has to know, in sentences.
    pub notes: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// What cannot be, by its line; another interval; too few bars.
pub fn read(path: &Path, zone: Option<&Zone>, recipe: &Recipe<'_>) -> Result<Bars, BadFile> {
    let mut rows = bar_files::read(path, zone)?;
    let file_interval = rows.interval()?;
    let interval = recipe.interval;
    let is_made = interval.is_made() && interval.source() == file_interval;
    if file_interval != interval && !is_made {
        let (has, wanted) = (file_interval.as_str(), interval.as_str());
        let what = format!("bars of {has}, and data.interval is {wanted}: --interval {has} takes them as they are");
        return Err(BadFile::whole(path, what));
    }
    let while_closed = if is_made { rows.keep_sessions(interval, recipe.calendar) } else { 0 };
    rows.check(file_interval, &Checks { calendar: recipe.calendar, jump_max: recipe.jump_max })?;
    let of_file = std::mem::take(&mut rows.bars);
    let mut notes = Vec::new();
    if rows.without_prices > 0 {
        notes.push(format!("{} rows of the file without prices are left out", rows.without_prices));
    }
    let (bars, finer) = if is_made {
        notes.push(format!("bars of {} are made of the file's {}", interval.as_str(), file_interval.as_str()));
        ((Functions::OF_THE_DAEMON.resample)(&of_file, interval, recipe.calendar, i64::MAX), Some(of_file))
    } else {
        (of_file, None)
    };
    if while_closed > 0 {
        notes.push(format!(
            "{} of the file, of hours in which the market is closed, {} left out, as by the daemon",
            amount(while_closed, "bar"),
            if while_closed == 1 { "is" } else { "are" }
        ));
    }
    let missing = Missing::of(finer.as_deref().unwrap_or(&bars), &bars, is_made, interval, recipe.calendar);
    let name = name(path);
    let input = Input { kind: "bars".into(), name, sha256: std::mem::take(&mut rows.sha256), rows: bars.len() as u64 };
    Ok(Bars { bars, finer, input, missing, notes })
}

/// Reads the archive: each bar as it is now. Bars that close in `range`, those before them that the first window is made of, and
/// those after them in which positions end. Those before are counted, since a weekend has none.
///
/// # Errors
/// No archive, or no bars of the symbol in it.
pub fn of_archive(path: &Path, symbol: &str, range: &Range<i64>, recipe: &Recipe<'_>) -> anyhow::Result<Bars> {
    let archive = Archive::open_read_only(path)?;
    let named = || format!("the bar archive {}", path.display());
    let series = (symbol, recipe.interval);
    let is_whole = range.start == i64::MIN;
    // A bar that opened before the range may close in it, and its window is as long as any.
    let before = if is_whole { 0 } else { recipe.lookback_bars + 1 };
    let mut bars = archive.window(series, range.start.saturating_sub(1), i64::MAX, before).with_context(named)?;
    let take = |bar: Bar| {
        bars.push(bar);
        true
    };
    archive.bars(series, (range.start, i64::MAX), take).with_context(named)?;
    let mut digest = Sha256::new();
    for bar in &bars {
        digest.update(bar.open_time.to_le_bytes());
        digest.update([bar.open, bar.high, bar.low, bar.close, bar.volume].map(f64::to_le_bytes).as_flattened());
    }
    if bars.is_empty() {
        let has = |it: SeriesRange| format!("{} {}", it.symbol, it.interval);
        let series: Vec<String> = archive.series().with_context(named)?.into_iter().map(has).collect();
        let interval = recipe.interval.as_str();
        bail!("{} has no bars of {symbol} {interval} in this range; it has {}", path.display(), series.join(", "));
    }
    let missing = Missing::of(&bars, &bars, false, recipe.interval, recipe.calendar);
    let sha256 = bar_files::hex(&digest.finalize());
    let input = Input { kind: "archive".into(), name: name(path), sha256, rows: bars.len() as u64 };
    Ok(Bars { bars, finer: None, input, missing, notes: Vec::new() })
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentinel_actors::{
        domain::{calendar::Calendar, features::TimeColumns, instrument::Symbol, interval::Interval},
        fetcher::OnGap,
    };

    #[test]
    fn the_first_window_of_a_range_is_whole_after_any_weekend() {
        let calendar = Calendar::fx();
        // From a Monday on; the range begins on a Monday two weeks later.
        let begin = 1_489_363_200;
        let open = (0..24 * 28).map(|hour| begin + 3_600 * hour).filter(|time| calendar.is_open(*time));
        let bars: Vec<Bar> =
            open.map(|open_time| Bar { open_time, open: 1.1, high: 1.1, low: 1.1, close: 1.1, volume: 1.0 }).collect();
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("bars.db");
        let mut archive = Archive::open(&path).unwrap();
        let symbol = Symbol::new("EURUSD");
        archive.write_cycle(1, (Interval::OneHour, "test"), &[(symbol, bars.clone().into())]).unwrap();
        drop(archive);
        let (interval, time_columns, on_gap) = (Interval::OneHour, TimeColumns::Utc, OnGap::Continue);
        for lookback_bars in [130, 200] {
            let recipe = Recipe { interval, calendar: &calendar, jump_max: 0.5, lookback_bars, time_columns, on_gap };
            let from = begin + 14 * 86_400;
            let read = of_archive(&path, "EURUSD", &(from..i64::MAX), &recipe).unwrap();
            let first = read.bars.iter().position(|bar| bar.open_time + 3_600 >= from).unwrap();
            assert!(first + 1 >= lookback_bars, "{first} bars before it");
            assert!(first <= lookback_bars + 1, "and no more than it takes: {first}");
            assert_eq!(read.bars.last(), bars.last());
            assert!(read.bars.is_sorted_by(|one, next| one.open_time < next.open_time));
            let all = of_archive(&path, "EURUSD", &(i64::MIN..i64::MAX), &recipe).unwrap();
            assert_eq!(all.bars, bars);
        }
    }
}
