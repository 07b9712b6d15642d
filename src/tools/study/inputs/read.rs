//! Reads what a study asks for, and puts it together.

use super::{
    BarSource, Closed, Inputs, Left, Odds, OddsSource, Recipe,
    bars::{self, Bars},
    extent::extent,
    functions::Functions,
    matched, model_server, odds,
    recorded::{self, Recorded},
    remade::{self, Rows},
    without_bar,
};
use crate::tools::{
    gaps::Missing,
    progress::{amount, length},
    study::{
        args::Task,
        engine::market::Decision,
        files::time,
        look_ahead::Series,
        result::{Counts, Input, LookAhead, Range},
    },
};
use anyhow::bail;
use sentinel_actors::{
    adapters::archive::Archive,
    domain::{bar::Bar, calendar::Calendar},
    fetcher::OnGap,
};
use std::path::Path;

/// A close that was recorded is that of another bar if it differs by more, as a share of it: providers repair bars.
const REPAIRED: f64 = 1e-4;
/// Places in which bars are missing that are named; all are counted.
const GAPS_NAMED: usize = 5;
const WITH_A_GAP: &str = "decisions with missing bars among the newest 60 of their window (data.on_gap = \"stop\")";

/// What has been read so far.
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
/// What cannot be read or cannot be true, by file and line; a model that fails in the middle.
pub(in super::super) async fn gather(task: &Task) -> anyhow::Result<Inputs> {
    let recipe = recipe(task);
    let mut found = Found::default();
    let (file, finer, missing_bars) = found.bars(read_bars(task, &recipe)?, task);
    let has_ranges = file.is_some();
    let mut journal = None;
    let (bars, odds, odds_file) = match &task.odds {
        OddsSource::Journal(path) => {
            let of_symbol = (task.settings.model.name.as_str(), task.instrument.symbol.as_str());
            let recorded = recorded::read(path, of_symbol, &task.range, recipe.interval)?;
            let (odds, rows) = found.recorded(recorded);
            journal = Some(rows);
            (file.unwrap_or_else(|| found.bars_of_closes(&odds, &recipe, task)), odds, None)
        }
        OddsSource::File(path) => {
            let mut read = odds::read(path, task.instrument.symbol.as_str())?;
            found.files.push(read.input.clone());
            found.left.add("odds of other symbols", read.others);
            (file.unwrap_or_default(), std::mem::take(&mut read.odds), Some((path, read)))
        }
        OddsSource::Model(keep) => {
            let bars = file.unwrap_or_default();
            let times = close_times(&bars, &recipe);
            let series = Series { bars: &bars, times: &times, finer: finer.as_deref() };
            let odds = found.asked(task, series, &recipe, (missing_bars.as_ref(), keep)).await?;
            (bars, odds, None)
        }
    };
    // Otherwise the finer bars were needed only until the model was asked.
    let finer = finer.filter(|_| journal.is_some());
    let times = close_times(&bars, &recipe);
    let closed = Closed { bars: &bars, times: &times };
    let (mut decisions, missing_odds) = found.decisions(closed, &odds, &task.range, recipe.calendar);
    if let Some(error) = odds_file.and_then(|(path, file)| without_bar(&file, path, &missing_odds)) {
        return Err(error.into());
    }
    found.withheld(task, &mut decisions, closed, &recipe, missing_bars.as_ref());
    found.repaired(closed, &odds);
    if decisions.is_empty() {
        bail!("no bar has odds in this range: {} bars, {} odds", bars.len(), odds.len());
    }
    if let Some(mut rows) = journal.filter(|_| has_ranges) {
        if let BarSource::Archive(path) = &task.bars {
            rows.archive = Some((Archive::open_read_only(path)?, task.instrument.symbol.to_string()));
        }
        let series = Series { bars: &bars, times: &times, finer: finer.as_deref() };
        found.remade(&rows, series, &decisions, &recipe)?;
    }
    let Found { files, mut counts, left, mut look_ahead } = found;
    look_ahead.extent = extent(task);
    counts.bars = bars.len() as u64;
    counts.dropped = left.into_vec();
    Ok(Inputs { bars, decisions, files, counts, has_ranges, look_ahead })
}

fn recipe(task: &Task) -> Recipe<'_> {
    let settings = &task.settings;
    Recipe {
        interval: settings.data.interval,
        calendar: &settings.calendar,
        jump_max: settings.data.jump_max,
        lookback_bars: settings.data.lookback_bars,
        time_columns: settings.time_columns,
        on_gap: settings.data.on_gap,
    }
}

/// The bars, unless the journal's closes are to be used.
fn read_bars(task: &Task, recipe: &Recipe<'_>) -> anyhow::Result<Option<Bars>> {
    Ok(match &task.bars {
        BarSource::File(path, zone) => Some(bars::read(path, zone.as_ref(), recipe)?),
        BarSource::Archive(path) => Some(bars::of_archive(path, task.instrument.symbol.as_str(), &task.range, recipe)?),
        BarSource::Recorded => None,
    })
}

/// When each bar closed, unix seconds.
fn close_times(bars: &[Bar], recipe: &Recipe<'_>) -> Vec<i64> {
    let close_time = Functions::OF_THE_DAEMON.close_time;
    bars.iter().map(|bar| close_time(bar, recipe.interval, recipe.calendar)).collect()
}

impl Found {
    fn bars(&mut self, read: Option<Bars>, task: &Task) -> (Option<Vec<Bar>>, Option<Vec<Bar>>, Option<Missing>) {
        let Some(Bars { bars, finer, input, missing, notes }) = read else { return (None, None, None) };
        self.files.push(input);
        self.counts.notes.extend(notes);
        let what = "a position goes over them as if nothing were missing";
        self.gaps(
            &missing,
            &format!("bars are missing although calendar {} expects them", task.settings.calendar_name),
            what,
        );
        (Some(bars), finer, Some(missing))
    }

