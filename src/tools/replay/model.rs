//! The model server, asked again, one row at a time.

use crate::{settings::ModelSettings, tools::verify::model::server::Server};
use anyhow::anyhow;
use sentinel_actors::domain::features::FeatureSet;

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

    /// Its odds, SELL, HOLD, BUY.
    pub(super) fn ask(&self, features: &FeatureSet) -> anyhow::Result<[f64; 3]> {
        let answer = self.runtime.block_on(self.server.predict(&[features], self.server.tabular));
        let (predictions, _) = answer.map_err(|refusal| anyhow!("{}: {refusal}. {}", self.url, refusal.advice()))?;
        let prediction = predictions.first().ok_or_else(|| anyhow!("{}: no odds", self.url))?;
        Ok(prediction.probabilities())
    }
}
