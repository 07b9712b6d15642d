//! Bars of a study, from a file: checked as the daemon checks what it is answered.

use super::Recipe;
use crate::{
    bar_files::{self, BadFile, Checks, Zone},
    tools::study::result::Input,
};
use sentinel_actors::domain::{bar::Bar, resample::resample, window::gaps};
use std::path::Path;

/// Bars, and where they are from.
#[derive(Debug)]
pub struct Bars {
    /// Of the wanted interval, oldest first.
    pub bars: Vec<Bar>,
    /// For the report.
    pub input: Input,
    /// Places where bars are missing although the market was open.
    pub gaps: u64,
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
    rows.check(file_interval, &Checks { calendar: recipe.calendar, jump_max: recipe.jump_max })?;
    let of_file = std::mem::take(&mut rows.bars);
    let mut notes = Vec::new();
    if rows.without_prices > 0 {
        notes.push(format!("{} rows of the file without prices are left out", rows.without_prices));
    }
    let bars = if is_made {
        notes.push(format!("bars of {} are made of the file's {}", interval.as_str(), file_interval.as_str()));
        resample(&of_file, interval, recipe.calendar, i64::MAX)
    } else {
        of_file
    };
    let gaps = gaps(&bars, interval, recipe.calendar).count() as u64;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let input = Input { kind: "bars".into(), name, sha256: std::mem::take(&mut rows.sha256), rows: bars.len() as u64 };
    Ok(Bars { bars, input, gaps, notes })
}
