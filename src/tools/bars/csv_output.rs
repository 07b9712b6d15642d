//! The file of what has come: bars of the interval, looked at once more as a whole, under their name when all are there.

use super::{
    super::progress::{amount, missing},
    at,
    date_range::Question,
    partial_file::Part,
    words,
};
use crate::{
    bar_files::{NewPlace, csv},
    settings::{Resolved, VerifyMarket},
};
use anyhow::Context;
use sentinel_actors::domain::{
    bar::Bar,
    resample::resample,
    window::{BarFault, gaps, jump, misfit},
};
use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
};

/// Writes the file and removes the part. Answers what is in it, for a person.
pub(super) fn finish(
    out: &Path,
    mut part: Part,
    settings: &Resolved<VerifyMarket>,
    question: &Question,
    now: i64,
) -> anyhow::Result<String> {
    let mut all = part.bars(question)?;
    let place = NewPlace::claim(out)?;
    let is_folder = question.symbols.len() > 1;
    if is_folder {
        fs::create_dir(place.path()).with_context(|| format!("cannot make {}", place.path().display()))?;
    }
    let mut said = Vec::new();
    for (symbol, ticker) in &question.symbols {
        let source = all.remove(symbol).unwrap_or_default();
        let made = made(source, settings, question, now).map_err(|(what, jumps_at)| {
            // Where a person can say which of two prices is true. The same time is there once for each symbol.
            let line = jumps_at.and_then(|open_time| Some((open_time, part.line_of(symbol, open_time)?)));
            let line = line.map_or_else(String::new, |(open_time, line)| {
                format!("; if not, correct or remove line {line} of {}, which begins with {open_time}", part.shown())
            });
            anyhow::anyhow!("{what}{line}")
        });
        let found = made.and_then(|bars| {
            anyhow::ensure!(!bars.is_empty(), "EODHD has no bars of {ticker} in this time: is that its ticker?");
            Ok(bars)
        });
        let bars = found.map_err(|error| anyhow::anyhow!("{symbol}: {error}\n{}", Part::left(part.path())))?;
        let name = format!("{symbol}.csv");
        let path = if is_folder { place.path().join(&name) } else { place.path().to_owned() };
        write(&path, &bars).with_context(|| format!("cannot write {}", path.display()))?;
        let shown = if is_folder { out.join(&name) } else { out.to_owned() };
        said.push(format!("{}: {}", shown.display(), summary(symbol, &bars, settings)));
    }
    place.finish()?;
    part.remove()?;
    Ok(said.join("\n"))
}

/// The bars wanted; or what is wrong, and when the bar opens that a person could correct.
fn made(
    source: Vec<Bar>,
    settings: &Resolved<VerifyMarket>,
    question: &Question,
    now: i64,
) -> Result<Vec<Bar>, (String, Option<i64>)> {
    let Resolved { data, calendar, .. } = settings;
    if let Some(fault) = misfit(&source, data.interval, calendar) {
        return Err((words(&fault), None));
    }
    for pair in source.windows(2) {
        let Some(fault @ BarFault::Jump { open_time, .. }) = jump(pair, data.jump_max) else { continue };
        return Err((fault.to_string(), Some(open_time)));
    }
    let bars = if data.interval.is_made() { resample(&source, data.interval, calendar, now) } else { source };
    Ok(bars.into_iter().filter(|bar| question.wanted().contains(&bar.open_time)).collect())
}

fn write(path: &Path, bars: &[Bar]) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create_new(path)?);
    csv::write_header(&mut out)?;
    for bar in bars {
        csv::write_bar(&mut out, bar)?;
    }
    out.flush()?;
    out.get_ref().sync_all()
}

fn summary(symbol: &str, bars: &[Bar], settings: &Resolved<VerifyMarket>) -> String {
    let Resolved { data, calendar, calendar_name, .. } = settings;
    let time = |bar: Option<&Bar>| bar.map_or_else(String::new, |bar| at(bar.open_time));
    let bars_of = amount(bars.len(), &format!("{} bar", data.interval.as_str()));
    let (first, last) = (time(bars.first()), time(bars.last()));
    let mut text = format!("{bars_of} of {symbol} that opened {first} to {last}");
    let gaps: Vec<_> = gaps(bars, data.interval, calendar).collect();
    if let Some(missing) = missing(&gaps, calendar_name) {
        text += &format!("; {missing}");
    }
    text
}
