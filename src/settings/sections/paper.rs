//! `[paper]`: the account on paper, which trades beside the real one or instead of it.

use serde::{Deserialize, Serialize};

/// `[paper]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config/base.toml documents every key.
pub struct PaperSettings {
    pub enabled: bool,
    pub balance: f64,
    pub horizon_bars: usize,
}
