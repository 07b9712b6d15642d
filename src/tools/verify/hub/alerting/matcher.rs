//! A matcher of Alertmanager's routes and inhibit_rules: its syntax, and which labels it matches.

use regex_lite::Regex;
use saphyr::Yaml;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The longer ones first, because they begin with the others.
const OPERATORS: [(&str, Operator); 4] =
    [("=~", Operator::Like), ("!~", Operator::NotLike), ("!=", Operator::IsNot), ("=", Operator::Is)];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operator {
    Is,
    IsNot,
    Like,
    NotLike,
}

/// One condition on a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Matcher {
    label: String,
    operator: Operator,
    value: String,
}

impl Matcher {
    /// Parses `severity = critical`, `alertname=~"Sentinel.+"`.
    ///
    /// # Errors
    /// If the text is not a supported matcher.
    fn read(text: &str) -> Result<Self, String> {
        let unsupported = || format!("{text:?} is not a supported matcher");
        let at = text.find(['=', '!']).ok_or_else(unsupported)?;
        let (label, rest) = text.split_at(at);
        let (sign, operator) =
            OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(unsupported)?;
        let label = unquoted(label);
        if label.is_empty() || label.contains(['{', ',']) {
            return Err(unsupported());
        }
        Ok(Self { label, operator, value: unquoted(&rest[sign.len()..]) })
    }

    /// The matchers of a route or an inhibit_rule: the list at `list`, and the maps of the old syntax at `equal` and `like`.
    ///
    /// # Errors
    /// The one that is not supported.
    pub(super) fn all(node: &Yaml<'_>, list: &str, equal: &str, like: &str) -> Result<BTreeSet<Self>, String> {
        let listed = node.as_mapping_get(list).and_then(|list| list.as_sequence()).into_iter().flatten();
        let mut found = listed.map(|one| Self::read(one.as_str().unwrap_or_default())).collect::<Result<_, _>>()?;
        for (key, operator) in [(equal, Operator::Is), (like, Operator::Like)] {
            let pairs = node.as_mapping_get(key).and_then(|pairs| pairs.as_mapping()).into_iter().flatten();
            for (label, value) in pairs {
                let (Some(label), Some(value)) = (label.as_str(), value.as_str()) else {
                    return Err(format!("{key} has a value that is not text"));
                };
                let (label, value) = (label.to_owned(), value.to_owned());
                BTreeSet::insert(&mut found, Self { label, operator, value });
            }
        }
        Ok(found)
    }

    /// Whether an alert with these labels matches. A missing label is empty.
    ///
    /// # Errors
    /// If the pattern is not supported.
    pub(super) fn fits(&self, labels: &BTreeMap<String, String>) -> Result<bool, String> {
        let value = labels.get(&self.label).map(String::as_str).unwrap_or_default();
        let is_like = || {
            let pattern = Regex::new(&format!("^(?:{})$", self.value));
            pattern.map(|pattern| pattern.is_match(value)).map_err(|_| format!("{self} is not a supported pattern"))
        };
        match self.operator {
            Operator::Is => Ok(value == self.value),
            Operator::IsNot => Ok(value != self.value),
            Operator::Like => is_like(),
            Operator::NotLike => is_like().map(|is_like| !is_like),
        }
    }
}

/// As Alertmanager writes it.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS.into_iter().find(|(_, operator)| *operator == self.operator).map_or("", |(sign, _)| sign);
        write!(f, "{}{sign}{:?}", self.label, self.value)
    }
}

/// Without surrounding whitespace, quotes and their escapes.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return text.to_owned() };
    let (mut found, mut rest) = (String::new(), inner.chars());
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('\\', Some(next @ ('"' | '\\' | 'n'))) => {
                rest.next();
                found.push(if next == 'n' { '\n' } else { next });
            }
            // Other escapes belong to a pattern.
            _ => found.push(c),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::LoadableYamlNode;

    fn fits(matcher: &str, value: &str) -> bool {
        let labels = BTreeMap::from([("severity".to_owned(), value.to_owned())]);
        Matcher::read(matcher).unwrap().fits(&labels).unwrap()
    }

    #[test]
    fn alertmanagers_spelling_is_the_same_matcher() {
        for (ours, its) in [
            ("severity = critical", r#"severity="critical""#),
            (r#"alertname =~ "A|B""#, r#"alertname=~"A|B""#),
            (r#"a !~ "x\d""#, r#"a!~"x\\d""#),
            (r#"a != "say \"no\"""#, r#"a!="say \"no\"""#),
            (r#"endpoint = """#, "endpoint="),
        ] {
            assert_eq!(Matcher::read(ours).unwrap(), Matcher::read(its).unwrap());
        }
        assert_eq!(Matcher::read("severity = critical").unwrap().to_string(), r#"severity="critical""#);
        assert!(["severity", "", "= x", "{a=b}", "a ! b"].iter().all(|text| Matcher::read(text).is_err()));
    }

    #[test]
    fn the_old_syntax_gives_the_same_matchers() {
        let read = |text: &str| {
            let found = Yaml::load_from_str(text).unwrap();
            Matcher::all(&found[0], "matchers", "match", "match_re")
        };
        let old = read("match: {severity: critical}\nmatch_re: {job: sentinel.*}").unwrap();
        assert_eq!(old, read("matchers: ['severity = critical', 'job =~ sentinel.*']").unwrap());
        assert!(read("matchers: [nothing]").is_err() && read("match: {severity: 1}").is_err());
        assert!(read("receiver: x").unwrap().is_empty());
    }

    #[test]
    fn a_matcher_matches_as_in_alertmanager() {
        assert!(fits("severity = none", "none") && !fits("severity = none", "warning"));
        assert!(fits("severity != none", "warning") && !fits("severity != none", "none"));
        assert!(fits("severity =~ none|warning", "warning") && !fits("severity =~ warn", "warning"), "the whole value");
        assert!(fits("severity !~ warn", "warning") && !fits("severity !~ warn.*", "warning"));
        assert!(fits(r#"team = """#, "none"), "a missing label is empty");
        assert!(Matcher::read("severity =~ (").unwrap().fits(&BTreeMap::new()).is_err());
    }
}
