//! When cycles are due, by the daemon's own /health: a wrong period would fail a healthy daemon.

use super::{FIRST_ANSWER_MAX, FIRST_ANSWER_RETRY};
use crate::tools::probe::Client;
use anyhow::bail;
use sentinel_actors::domain::sanitize::one_line;
use serde_json::Value;
use tokio::time::Instant;

const ADVICE: &str = "give the time between two due cycles: --cycle-seconds N";

/// Seconds between two due cycles in `/health`, which reports them with any status.
///
/// # Errors
/// When it does not report them.
pub(super) async fn period_s(client: &Client) -> anyhow::Result<f64> {
    let deadline = Instant::now() + FIRST_ANSWER_MAX;
    loop {
        let why = match client.get("/health", "").await {
            Ok(page) => match period_of(&page.text()) {
                Some(period_s) => return Ok(period_s),
                None => format!("answers {} without period_seconds", page.status),
            },
            Err(error) => one_line(&error.to_string()),
        };
        if Instant::now() >= deadline {
            bail!("{}/health does not report how often a cycle is due: {why}\n  -> {ADVICE}", client.base_url());
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
