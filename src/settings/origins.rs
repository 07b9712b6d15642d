//! Which variables of the environment said what: a value that came from there is shown in no error, for a secret may be
//! in the wrong variable. The variable is named instead. Also: variables that look like a setting and are none.

use super::{
    Problem, Sources, base,
    variables::{OLD_NAMES, PREFIX, SYMBOLS, key_of, split_names},
};
use std::{collections::HashMap, path::Path};

/// Settings whose value is one of a few words once it has its type: no secret can be left in them.
const WORDS: [&str; 3] = ["journal.new", "guards.opposite", "schedule.clock"];
/// Shorter values are found in any text, and no secret.
const TELLING_CHARS_MIN: usize = 4;
/// What a client of other programs is told to go through.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// What a person should know of the environment, though nothing is wrong with the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Variables that look like a setting and are none, each with the one that is meant.
    pub misspelt: Vec<String>,
    /// Names of proxy variables that are set; Sentinel uses none.
    pub proxies: Vec<String>,
}

/// The variables that the settings come from, by key.
#[derive(Debug, Default)]
pub(super) struct Origins<'a> {
    /// Key, variable, value.
    by_key: HashMap<String, (&'a str, &'a str)>,
    /// Names of symbols that are no names, by their place.
    symbols: Vec<(usize, String)>,
}

impl<'a> Origins<'a> {
    /// What came from the environment and was not said again by a flag.
    pub(super) fn of(sources: &'a Sources) -> Self {
        let mut origins = Self::default();
        let value_of = |name: &str| sources.environment.get(name).filter(|value| !value.is_empty());
        for (name, key) in OLD_NAMES {
            if let Some(value) = value_of(name) {
                origins.by_key.insert(key.into(), (name, value));
            }
        }
        for (name, value) in sources.environment.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some(key) = name.strip_prefix(PREFIX).and_then(key_of) {
                origins.by_key.insert(key, (name, value));
            }
        }
        for (key, _) in &sources.flags {
            origins.by_key.remove(*key);
        }
        if let (Some(names), None) = (value_of(SYMBOLS), &sources.symbols) {
            let names = split_names(names).into_iter().enumerate();
            origins.symbols = names.filter(|(_, name)| !super::validate::is_symbol(name)).collect();
        }
        origins
    }

    /// The variable that said this key, and its value.
    pub(super) fn said(&self, key: &str) -> Option<(&'a str, &'a str)> {
        self.by_key.get(key).copied()
    }

    /// The same, also for a section or a list that a variable put something into.
    pub(super) fn said_below(&self, key: &str) -> Option<(&'a str, &'a str)> {
        let below = |other: &String| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        let first = || self.by_key.iter().filter(|(other, _)| below(other)).min();
        self.said(key).or_else(|| first().map(|(_, said)| *said))
    }

    /// The same problem without any value of a variable, and with the variable's name.
    pub(super) fn without_values(&self, problem: Problem) -> Problem {
        let Problem { mut key, mut message } = problem;
        if let Some((name, value)) = self.said(&key) {
            if !WORDS.contains(&key.as_str()) {
                message = hidden(&message, value, if value.contains('/') { "the file" } else { "its value" });
                let folder = Path::new(value).parent().and_then(Path::to_str);
                message = folder.map_or(message.clone(), |folder| hidden(&message, folder, "its folder"));
            }
            message = format!("{message} (said by the variable {name})");
        }
        if key.starts_with("symbols") {
            let before = (key.clone(), message.clone());
            for (index, name) in &self.symbols {
                let stand_in = format!("name {}", index + 1);
                key = hidden(&key, name, &stand_in);
                message = hidden(&message, name, &stand_in);
            }
            if (&before.0, &before.1) != (&key, &message) {
                message = format!("{message} (said by the variable {SYMBOLS})");
            }
        }
        Problem { key, message }
    }
}

/// `text` with a stand-in for `value`, quoted or not. Numbers are left: they are in the rules, too.
fn hidden(text: &str, value: &str, stand_in: &str) -> String {
    let text = text.replace(&format!("{value:?}"), stand_in);
    let value = value.trim();
    let is_telling = value.chars().count() >= TELLING_CHARS_MIN && value.parse::<f64>().is_err();
    if is_telling { text.replace(value, stand_in) } else { text }
}

/// What a person should know of this environment.
pub(super) fn remarks(environment: &HashMap<String, String>) -> Remarks {
    let set = environment.iter().filter(|(_, value)| !value.is_empty());
    let mut misspelt: Vec<_> = set
        .clone()
        .filter(|(name, value)| !is_orchestrators(name, value, environment))
        .filter_map(|(name, _)| Some(format!("{name} is no setting and is ignored; {} is one", meant(name)?)))
        .collect();
    let is_proxy = |name: &String| PROXIES.contains(&name.to_ascii_uppercase().as_str());
    let mut proxies: Vec<_> = set.map(|(name, _)| name.clone()).filter(is_proxy).collect();
    misspelt.sort();
    proxies.sort();
    Remarks { misspelt, proxies }
}

