//! `sentinel verify model`: the model server's answers to features of recorded bars, its latency, whether it uses the features,
//! and whether rows in one request get the same answers as alone.

mod rows;
pub(crate) mod server;

use super::{FIREWALL, Report, SettingsArgs, block_on, is_lost};
use crate::{
    process::{exit::refuse, output::say},
    sandbox::recording::Recording,
    settings::{Settings, VerifyModel},
};
use sentinel_actors::{
    adapters::mlflow::Tabular,
    domain::{
        bar::Bar,
        decision::{Prediction, decide},
        features::{FeatureError, FeatureSet, build},
    },
};
use server::{ModelRefusal, Server};
use std::{process::ExitCode, time::Duration};

type Resolved = crate::settings::Resolved<VerifyModel>;

/// Bars between the newest bars of two rows, so that all rows differ.
const BARS_BETWEEN_ROWS: usize = 37;
/// Windows over the whole recording that must get different odds.
const WINDOWS: usize = 5;
/// Tolerance for equal odds, because a batch may be computed in another order than a row.
const SAME: f64 = 1e-3;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> ExitCode {
    let settings = match Settings::load_for(&args.settings.beside()) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    if !args.json {
        let model = &settings.model;
        let tabular = model.tabular.as_str();
        say(&format!("Model {}, X_tabular {tabular}\n", model.base_url()));
    }
    block_on(verify(&settings)).conclude(args.json)
}

async fn verify(settings: &Resolved) -> Report {
    let mut report = Report::new("model", ["The model answers correctly.", "Not ready for decisions."]);
    let server = match Server::new(&settings.model) {
        Ok(server) => server,
        Err(error) => {
            report.failed("address", error, "install ca-certificates, or set SSL_CERT_FILE to your own CA");
            return report;
        }
    };
    if let Err(error) = server.reach().await {
        let advice = "start the model server, or correct model.host and model.port (HUB_HOST, HUB_PORT)";
        report.failed("address", &error, if is_lost(&error) { FIREWALL } else { advice });
        return report;
    }
    small_pages(&server, &mut report).await;
    let (rows, windows) = match symbol_rows(settings).and_then(|rows| Ok((rows, windows(settings)?))) {
        Ok(rows) => rows,
        Err(error) => {
            report.failed("features", error, "use another data.lookback_bars");
            return report;
        }
    };
    let rows: Vec<&FeatureSet> = rows.iter().collect();
    let checks = Checks { server: &server, settings, rows: &rows, windows: &windows };
    if let Some(first) = checks.one_row(&mut report).await {
        let is_steady = checks.determinism(&first, &mut report).await;
        checks.windows(is_steady, &mut report).await;
        if let Some(together) = checks.together(&mut report).await {
            checks.order(&together, is_steady, &mut report).await;
        }
    }
    report
}

/// The server's pages about itself. A server without them may still answer requests for predictions, and the daemon needs no more.
async fn small_pages(server: &Server, report: &mut Report) {
    let mut pages = Vec::new();
    for path in ["/ping", "/health", "/version"] {
        match server.page(path).await {
            Ok((200, text)) if path == "/version" => pages.push(format!("{path} {text}")),
            Ok((status, _)) => pages.push(format!("{path} {status}")),
            Err(error) => {
                pages.push(format!("{path}: {error}"));
                break;
            }
        }
    }
    report.note("server", pages.join(", "));
}

/// Features of the built-in recording, one row per symbol in a request.
fn symbol_rows(settings: &Resolved) -> Result<Vec<FeatureSet>, FeatureError> {
    let count = settings.symbols.len().min(settings.model.rows_per_request).max(1);
    feature_rows(settings, count, BARS_BETWEEN_ROWS)
}

/// Features from the whole recording, as different as possible.
fn windows(settings: &Resolved) -> Result<Vec<FeatureSet>, FeatureError> {
    feature_rows(settings, WINDOWS, Recording::eurusd().bars().len() / WINDOWS)
}

fn feature_rows(settings: &Resolved, count: usize, bars_between: usize) -> Result<Vec<FeatureSet>, FeatureError> {
    let recording = Recording::eurusd();
    let row = |index: usize| {
        let from = index * bars_between;
        let bars: Vec<Bar> =
            (from..from + settings.data.lookback_bars).map(|index| recording.replayed_bar(index)).collect();
        build(&bars, settings.time_columns).map(|(features, _)| features)
    };
    (0..count).map(row).collect()
}

