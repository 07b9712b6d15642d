//! The settings, section by section, as `config/base.toml` documents them.

mod archive;
mod cluster;
mod console;
mod data;
mod deadman;
mod gateway;
mod journal;
mod log;
mod metrics;
mod model;
mod paper;
mod study;
mod symbols;
mod trading;

pub use archive::{Archive, ArchiveSettings};
pub use cluster::{ClusterMode, ClusterSettings, TrialSetting};
pub use console::ConsoleSettings;
pub use data::{DataSettings, PollSetting};
pub use deadman::DeadmanSettings;
pub use gateway::{GatewaySettings, PlaintextSetting};
pub use journal::{Journal, JournalSettings, NewJournal};
pub use log::{Log, LogFormat, LogSettings};
pub use metrics::MetricsSettings;
pub use model::{ModelSettings, SchemeSetting};
pub use paper::PaperSettings;
pub use study::{StudyLabel, StudySettings};
pub use symbols::{Symbol, Symbols};
pub use trading::{GuardSettings, TradingSettings};

use sentinel_actors::{domain::features::TimeColumns, fetcher::MarketClock};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::{path::PathBuf, str::FromStr};

/// All of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// When cycles run.
    pub schedule: ScheduleSettings,
    /// EODHD.
    pub data: DataSettings,
    /// When the market is open.
    pub market: MarketSettings,
    /// Feature columns.
    pub features: FeatureSettings,
    /// The model server on HUB.
    pub model: ModelSettings,
    /// Values for every symbol that does not have its own.
    pub trading: TradingSettings,
    /// Limits on orders.
    pub guards: GuardSettings,
    /// When the circuit breaker of an endpoint opens.
    pub breaker: BreakerSettings,
    /// When a cycle has failed.
    pub health: HealthSettings,
    /// The MetaTrader gateway.
    pub gateway: GatewaySettings,
    /// Decisions and orders on disk.
    pub journal: JournalSettings,
    /// The bars that decisions were made from.
    pub archive: ArchiveSettings,
    /// The HTTP side.
    pub metrics: MetricsSettings,
    /// The console.
    pub console: ConsoleSettings,
    /// Pings for an outside service.
    pub deadman: DeadmanSettings,
    /// Which daemon may trade the account.
    pub cluster: ClusterSettings,
    /// The account on paper.
    pub paper: PaperSettings,
    /// What `sentinel study` charges.
    pub study: StudySettings,
    /// Log output.
    pub log: LogSettings,
    /// What is traded.
    pub symbols: Symbols,
}

/// `[schedule]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct ScheduleSettings {
    pub cron: String,
    pub cycles: u64,
    pub back_to_back: bool,
    pub clock: MarketClock,
}

/// `[market]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MarketSettings {
    pub calendar: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holidays: Option<PathBuf>,
}

/// `[features]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct FeatureSettings {
    pub hour_and_weekday: TimeColumns,
}

/// `[breaker]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BreakerSettings {
    pub failures: u32,
    pub pause_s: u64,
}

/// `[health]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct HealthSettings {
    pub failed_share_max: f64,
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = &'static str>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
