//! Whether features that were recorded with odds are those that these bars give. Each decision's are made again from its window and
//! compared bit for bit; only of those that are equal does the look-ahead check of these bars say anything. One thread reads the journal,
//! all cores compare.

#[cfg(test)]
mod tests;

use super::{
    Recipe,
    functions::{Functions, Neighbours},
};
use crate::tools::{
    progress::Progress,
    replay::{
        features::same,
        recompute::Functions as OfReplay,
        window::{Found as InArchive, find_window},
    },
    study::{
        engine::market::Decision,
        files::time,
        look_ahead::{self, Series},
        result::{LookAhead, Remade},
    },
};
use sentinel_actors::{
    adapters::{
        archive::Archive,
        journal::{RecordedFeatures, Store},
    },
    domain::features::{FeatureError, FeatureSet},
};
use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

/// Decisions that are read and compared at a time.
const BLOCK: usize = 256;

/// Decisions of a journal.
#[derive(Debug)]
pub struct Rows {
    /// The journal.
    pub store: Store,
    /// Close of the bar (unix seconds) and row of each, oldest first.
    pub rows: Vec<(i64, i64)>,
    /// The bars of a symbol as they were at any time, if the daemon's archive is at hand.
    pub archive: Option<(Archive, String)>,
}

/// What a decision came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Equal,
    Other,
    /// The journal has no features of it, or no digest of their sequence.
    WithoutFeatures,
    /// There are too few bars up to its own.
    Short,
}

/// Makes the features of these decisions again, then checks those that are equal for look-ahead.
///
/// # Errors
/// The journal or the archive cannot be read.
pub fn check(
    rows: &Rows,
    series: Series<'_>,
    decisions: &[Decision],
    recipe: &Recipe<'_>,
) -> anyhow::Result<LookAhead> {
    let mut progress = Progress::default();
    let mut remade = Remade { decisions: decisions.len() as u64, ..Remade::default() };
    let (mut equal, mut others) = (Vec::with_capacity(decisions.len()), Vec::new());
    for (at, found) in compared(rows, series, decisions, recipe, &mut progress)? {
        match found {
            Found::Equal => equal.push(at),
            Found::Other => others.push(at),
            Found::WithoutFeatures => remade.without_features += 1,
            Found::Short => remade.short += 1,
        }
    }
    for at in others {
        let closed = series.times[at];
        if is_equal_then(rows, closed, recipe)? {
            remade.earlier += 1;
            equal.push(at);
            continue;
        }
        remade.other += 1;
        if remade.first.is_none() {
            let recorded = recorded(rows, closed)?;
            let differs = differs(made(series, at, recipe).as_ref(), &recorded).unwrap_or_default();
            remade.first = Some(format!("bar {}, {differs}", time(closed)));
        }
    }
    equal.sort_unstable();
    remade.equal = equal.len() as u64;
    let found = look_ahead::check_shown(series, &equal, recipe, &mut progress);
    progress.end();
    Ok(LookAhead { recorded: Some(remade), ..found })
}

/// Decisions with what the journal has of them.
type Block = Vec<(usize, RecordedFeatures)>;
type Receiving = Arc<Mutex<mpsc::Receiver<Block>>>;

/// Compares all of them on all cores, and answers in the order of the bars.
fn compared(
    rows: &Rows,
    series: Series<'_>,
    decisions: &[Decision],
    recipe: &Recipe<'_>,
    progress: &mut Progress,
) -> anyhow::Result<Vec<(usize, Found)>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // A full queue holds up the reading, so that little is in memory at a time.
    let (send, receive) = mpsc::sync_channel::<Block>(2 * cores);
    let receive = Arc::new(Mutex::new(receive));
    thread::scope(|scope| {
        let worker = |receive: Receiving| scope.spawn(move || compare_blocks(&receive, series, recipe));
        let workers: Vec<_> = (0..cores).map(|_| worker(Arc::clone(&receive))).collect();
        // The workers alone have it: if all of them panic, the sending ends.
        drop(receive);
        let read = read_blocks(rows, series, decisions, &send, progress);
        drop(send);
        let mut found = Vec::with_capacity(decisions.len());
        for worker in workers {
            // A panic there is a defect and is passed on.
            found.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found.sort_unstable_by_key(|(at, _)| *at);
        read.map(|()| found)
    })
}

fn read_blocks(
    rows: &Rows,
    series: Series<'_>,
    decisions: &[Decision],
    send: &mpsc::SyncSender<Block>,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    for (count, block) in decisions.chunks(BLOCK).enumerate() {
        progress.show(|| format!("recorded features: {} of {} decisions", count * BLOCK, decisions.len()));
        let read = |decision: &Decision| {
            let at = decision.bar as usize;
            Ok((at, recorded(rows, series.times[at])?))
        };
        let block = block.iter().map(read).collect::<anyhow::Result<Block>>()?;
        if send.send(block).is_err() {
            // Every worker has panicked.
            break;
        }
    }
    Ok(())
}

