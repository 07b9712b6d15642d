//! A matcher of Alertmanager's routes and inhibit_rules: how it is written, and which labels it fits.

use regex_lite::Regex;
use saphyr::Yaml;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The longer ones first, for the others begin them.
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
    /// From its text: `severity = critical`, `alertname=~"Sentinel.+"`.
    ///
    /// # Errors
    /// The text, if it is none.
    fn read(text: &str) -> Result<Self, String> {
        let no_matcher = || format!("{text:?} is no matcher that is understood");
        let at = text.find(['=', '!']).ok_or_else(no_matcher)?;
        let (label, rest) = text.split_at(at);
        let (sign, operator) = OPERATORS.into_iter().find(|(sign, _)| rest.starts_with(sign)).ok_or_else(no_matcher)?;
        let label = unquoted(label);
        if label.is_empty() || label.contains(['{', ',']) {
            return Err(no_matcher());
        }
        Ok(Self { label, operator, value: unquoted(&rest[sign.len()..]) })
    }

    /// Those of a route or an inhibit_rule: the list at `list`, and the maps of the old spelling at `equal` and `like`.
    ///
    /// # Errors
    /// Which one is not understood.
    pub(super) fn all(node: &Yaml<'_>, list: &str, equal: &str, like: &str) -> Result<BTreeSet<Self>, String> {
        let listed = node.as_mapping_get(list).and_then(|list| list.as_sequence()).into_iter().flatten();
        let mut found = listed.map(|one| Self::read(one.as_str().unwrap_or_default())).collect::<Result<_, _>>()?;
        for (key, operator) in [(equal, Operator::Is), (like, Operator::Like)] {
            let pairs = node.as_mapping_get(key).and_then(|pairs| pairs.as_mapping()).into_iter().flatten();
            for (label, value) in pairs {
                let (Some(label), Some(value)) = (label.as_str(), value.as_str()) else {
                    return Err(format!("{key} has what is no text"));
                };
                let (label, value) = (label.to_owned(), value.to_owned());
                BTreeSet::insert(&mut found, Self { label, operator, value });
            }
        }
        Ok(found)
    }

    /// Whether an alert with these labels is meant. A label that is not there is empty.
    ///
    /// # Errors
    /// When the pattern is none that is understood here.
    pub(super) fn fits(&self, labels: &BTreeMap<String, String>) -> Result<bool, String> {
        let value = labels.get(&self.label).map(String::as_str).unwrap_or_default();
        let is_like = || {
            let pattern = Regex::new(&format!("^(?:{})$", self.value));
            pattern
                .map(|pattern| pattern.is_match(value))
                .map_err(|_| format!("{self} is no pattern that is understood"))
        };
        match self.operator {
            Operator::Is => Ok(value == self.value),
            Operator::IsNot => Ok(value != self.value),
            Operator::Like => is_like(),
            Operator::NotLike => is_like().map(|is_like| !is_like),
        }
    }
}

/// As Alertmanager tells it.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS.into_iter().find(|(_, operator)| *operator == self.operator).map_or("", |(sign, _)| sign);
        write!(f, "{}{sign}{:?}", self.label, self.value)
    }
}

/// Without blanks around it and, if it is in quotes, without these and what they make needful.
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
            // What else begins with a backslash belongs to a pattern.
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
    fn both_spellings_are_one_matcher() {
        for (ours, told) in [
            ("severity = critical", r#"severity="critical""#),
            (r#"alertname =~ "A|B""#, r#"alertname=~"A|B""#),
            (r#"a !~ "x\d""#, r#"a!~"x\\d""#),
            (r#"a != "say \"no\"""#, r#"a!="say \"no\"""#),
            (r#"endpoint = """#, "endpoint="),
        ] {
            assert_eq!(Matcher::read(ours).unwrap(), Matcher::read(told).unwrap());
        }
        assert_eq!(Matcher::read("severity = critical").unwrap().to_string(), r#"severity="critical""#);
        assert!(["severity", "", "= x", "{a=b}", "a ! b"].iter().all(|text| Matcher::read(text).is_err()));
    }

    #[test]
    fn the_old_maps_are_the_same_as_the_list() {
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
    fn a_matcher_fits_as_in_alertmanager() {
        assert!(fits("severity = none", "none") && !fits("severity = none", "warning"));
        assert!(fits("severity != none", "warning") && !fits("severity != none", "none"));
        assert!(fits("severity =~ none|warning", "warning") && !fits("severity =~ warn", "warning"), "all of it");
        assert!(fits("severity !~ warn", "warning") && !fits("severity !~ warn.*", "warning"));
        assert!(fits(r#"team = """#, "none"), "what is not there is empty");
        assert!(Matcher::read("severity =~ (").unwrap().fits(&BTreeMap::new()).is_err());
    }
}
