//! The report of a verification, as text and as JSON.

use crate::process::output::say;
use serde::Serialize;
use std::{fmt, process::ExitCode};

/// The results of all checks.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The verified system: `inf`, `hub`, `gateway`.
    target: &'static str,
    /// Whether no check failed.
    is_good: bool,
    checks: Vec<VerifyCheck>,
    /// Printed at the end if no check failed, and if any did.
    #[serde(skip)]
    verdicts: [&'static str; 2],
}

/// The result of one check.
#[derive(Debug, Clone, Serialize)]
struct VerifyCheck {
    name: &'static str,
    mark: Mark,
    found: String,
    /// What the user can do.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Ok,
    /// Information that neither passes nor fails.
    Note,
    /// Possibly wrong; the user has to decide.
    Warning,
    Failed,
}

impl Report {
    /// An empty report; `verdicts` are printed at the end if no check failed, and if any did.
    pub(super) fn new(target: &'static str, verdicts: [&'static str; 2]) -> Self {
        Self { target, is_good: true, checks: Vec::new(), verdicts }
    }

    /// Adds a check that passed.
    pub(super) fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(VerifyCheck { mark: Mark::Ok, name, found: found.into(), advice: String::new() });
    }

    /// Adds information.
    pub(super) fn note(&mut self, name: &'static str, found: impl Into<String>) {
        self.checks.push(VerifyCheck { mark: Mark::Note, name, found: found.into(), advice: String::new() });
    }

    /// Adds something possibly wrong that the user has to check; not a failure.
    pub(super) fn warning(&mut self, name: &'static str, found: impl Into<String>, advice: impl Into<String>) {
        self.checks.push(VerifyCheck { mark: Mark::Warning, name, found: found.into(), advice: advice.into() });
    }

    /// Adds a check that failed, and what to do.
    pub(super) fn failed(&mut self, name: &'static str, found: impl ToString, advice: impl Into<String>) {
        self.is_good = false;
        self.checks.push(VerifyCheck { mark: Mark::Failed, name, found: found.to_string(), advice: advice.into() });
    }

    /// Adds the checks of another report.
    pub(super) fn append(&mut self, other: Self) {
        self.is_good &= other.is_good;
        self.checks.extend(other.checks);
    }

    /// Prints the report, as JSON on request, and returns the exit code: 0 only if no check failed.
    pub(super) fn conclude(&self, as_json: bool) -> ExitCode {
        // Strings and flags always have a JSON form.
        say(&if as_json { serde_json::to_string_pretty(self).unwrap_or_default() } else { self.to_string() });
        if self.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default().max(9);
        for VerifyCheck { mark, name, found, advice } in &self.checks {
            let mark = match mark {
                Mark::Ok => "ok",
                Mark::Note => "--",
                Mark::Warning => "WARN",
                Mark::Failed => "FAILED",
            };
            let indent = 10 + width;
            writeln!(f, "  {mark:<6}  {name:<width$}  {}", indented(found, indent + 2))?;
            if !advice.is_empty() {
                writeln!(f, "{:indent$}  -> {}", "", indented(advice, indent + 5))?;
            }
        }
        let [good, bad] = self.verdicts;
        write!(f, "\n{}", if self.is_good { good } else { bad })?;
        match self.checks.iter().any(|check| check.mark == Mark::Warning) {
            true => write!(f, " Check what is marked WARN."),
            false => Ok(()),
        }
    }
}

/// Indents all lines of a text but the first.
fn indented(text: &str, columns: usize) -> String {
    text.replace('\n', &format!("\n{:columns$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("inf", ["All is well.", "Not ready."]);
        report.ok("port", "8000 is listening");
        report.note("firewall", "not visible from here\nwhich ports are open");
        report
    }

    #[test]
    fn only_a_failure_fails_the_report() {
        let mut report = report();
        assert!(report.is_good);
        assert!(report.to_string().ends_with("\nAll is well."));
        report.failed("metrics", "status 404", "another program has the port");
        assert!(!report.is_good);
        assert_eq!(
            report.to_string(),
            "  ok      port       8000 is listening\n\
             \x20 --      firewall   not visible from here\n\
             \x20                    which ports are open\n\
             \x20 FAILED  metrics    status 404\n\
             \x20                    -> another program has the port\n\
             \nNot ready."
        );
    }

    #[test]
    fn a_warning_is_shown_and_is_not_a_failure() {
        let mut report = report();
        report.warning("positions", "ticket 7", "check it");
        assert!(report.is_good);
        let text = report.to_string();
        assert!(text.contains("  WARN    positions  ticket 7\n"), "{text}");
        assert!(text.ends_with("\nAll is well. Check what is marked WARN."), "{text}");
        assert_eq!(serde_json::to_value(&report).unwrap()["checks"][2]["mark"], "warning");
    }

    #[test]
    fn an_appended_failure_fails_the_report() {
        let mut report = report();
        let mut other = Report::new("inf", ["", ""]);
        other.failed("metrics", "status 404", "another program has the port");
        report.append(other);
        assert!(!report.is_good && report.to_string().contains("FAILED  metrics"));
    }

    #[test]
    fn the_json_has_the_same_checks() {
        let mut report = report();
        report.failed("metrics", "status 404", "another program has the port");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((json["target"].as_str(), json["is_good"].as_bool()), (Some("inf"), Some(false)));
        assert_eq!(json["checks"][0], serde_json::json!({"name": "port", "mark": "ok", "found": "8000 is listening"}));
        assert_eq!(json["checks"][2]["advice"], "another program has the port");
    }
}