struct Checks<'a> {
    server: &'a Server,
    settings: &'a Resolved,
    /// One per symbol in a request.
    rows: &'a [&'a FeatureSet],
    /// As the daemon would send them at different times.
    windows: &'a [FeatureSet],
}

impl Checks<'_> {
    async fn predict(&self, rows: &[&FeatureSet]) -> Result<(Vec<Prediction>, Duration), ModelRefusal> {
        self.server.predict(rows, self.server.tabular).await
    }

    /// Sends one row; without an answer, the other checks make no sense.
    async fn one_row(&self, report: &mut Report) -> Option<Prediction> {
        let row = &self.rows[..1];
        match self.predict(row).await {
            Ok((predictions, took)) => {
                let prediction = *predictions.first()?;
                let threshold = self.settings.trading.threshold;
                let action = decide(&prediction, threshold).action.as_str();
                let found = format!("{}: {action} at threshold {threshold}; in {}", shown(&prediction), ms(took));
                report.ok("answer", found);
                Some(prediction)
            }
            Err(refusal) => {
                let advice = match &refusal {
                    ModelRefusal::Status { status: 400 | 422 | 500, .. } => self.other_shape(row).await,
                    _ => None,
                };
                report.failed("answer", &refusal, advice.unwrap_or_else(|| refusal.advice().to_owned()));
                None
            }
        }
    }

    /// Whether the model accepts the other form of X_tabular.
    async fn other_shape(&self, row: &[&FeatureSet]) -> Option<String> {
        let (other, is) = match self.server.tabular {
            Tabular::Flat => (Tabular::Nested, "as a 1x23 matrix"),
            Tabular::Nested => (Tabular::Flat, "as a flat row of 23"),
        };
        self.server.predict(row, other).await.ok()?;
        Some(format!("model.tabular = \"{}\": this model accepts X_tabular {is}, as a trial showed", other.as_str()))
    }

    /// Checks that the same row gets the same answer.
    async fn determinism(&self, first: &Prediction, report: &mut Report) -> bool {
        match self.predict(&self.rows[..1]).await {
            Ok((again, _)) if again.first().is_some_and(|again| again == first) => {
                report.ok("steady", "the same row twice gets the same answer");
                true
            }
            Ok((again, _)) => {
                let again = again.first().map(shown).unwrap_or_default();
                let found = format!("the same row twice gets two answers: {}, then {again}", shown(first));
                report.note("steady", found);
                false
            }
            Err(refusal) => {
                report.failed("steady", format!("the same row again: {refusal}"), refusal.advice());
                false
            }
        }
    }

    /// Checks that the odds depend on the features: each window is sent alone.
    async fn windows(&self, is_steady: bool, report: &mut Report) {
        let mut answers = Vec::with_capacity(self.windows.len());
        for window in self.windows {
            match self.predict(&[window]).await {
                Ok((predictions, _)) => answers.extend(predictions),
                Err(refusal) => {
                    let found = format!("window {} of {WINDOWS}: {refusal}", answers.len() + 1);
                    return report.failed("windows", found, refusal.advice());
                }
            }
        }
        let Some(first) = answers.first() else { return };
        if answers.iter().all(|answer| answer == first) {
            let found = format!("{WINDOWS} windows of different bars all get {}: the model ignores them", shown(first));
            let advice = "is it a dummy model, or does its wrapper drop X_tabular and X_sequential or replace them with zeros? \
                          Serve a model that uses them";
            report.failed("windows", found, advice);
        } else if answers.iter().all(|answer| is_same(answer, first)) {
            let found = format!("{WINDOWS} windows of different bars get nearly the same odds, about {}", shown(first));
            report.note("windows", found);
        } else if is_steady {
            report.ok("windows", format!("{WINDOWS} windows of different bars get different odds"));
        } else {
            let found =
                "windows of different bars get different odds; the model is not deterministic, so this proves nothing";
            report.note("windows", found);
        }
    }
}

fn is_same(one: &Prediction, other: &Prediction) -> bool {
    one.probabilities().iter().zip(other.probabilities()).all(|(one, other)| (one - other).abs() <= SAME)
}

fn shown(prediction: &Prediction) -> String {
    let [sell, hold, buy] = prediction.probabilities();
    format!("SELL {sell:.3}, HOLD {hold:.3}, BUY {buy:.3}")
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
