//! Numbers and the verdict as text, for the terminal and the page.

use super::{
    check::{Outcome, ThresholdCheck},
    findings::{Ended, Findings},
};
pub(super) use crate::tools::plot::number;

/// Shown for an unknown value.
pub(super) const UNKNOWN: &str = "unknown";

/// A number, or [`UNKNOWN`].
pub(super) fn known(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), number)
}

/// A number of seconds in a suitable unit.
pub(super) fn seconds(value: f64) -> String {
    match value {
        ..0.001 => format!("{} µs", number(value * 1e6)),
        ..1.0 => format!("{} ms", number(value * 1e3)),
        _ => format!("{} s", number(value)),
    }
}

/// A value with its unit, which may be empty or begin with a sign.
pub(super) fn with_unit(value: &str, unit: &str) -> String {
    let gap = if unit.is_empty() || unit.starts_with('/') { "" } else { " " };
    format!("{value}{gap}{unit}")
}

/// The measured value, or [`UNKNOWN`].
pub(super) fn measured(check: &ThresholdCheck) -> String {
    match check.measured {
        Some(value) if check.unit == "s" => seconds(value),
        Some(value) => with_unit(&number(value), check.unit),
        None => UNKNOWN.to_owned(),
    }
}

/// `at least 99 %`.
pub(super) fn limit(check: &ThresholdCheck) -> String {
    format!("{} {}", check.bound.replace('_', " "), with_unit(&number(check.limit), check.unit))
}

/// The verdict, and the time that was watched.
pub(super) fn headline(found: &Findings) -> String {
    let watched = number((found.minutes_watched * 100.0).round() / 100.0);
    let planned = number(found.minutes_planned);
    let time = match found.ended {
        Ended::Complete => format!("after {watched} minutes"),
        Ended::Early => format!("ended early, after {watched} of {planned} minutes"),
        Ended::Running => format!("so far: {watched} of {planned} minutes, the run continues"),
    };
    format!("{}, {time}", found.verdict)
}

/// The thresholds that are not judged, if any.
pub(super) fn not_judged(found: &Findings) -> String {
    let open: Vec<_> = found.checks.iter().filter(|check| check.outcome == Outcome::NotJudged).collect();
    let names: Vec<_> = open.iter().map(|check| check.what.to_lowercase()).collect();
    if names.is_empty() { String::new() } else { format!("Not judged, the run is too short: {}.", names.join(", ")) }
}

/// The thresholds and the verdict for a terminal.
pub(super) fn summary(found: &Findings) -> String {
    let width = found.checks.iter().map(|check| check.what.len()).max().unwrap_or_default();
    let mut lines = Vec::new();
    for check in &found.checks {
        let mark = match check.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotJudged => "--",
        };
        let note = if check.note.is_empty() { String::new() } else { format!("; {}", check.note) };
        lines.push(format!("  {mark:<6}  {:<width$}  {} ({}){note}", check.what, measured(check), limit(check)));
    }
    let errors: Vec<_> = found
        .errors
        .api_errors
        .iter()
        .flat_map(|(endpoint, codes)| codes.iter().map(move |(code, count)| (endpoint, code, *count)))
        .filter(|(.., count)| *count > 0.0)
        .map(|(endpoint, code, count)| format!("{endpoint} {code}: {}", number(count)))
        .collect();
    if !errors.is_empty() {
        lines.push(format!("\nAPI errors: {}", errors.join(", ")));
    }
    lines.push(format!("\n{}. {}", headline(found), not_judged(found)).trim_end().to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_they_need() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (99.0, "99"),
            (98.765_432, "98.77"),
            (0.001_236_7, "0.001237"),
            (123_456.7, "123457"),
            (-1.5, "-1.5"),
            (0.000_000_1, "0"),
            (1e-300, "0"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
        assert_eq!((known(None), known(Some(0.0))), (UNKNOWN.to_owned(), "0".to_owned()));
    }

    #[test]
    fn seconds_have_a_suitable_unit() {
        assert_eq!((seconds(0.0), seconds(0.000_25)), ("0 µs".into(), "250 µs".into()));
        assert_eq!((seconds(0.045), seconds(2.5)), ("45 ms".into(), "2.5 s".into()));
        assert_eq!((with_unit("1", "/h"), with_unit("1", "MiB/h")), ("1/h".into(), "1 MiB/h".into()));
    }
}
