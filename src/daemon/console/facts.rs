//! What the console knows without asking: the settings that it shows.

use crate::settings::Resolved;
use sentinel_actors::domain::{
    build_info::BuildInfo, calendar::Calendar, drift::Reference, interval::Interval, schedule::Schedule,
};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

/// A symbol.
#[derive(Debug, Clone)]
pub struct SymbolFacts {
    /// Sentinel's name.
    pub name: String,
    /// The broker's name.
    pub gateway_name: String,
    /// Decimal places of its prices.
    pub digits: u32,
    /// BUY and SELL need more.
    pub threshold: f64,
}

/// What does not change while the daemon runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The build that is running.
    pub build: BuildInfo,
    /// `sentinel_config_hash`.
    pub config_hash: u64,
    /// Whether orders are sent.
    pub is_live: bool,
    /// Whether there is an account on paper.
    pub has_paper: bool,
    /// As set; `None` in a dry run without one.
    pub account: Option<String>,
    /// The account by which the journal keeps orders: as above, or a stand-in.
    pub journal_account: String,
    /// `model.name`.
    pub model: String,
    /// The model server's URL.
    pub model_address: String,
    /// `model.trained_until`.
    pub trained_until: Option<String>,
    /// `study.horizon_bars`.
    pub horizon_bars: usize,
    /// The usual distribution of confidences, if it is set.
    pub reference: Option<Reference>,
    /// Length of a bar.
    pub interval: Interval,
    /// When the market is open.
    pub calendar: Arc<Calendar>,
    /// `fx`, `always` or a file.
    pub calendar_name: String,
    /// When cycles are due.
    pub schedule: Schedule,
    /// Whether a cycle begins when the one before ends.
    pub is_back_to_back: bool,
    /// The longest time between two due cycles.
    pub period: Duration,
    /// The usual time between two due cycles.
    pub step: Duration,
    /// When the daemon started, since the unix epoch.
    pub started: Duration,
    /// In the order of the settings.
    pub symbols: Vec<SymbolFacts>,
    /// `guards.halt_file`.
    pub halt_file: Option<PathBuf>,
    /// `guards.failures_in_a_row_max`.
    pub failures_max: u32,
    /// The journal.
    pub journal: PathBuf,
    /// The bar archive, if there is one.
    pub archive: Option<PathBuf>,
    /// Users who may press the buttons.
    pub operators: Vec<String>,
    /// Names by which browsers reach it.
    pub hosts: Vec<String>,
    /// Its address.
    pub bind: String,
}

impl Facts {
    /// Those of these settings, of a daemon that started at `started` (since the unix epoch).
    pub fn of(settings: &Resolved, schedule: Schedule, started: Duration, build: BuildInfo) -> Self {
        let symbol = |instrument: &sentinel_actors::domain::instrument::Instrument| SymbolFacts {
            name: instrument.symbol.to_string(),
            gateway_name: instrument.gateway_name.clone(),
            digits: instrument.digits,
            threshold: instrument.threshold,
        };
        Self {
            build,
            config_hash: settings.hash,
            is_live: settings.purpose.gateway.is_live(),
            has_paper: settings.paper.enabled,
            account: settings.gateway.account.clone(),
            journal_account: settings.purpose.gateway.account().to_owned(),
            model: settings.model.name.clone(),
            model_address: settings.model.base_url(),
            trained_until: settings.model.trained_until.clone(),
            horizon_bars: settings.study.horizon_bars,
            reference: settings.reference.clone(),
            interval: settings.data.interval,
            calendar: settings.calendar.clone(),
            calendar_name: settings.calendar_name.clone(),
            period: schedule.period(started),
            step: schedule.step(started),
            schedule,
            is_back_to_back: settings.back_to_back,
            started,
            symbols: settings.instruments().map(symbol).collect(),
            halt_file: settings.guards.halt_file.clone(),
            failures_max: settings.guards.failures_in_a_row_max,
            journal: settings.journal.path.clone(),
            archive: settings.archive.as_ref().map(|archive| archive.path.clone()),
            operators: settings.console.operators.clone(),
            hosts: settings.console.hosts.clone(),
            bind: settings.console.bind.clone(),
        }
    }

    /// Our name for each of the broker's, in lower case.
    pub fn gateway_names(&self) -> HashMap<String, String> {
        self.symbols.iter().map(|symbol| (symbol.gateway_name.to_lowercase(), symbol.name.clone())).collect()
    }

    /// The symbol of this name, if it is configured.
    pub fn symbol(&self, name: &str) -> Option<&SymbolFacts> {
        self.symbols.iter().find(|symbol| symbol.name == name)
    }
}
