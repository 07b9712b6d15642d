//! Whether features that were recorded with odds are those that these bars give. Each decision's are made again from its window and
//! compared bit for bit; only of those that are equal does the look-ahead check of these bars say anything.

use super::{Recipe, functions::Functions};
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
    domain::features::FeatureSet,
};

/// Decisions between two lines of progress.
const SHOWN_EVERY: usize = 256;

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
enum Found {
    Equal,
    /// With the bars as they were then.
    EqualThen,
    /// With the first field that differs.
    Other(String),
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
    let mut equal = Vec::with_capacity(decisions.len());
    for (count, decision) in decisions.iter().enumerate() {
        if count % SHOWN_EVERY == 0 {
            progress.show(|| format!("recorded features: {count} of {} decisions", decisions.len()));
        }
        let at = decision.bar as usize;
        match one(rows, series, at, recipe)? {
            Found::Equal => equal.push(at),
            Found::EqualThen => {
                remade.earlier += 1;
                equal.push(at);
            }
            Found::Other(what) => {
                remade.other += 1;
                remade.first.get_or_insert_with(|| format!("bar {}, {what}", time(series.times[at])));
            }
            Found::WithoutFeatures => remade.without_features += 1,
            Found::Short => remade.short += 1,
        }
    }
    remade.equal = equal.len() as u64;
    let found = look_ahead::check_shown(series, &equal, recipe, &mut progress);
    progress.end();
    Ok(LookAhead { recorded: Some(remade), ..found })
}

fn one(rows: &Rows, series: Series<'_>, at: usize, recipe: &Recipe<'_>) -> anyhow::Result<Found> {
    let place = rows.rows.binary_search_by_key(&series.times[at], |row| row.0);
    let recorded =
        place.map_or_else(|_| Ok(RecordedFeatures::default()), |place| rows.store.features_of(rows.rows[place].1))?;
    let (Some(features), Some(digest)) = (&recorded.features, &recorded.sequence_sha256) else {
        return Ok(Found::WithoutFeatures);
    };
    if at + 1 < recipe.lookback_bars {
        return Ok(Found::Short);
    }
    let made = (Functions::OF_THE_DAEMON.features)(series.bars, at, recipe.lookback_bars, recipe.time_columns);
    let other = match made {
        Ok(made) => match same(features, Some(digest), &made) {
            Ok(()) => return Ok(Found::Equal),
            Err(differs) => format!("{}: {} recorded, {} made", differs.field, differs.recorded, differs.replayed),
        },
        Err(error) => error.to_string(),
    };
    let then = made_then(rows, &recorded, series.times[at], recipe)?;
    let is_equal = then.is_some_and(|made| same(features, Some(digest), &made).is_ok());
    Ok(if is_equal { Found::EqualThen } else { Found::Other(other) })
}

/// The features of the window that the daemon had, found in the archive by its digest. `None` if it is not there.
fn made_then(
    rows: &Rows,
    recorded: &RecordedFeatures,
    closed: i64,
    recipe: &Recipe<'_>,
) -> anyhow::Result<Option<FeatureSet>> {
    let (Some((archive, symbol)), Some(digest), Some(count)) = (&rows.archive, &recorded.bars_sha256, recorded.bars)
    else {
        return Ok(None);
    };
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
