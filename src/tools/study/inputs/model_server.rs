//! A model that is asked now, one bar after the other, as the daemon would have asked it: one row of one symbol in a request.
//! If it were asked in bulk, a model whose server scales a whole batch would answer something else.

use super::{
    Odds, Recipe,
    answer_cache::{self, Kept, Reply},
    functions::Functions,
};
use crate::{
    bar_files::hex,
    settings::ModelSettings,
    tools::{
        progress::Progress,
        study::{
            files::time,
            look_ahead::{self, Series},
            result::{Input, LookAhead},
        },
        verify::model::server::Server,
    },
};
use anyhow::{anyhow, bail};
use sentinel_actors::domain::{decision::Prediction, features::FeatureSet};
use sha2::{Digest, Sha256};
use std::{path::Path, time::Duration};

/// Kept answers that are asked again first: a model that answers otherwise is another one.
const AGAIN: usize = 8;
/// By which two answers to the same question may differ.
const SAME: f64 = 1e-9;
/// Rows in a row that the model refuses, after which the study ends.
const REFUSED_MAX: u64 = 20;

/// The answers.
#[derive(Debug, Default)]
pub struct Asked {
    /// Oldest first.
    pub odds: Vec<Odds>,
    /// Bars whose features the model must not see.
    pub without_features: u64,
    /// Bars for which the model has no odds.
    pub refused: u64,
    /// What it said to the first of them.
    pub first_refusal: Option<String>,
    /// Answers that took longer than the daemon waits: live they would have been no decision.
    pub late: u64,
    /// Whether a feature uses the future.
    pub look_ahead: LookAhead,
}

/// Asks about the bars at these places, each of which has a window.
///
/// # Errors
/// A model that cannot be reached or answers otherwise than before; what it has answered so far is kept.
pub async fn ask(
    model: &ModelSettings,
    series: Series<'_>,
    places: &[usize],
    recipe: &Recipe<'_>,
    keep: &Path,
) -> anyhow::Result<Asked> {
    let mut progress = Progress::default();
    let look_ahead = look_ahead::check_shown(series, places, recipe, &mut progress);
    let server = Server::new(model).map_err(|error| anyhow!("{}: {error}", model.base_url()))?;
    let mut asking = Asking {
        model,
        url: model.base_url(),
        server,
        kept: Kept::open(keep)?,
        again: AGAIN,
        refused_in_a_row: 0,
        functions: Functions::OF_THE_DAEMON,
        asked: Asked { look_ahead, ..Asked::default() },
    };
    for (count, at) in places.iter().enumerate() {
        progress.show(|| format!("model: {count} of {} bars", places.len()));
        if let Err(error) = asking.bar(series, *at, recipe).await {
            progress.end();
            let (file, all) = (asking.kept.path().display(), places.len());
            return Err(error.context(format!("bar {}", time(series.times[*at]))).context(format!(
                "the model answered {count} of {all} bars. {file} keeps that: the same command goes on after it"
            )));
        }
    }
    progress.end();
    Ok(asking.asked)
}

struct Asking<'a> {
    model: &'a ModelSettings,
    url: String,
    server: Server,
    kept: Kept,
    /// Kept answers that are still to be asked again.
    again: usize,
    refused_in_a_row: u64,
    functions: Functions,
    asked: Asked,
}

impl Asking<'_> {
    async fn bar(&mut self, series: Series<'_>, at: usize, recipe: &Recipe<'_>) -> anyhow::Result<()> {
        let made = (self.functions.features)(series.bars, at, recipe.lookback_bars, recipe.time_columns);
        let Ok(features) = made else {
            self.asked.without_features += 1;
            return Ok(());
        };
        if let Some(prediction) = self.odds(&features).await? {
            let (bar_close_time, close) = (series.times[at], Some(series.bars[at].close));
            self.asked.odds.push(Odds { bar_close_time, close, prediction });
        }
        Ok(())
    }

    /// `None` if the model has none for this row, as it would be live.
    async fn odds(&mut self, features: &FeatureSet) -> anyhow::Result<Option<Prediction>> {
        let key = answer_cache::key(&self.model.name, &self.url, features);
        let kept = self.kept.get(&key);
        if let Some(kept) = kept.filter(|_| self.again == 0) {
            return Ok(Some(self.take(kept)));
        }
        let answer = self.server.predict(&[features], self.model.tabular).await;
        let (prediction, took) = match answer {
            Ok((predictions, took)) => (predictions.first().copied(), took),
            Err(refusal) if refusal.is_about_the_row() => {
                self.asked.refused += 1;
                self.refused_in_a_row += 1;
                let said = refusal.to_string();
                if self.refused_in_a_row >= REFUSED_MAX {
                    bail!("{REFUSED_MAX} rows in a row have no odds: {said}. {}", refusal.advice());
                }
                self.asked.first_refusal.get_or_insert(said);
                return Ok(None);
            }
            Err(refusal) => return Err(anyhow!("{refusal}. {}", refusal.advice())),
        };
        let Some(prediction) = prediction else { return Ok(None) };
        self.refused_in_a_row = 0;
        let reply = Reply { prediction, is_late: took > Duration::from_millis(self.model.deadline_ms) };
        match kept {
            Some(kept) => {
                self.again -= 1;
                self.compare(kept.prediction, prediction)?;
                Ok(Some(self.take(kept)))
            }
            None => {
                self.kept.add(key, reply)?;
                Ok(Some(self.take(reply)))
            }
        }
    }

    /// The odds of an answer. Whether it was late is counted as it was when it first came, so that a rerun says the same.
    fn take(&mut self, reply: Reply) -> Prediction {
        self.asked.late += u64::from(reply.is_late);
        reply.prediction
    }

    fn compare(&self, kept: Prediction, now: Prediction) -> anyhow::Result<()> {
        let (kept, now) = (kept.probabilities(), now.probabilities());
        if kept.iter().zip(now).all(|(kept, now)| (kept - now).abs() <= SAME) {
            return Ok(());
        }
        bail!(
            "the model answers {now:?} to a question that it answered with {kept:?} before: if it was trained again, give it \
             another model.name; if it answers differently each time, no study can say what it will do. To ask it everything \
             anew, remove {}",
            self.kept.path().display()
        )
    }
}

/// What was asked, for the report: the hash is that of the answers, by the close of their bar.
pub fn input(url: &str, odds: &[Odds]) -> Input {
    let mut digest = Sha256::new();
    for odds in odds {
        digest.update(odds.bar_close_time.to_le_bytes());
        digest.update(odds.prediction.probabilities().map(f64::to_le_bytes).as_flattened());
    }
    Input { kind: "model".into(), name: url.into(), sha256: hex(&digest.finalize()), rows: odds.len() as u64 }
}
