//! Are Sentinel's alerts and recording rules loaded as they should be, and evaluated often enough? Compared is what a
//! rule does: expression, times and labels. What it is compared to is config/monitoring/alerts.yml as it was when this
//! binary was built, or a file of the user's own.

mod evaluation;
mod rule;
#[cfg(test)]
mod tests;

use super::{
    super::{Report, not_reached},
    prometheus::{Prometheus, list},
};
use anyhow::{Context as _, bail};
pub(super) use rule::Rule;
use sentinel_actors::domain::sanitize::{is_hidden, one_line};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const ALERTS: &str = include_str!("../../../../config/monitoring/alerts.yml");
/// Rules whose differences are shown; of an older file nearly all differ.
const SHOWN_MAX: usize = 5;

/// The rules that should be loaded.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) rules: Vec<Rule>,
    /// Sentinel's alerts that a file of the user's own does not have.
    left_out: Vec<String>,
    is_own_file: bool,
}

impl Wanted {
    /// Sentinel's, or those of a file.
    ///
    /// # Errors
    /// When the file cannot be read, or has no rule.
    pub(super) fn new(file: Option<&Path>) -> anyhow::Result<Self> {
        let ours = rule::of_file(ALERTS);
        let Some(path) = file else { return Ok(Self { rules: ours, left_out: Vec::new(), is_own_file: false }) };
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let rules = rule::of_file(&text);
        if rules.is_empty() {
            bail!("{}: there is no rule in it", path.display());
        }
        let left_out =
            ours.iter().filter(|rule| rule.kind == "alerting" && !rules.iter().any(|it| it.is_named_as(rule)));
        let left_out = left_out.map(|rule| rule.name.clone()).collect();
        Ok(Self { rules, left_out, is_own_file: true })
    }

    fn way_out(&self, reload: &str) -> String {
        if self.is_own_file {
            return format!("load the file of --rules under rule_files, or correct it; then {reload}");
        }
        format!(
            "copy config/monitoring/alerts.yml, as it came with this version, beside Prometheus's configuration and name it \
             under rule_files; then {reload}. Is the difference meant? Then --rules FILE compares with your own file"
        )
    }
}

/// Whether the rules are loaded and can be evaluated. More rules than these are the user's own. `instance` is the one
/// that is verified.
pub(super) async fn check(
    prometheus: &Prometheus,
    is_ready: bool,
    wanted: &Wanted,
    instance: Option<&str>,
    report: &mut Report,
) {
    if !is_ready {
        return not_reached(report, &["rules", "evaluation"], "Prometheus does not answer");
    }
    match evaluation::evaluated(prometheus, wanted).await {
        Ok((groups, now_s)) => {
            judge(&groups, wanted, instance, &prometheus.reload(), report);
            evaluation::judge(&groups, wanted, now_s, &prometheus.reload(), report);
        }
        Err(why) => {
            report.failed("rules", why, "see Prometheus's log");
            not_reached(report, &["evaluation"], "the rules are not known");
        }
    }
}

/// Whether a rule that Prometheus tells is one of these, or looks like one of a former version.
fn is_ours(rule: &Value, wanted: &Wanted) -> bool {
    let is_wanted = wanted.rules.iter().any(|one| rule["type"] == one.kind && rule["name"] == *one.name);
    is_wanted || rule["name"].as_str().is_some_and(|it| it.starts_with("Sentinel"))
}

