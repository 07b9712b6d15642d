//! The settings, section by section, as `config/base.toml` documents them.

mod archive;
mod cluster;
mod console;
mod gateway;
mod journal;
mod log;
mod paper;
mod study;
mod symbols;

pub use archive::{Archive, ArchiveSettings};
pub use cluster::{ClusterMode, ClusterSettings};
pub use console::ConsoleSettings;
pub use gateway::{GatewaySettings, PlaintextSetting};
pub use journal::{Journal, JournalSettings, NewJournal};
pub use log::{Log, LogFormat, LogSettings};
pub use paper::PaperSettings;
pub use study::{StudyLabel, StudySettings};
pub use symbols::{Symbol, Symbols};

use super::{distance::Distance, secret::Secret};
use crate::net::authority;
use sentinel_actors::{
    adapters::{deadman::UrlSource, eodhd::ApiToken, mlflow::Tabular},
    domain::{features::TimeColumns, interval::Interval, money::ProfitRate, position::Opposite},
    fetcher::{MarketClock, OnGap, Poll},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
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

/// `[data]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DataSettings {
    pub base_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_token_file: Option<PathBuf>,
    #[serde(deserialize_with = "parsed", serialize_with = "interval_text")]
    pub interval: Interval,
    pub lookback_bars: usize,
    pub poll: PollSetting,
    pub overdue_poll_s: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bar_age_s: Option<i64>,
    pub on_gap: OnGap,
    pub jump_max: f64,
    pub deadline_ms: u64,
    pub body_bytes_max: usize,
    pub concurrency: usize,
}

/// How often bars are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollSetting {
    /// `cycle` for up to 13 symbols, which EODHD's quota allows at one request per minute; `bar` for more.
    Auto,
    /// In every cycle.
    Cycle,
    /// When a newer closed bar can exist.
    Bar,
}

/// How many symbols EODHD's 100,000 calls per day allow, at one request per minute.
const SYMBOLS_POLLED_EVERY_CYCLE_MAX: usize = 13;

impl PollSetting {
    /// What it means for this number of symbols.
    pub(super) const fn resolved(self, symbols: usize) -> Poll {
        match self {
            Self::Cycle => Poll::Cycle,
            Self::Bar => Poll::Bar,
            Self::Auto if symbols <= SYMBOLS_POLLED_EVERY_CYCLE_MAX => Poll::Cycle,
            Self::Auto => Poll::Bar,
        }
    }
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

/// `[model]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ModelSettings {
    pub scheme: SchemeSetting,
    pub host: String,
    pub port: u16,
    pub name: String,
    pub tabular: Tabular,
    pub rows_per_request: usize,
    pub deadline_ms: u64,
    pub body_bytes_max: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_reference: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_until: Option<String>,
}

/// The protocol of the model server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchemeSetting {
    /// Plaintext: anyone who can answer instead of it decides the orders.
    Http,
    /// TLS; the certificate must be signed by a CA that this machine trusts.
    Https,
}

/// `[trading]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TradingSettings {
    pub live: bool,
    pub threshold: f64,
    pub volume: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_loss: Option<Distance>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub take_profit: Option<Distance>,
    pub contract_size: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profit_rate: Option<ProfitRate>,
}

impl TradingSettings {
    /// Decimal places of a price where none are set: those of most currency pairs.
    pub const DIGITS: u32 = 5;

    /// Those of a symbol without its own.
    pub fn digits(&self) -> u32 {
        self.digits.unwrap_or(Self::DIGITS)
    }
}

/// `[guards]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct GuardSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub halt_file: Option<PathBuf>,
    pub volume_max: f64,
    pub orders_per_hour_max: u32,
    pub orders_per_day_max: u32,
    pub cooldown_s: u32,
    pub positions_max: u32,
    pub loss_pct_per_day_max: f64,
    pub failures_in_a_row_max: u32,
    pub opposite: Opposite,
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

/// `[metrics]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MetricsSettings {
    pub enabled: bool,
    pub bind: String,
    pub port: u16,
    pub connections_max: usize,
    pub header_deadline_ms: u64,
    pub connection_deadline_ms: u64,
    pub ask_deadline_ms: u64,
    pub bind_retry_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_config_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
}

/// `[deadman]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DeadmanSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    pub every_s: u64,
    pub deadline_ms: u64,
}

impl DeadmanSettings {
    /// Where the URL comes from; `None` if it is not set.
    pub fn source(&self) -> Option<UrlSource> {
        match (&self.url, &self.url_file) {
            (Some(url), _) => Some(UrlSource::Value(url.expose().to_owned())),
            (None, Some(path)) => Some(UrlSource::File(path.clone())),
            (None, None) => None,
        }
    }
}

impl DataSettings {
    /// Where the token comes from; `None` if it is not set.
    pub fn token(&self) -> Option<ApiToken> {
        match (&self.api_token, &self.api_token_file) {
            (Some(token), _) => Some(ApiToken::Value(token.expose().to_owned())),
            (None, Some(path)) => Some(ApiToken::File(path.clone())),
            (None, None) => None,
        }
    }
}

impl ModelSettings {
    /// `http://host:port`, with brackets around an IPv6 address.
    pub fn base_url(&self) -> String {
        let scheme = match self.scheme {
            SchemeSetting::Http => "http",
            SchemeSetting::Https => "https",
        };
        format!("{scheme}://{}", authority(&self.host, self.port))
    }

    /// Up to when bars are the model's own, unix seconds; `None` if it is not said.
    ///
    /// # Errors
    /// Neither a day nor a moment.
    pub fn trained_until(&self) -> Result<Option<i64>, &'static str> {
        self.trained_until.as_deref().map(study::end_of).transpose()
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = &'static str>,
{
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn interval_text<S: Serializer>(interval: &Interval, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(interval.as_str())
}
