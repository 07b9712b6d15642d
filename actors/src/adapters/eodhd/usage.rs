//! EODHD's account page: how many calls a key may make per day, and how many it made. The daemon does not use it; it is for
//! users who want to know how many symbols their quota allows.

use crate::adapters::json::without_bom;
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value;

/// A key's limit and its use. The page also has its owner's name and address; these are not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Calls made on `date`.
    pub used: u64,
    /// The last day with a call, UTC.
    pub date: NaiveDate,
    /// Allowed calls per day.
    pub daily_max: u64,
    /// Additional calls that were bought.
    pub extra: u64,
}

/// URL of the account page; `base_url` has no slash at its end. The key is sent in a header, as for bars.
pub fn usage_url(base_url: &str) -> String {
    format!("{base_url}/api/user?fmt=json")
}

impl Usage {
    /// Reads a 200 answer; `None` if it has another shape.
    pub fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            api_requests: Value,
            api_requests_date: String,
            daily_rate_limit: Value,
            #[serde(default)]
            extra_limit: Value,
        }
        let page: Page = serde_json::from_slice(without_bom(body)).ok()?;
        let date = page.api_requests_date.get(..10)?;
        Some(Self {
            used: count(&page.api_requests)?,
            date: NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?,
            daily_max: count(&page.daily_rate_limit)?,
            extra: count(&page.extra_limit).unwrap_or(0),
        })
    }

    /// The number of calls that are left on `today`. The page keeps the count of the last day with a call.
    pub fn left(&self, today: NaiveDate) -> u64 {
        let used = if self.date == today { self.used } else { 0 };
        self.daily_max.saturating_add(self.extra).saturating_sub(used)
    }
}

/// A number, or a number in a string.
fn count(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[u8] = br#"{"name": "A B", "email": "a@b.c", "subscriptionType": "monthly", "apiRequests": 5301,
        "apiRequestsDate": "2026-11-20", "dailyRateLimit": "100000", "extraLimit": 500}"#;

    #[test]
    fn yesterdays_calls_are_not_todays() {
        let usage = Usage::parse(PAGE).unwrap();
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        assert_eq!((usage.used, usage.daily_max, usage.extra), (5_301, 100_000, 500));
        assert_eq!(usage.left(day(20)), 95_199);
        assert_eq!(usage.left(day(21)), 100_500);
    }

    #[test]
    fn another_shape_is_no_usage() {
        for body in ["", "[]", "{}", "<html>", r#"{"apiRequests": 1, "apiRequestsDate": null, "dailyRateLimit": 2}"#] {
            assert_eq!(Usage::parse(body.as_bytes()), None, "{body}");
        }
        let broken = String::from_utf8_lossy(PAGE).replace("5301", "-1");
        assert_eq!(Usage::parse(broken.as_bytes()), None);
    }
}