/// `loaded` are the groups as Prometheus tells them.
fn judge(loaded: &[Value], wanted: &Wanted, instance: Option<&str>, reload: &str, report: &mut Report) {
    let text = |value: &Value| one_line(value.as_str().unwrap_or_default());
    let rules = loaded.iter().flat_map(|group| list(&group["rules"]).iter().map(|rule| (&group["name"], rule)));
    let told = rules.filter(|(_, rule)| is_ours(rule, wanted)).collect::<Vec<_>>();
    let rules = told.iter().filter_map(|(group, rule)| Rule::of_json(rule, group.as_str().unwrap_or_default()));
    let rules = rules.collect::<Vec<_>>();
    let lines = [not_loaded(&rules, wanted), other_content(&rules, wanted), recorded_twice(&rules, wanted)].concat();
    if !lines.is_empty() {
        return report.failed("rules", lines.join("\n"), wanted.way_out(reload));
    }
    let broken = told.iter().filter(|(_, rule)| rule["health"] == "err");
    let broken = broken.map(|(_, rule)| format!("{}: {}", text(&rule["name"]), text(&rule["lastError"])));
    let broken = broken.collect::<Vec<_>>();
    if !broken.is_empty() {
        return report.failed("rules", broken.join("\n"), "`promtool check rules alerts.yml` says what is wrong");
    }
    let alerts = told.iter().filter(|(_, rule)| rule["type"] == "alerting").collect::<Vec<_>>();
    let firing = alerts.iter().filter(|(_, rule)| rule["state"] == "firing").map(|(_, rule)| text(&rule["name"]));
    let firing = firing.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let firing = if firing.is_empty() { "none".into() } else { firing.join(", ") };
    let groups = told.iter().map(|(group, _)| text(group)).collect::<BTreeSet<_>>().len();
    let mut found = format!(
        "{} alerts and {} recording rules in {groups} groups, each as it should be; firing: {firing}",
        alerts.len(),
        told.len() - alerts.len()
    );
    let reworded = wanted.rules.iter().filter(|one| {
        !rules.iter().any(|it| it.is_named_as(one) && it.differences(one).is_empty() && it.has_words_of(one))
    });
    let reworded = reworded.map(|rule| rule.name.as_str()).collect::<Vec<_>>();
    if !reworded.is_empty() {
        found += &format!("\nwith other words than they came with: {}", reworded.join(", "));
    }
    let stale = alerts_twice(&rules, wanted, instance);
    if !stale.is_empty() {
        found += &format!("\nloaded as well in another form, from an older file or as your own: {}", stale.join(", "));
    }
    report.ok("rules", found);
    if !wanted.left_out.is_empty() {
        report.note("left out", format!("the file of --rules does not have {}", wanted.left_out.join(", ")));
    }
    own_copies(&rules, wanted, instance, report);
}

/// What is missing, a line per group.
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

/// What is loaded under its name and does something else.
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
        lines.push(format!("and so do {}", others.join(", ")));
    }
    lines
}

/// Two rules that record under one name write over each other; a second alert of a name is only one more.
fn recorded_twice(loaded: &[Rule], wanted: &Wanted) -> Vec<String> {
    let is_other = |one: &Rule| {
        let same = wanted.rules.iter().filter(|it| it.is_named_as(one));
        one.kind == "recording"
            && same.clone().count() > 0
            && same.map(|it| one.differences(it)).all(|it| !it.is_empty())
    };
    let names = loaded.iter().filter(|one| is_other(one)).map(|one| one.name.as_str()).collect::<BTreeSet<_>>();
    // One that is alone differs, and that is said already.
    let twice = names.into_iter().filter(|name| loaded.iter().filter(|one| one.name == *name).count() > 1);
    twice.map(|name| format!("{name} is recorded twice, and not by the same expression")).collect()
}

/// Alerts that are loaded a second time and do something else; a copy for this instance is none of them.
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

/// A rule that names an instance is for that one alone; another one needs a copy with its name.
fn own_copies(loaded: &[Rule], wanted: &Wanted, instance: Option<&str>, report: &mut Report) {
    let Some(instance) = instance else { return };
    let missing = wanted.rules.iter().filter(|rule| {
        let text = copied(rule, instance);
        text != rule.text && !loaded.iter().any(|it| it.is_named_as(rule) && it.reads_as(&text))
    });
    let missing = missing.map(|rule| rule.name.as_str()).collect::<Vec<_>>();
    if !missing.is_empty() {
        let found = format!("{} is not about {}", missing.join(", "), one_line(instance));
        report.warning("copies", found, "copy this rule with the instance's own name into a rule file of yours");
    }
}

/// The expression, with this instance for any that it names.
fn copied(rule: &Rule, instance: &str) -> String {
    let named =
        rule.expression.iter().flat_map(|it| it.selected()).filter_map(|it| it.instance).collect::<BTreeSet<_>>();
    let quoted = |name: &str| format!("{name:?}");
    named.iter().fold(rule.text.clone(), |text, other| text.replace(&quoted(other), &quoted(instance)))
}

/// Without what nobody sees; longer than a line of a log may be, for both texts have to be read to the end.
fn visible(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !is_hidden(*c)).collect()
}
