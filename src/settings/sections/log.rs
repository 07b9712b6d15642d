//! `[log]`: what is logged, and how it looks.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{LevelFilter, Targets};

/// `[log]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct LogSettings {
    pub level: String,
    pub format: LogFormat,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// Which lines.
    pub filter: Targets,
    /// How they look.
    pub format: LogFormat,
}

impl LogSettings {
    /// Parses the level.
    pub(in crate::settings) fn resolved(&self) -> Result<Log, &'static str> {
        const RULE: &str = "must be error, warn, info, debug, trace or a filter of these";
        // A bare word that is no level would be taken for a target, and silence everything else.
        let is_level = |text: &str| text.trim().parse::<LevelFilter>().is_ok();
        let is_plain = |part: &str| part.split_once('=').map_or_else(|| is_level(part), |(_, level)| is_level(level));
        // actix-server tells its own life at info. What the setting says comes last and so beats it.
        let filter = format!("actix_server=warn,{}", self.level).parse();
        match filter {
            Ok(filter) if self.level.split(',').all(is_plain) => Ok(Log { filter, format: self.format }),
            _ => Err(RULE),
        }
    }
}

impl Log {
    /// What servers of the sandbox log.
    pub fn info() -> Self {
        let filter = Targets::new().with_default(LevelFilter::INFO).with_target("actix_server", LevelFilter::WARN);
        Self { filter, format: LogFormat::Auto }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}
