//! `[log]`: which lines are logged, and their format.

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
    /// In which format.
    pub format: LogFormat,
}

impl LogSettings {
    /// Parses the level.
    pub(in crate::settings) fn resolved(&self) -> Result<Log, &'static str> {
        const RULE: &str = "must be error, warn, info, debug, trace or a filter of these";
        // A word that is not a level would be read as a target, and would silence everything else.
        let is_level = |text: &str| text.trim().parse::<LevelFilter>().is_ok();
        let is_plain = |part: &str| part.split_once('=').map_or_else(|| is_level(part), |(_, level)| is_level(level));
        // actix-server logs start and stop at info. The setting comes last, so it overrides this.
        let filter = format!("actix_server=warn,{}", self.level).parse();
        match filter {
            Ok(filter) if self.level.split(',').all(is_plain) => Ok(Log { filter, format: self.format }),
            _ => Err(RULE),
        }
    }
}

impl Log {
    /// For the servers of the sandbox.
    pub fn info() -> Self {
        let filter = Targets::new().with_default(LevelFilter::INFO).with_target("actix_server", LevelFilter::WARN);
        Self { filter, format: LogFormat::Auto }
    }
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}
