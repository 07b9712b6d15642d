//! `soak.json`: the findings, and every scrape as a row, for other programs.

use super::{
    args::Args,
    findings::{self, Findings},
    record::Record,
    snapshot::TIMINGS,
};
use serde_json::{Value, json};

/// Raised when a reader of the older format would misread the newer one.
const FORMAT: u32 = 1;

const COLUMNS: [&str; 8] = [
    "at_s",
    "cycles_done",
    "cycles_failed",
    "missed_ticks",
    "api_errors",
    "memory_bytes",
    "open_files",
    "orders_unresolved",
];

/// The whole file.
///
/// # Errors
/// When a number has no JSON form, which should not happen.
pub(super) fn report(found: &Findings, record: &Record, args: &Args) -> serde_json::Result<String> {
    let rows: Vec<Value> = record.scrapes.iter().map(|(at_s, found)| row(*at_s, found.as_ref().ok())).collect();
    let windows: Vec<Value> = record.windows.iter().enumerate().map(|(at, _)| window(record, at)).collect();
    let value = json!({
        "format": FORMAT,
        "findings": found,
        "thresholds": args.limits,
        "windows": {"seconds": record.window_s, "rows": windows},
        // Counts are increases since the first scrape; a failed scrape has null in every other column.
        "scrapes": {"columns": COLUMNS, "rows": rows},
    });
    serde_json::to_string(&value)
}

fn row(at_s: f64, line: Option<&super::record::ScrapeRow>) -> Value {
    let at_s = (at_s * 1e3).round() / 1e3;
    match line {
        Some(line) => json!([
            at_s,
            line.cycles,
            line.failed,
            line.missed,
            line.api_errors,
            line.memory_bytes,
            line.open_files,
            line.orders_unresolved
        ]),
        None => json!([at_s, null, null, null, null, null, null, null]),
    }
}

/// Quantiles of the observations within a window.
fn window(record: &Record, at: usize) -> Value {
    let mut object = serde_json::Map::from_iter([("from_s".to_owned(), json!(at as f64 * record.window_s))]);
    for (timing, quantiles) in TIMINGS.iter().zip(findings::quantiles(&record.windows[at].timings)) {
        object.insert(timing.name.into(), json!(quantiles));
    }
    Value::Object(object)
}