    /// Counts the places in which bars are missing, and names the first of them.
    fn gaps(&mut self, missing: &Missing, said: &str, what: &str) {
        let gaps = &missing.gaps;
        self.counts.gaps = gaps.len() as u64;
        let first = gaps.iter().take(GAPS_NAMED);
        self.counts.gaps_first = first.map(|gap| Range { from: gap.from, to: gap.to }).collect();
        if gaps.is_empty() {
            return;
        }
        let named = self.counts.gaps_first.iter().map(|gap| {
            let (from, to) = (time(gap.from), time(gap.to));
            format!("{from} to {to} ({})", length(gap.to - gap.from))
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let more = gaps.len().saturating_sub(GAPS_NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        self.counts.notes.push(format!("{said}, in {}: {named}{more}. {what}", amount(gaps.len(), "place")));
    }

    /// The decisions within `range` at closes at which the market was open, and the odds whose bar is not there.
    fn decisions(
        &mut self,
        closed: Closed<'_>,
        odds: &[Odds],
        range: &std::ops::Range<i64>,
        calendar: &Calendar,
    ) -> (Vec<Decision>, Vec<Odds>) {
        let (mut decisions, outside, missing) = matched(closed, odds, range);
        self.left.add("decisions outside --from and --to", outside);
        self.left.add("decisions on bars that are not there", missing.len() as u64);
        let all = decisions.len();
        decisions.retain(|decision| calendar.is_open(closed.times[decision.bar as usize]));
        self.left.add(
            "decisions at a close with which the market closed: the daemon sends none",
            (all - decisions.len()) as u64,
        );
        (decisions, missing)
    }

    /// Leaves out what the daemon would not have decided: `data.on_gap = "stop"`, for odds that it did not make itself. Those that
    /// it recorded, it decided on.
    fn withheld(
        &mut self,
        task: &Task,
        decisions: &mut Vec<Decision>,
        closed: Closed<'_>,
        recipe: &Recipe<'_>,
        missing: Option<&Missing>,
    ) {
        let (OnGap::Stop, OddsSource::File(_), Some(missing)) = (recipe.on_gap, &task.odds, missing) else { return };
        let all = decisions.len();
        decisions
            .retain(|decision| !missing.is_seen(closed.bars, decision.bar as usize, recipe.interval, recipe.calendar));
        self.left.add(WITH_A_GAP, (all - decisions.len()) as u64);
    }

    fn recorded(&mut self, recorded: Recorded) -> (Vec<Odds>, Rows) {
        self.files.push(recorded.input);
        self.counts.notes.extend(recorded.notes);
        self.left.add("decisions after the first one of their bar, or of another model", recorded.later);
        self.left.add("recorded odds that cannot be", recorded.invalid);
        (recorded.odds, recorded.rows)
    }

    fn remade(
        &mut self,
        rows: &Rows,
        series: Series<'_>,
        decisions: &[Decision],
        recipe: &Recipe<'_>,
    ) -> anyhow::Result<()> {
        self.look_ahead = remade::check(rows, series, decisions, recipe)?;
        let remade = self.look_ahead.recorded.iter();
        self.counts.notes.extend(remade.flat_map(|remade| remade::notes(remade, recipe)));
        Ok(())
    }

    fn bars_of_closes(&mut self, odds: &[Odds], recipe: &Recipe<'_>, task: &Task) -> Vec<Bar> {
        let bars = recorded::bars_of_closes(odds, recipe.interval, recipe.calendar);
        self.counts.notes.push(
            "no bars were given: results are from close to close as recorded, without stops, and a bar on which nothing was \
             recorded is missing"
                .into(),
        );
        let missing = Missing::of(&bars, &bars, false, recipe.interval, recipe.calendar);
        let said = format!("nothing was recorded although calendar {} expects bars", task.settings.calendar_name);
        self.gaps(&missing, &said, "a position goes over it as if nothing were missing");
        bars
    }

    async fn asked(
        &mut self,
        task: &Task,
        series: Series<'_>,
        recipe: &Recipe<'_>,
        (missing, keep): (Option<&Missing>, &Path),
    ) -> anyhow::Result<Vec<Odds>> {
        let in_range = |at: &usize| task.range.contains(&series.times[*at]);
        let (mut places, short): (Vec<usize>, Vec<usize>) =
            (0..series.bars.len()).filter(in_range).partition(|at| at + 1 >= recipe.lookback_bars);
        let lookback = recipe.lookback_bars;
        self.left
            .add(&format!("bars without a whole window: fewer than {lookback} bars up to them"), short.len() as u64);
        if places.is_empty() {
            bail!("{} bars, and the first row of features takes {lookback}", series.bars.len());
        }
        if let (OnGap::Stop, Some(missing)) = (recipe.on_gap, missing) {
            let all = places.len();
            places.retain(|at| !missing.is_seen(series.bars, *at, recipe.interval, recipe.calendar));
            self.left.add(WITH_A_GAP, (all - places.len()) as u64);
            if places.is_empty() {
                bail!(
                    "bars are missing among the newest 60 of every window (data.on_gap = \"stop\"): no decision is left"
                );
            }
        }
        let asked = model_server::ask(&task.settings.model, series, &places, recipe, keep).await?;
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
                "{} answers took longer than model.deadline_ms: live they would have been no decision; here they are one",
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
                 the bar since, or these are another provider's bars"
            ));
        }
    }
}
