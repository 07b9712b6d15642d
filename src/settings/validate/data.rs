//! `[data]`: the ranges, and EODHD's token.

use super::{
    super::{Settings, address::market_fault},
    Found,
    lookback::lookback,
};
use sentinel_actors::adapters::eodhd::{ApiToken, TokenError, TokenFault};

/// The ranges of `[data]`.
pub(super) fn data(settings: &Settings, found: &mut Found) {
    let data = &settings.data;
    if let Some(fault) = market_fault(&data.base_url) {
        found.unless(false, "data.base_url", fault);
    }
    lookback(data, found);
    found.unless((1..=86_400).contains(&data.overdue_poll_s), "data.overdue_poll_s", "must be 1 to 86400 seconds");
    found.unless(data.max_bar_age_s.is_none_or(|age| age > 0), "data.max_bar_age_s", "must be above 0 seconds");
    let jump = data.jump_max;
    let is_limit = jump == 0.0 || (0.001..=1_000.0).contains(&jump);
    found.unless(is_limit, "data.jump_max", "must be 0 (no limit), or 0.001 to 1000, a share of the close before");
    found.deadline(data.deadline_ms, "data.deadline_ms");
    found.unless((1_024..=1 << 28).contains(&data.body_bytes_max), "data.body_bytes_max", "must be 1024 to 268435456");
    found.unless((1..=100).contains(&data.concurrency), "data.concurrency", "must be 1 to 100");
}

/// Where the token comes from, if it is required and can be read.
pub(in super::super) fn token(settings: &Settings, found: &mut Found) -> Option<ApiToken> {
    let advice = "set EODHD_API_TOKEN, or EODHD_API_TOKEN_FILE to a file that contains it";
    let Some(token) = settings.data.token() else {
        found.unless(false, "data.api_token", format!("is missing: {advice}"));
        return None;
    };
    let (is_value, is_file) = (settings.data.api_token.is_some(), settings.data.api_token_file.is_some());
    if is_value && is_file {
        found.unless(false, "data.api_token", "is set, and so is data.api_token_file: keep only one of them");
        return None;
    }
    let key = if is_value { "data.api_token" } else { "data.api_token_file" };
    match token.read() {
        Ok(_) => return Some(token),
        Err(TokenError::Unreadable { path, cause }) => {
            // Somebody may have set the token itself instead of a path. It must not reach the terminal, so only what looks like a
            // path is shown.
            let name = path.to_str().filter(|text| text.contains('/')).unwrap_or("the file");
            found.unless(false, key, format!("{name} cannot be read: {cause}"));
        }
        Err(error @ TokenError::Fault(TokenFault::Empty)) => found.unless(false, key, format!("{error}: {advice}")),
        Err(error) => found.unless(false, key, error.to_string()),
    }
    None
}
