//! The names of environment variables, and the keys that they set.

use std::collections::HashMap;

pub(super) const PREFIX: &str = "SENTINEL__";
pub(super) const SYMBOLS: &str = "SENTINEL__SYMBOLS";

/// The variables of the daemon that this one replaces, and their keys.
pub(super) const OLD_NAMES: [(&str, &str); 7] = [
    ("METRICS_PORT", "metrics.port"),
    ("HUB_HOST", "model.host"),
    ("HUB_PORT", "model.port"),
    ("GTW_HOST", "gateway.host"),
    ("GTW_PORT", "gateway.port"),
    ("EODHD_API_TOKEN", "data.api_token"),
    ("EODHD_API_TOKEN_FILE", "data.api_token_file"),
];

/// The keys that variables set, with their values; of two for the same key the second one counts.
pub(super) fn by_variables(environment: &HashMap<String, String>) -> Vec<(String, String)> {
    let old = OLD_NAMES.iter().filter_map(|(name, key)| Some(((*key).to_owned(), environment.get(*name)?.clone())));
    let new = environment.iter().filter_map(|(name, value)| Some((key_of(name.strip_prefix(PREFIX)?)?, value.clone())));
    old.chain(new).filter(|(_, value)| !value.is_empty()).collect()
}

/// `DATA__API_TOKEN` as `data.api_token`. Nothing else is accepted: the library would silently accept `A__B__C` or `A[0]`.
pub(super) fn key_of(name: &str) -> Option<String> {
    let (section, key) = name.split_once("__")?;
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (plain(section) && plain(key) && !key.contains("__")).then(|| format!("{section}.{key}").to_lowercase())
}

/// `EURUSD, GBPUSD` as names.
pub(super) fn split_names(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
