//! FeatureBuilder: makes the model's two input arrays from every symbol's window. The cycle calls it.

use crate::{
    domain::{
        bar::Bar,
        features::{FeatureError, FeatureSet, InvalidValues, TimeColumns, build},
        names::{ActorName, DropReason},
        regime::Regime,
    },
    messages::{BuildFeatures, BuildReport, Event, Ping, StageFailure, SymbolResult, Telemetry},
};
use actix::{Actor, Context, Handler, ResponseFuture};
use std::{sync::Arc, time::Instant};

/// Number of symbols that are built before other work gets its turn: about half a millisecond.
const SYMBOLS_PER_TURN: usize = 64;

/// The configuration of a FeatureBuilder.
#[derive(Clone)]
pub struct Config {
    /// The content of the hour and weekday columns.
    pub time_columns: TimeColumns,
    /// The MetricsActor.
    pub metrics: Telemetry,
}

/// The actor. It keeps nothing between cycles.
pub struct FeatureBuilder {
    config: Config,
}

impl FeatureBuilder {
    /// A new one.
    pub const fn new(config: Config) -> Self {
        Self { config }
    }
}

impl Actor for FeatureBuilder {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.config.metrics.report(Event::ActorStarted(ActorName::FeatureBuilder));
    }
}

impl Handler<Ping> for FeatureBuilder {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<BuildFeatures> for FeatureBuilder {
    type Result = ResponseFuture<Vec<SymbolResult<Arc<FeatureSet>>>>;

    fn handle(&mut self, message: BuildFeatures, _: &mut Self::Context) -> Self::Result {
        let config = self.config.clone();
        Box::pin(build_all(config, message))
    }
}

async fn build_all(config: Config, message: BuildFeatures) -> Vec<SymbolResult<Arc<FeatureSet>>> {
    let mut results = Vec::with_capacity(message.windows.len());
    let mut builds = Vec::with_capacity(message.windows.len());
    let mut invalid = InvalidValues::default();
    for (index, (symbol, bars)) in message.windows.into_iter().enumerate() {
        if index > 0 && index % SYMBOLS_PER_TURN == 0 {
            tokio::task::yield_now().await;
        }
        let started = Instant::now();
        let result = build_one(&bars, config.time_columns, &mut invalid);
        let failure = result.as_ref().err().map(FeatureError::kind);
        let duration = started.elapsed();
        builds.push(BuildReport { symbol: symbol.clone(), duration, failure, regime: Regime::of(&bars) });
        results.push((symbol, result.map_err(|e| StageFailure { kind: e.kind(), detail: e.to_string() })));
    }
    let refused = builds.iter().filter(|build| build.failure.is_some()).count();
    config.metrics.dropped(ActorName::FeatureBuilder, DropReason::Invalid, refused as u64);
    config.metrics.report(Event::FeaturesBuilt { builds, invalid });
    results
}

fn build_one(
    bars: &[Bar],
    time_columns: TimeColumns,
    invalid: &mut InvalidValues,
) -> Result<Arc<FeatureSet>, FeatureError> {
    let (features, filled) = build(bars, time_columns).inspect_err(|error| *invalid += error.invalid_values())?;
    *invalid += filled;
    Ok(Arc::new(features))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instrument::Symbol;
    use std::sync::Mutex;

    struct Recorder(Arc<Mutex<Vec<Event>>>);

    impl Actor for Recorder {
        type Context = Context<Self>;
    }

    impl Handler<Event> for Recorder {
        type Result = ();

        fn handle(&mut self, event: Event, _: &mut Self::Context) {
            self.0.lock().unwrap().push(event);
        }
    }

    fn bars(count: usize) -> Arc<[Bar]> {
        let bar = |row| Bar { open_time: 3_600 * row as i64, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 };
        (0..count).map(bar).collect()
    }

    #[actix::test]
    async fn one_short_window_costs_no_other_symbol_its_features() {
        let events = Arc::new(Mutex::new(Vec::new()));
        let metrics = Telemetry::from(Recorder(events.clone()).start().recipient());
        let config = Config { time_columns: TimeColumns::Utc, metrics: metrics.clone() };
        let builder = FeatureBuilder::new(config).start();
        let windows = (0..130).map(|n| (Symbol::new(&n.to_string()), bars(if n == 70 { 119 } else { 120 }))).collect();
        let results = builder.send(BuildFeatures { cycle_id: 1, windows }).await.unwrap();
        builder.send(Ping).await.unwrap();

        assert_eq!(results.len(), 130);
        for (n, (symbol, result)) in results.iter().enumerate() {
            assert_eq!((symbol.as_str(), result.is_ok()), (n.to_string().as_str(), n != 70));
        }
        let failure = results[70].1.as_ref().unwrap_err();
        assert_eq!(failure.to_string(), "too_few_bars: 119 bars, 120 are needed");

        let events = events.lock().unwrap();
        assert!(matches!(events[0], Event::ActorStarted(ActorName::FeatureBuilder)));
        let [Event::FeaturesBuilt { builds, invalid }] = &events[1..] else { panic!("{events:?}") };
        assert_eq!((builds.len(), builds[70].failure), (130, Some("too_few_bars")));
        assert_eq!(invalid.nan, 129 * 60, "the RSI of a flat market is missing");
        assert!(builds.iter().all(|build| build.regime == Regime::Range), "119 bars are enough for that");
        assert_eq!(metrics.backlog().dropped(ActorName::FeatureBuilder, DropReason::Invalid), 1);
    }
}
