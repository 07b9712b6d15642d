//! Odds that the daemon recorded in its journal, and, without bars, the closes that it recorded with them.

use super::{Odds, remade::Rows};
use crate::{
    bar_files::hex,
    tools::{
        progress::length,
        study::{files::time, result::Input},
    },
};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::journal::{FirstOdds, RecordedOdds, Store},
    domain::{bar::Bar, calendar::Calendar, decision::Prediction, interval::Interval, journal::Version},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    path::Path,
};

/// What the journal has.
#[derive(Debug)]
pub struct Recorded {
    /// The first of each bar, oldest first.
    pub odds: Vec<Odds>,
    /// Where their features are.
    pub rows: Rows,
    /// For the report.
    pub input: Input,
    /// Decisions of a bar after its first one, or of other models.
    pub later: u64,
    /// Rows whose odds cannot be: another program has written to the file.
    pub invalid: u64,
    /// What a reader has to know, in sentences.
    pub notes: Vec<String>,
}

/// Reads the first odds of each bar.
///
/// # Errors
/// No journal, or nothing in it of this model and symbol; odds of `range` that were decided on bars of another interval.
pub fn read(
    path: &Path,
    (model, symbol): (&str, &str),
    range: &Range<i64>,
    interval: Interval,
) -> anyhow::Result<Recorded> {
    let store = Store::open_read_only(path)?;
    let RecordedOdds { first, without_model, decisions, models } = store.first_odds(model, symbol)?;
    if first.is_empty() {
        let what = match models.as_slice() {
            [] => format!("of {symbol}"),
            models => format!("of {symbol} by model {model}, but by {}: set model.name", models.join(", ")),
        };
        bail!("{} has no odds {what}", path.display());
    }
    of_interval(&store, &first, range, interval).with_context(|| path.display().to_string())?;
    let mut digest = Sha256::new();
    let (mut odds, mut invalid) = (Vec::with_capacity(first.len()), 0);
    for row in &first {
        digest.update(row.bar_close_time.to_le_bytes());
        digest.update([row.close, row.odds[0], row.odds[1], row.odds[2]].map(f64::to_le_bytes).as_flattened());
        match Prediction::parse(row.odds) {
            Ok(prediction) if row.close.is_finite() && row.close > 0.0 => {
                odds.push(Odds { bar_close_time: row.bar_close_time, close: Some(row.close), prediction });
            }
            _ => invalid += 1,
        }
    }
    let mut notes = Vec::new();
    if without_model > 0 {
        notes.push(format!(
            "{without_model} decisions were recorded before journals named the model: they are taken for {model}'s"
        ));
    }
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let count = first.len() as u64;
    let input = Input { kind: "journal".into(), name, sha256: hex(&digest.finalize()), rows: count };
    let later = decisions.saturating_sub(count);
    let rows = first.iter().map(|row| (row.bar_close_time, row.id)).collect();
    let rows = Rows { store, rows, archive: None };
    Ok(Recorded { odds, rows, input, later, invalid, notes })
}

/// Refuses odds of other bars than those of the study. The recorded settings tell it. For older journals it
/// follows from the time between the bars; only a shorter one is refused, because a daemon may have left bars out.
fn of_interval(store: &Store, first: &[FirstOdds], range: &Range<i64>, interval: Interval) -> anyhow::Result<()> {
    /// All that is needed of the settings.
    #[derive(Deserialize)]
    struct Of {
        interval: String,
    }
    let of_version =
        |(id, version): (i64, Version)| Some((id, serde_json::from_str::<Of>(&version.settings).ok()?.interval));
    let intervals: HashMap<i64, String> = store.versions()?.into_iter().filter_map(of_version).collect();
    let wanted = interval.as_str();
    let in_range = || first.iter().filter(|odds| range.contains(&odds.bar_close_time));
    for odds in in_range() {
        let Some(found) = odds.version_id.and_then(|id| intervals.get(&id)).filter(|found| *found != wanted) else {
            continue;
        };
        let at = time(odds.bar_close_time);
        bail!(
            "the odds of the bar that closed {at} were decided on bars of {found}, and data.interval is {wanted}: --interval {found} \
             studies them, --from and --to leave them out"
        );
    }
    let unnamed: Vec<i64> =
        in_range().filter(|odds| odds.version_id.is_none()).map(|odds| odds.bar_close_time).collect();
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for pair in unnamed.windows(2) {
        *counts.entry(pair[1] - pair[0]).or_default() += 1;
    }
    let usual = counts.into_iter().max_by_key(|(_, count)| *count);
    if let Some((apart_s, _)) = usual.filter(|(apart_s, _)| *apart_s < interval.nominal_s()) {
        bail!(
            "most of its odds are {}, and data.interval is {wanted}: they were decided on finer bars, see --interval",
            format_args!("{} apart", length(apart_s))
        );
    }
    Ok(())
}

/// Bars that have no more than the recorded closes: each opens where the one before closed, and how far the price
/// moved within a bar is not known.
pub fn bars_of_closes(odds: &[Odds], interval: Interval, calendar: &Calendar) -> Vec<Bar> {
    let mut before: Option<f64> = None;
    let bar = |odds: &Odds| {
        let close = odds.close?;
        let open = before.replace(close).unwrap_or(close);
        // Bars that are made of finer ones may be shorter or longer than usual.
        let open_time = if interval.is_made() {
            interval.span(odds.bar_close_time - 1, calendar).start
        } else {
            odds.bar_close_time - interval.nominal_s()
        };
        Some(Bar { open_time, open, high: open.max(close), low: open.min(close), close, volume: 0.0 })
    };
    odds.iter().filter_map(bar).collect()
}
