//! Which variable set which key. An error never shows the value of a variable, because a secret may be in the wrong one; it names
//! the variable instead. Also finds variables that look like a setting but are not.

use super::{
    Problem, Sources, base,
    variables::{OLD_NAMES, PREFIX, SYMBOLS, key_of, split_names},
};
use std::{collections::HashMap, path::Path};

/// Settings whose value, once parsed, is one of a few words, so it cannot be a secret.
const WORDS: [&str; 3] = ["journal.new", "guards.opposite", "schedule.clock"];
/// Shorter values occur in any text, and are not secrets.
const HIDDEN_CHARS_MIN: usize = 4;
/// Variables that make other programs use a proxy.
const PROXIES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// What the user should know about the environment, although the settings are valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// Variables that look like a setting but are not, each with the one that is probably meant.
    pub misspelt: Vec<String>,
    /// Names of proxy variables that are set; Sentinel uses none.
    pub proxies: Vec<String>,
}

/// The variables that set something, by key.
#[derive(Debug, Default)]
pub(super) struct Origins<'a> {
    /// Key, variable, value.
    by_key: HashMap<String, (&'a str, &'a str)>,
    /// Names of symbols that are not valid, with their position.
    symbols: Vec<(usize, String)>,
}

impl<'a> Origins<'a> {
    /// What the environment set and no flag overrides.
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

    /// The variable that set this key, and its value.
    pub(super) fn set(&self, key: &str) -> Option<(&'a str, &'a str)> {
        self.by_key.get(key).copied()
    }

    /// The same, also for a section or a list of which a variable set a part.
    pub(super) fn set_below(&self, key: &str) -> Option<(&'a str, &'a str)> {
        let below = |other: &String| other.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
        let first = || self.by_key.iter().filter(|(other, _)| below(other)).min();
        self.set(key).or_else(|| first().map(|(_, origin)| *origin))
    }

    /// The same problem without the value of a variable, and with the variable's name.
    pub(super) fn without_values(&self, problem: Problem) -> Problem {
        let Problem { mut key, mut message } = problem;
        if let Some((name, value)) = self.set(&key) {
            if !WORDS.contains(&key.as_str()) {
                message = hidden(&message, value, if value.contains('/') { "the file" } else { "its value" });
                let folder = Path::new(value).parent().and_then(Path::to_str);
                message = folder.map_or(message.clone(), |folder| hidden(&message, folder, "its folder"));
            }
            message = format!("{message} (set by the variable {name})");
        }
        if key.starts_with("symbols") {
            let before = (key.clone(), message.clone());
            for (index, name) in &self.symbols {
                let stand_in = format!("name {}", index + 1);
                key = hidden(&key, name, &stand_in);
                message = hidden(&message, name, &stand_in);
            }
            if (&before.0, &before.1) != (&key, &message) {
                message = format!("{message} (set by the variable {SYMBOLS})");
            }
        }
        Problem { key, message }
    }
}

/// `text` with `stand_in` instead of `value`, quoted or not. Numbers remain, because the rules contain them, too.
fn hidden(text: &str, value: &str, stand_in: &str) -> String {
    let text = text.replace(&format!("{value:?}"), stand_in);
    let value = value.trim();
    let is_long = value.chars().count() >= HIDDEN_CHARS_MIN && value.parse::<f64>().is_err();
    if is_long { text.replace(value, stand_in) } else { text }
}

/// What the user should know about this environment.
pub(super) fn remarks(environment: &HashMap<String, String>) -> Remarks {
    let set = environment.iter().filter(|(_, value)| !value.is_empty());
    let mut misspelt: Vec<_> = set
        .clone()
        .filter(|(name, value)| !is_orchestrators(name, value, environment))
        .filter_map(|(name, _)| Some(format!("{name} is not a setting and is ignored; did you mean {}?", meant(name)?)))
        .collect();
    let is_proxy = |name: &String| PROXIES.contains(&name.to_ascii_uppercase().as_str());
    let mut proxies: Vec<_> = set.map(|(name, _)| name.clone()).filter(is_proxy).collect();
    misspelt.sort();
    proxies.sort();
    Remarks { misspelt, proxies }
}

/// The setting that is probably meant by a variable with too few underscores or in lower case.
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

/// Kubernetes and Docker's links give every container the addresses of services: `SENTINEL_METRICS_PORT=tcp://10.0.0.1:80` for a
/// service `sentinel-metrics`.
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
    fn a_misspelt_variable_is_reported_with_the_right_one() {
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
            let wanted = format!("{name} is not a setting and is ignored; did you mean {meant}?");
            assert_eq!(found, [wanted]);
        }
    }

    #[test]
    fn variables_of_other_programs_are_not_reported() {
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
    fn proxies_are_named_without_their_value() {
        let set = [("https_proxy", "http://a:PW@b"), ("HTTP_PROXY", "x"), ("ALL_PROXY", ""), ("NO_PROXY", "x")];
        let set = set.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        assert_eq!(remarks(&set).proxies, ["HTTP_PROXY", "https_proxy"]);
    }
}
