//! What was found, check by check, as a person reads it and as a machine does.

use serde::Serialize;
use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

/// What was found, line by line.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was looked at: `inf`, `hub`, `gateway`.
    target: &'static str,
    /// Only when nothing failed.
    is_good: bool,
    checks: Vec<Check>,
    /// Said when nothing failed, and when something did.
    #[serde(skip)]
    verdicts: [&'static str; 2],
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
struct Check {
    name: &'static str,
    mark: Mark,
    found: String,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    way_out: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Ok,
    /// Worth knowing, and nothing that could pass or fail.
    Note,
    /// In doubt.
    Warning,
    Failed,
}

impl Report {
    /// Nothing is found yet; `verdicts` are said at the end, when nothing failed and when something did.
    pub(super) fn new(target: &'static str, verdicts: [&'static str; 2]) -> Self {
        Self { target, is_good: true, checks: Vec::new(), verdicts }
    }

    /// It is as it should be.
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(Check { mark: Mark::Ok, name, found: found.into(), way_out: String::new() });
    }

    /// It is worth knowing.
    pub(super) fn note(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(Check { mark: Mark::Note, name, found: found.into(), way_out: String::new() });
    }

    /// It may not be as it should be, which somebody has to look at; no failure.
    pub(super) fn warning(&mut self, name: &'static str, found: impl Into<String>, way_out: impl Into<String>) {
        self.checks.push(Check { mark: Mark::Warning, name, found: found.into(), way_out: way_out.into() });
    }

    /// It is not as it should be, and what to do about it.
    pub(super) fn failed(&mut self, name: &'static str, found: impl ToString, way_out: impl Into<String>) {
        self.is_good = false;
        self.checks.push(Check { mark: Mark::Failed, name, found: found.to_string(), way_out: way_out.into() });
    }

    /// Takes over what another look found.
    pub(super) fn append(&mut self, other: Self) {
        self.is_good &= other.is_good;
        self.checks.extend(other.checks);
    }

    /// Prints it, for a machine if it is asked to, and turns it into the exit code: 0 only if nothing failed.
    pub(super) fn conclude(&self, as_json: bool) -> ExitCode {
        // Strings and flags always have a JSON form.
        say(&if as_json { serde_json::to_string_pretty(self).unwrap_or_default() } else { self.to_string() });
        if self.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Prints a line. Whoever closes the pipe has read enough; the exit code is the answer all the same.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default().max(9);
        for Check { mark, name, found, way_out } in &self.checks {
            let mark = match mark {
                Mark::Ok => "ok",
                Mark::Note => "--",
                Mark::Warning => "WARN",
                Mark::Failed => "FAILED",
            };
            let indent = 10 + width;
            writeln!(f, "  {mark:<6}  {name:<width$}  {}", indented(found, indent + 2))?;
            if !way_out.is_empty() {
                writeln!(f, "{:indent$}  -> {}", "", indented(way_out, indent + 5))?;
            }
        }
        let [good, bad] = self.verdicts;
        write!(f, "\n{}", if self.is_good { good } else { bad })?;
        match self.checks.iter().any(|check| check.mark == Mark::Warning) {
            true => write!(f, " Somebody has to look at what is marked WARN."),
            false => Ok(()),
        }
    }
}

/// Further lines of a text begin below the first.
fn indented(text: &str, columns: usize) -> String {
    text.replace('\n', &format!("\n{:columns$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("inf", ["All is well.", "Not ready."]);
        report.ok("port", "8000 is listening");
        report.note("firewall", "nobody can say from here\nwhat it lets through");
        report
    }

    #[test]
    fn only_a_failure_spoils_the_report() {
        let mut report = report();
        assert!(report.is_good);
        assert!(report.to_string().ends_with("\nAll is well."));
        report.failed("metrics", "status 404", "something else has the port");
        assert!(!report.is_good);
        assert_eq!(
            report.to_string(),
            "  ok      port       8000 is listening\n\
             \x20 --      firewall   nobody can say from here\n\
             \x20                    what it lets through\n\
             \x20 FAILED  metrics    status 404\n\
             \x20                    -> something else has the port\n\
             \nNot ready."
        );
    }

    #[test]
    fn a_warning_is_no_failure_and_is_not_overlooked() {
        let mut report = report();
        report.warning("positions", "ticket 7", "look");
        assert!(report.is_good);
        let text = report.to_string();
        assert!(text.contains("  WARN    positions  ticket 7\n"), "{text}");
        assert!(text.ends_with("\nAll is well. Somebody has to look at what is marked WARN."), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["checks"][2]["mark"], "warning");
    }

    #[test]
    fn what_was_found_elsewhere_counts() {
        let mut report = report();
        let mut other = Report::new("inf", ["", ""]);
        other.failed("metrics", "status 404", "something else has the port");
        report.append(other);
        assert!(!report.is_good && report.to_string().contains("FAILED  metrics"));
    }

    #[test]
    fn a_machine_reads_the_same() {
        let mut report = report();
        report.failed("metrics", "status 404", "something else has the port");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((json["target"].as_str(), json["is_good"].as_bool()), (Some("inf"), Some(false)));
        assert_eq!(json["checks"][0], serde_json::json!({"name": "port", "mark": "ok", "found": "8000 is listening"}));
        assert_eq!(json["checks"][2]["way_out"], "something else has the port");
    }
}
