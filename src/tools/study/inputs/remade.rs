//! Whether features that were recorded with odds are those that these bars give. Each decision's are made again from its window and
//! compared bit for bit; only of those that are equal does the look-ahead check of these bars say anything.

use super::{Recipe, functions::Functions};
use crate::tools::{
    progress::Progress,
    replay::features::same,
    study::{
        engine::market::Decision,
        files::time,
        look_ahead::{self, Series},
        result::{LookAhead, Remade},
    },
};
use sentinel_actors::adapters::journal::{RecordedFeatures, Store};

/// Decisions between two lines of progress.
const SHOWN_EVERY: usize = 256;

/// Decisions of a journal.
#[derive(Debug)]
pub struct Rows {
    /// The journal.
    pub store: Store,
    /// Close of the bar (unix seconds) and row of each, oldest first.
    pub rows: Vec<(i64, i64)>,
}

/// What a decision came to.
enum Found {
    Equal,
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
/// The journal cannot be read.
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
    Ok(match made {
        Ok(made) => match same(features, Some(digest), &made) {
            Ok(()) => Found::Equal,
            Err(differs) => {
                Found::Other(format!("{}: {} recorded, {} made", differs.field, differs.recorded, differs.replayed))
            }
        },
        Err(error) => Found::Other(error.to_string()),
    })
}

/// What a reader has to know of those that are not equal, in sentences.
pub fn notes(remade: &Remade, recipe: &Recipe<'_>) -> Vec<String> {
    let Remade { decisions, other, without_features, short, first, .. } = remade;
    let lookback = recipe.lookback_bars;
    let first = first.as_ref().map_or_else(String::new, |first| format!("; the first: {first}"));
    let said = [
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
