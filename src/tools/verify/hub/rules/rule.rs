//! One rule, from a file or from Prometheus, and how two of them differ.

use super::super::{config::duration, promql::Expression};
use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// A rule; annotations are compared separately.
#[derive(Debug)]
pub(in super::super) struct Rule {
    /// Prometheus's type: `alerting` or `recording`.
    pub(in super::super) kind: &'static str,
    /// Name of the alert, or of the recorded series.
    pub(in super::super) name: String,
    pub(super) group: String,
    /// The expression on one line.
    pub(in super::super) text: String,
    /// The parsed expression; `None` if it cannot be parsed, and then the texts are compared.
    pub(in super::super) expression: Option<Expression>,
    hold: Duration,
    keep: Duration,
    pub(in super::super) labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// The rules of a file; none if it has none, or is not YAML.
pub(in super::super) fn of_file(text: &str) -> Vec<Rule> {
    let documents = Yaml::load_from_str(text).unwrap_or_default();
    let groups = documents.first().and_then(|root| root.as_mapping_get("groups")?.as_sequence());
    let of_group = |group: &Yaml<'_>| {
        let name = word(group, "name").unwrap_or_default();
        let rules = group.as_mapping_get("rules").and_then(|rules| rules.as_sequence());
        rules.into_iter().flatten().filter_map(|rule| Rule::of_yaml(rule, &name)).collect::<Vec<_>>()
    };
    groups.into_iter().flatten().flat_map(of_group).collect()
}

impl Rule {
    fn of_yaml(rule: &Yaml<'_>, group: &str) -> Option<Self> {
        let named = |key, kind| Some((kind, word(rule, key)?));
        let (kind, name) = named("alert", "alerting").or_else(|| named("record", "recording"))?;
        let time = |key| word(rule, key).and_then(|time| duration(&time)).unwrap_or_default();
        Some(Self {
            kind,
            name,
            group: group.to_owned(),
            hold: time("for"),
            keep: time("keep_firing_for"),
            labels: words(rule, "labels"),
            annotations: words(rule, "annotations"),
            ..Self::reading(&word(rule, "expr").unwrap_or_default())
        })
    }

    /// From `/api/v1/rules`; `None` if it is not a rule.
    pub(super) fn of_json(rule: &Value, group: &str) -> Option<Self> {
        let kind = ["alerting", "recording"].into_iter().find(|kind| rule["type"] == *kind)?;
        let time = |key: &str| Duration::try_from_secs_f64(rule[key].as_f64().unwrap_or_default()).unwrap_or_default();
        let words = |key: &str| {
            let words = rule[key].as_object().into_iter().flatten();
            words.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        Some(Self {
            kind,
            name: rule["name"].as_str()?.to_owned(),
            group: group.to_owned(),
            hold: time("duration"),
            keep: time("keepFiringFor"),
            labels: words("labels"),
            annotations: words("annotations"),
            ..Self::reading(rule["query"].as_str().unwrap_or_default())
        })
    }

    fn reading(text: &str) -> Self {
        Self {
            kind: "",
            name: String::new(),
            group: String::new(),
            expression: Expression::read(text),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            hold: Duration::ZERO,
            keep: Duration::ZERO,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
        }
    }

    /// Whether the rule has this expression.
    pub(super) fn reads_as(&self, text: &str) -> bool {
        self.is_same_expression(&Self::reading(text))
    }

    fn is_same_expression(&self, other: &Self) -> bool {
        match (&self.expression, &other.expression) {
            (Some(one), Some(other)) => one == other,
            _ => self.text == other.text,
        }
    }

    /// Whether both have the same kind and name.
    pub(super) fn is_named_as(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name
    }

    /// How this loaded rule differs from the wanted one; empty if it does not.
    pub(super) fn differences(&self, wanted: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.is_same_expression(wanted) {
            found.push(format!("expr is     {}\nbut not     {}", self.text, wanted.text));
        }
        let mut compare = |name: &str, is: String, should: String| {
            if is != should {
                found.push(format!("{name} is {is}, not {should}"));
            }
        };
        compare("for", spelled(self.hold), spelled(wanted.hold));
        compare("keep_firing_for", spelled(self.keep), spelled(wanted.keep));
        compare("labels", listed(&self.labels), listed(&wanted.labels));
        found
    }

    /// Whether it has the same annotations.
    pub(super) fn has_annotations_of(&self, wanted: &Self) -> bool {
        self.annotations == wanted.annotations
    }
}

fn spelled(time: Duration) -> String {
    match time.as_secs() {
        0 => "0".into(),
        seconds if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

fn listed(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>();
    format!("{{{}}}", labels.join(", "))
}

/// A text, or a number as text.
fn word(node: &Yaml<'_>, key: &str) -> Option<String> {
    let node = node.as_mapping_get(key)?;
    let number = || node.as_integer().map(|it| it.to_string());
    let number = || number().or_else(|| node.as_floating_point().map(|it| it.to_string()));
    node.as_str().map(str::to_owned).or_else(number)
}

fn words(node: &Yaml<'_>, key: &str) -> BTreeMap<String, String> {
    let Some(mapping) = node.as_mapping_get(key) else { return BTreeMap::new() };
    let names = mapping.as_mapping().into_iter().flatten().filter_map(|(name, _)| name.as_str());
    names.filter_map(|name| Some((name.to_owned(), word(mapping, name)?))).collect()
}
