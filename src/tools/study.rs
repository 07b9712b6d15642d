//! `sentinel study`: whether a model's odds are worth anything on these bars, after costs, and from which threshold on.
//!
//! `args` has the flags, `pricing` what a fill costs, `inputs` reads bars and odds, `look_ahead` checks the features, `engine` is the
//! study itself, `tries` counts the studies of the same bars, `report` and `files` make study.json, `page` makes study.html,
//! `statistics` has the formulas.

pub mod args;
pub mod engine;
pub mod files;
pub mod inputs;
pub mod look_ahead;
pub mod page;
mod pricing;
pub mod report;
pub mod result;
pub mod statistics;
pub mod tries;

pub(crate) use args::Args;

use super::progress::Progress;
use crate::{
    bar_files,
    process::{
        exit::{answer, refuse_flags},
        on_system,
        unix_signals::end_by,
    },
};
use anyhow::Context;
use args::Task;
use engine::{Question, Step, market::Market};
use inputs::Inputs;
use result::Report;
use std::{
    path::Path,
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant},
};

/// Between two lines of progress.
const SHOWN_EVERY: Duration = Duration::from_millis(250);

pub(crate) fn main(args: &Args) -> ExitCode {
    let task = match args.task() {
        Ok(task) => task,
        Err(error) => {
            return refuse_flags(&error);
        }
    };
    answer(make(task, &args.out))
}

/// Makes the study. Returns the lines to print.
fn make(mut task: Task, out: &Path) -> anyhow::Result<String> {
    let lock = files::lock(out)?;
    let (folder, is_new) = (out.to_owned(), lock.is_new());
    end_by(move || {
        bar_files::abandon();
        if is_new {
            // Fails if the folder is not empty, as intended.
            let _ = std::fs::remove_dir(&folder);
        }
        format!(
            "{} is as it was; the same command starts again, and does not ask for odds that it has",
            folder.display()
        )
    })
    .context("signals")?;
    // Before a model is asked for hours.
    tries::check(&task.studies)?;
    let mut inputs = on_system(inputs::read::gather(&task))?;
    let (terms, note) = pricing::price(&task.pricing, &task.settings.study, &mut task.instrument, &inputs.bars)?;
    task.terms = terms;
    inputs.counts.notes.extend(note);
    let report = report(&task, inputs)?;
    files::write(out, &report)?;
    drop(lock);
    let (json, page) = (out.join("study.json"), out.join("study.html"));
    Ok(format!("{}\n{}\n{}", report.answer.sentence, page.display(), json.display()))
}

fn report(task: &Task, inputs: Inputs) -> anyhow::Result<Report> {
    let Inputs { bars, decisions, files, counts, has_ranges, look_ahead } = inputs;
    let settings = &task.settings;
    let market = Market::new(bars, settings.data.interval, &settings.calendar, task.terms);
    let question = Question {
        market: &market,
        decisions: &decisions,
        trained_until: task.trained_until,
        has_bars: has_ranges,
        policy: task.policy,
        seed: settings.study.seed,
        replicates_grid: statistics::bootstrap::REPLICATES,
        replicates: statistics::bootstrap::REPLICATES,
        shifts: engine::null::SHIFTS,
        look_ahead: &look_ahead,
    };
    let shown = Shown::default();
    let count = |trials| tries::count(&task.studies, &report::this_try(task, &question, trials));
    let judged = engine::judge(&question, count, |step| shown.show(step))?;
    shown.end();
    Ok(report::of(task, &question, judged, files, counts, has_ranges))
}

/// Progress that several threads tell.
struct Shown(Mutex<(Progress, Option<Instant>)>);

impl Default for Shown {
    fn default() -> Self {
        Self(Mutex::new((Progress::default(), None)))
    }
}

impl Shown {
    fn show(&self, step: Step) {
        // Another thread is already writing the line.
        let Ok(mut shown) = self.0.try_lock() else { return };
        if shown.1.is_some_and(|at| at.elapsed() < SHOWN_EVERY) {
            return;
        }
        shown.1 = Some(Instant::now());
        shown.0.show(|| match step {
            Step::Thresholds(done, all) => format!("{done} of {all} thresholds"),
            Step::Shifts(done, all) => format!("{done} of {all} shifts of the signals"),
        });
    }

    fn end(&self) {
        if let Ok(mut shown) = self.0.lock() {
            shown.0.end();
        }
    }
}
