//! The parts of Alertmanager's configuration that matter here: routes, receivers and inhibitions.

use super::matcher::Matcher;
use saphyr::{LoadableYamlNode, Yaml};
use sentinel_actors::domain::sanitize::one_line;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A configuration, from a file or from Alertmanager.
#[derive(Debug)]
pub(super) struct Configuration {
    route: Route,
    /// Receivers with at least one integration, such as a webhook or mail.
    notified: BTreeSet<String>,
    pub(super) inhibitions: BTreeSet<Inhibition>,
}

/// A route with those below it.
#[derive(Debug)]
struct Route {
    /// Inherited if it has none of its own.
    receiver: String,
    matchers: BTreeSet<Matcher>,
    continues: bool,
    routes: Vec<Route>,
}

/// One of the inhibit_rules.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Inhibition {
    source: BTreeSet<Matcher>,
    target: BTreeSet<Matcher>,
    equal: BTreeSet<String>,
}

impl Configuration {
    /// # Errors
    /// The part that is not supported.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let documents =
            Yaml::load_from_str(text).map_err(|error| format!("not YAML: {}", one_line(&error.to_string())))?;
        let root = documents.first().ok_or("it is empty")?;
        let route = root.as_mapping_get("route").ok_or("it has no route")?;
        let notified = list(root, "receivers").filter(has_integration).filter_map(|one| word(one, "name"));
        Ok(Self {
            route: Route::read(route, "")?,
            notified: notified.map(str::to_owned).collect(),
            inhibitions: list(root, "inhibit_rules").map(Inhibition::read).collect::<Result<_, _>>()?,
        })
    }

    /// Names of the receivers that an alert with these labels goes to.
    ///
    /// # Errors
    /// The matcher that is not supported.
    pub(super) fn receivers(&self, labels: &BTreeMap<String, String>) -> Result<BTreeSet<&str>, String> {
        let mut found = BTreeSet::new();
        self.route.collect(labels, &mut found)?;
        Ok(found)
    }

    /// Whether this receiver has an integration.
    pub(super) fn is_notified(&self, receiver: &str) -> bool {
        self.notified.contains(receiver)
    }
}

impl Route {
    fn read(node: &Yaml<'_>, inherited: &str) -> Result<Self, String> {
        let receiver = word(node, "receiver").unwrap_or(inherited);
        Ok(Self {
            receiver: receiver.to_owned(),
            matchers: Matcher::all(node, "matchers", "match", "match_re")?,
            continues: node.as_mapping_get("continue").and_then(|value| value.as_bool()).unwrap_or_default(),
            routes: list(node, "routes").map(|below| Self::read(below, receiver)).collect::<Result<_, _>>()?,
        })
    }

    /// Adds the receivers of the routes that match: of the routes below, the first that matches, and further ones after `continue`;
    /// if none matches, this one.
    fn collect<'a>(&'a self, labels: &BTreeMap<String, String>, found: &mut BTreeSet<&'a str>) -> Result<bool, String> {
        for matcher in &self.matchers {
            if !matcher.fits(labels)? {
                return Ok(false);
            }
        }
        let mut is_taken = false;
        for below in &self.routes {
            let fits = below.collect(labels, found)?;
            is_taken |= fits;
            if fits && !below.continues {
                break;
            }
        }
        if !is_taken {
            found.insert(&self.receiver);
        }
        Ok(true)
    }
}

impl Inhibition {
    fn read(node: &Yaml<'_>) -> Result<Self, String> {
        Ok(Self {
            source: Matcher::all(node, "source_matchers", "source_match", "source_match_re")?,
            target: Matcher::all(node, "target_matchers", "target_match", "target_match_re")?,
            equal: list(node, "equal").filter_map(|label| label.as_str().map(str::to_owned)).collect(),
        })
    }
}

impl fmt::Display for Inhibition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |all: &BTreeSet<Matcher>| all.iter().map(Matcher::to_string).collect::<Vec<_>>().join(", ");
        let equal = self.equal.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{} inhibits {}, by {equal}", listed(&self.source), listed(&self.target))
    }
}

fn has_integration(receiver: &&Yaml<'_>) -> bool {
    let keys = receiver.as_mapping().into_iter().flatten().filter_map(|(key, _)| key.as_str());
    keys.filter(|key| key.ends_with("_configs")).any(|key| list(receiver, key).next().is_some())
}

fn word<'a>(node: &'a Yaml<'_>, key: &str) -> Option<&'a str> {
    node.as_mapping_get(key)?.as_str()
}

fn list<'a, 'b>(node: &'a Yaml<'b>, key: &str) -> impl Iterator<Item = &'a Yaml<'b>> {
    node.as_mapping_get(key).and_then(|list| list.as_sequence()).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
route:
  receiver: rest
  routes:
    - matchers: ['job = sentinel']
      receiver: own
      routes:
        - matchers: ['severity = none']
          receiver: nobody
        - matchers: ['severity =~ \"critical|none\"']
          receiver: phone
          continue: true
        - match: {severity: critical}
    - receiver: never
      matchers: ['severity = critical', 'job = other']
receivers:
  - name: rest
    email_configs: [{to: a@example}]
  - name: nobody
  - name: phone
    webhook_configs: []
inhibit_rules:
  - source_matchers: ['b = 1', 'a = 2']
    target_match: {c: d}
    equal: [job, node]
";

    fn receivers(severity: &str, job: &str) -> Vec<String> {
        let labels = [("severity", severity), ("job", job)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = Configuration::read(FILE).unwrap();
        found.receivers(&labels.into()).unwrap().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn an_alert_takes_the_routes_that_alertmanager_takes() {
        assert_eq!(receivers("none", "sentinel"), ["nobody"], "only the first that matches");
        assert_eq!(receivers("critical", "sentinel"), ["own", "phone"], "continue, and an inherited receiver");
        assert_eq!(receivers("warning", "sentinel"), ["own"], "no route below matches");
        assert_eq!(receivers("critical", "other"), ["never"]);
        assert_eq!(receivers("warning", "other"), ["rest"]);
    }

    #[test]
    fn a_receiver_without_an_integration_is_not_notified() {
        let found = Configuration::read(FILE).unwrap();
        let notified = ["rest", "nobody", "phone", "gone"].map(|name| found.is_notified(name));
        assert_eq!(notified, [true, false, false, false]);
    }

    #[test]
    fn an_inhibition_is_the_same_in_any_order_and_spelling() {
        let other = "
route: {receiver: x}
inhibit_rules:
- equal: [node, job]
  target_matchers: ['c=\"d\"']
  source_matchers: ['a=\"2\"', 'b=\"1\"']
";
        let (file, other) = (Configuration::read(FILE).unwrap(), Configuration::read(other).unwrap());
        assert_eq!(file.inhibitions, other.inhibitions);
        let text = other.inhibitions.first().unwrap().to_string();
        assert_eq!(text, "a=\"2\", b=\"1\" inhibits c=\"d\", by job, node");
        let without = Configuration::read(&FILE.replace("equal: [job, node]", "equal: [job]")).unwrap();
        assert_ne!(without.inhibitions, file.inhibitions);
    }

    #[test]
    fn an_invalid_configuration_is_refused_with_its_fault() {
        let why = |text| Configuration::read(text).unwrap_err();
        assert_eq!(why(""), "it is empty");
        assert_eq!(why("receivers: []"), "it has no route");
        assert!(why("a: [").starts_with("not YAML: "));
        assert!(why("route: {receiver: x, matchers: [y]}").contains("\"y\" is not a supported matcher"));
    }
}