/// The setting that a variable with too few underscores, or in small letters, is meant to be.
fn meant(name: &str) -> Option<String> {
    if name.starts_with(PREFIX) {
        return None;
    }
    let upper = name.to_ascii_uppercase();
    let rest = upper.strip_prefix("SENTINEL_")?.trim_start_matches('_');
    if rest == "SYMBOLS" {
        return Some(SYMBOLS.into());
    }
    let meant = base::sections().into_iter().find_map(|section| {
        let key = rest.strip_prefix(&section.to_ascii_uppercase())?.strip_prefix('_')?.trim_start_matches('_');
        base::is_setting(&format!("{section}.{}", key.to_ascii_lowercase()))
            .then(|| (section.to_ascii_uppercase(), key))
    });
    meant.map(|(section, key)| format!("{PREFIX}{section}__{key}"))
}

/// Kubernetes and Docker's links tell every container where the services are: `SENTINEL_METRICS_PORT=tcp://10.0.0.1:80` for
/// a service `sentinel-metrics`.
fn is_orchestrators(name: &str, value: &str, environment: &HashMap<String, String>) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let service = name.strip_suffix("_PORT");
    is_address || service.is_some_and(|service| environment.contains_key(&format!("{service}_SERVICE_HOST")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn misspelt(variables: &[(&str, &str)]) -> Vec<String> {
        remarks(&variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()).misspelt
    }

    #[test]
    fn a_setting_with_too_few_underscores_is_named_and_the_one_that_is_meant() {
        for (name, meant) in [
            ("SENTINEL_TRADING_THRESHOLD", "SENTINEL__TRADING__THRESHOLD"),
            ("SENTINEL_TRADING__THRESHOLD", "SENTINEL__TRADING__THRESHOLD"),
            ("SENTINEL_DATA_API_TOKEN", "SENTINEL__DATA__API_TOKEN"),
            ("SENTINEL_DATA_API_TOKEN_FILE", "SENTINEL__DATA__API_TOKEN_FILE"),
            ("SENTINEL_METRICS_PORT", "SENTINEL__METRICS__PORT"),
            ("SENTINEL_GUARDS_HALT_FILE", "SENTINEL__GUARDS__HALT_FILE"),
            ("sentinel__model__host", "SENTINEL__MODEL__HOST"),
            ("Sentinel_Gateway_Port", "SENTINEL__GATEWAY__PORT"),
            ("SENTINEL_SYMBOLS", "SENTINEL__SYMBOLS"),
        ] {
            let found = misspelt(&[(name, "CANARY")]);
            let wanted = format!("{name} is no setting and is ignored; {meant} is one");
            assert_eq!(found, [wanted]);
        }
    }

    #[test]
    fn what_others_set_is_left_alone() {
        for name in [
            "SENTINEL_PORT",
            "SENTINEL_IMAGE",
            "SENTINEL_SERVICE_HOST",
            "SENTINEL_SERVICE_PORT_HTTP",
            "SENTINEL_PORT_8000_TCP",
            "SENTINEL_PORT_8000_TCP_PROTO",
            "SENTINEL_METRICS_SERVICE_HOST",
            "SENTINEL_TRADING_FLOOR",
            "SENTINEL_TRADINGTHRESHOLD",
            "SENTINEL__TRADING__THRESHOLD",
            "SENTINEL_BIN",
            "TRADING_THRESHOLD",
        ] {
            assert_eq!(misspelt(&[(name, "1")]), [""; 0], "{name}");
        }
        assert_eq!(misspelt(&[("SENTINEL_TRADING_THRESHOLD", "")]), [""; 0], "an empty variable is an unset one");
        assert_eq!(misspelt(&[("SENTINEL_METRICS_PORT", "tcp://10.0.0.1:8000")]), [""; 0]);
        let service = [("SENTINEL_METRICS_PORT", "8000"), ("SENTINEL_METRICS_SERVICE_HOST", "10.0.0.1")];
        assert_eq!(misspelt(&service), [""; 0]);
    }

    #[test]
    fn proxies_are_named_without_what_is_in_them() {
        let set = [("https_proxy", "http://a:PW@b"), ("HTTP_PROXY", "x"), ("ALL_PROXY", ""), ("NO_PROXY", "x")];
        let set = set.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(remarks(&set).proxies, ["HTTP_PROXY", "https_proxy"]);
    }
}
