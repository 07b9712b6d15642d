//! The model server, asked again, one row at a time.

use crate::{settings::ModelSettings, tools::verify::model::server::Server};
use anyhow::anyhow;
use sentinel_actors::domain::features::FeatureSet;

/// What it says about a row now.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    /// SELL, HOLD, BUY.
    Odds([f64; 3]),
    /// None for this row, and what it said instead.
    NoOdds(String),
}

/// Asked by a command that only waits for the answer.
pub(super) struct Model {
    runtime: actix_rt::SystemRunner,
    server: Server,
    url: String,
}

impl Model {
    /// Does not connect yet.
    pub(super) fn new(settings: &ModelSettings) -> anyhow::Result<Self> {
        let url = settings.base_url();
        let server = Server::new(settings).map_err(|error| anyhow!("{url}: {error}"))?;
        Ok(Self { runtime: actix_rt::System::new(), server, url })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Its answer about this row.
    ///
    /// # Errors
    /// It cannot be asked: no other row would have an answer.
    pub(super) fn ask(&self, features: &FeatureSet) -> anyhow::Result<Answer> {
        let answer = self.runtime.block_on(self.server.predict(&[features], self.server.tabular));
        let (predictions, _) = match answer {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_about_the_row() => return Ok(Answer::NoOdds(refusal.to_string())),
            Err(refusal) => return Err(anyhow!("{refusal}. {}", refusal.advice())),
        };
        let prediction = predictions.first().ok_or_else(|| anyhow!("no odds"))?;
        Ok(Answer::Odds(prediction.probabilities()))
    }
}
