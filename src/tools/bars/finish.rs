//! The file of what has come: bars of the interval, looked at once more as a whole, under their name when all are there.

use super::{at, part::Part, question::Question, words};
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
        let found = made(source, settings, question, now).and_then(|bars| {
            anyhow::ensure!(!bars.is_empty(), "EODHD has no bars of {ticker} in this time: is that its ticker?");
            Ok(bars)
        });
        let bars = found.map_err(|error| {
            let part = part.shown();
            anyhow::anyhow!("{symbol}: {error}\n{part} keeps what came: the same command goes on from there")
        })?;
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

fn made(
    source: Vec<Bar>,
    settings: &Resolved<VerifyMarket>,
    question: &Question,
    now: i64,
) -> anyhow::Result<Vec<Bar>> {
    let Resolved { data, calendar, .. } = settings;
    if let Some(fault) = misfit(&source, data.interval, calendar) {
        anyhow::bail!(words(&fault));
    }
    for pair in source.windows(2) {
        let Some(fault @ BarFault::Jump { open_time, .. }) = jump(pair, data.jump_max) else { continue };
        anyhow::bail!("{fault}; if not, correct or remove the line that begins with {open_time}");
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
    let (count, interval, first, last) = (bars.len(), data.interval.as_str(), time(bars.first()), time(bars.last()));
    let mut text = format!("{count} {interval} bars of {symbol} that opened {first} to {last}");
    let gaps: Vec<_> = gaps(bars, data.interval, calendar).collect();
    if let Some(newest) = gaps.last() {
        let (places, from, to) = (gaps.len(), at(newest.from), at(newest.to));
        text += &format!(
            "; bars are missing in {places} places that calendar {calendar_name} does not explain, the newest from {from} \
             to {to}"
        );
    }
    text
}
