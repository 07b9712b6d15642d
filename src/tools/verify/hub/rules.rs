//! Checks that Sentinel's alerts and recording rules are loaded and evaluated often enough. Compares the expression, times and labels
//! of each rule with config/monitoring/alerts.yml of this version, or with the user's own file.

mod evaluation;
mod rule;
#[cfg(test)]
mod tests;

use super::{
    super::{Report, not_checked},
    prometheus::{Prometheus, list},
};
use anyhow::{Context as _, bail};
pub(super) use rule::Rule;
use sentinel_actors::domain::sanitize::{is_hidden, one_line};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const ALERTS: &str = include_str!("../../../../config/monitoring/alerts.yml");
/// Most rules whose differences are shown; in an older file, nearly all differ.
const SHOWN_MAX: usize = 5;

/// The rules that should be loaded.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) rules: Vec<Rule>,
    /// Sentinel's alerts that the user's own file does not have.
    left_out: Vec<String>,
    is_own_file: bool,
}

impl Wanted {
    /// Sentinel's rules, or those of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or has no rule.
    pub(super) fn new(file: Option<&Path>) -> anyhow::Result<Self> {
        let ours = rule::of_file(ALERTS);
        let Some(path) = file else { return Ok(Self { rules: ours, left_out: Vec::new(), is_own_file: false }) };
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let rules = rule::of_file(&text);
        if rules.is_empty() {
            bail!("{}: it has no rules", path.display());
        }
        let left_out =
            ours.iter().filter(|rule| rule.kind == "alerting" && !rules.iter().any(|it| it.is_named_as(rule)));
        let left_out = left_out.map(|rule| rule.name.clone()).collect();
        Ok(Self { rules, left_out, is_own_file: true })
    }

    fn advice(&self, reload: &str) -> String {
        if self.is_own_file {
            return format!("load the file of --rules under rule_files, or correct it; then {reload}");
        }
        format!(
            "copy this version's config/monitoring/alerts.yml next to Prometheus's configuration and add it to rule_files; then \
             {reload}. If the difference is intended, --rules FILE compares with your own file"
        )
    }
}

/// Checks that the rules are loaded and evaluated. Additional rules are allowed. `instance` is the one that is verified.
pub(super) async fn check(
    prometheus: &Prometheus,
    is_ready: bool,
    wanted: &Wanted,
    instance: Option<&str>,
    report: &mut Report,
) {
    if !is_ready {
        return not_checked(report, &["rules", "evaluation"], "Prometheus does not answer");
    }
    match evaluation::evaluated(prometheus, wanted).await {
        Ok((groups, now_s)) => {
            judge(&groups, wanted, instance, &prometheus.reload(), report);
            evaluation::judge(&groups, wanted, now_s, &prometheus.reload(), report);
        }
        Err(why) => {
            report.failed("rules", why, "see Prometheus's log");
            not_checked(report, &["evaluation"], "the rules are unknown");
        }
    }
}

/// Whether a loaded rule is one of these, or looks like one of an earlier version.
fn is_ours(rule: &Value, wanted: &Wanted) -> bool {
    let is_wanted = wanted.rules.iter().any(|one| rule["type"] == one.kind && rule["name"] == *one.name);
    is_wanted || rule["name"].as_str().is_some_and(|it| it.starts_with("Sentinel"))
}

/// `loaded` are Prometheus's groups.
fn judge(loaded: &[Value], wanted: &Wanted, instance: Option<&str>, reload: &str, report: &mut Report) {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let rules = loaded.iter().flat_map(|group| list(&group["rules"]).iter().map(|rule| (&group["name"], rule)));
    let ours = rules.filter(|(_, rule)| is_ours(rule, wanted)).collect::<Vec<_>>();
    let rules = ours.iter().filter_map(|(group, rule)| Rule::of_json(rule, group.as_str().unwrap_or_default()));
    let rules = rules.collect::<Vec<_>>();
    let lines = [not_loaded(&rules, wanted), other_content(&rules, wanted), recorded_twice(&rules, wanted)].concat();
    if !lines.is_empty() {
        return report.failed("rules", lines.join("\n"), wanted.advice(reload));
    }
    let broken = ours.iter().filter(|(_, rule)| rule["health"] == "err");
    let broken = broken.map(|(_, rule)| format!("{}: {}", text(&rule["name"]), text(&rule["lastError"])));
    let broken = broken.collect::<Vec<_>>();
    if !broken.is_empty() {
        return report.failed("rules", broken.join("\n"), "`promtool check rules alerts.yml` shows what is wrong");
    }
    let alerts = ours.iter().filter(|(_, rule)| rule["type"] == "alerting").collect::<Vec<_>>();
    let firing = alerts.iter().filter(|(_, rule)| rule["state"] == "firing").map(|(_, rule)| text(&rule["name"]));
    let firing = firing.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let firing = if firing.is_empty() { "none".into() } else { firing.join(", ") };
    let groups = ours.iter().map(|(group, _)| text(group)).collect::<BTreeSet<_>>().len();
    let mut found = format!(
        "{} alerts and {} recording rules in {groups} groups, all correct; firing: {firing}",
        alerts.len(),
        ours.len() - alerts.len()
    );
    let reworded = wanted.rules.iter().filter(|one| {
        !rules.iter().any(|it| it.is_named_as(one) && it.differences(one).is_empty() && it.has_annotations_of(one))
    });
    let reworded = reworded.map(|rule| rule.name.as_str()).collect::<Vec<_>>();
    if !reworded.is_empty() {
        found += &format!("\nwith other annotations than in this version: {}", reworded.join(", "));
    }
    let stale = alerts_twice(&rules, wanted, instance);
    if !stale.is_empty() {
        found += &format!("\nalso loaded in another form, from an older file or as your own: {}", stale.join(", "));
    }
    report.ok("rules", found);
    if !wanted.left_out.is_empty() {
        report.note("left out", format!("the file of --rules does not have {}", wanted.left_out.join(", ")));
    }
    own_copies(&rules, wanted, instance, report);
}