fn compare_blocks(
    receive: &Mutex<mpsc::Receiver<Block>>,
    series: Series<'_>,
    recipe: &Recipe<'_>,
) -> Vec<(usize, Found)> {
    let mut found = Vec::new();
    loop {
        // A statement of its own, so that the lock is not held while the block is compared.
        let next = receive.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(block) = next else { return found };
        let places: Vec<usize> = block.iter().map(|(at, _)| *at).collect();
        let mut neighbours = Neighbours::new(series.bars, &places, recipe.lookback_bars, recipe.time_columns);
        found.extend(block.iter().map(|(at, recorded)| {
            let differs = || match &mut neighbours {
                Some(neighbours) => differs(neighbours.features(*at), recorded),
                None => differs(made(series, *at, recipe).as_ref(), recorded),
            };
            (*at, compare(*at, recorded, recipe, differs))
        }));
    }
}

/// What the journal has of the decision on the bar that closed then.
fn recorded(rows: &Rows, closed: i64) -> anyhow::Result<RecordedFeatures> {
    let place = rows.rows.binary_search_by_key(&closed, |row| row.0);
    place.map_or_else(|_| Ok(RecordedFeatures::default()), |place| Ok(rows.store.features_of(rows.rows[place].1)?))
}

fn compare(
    at: usize,
    recorded: &RecordedFeatures,
    recipe: &Recipe<'_>,
    differs: impl FnOnce() -> Option<String>,
) -> Found {
    if recorded.features.is_none() || recorded.sequence_sha256.is_none() {
        Found::WithoutFeatures
    } else if at + 1 < recipe.lookback_bars {
        Found::Short
    } else if differs().is_none() {
        Found::Equal
    } else {
        Found::Other
    }
}

/// The daemon's features of the bar at this place.
fn made(series: Series<'_>, at: usize, recipe: &Recipe<'_>) -> Result<FeatureSet, FeatureError> {
    (Functions::OF_THE_DAEMON.features)(series.bars, at, recipe.lookback_bars, recipe.time_columns)
}

/// What differs first between features that were made and those that were recorded; `None` if nothing does.
fn differs<E: std::fmt::Display>(made: Result<&FeatureSet, E>, recorded: &RecordedFeatures) -> Option<String> {
    let features = recorded.features.as_deref().unwrap_or_default();
    match made {
        Ok(made) => {
            let differs = same(features, recorded.sequence_sha256.as_deref(), made).err()?;
            Some(format!("{}: {} recorded, {} made", differs.field, differs.recorded, differs.replayed))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// Whether the archive has the bars as they were then, and these give the recorded features.
fn is_equal_then(rows: &Rows, closed: i64, recipe: &Recipe<'_>) -> anyhow::Result<bool> {
    let Some(archive) = &rows.archive else { return Ok(false) };
    let recorded = recorded(rows, closed)?;
    let features = recorded.features.as_deref().unwrap_or_default();
    let then = made_then(archive, &recorded, closed, recipe)?;
    Ok(then.is_some_and(|made| same(features, recorded.sequence_sha256.as_deref(), &made).is_ok()))
}

/// The features of the window that the daemon had, found in the archive by its digest. `None` if it is not there.
fn made_then(
    (archive, symbol): &(Archive, String),
    recorded: &RecordedFeatures,
    closed: i64,
    recipe: &Recipe<'_>,
) -> anyhow::Result<Option<FeatureSet>> {
    let (Some(digest), Some(count)) = (&recorded.bars_sha256, recorded.bars) else { return Ok(None) };
    let count = usize::try_from(count).unwrap_or(0);
    // Another length of the window is another setting, and the check that follows would look at other windows.
    if count != recipe.lookback_bars {
        return Ok(None);
    }
    let asked = ((symbol.as_str(), recipe.interval), closed, recorded.cycle_id, count);
    let functions = &OfReplay::OF_THE_DAEMON;
    let InArchive::Window { bars, .. } = find_window((functions, archive), asked, (digest, recipe.calendar))? else {
        return Ok(None);
    };
    // A window that ended later would have later bars in it.
    if bars.last().is_none_or(|newest| newest.close_time(recipe.interval, recipe.calendar) != closed) {
        return Ok(None);
    }
    Ok((functions.features)(&bars, recipe.time_columns).ok().map(|(features, _)| features))
}

/// What a reader has to know of those that are not equal, in sentences.
pub fn notes(remade: &Remade, recipe: &Recipe<'_>) -> Vec<String> {
    let Remade { decisions, earlier, other, without_features, short, first, .. } = remade;
    let lookback = recipe.lookback_bars;
    let first = first.as_ref().map_or_else(String::new, |first| format!("; the first: {first}"));
    let said = [
        (
            *earlier,
            format!(
                "{earlier} of {decisions} recorded decisions were made on bars that were repaired since: the archive has those bars, too, \
                 and they give the same features. Trades are on the bars as they are now"
            ),
        ),
        (
            *other,
            format!(
                "{other} of {decisions} recorded decisions have other features than these bars give: bars were repaired since, or are \
                 another provider's, or data.lookback_bars or features.hour_and_weekday was another{first}"
            ),
        ),
        (
            *without_features,
            format!(
                "{without_features} of {decisions} recorded decisions have no features in the journal, or no digest of their sequence: \
                 they were recorded before it kept them"
            ),
        ),
        (
            *short,
            format!(
                "{short} of {decisions} recorded decisions have no whole window: fewer than {lookback} bars up to them. Give bars that \
                 begin earlier, or leave these decisions out (--from)"
            ),
        ),
    ];
    said.into_iter().filter(|(count, _)| *count > 0).map(|(_, text)| text).collect()
}
