//! Reads what a study asks for, and puts it together.

use super::{
    BarSource, Closed, Inputs, Left, Odds, OddsSource, Recipe,
    bars::{self, Bars},
    matched, model_server, odds,
    recorded::{self, Recorded},
    without_bar,
};
use crate::tools::study::{
    args::Task,
    result::{Counts, Input, LookAhead},
};
use anyhow::bail;
use sentinel_actors::domain::bar::Bar;
use std::path::Path;

/// A close that was recorded is that of another bar if it differs by more, as a share of it: providers repair bars.
const REPAIRED: f64 = 1e-4;

/// What has come so far.
#[derive(Default)]
struct Found {
    files: Vec<Input>,
    counts: Counts,
    left: Left,
    look_ahead: LookAhead,
}

/// Bars and odds of the task.
///
/// # Errors
/// What cannot be read or cannot be true, by file and line; a model that dies in the middle.
pub(in super::super) async fn gather(task: &Task) -> anyhow::Result<Inputs> {
    let settings = &task.settings;
    let recipe = Recipe {
        interval: settings.data.interval,
        calendar: &settings.calendar,
        jump_max: settings.data.jump_max,
        lookback_bars: settings.data.lookback_bars,
        time_columns: settings.time_columns,
    };
    let mut found = Found::default();
    let file = match &task.bars {
        BarSource::File(path, zone) => Some(found.bars(bars::read(path, zone.as_ref(), &recipe)?)),
        BarSource::Archive(path) => {
            Some(found.bars(bars::of_archive(path, task.instrument.symbol.as_str(), &task.range, &recipe)?))
        }
        BarSource::Recorded => None,
    };
    let has_ranges = file.is_some();
    let (bars, odds, odds_file) = match &task.odds {
        OddsSource::Journal(path) => {
            let recorded = recorded::read(path, &settings.model.name, task.instrument.symbol.as_str())?;
            let odds = found.recorded(recorded);
            (file.unwrap_or_else(|| found.bars_of_closes(&odds, &recipe)), odds, None)
        }
        OddsSource::File(path) => {
            let mut read = odds::read(path, task.instrument.symbol.as_str())?;
            found.files.push(read.input.clone());
            found.left.add("odds of other symbols", read.others);
            (file.unwrap_or_default(), std::mem::take(&mut read.odds), Some((path, read)))
        }
        OddsSource::Model(keep) => {
            let bars = file.unwrap_or_default();
            let odds = found.asked(task, &bars, &recipe, keep).await?;
            (bars, odds, None)
        }
    };
    let times: Vec<i64> = bars.iter().map(|bar| bar.close_time(recipe.interval, recipe.calendar)).collect();
    let closed = Closed { bars: &bars, times: &times };
    let (mut decisions, outside, missing) = matched(closed, &odds, &task.range);
    found.left.add("decisions outside --from and --to", outside);
    if let Some(error) = odds_file.and_then(|(path, file)| without_bar(&file, path, &missing)) {
        return Err(error.into());
    }
    found.left.add("decisions on bars that are not there", missing.len() as u64);
    let all = decisions.len();
    decisions.retain(|decision| recipe.calendar.is_open(times[decision.bar as usize]));
    found.left.add(
        "decisions at a close with which the market closed: the daemon sends none",
        (all - decisions.len()) as u64,
    );
    found.repaired(closed, &odds);
    if decisions.is_empty() {
        bail!("no bar has odds in this range: {} bars, {} odds", bars.len(), odds.len());
    }
    let Found { files, mut counts, left, look_ahead } = found;
    if !look_ahead.is_checked {
        counts.notes.push("whether a feature sees the future was not checked: features were not made here".into());
    }
    counts.bars = bars.len() as u64;
    counts.dropped = left.into_vec();
    Ok(Inputs { bars, decisions, files, counts, has_ranges, look_ahead })
}

impl Found {
    fn bars(&mut self, read: Bars) -> Vec<Bar> {
        self.files.push(read.input);
        self.counts.gaps = read.gaps;
        self.counts.notes.extend(read.notes);
        if read.gaps > 0 {
            self.counts.notes.push(format!(
                "bars are missing in {} places although the market was open: a position goes over them as if nothing were \
                 missing",
                read.gaps
            ));
        }
        read.bars
    }

    fn recorded(&mut self, recorded: Recorded) -> Vec<Odds> {
        self.files.push(recorded.input);
        self.counts.notes.extend(recorded.notes);
        self.left.add("decisions after the first one of their bar, or of another model", recorded.later);
        self.left.add("recorded odds that cannot be", recorded.invalid);
        recorded.odds
    }

    fn bars_of_closes(&mut self, odds: &[Odds], recipe: &Recipe<'_>) -> Vec<Bar> {
        let bars = recorded::bars_of_closes(odds, recipe.interval, recipe.calendar);
        self.counts.gaps =
            sentinel_actors::domain::window::gaps(&bars, recipe.interval, recipe.calendar).count() as u64;
        self.counts.notes.push(
            "no bars were given: results are from close to close as recorded, without stops, and a bar on which nothing was \
             recorded is missing"
                .into(),
        );
        bars
    }

    async fn asked(
        &mut self,
        task: &Task,
        bars: &[Bar],
        recipe: &Recipe<'_>,
        keep: &Path,
    ) -> anyhow::Result<Vec<Odds>> {
        let times: Vec<i64> = bars.iter().map(|bar| bar.close_time(recipe.interval, recipe.calendar)).collect();
        let closed = Closed { bars, times: &times };
        let asked = model_server::ask(&task.settings.model, closed, &task.range, recipe, keep).await?;
        let url = task.settings.model.base_url();
        self.files.push(model_server::input(&url, &asked.odds));
        self.left.add("bars whose features the model must not see", asked.without_features);
        self.left.add("bars for which the model has no odds", asked.refused);
        if let Some(said) = asked.first_refusal {
            self.counts
                .notes
                .push(format!("the model has no odds for {} bars; of the first it said: {said}", asked.refused));
        }
        if asked.late > 0 {
            self.counts.notes.push(format!(
                "{} answers of this run took longer than model.deadline_ms: the daemon would have made no decision",
                asked.late
            ));
        }
        self.look_ahead = asked.look_ahead;
        Ok(asked.odds)
    }

    /// Notes bars that are not those that were decided on.
    fn repaired(&mut self, closed: Closed<'_>, odds: &[Odds]) {
        let is_other = |odds: &&Odds| {
            let place = closed.times.binary_search(&odds.bar_close_time).ok();
            let close = place.map(|place| closed.bars[place].close);
            odds.close.zip(close).is_some_and(|(recorded, close)| (recorded / close - 1.0).abs() > REPAIRED)
        };
        let count = odds.iter().filter(is_other).count();
        if count > 0 {
            self.counts.notes.push(format!(
                "{count} decisions were made on a close that differs from the bar's by more than 0.01 %: the provider has repaired \
                 the bar since, or these are bars of somebody else"
            ));
        }
    }
}