/// The missing rules, a line per group.
fn not_loaded(loaded: &[Rule], wanted: &Wanted) -> Vec<String> {
    let missing = wanted.rules.iter().filter(|one| !loaded.iter().any(|it| it.is_named_as(one))).collect::<Vec<_>>();
    if missing.len() == wanted.rules.len() {
        return vec![format!("none of Sentinel's {} alerts and recording rules is loaded", missing.len())];
    }
    let groups = missing.iter().map(|rule| &rule.group).collect::<BTreeSet<_>>();
    let line = |group: &String| {
        let names = missing.iter().filter(|rule| rule.group == *group).map(|rule| rule.name.as_str());
        format!("not loaded of {group}: {}", names.collect::<Vec<_>>().join(", "))
    };
    groups.into_iter().map(line).collect()
}

/// The rules that are loaded with other content.
fn other_content(loaded: &[Rule], wanted: &Wanted) -> Vec<String> {
    let differing = wanted.rules.iter().filter_map(|one| {
        let named = loaded.iter().filter(|it| it.is_named_as(one));
        Some((one.name.as_str(), named.map(|it| it.differences(one)).min_by_key(Vec::len)?))
    });
    let differing = differing.filter(|(_, differences)| !differences.is_empty());
    let differing = differing.collect::<Vec<_>>();
    let line =
        |(name, differences): &(&str, Vec<String>)| visible(&format!("{name} differs: {}", differences.join("\n")));
    let mut lines = differing.iter().take(SHOWN_MAX).map(line).collect::<Vec<_>>();
    let others = differing.iter().skip(SHOWN_MAX).map(|(name, _)| *name).collect::<Vec<_>>();
    if !others.is_empty() {
        lines.push(format!("also different: {}", others.join(", ")));
    }
    lines
}

/// Recording rules with the same name and different expressions, which overwrite each other's series.
fn recorded_twice(loaded: &[Rule], wanted: &Wanted) -> Vec<String> {
    let is_other = |one: &Rule| {
        let same = wanted.rules.iter().filter(|it| it.is_named_as(one));
        one.kind == "recording"
            && same.clone().count() > 0
            && same.map(|it| one.differences(it)).all(|it| !it.is_empty())
    };
    let names = loaded.iter().filter(|one| is_other(one)).map(|one| one.name.as_str()).collect::<BTreeSet<_>>();
    // A single one that differs is already reported.
    let twice = names.into_iter().filter(|name| loaded.iter().filter(|one| one.name == *name).count() > 1);
    twice.map(|name| format!("{name} is recorded twice, by different expressions")).collect()
}

/// Alerts that are loaded a second time with other content, other than as a copy for this instance.
fn alerts_twice(loaded: &[Rule], wanted: &Wanted, instance: Option<&str>) -> Vec<String> {
    let is_other = |one: &&Rule| {
        let mut same = wanted.rules.iter().filter(|it| it.is_named_as(one)).peekable();
        let is_known = same.peek().is_some();
        let is_copy = |it: &Rule| instance.is_some_and(|instance| one.reads_as(&copied(it, instance)));
        one.kind == "alerting" && is_known && same.all(|it| !one.differences(it).is_empty() && !is_copy(it))
    };
    let names = loaded.iter().filter(is_other).map(|rule| rule.name.clone()).collect::<BTreeSet<_>>();
    names.into_iter().collect()
}

/// Warns about rules that name another instance only: this one needs a copy with its name.
fn own_copies(loaded: &[Rule], wanted: &Wanted, instance: Option<&str>, report: &mut Report) {
    let Some(instance) = instance else { return };
    let missing = wanted.rules.iter().filter(|rule| {
        let text = copied(rule, instance);
        text != rule.text && !loaded.iter().any(|it| it.is_named_as(rule) && it.reads_as(&text))
    });
    let missing = missing.map(|rule| rule.name.as_str()).collect::<Vec<_>>();
    if !missing.is_empty() {
        let found = format!("{} does not cover {}", missing.join(", "), one_line(instance));
        report.warning("copies", found, "copy this rule with the instance's name into your own rule file");
    }
}

/// The expression with this instance instead of any that it names.
fn copied(rule: &Rule, instance: &str) -> String {
    let named =
        rule.expression.iter().flat_map(|it| it.selected()).filter_map(|it| it.instance).collect::<BTreeSet<_>>();
    let quoted = |name: &str| format!("{name:?}");
    named.iter().fold(rule.text.clone(), |text, other| text.replace(&quoted(other), &quoted(instance)))
}

/// Without hidden characters; not cut off, because both texts must be compared completely.
fn visible(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !is_hidden(*c)).collect()
}
