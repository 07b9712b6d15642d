//! When cycles are due, as the daemon itself says: a soak that was told wrong would judge a daemon in good order.

use super::{FIRST_ANSWER_MAX, FIRST_ANSWER_RETRY};
use crate::tools::probe::Client;
use anyhow::bail;
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;
use tokio::time::Instant;

const WAY_OUT: &str = "say when cycles are due: --cycle-seconds N";

/// Seconds between two due cycles by `/health`, which answers that with any status.
///
/// # Errors
/// When it does not say.
pub(super) async fn period_s(client: &Client) -> anyhow::Result<f64> {
    let patience = Instant::now() + FIRST_ANSWER_MAX;
    loop {
        let why = match client.get("/health", "").await {
            Ok(page) => match period_of(&page.text()) {
                Some(period_s) => return Ok(period_s),
                None => format!("answers {} without period_seconds", page.status),
            },
            Err(error) => one_line(&error.to_string()),
        };
        if Instant::now() >= patience {
            bail!("{}/health does not say how often a cycle is due: {why}\n  -> {WAY_OUT}", client.base_url());
        }
        tokio::time::sleep(FIRST_ANSWER_RETRY).await;
    }
}

fn period_of(health: &str) -> Option<f64> {
    let health: Value = serde_json::from_str(health).ok()?;
    health.get("period_seconds")?.as_f64().filter(|seconds| *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_number_above_0() {
        assert_eq!(period_of(r#"{"status":"fail","period_seconds":0.5}"#), Some(0.5));
        assert_eq!(period_of(r#"{"period_seconds":60}"#), Some(60.0));
        for other in ["", "{}", "[]", "# HELP x y", r#"{"period_seconds":0}"#, r#"{"period_seconds":"60"}"#] {
            assert_eq!(period_of(other), None, "{other}");
        }
    }
}
