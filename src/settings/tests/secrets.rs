//! No error contains the value of a variable, because any of them may be a secret.

use super::*;

const CANARY: &str = "canary-5d0c9a7e";

/// Every key, including those that are commented out in base.toml.
fn all_keys() -> Vec<String> {
    let base = include_str!("../../../config/base.toml");
    let mut section = "";
    let mut keys = Vec::new();
    for line in base.lines().take_while(|line| *line != "[[symbols]]") {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        }
        let key = line.trim_start_matches("# ").split_once(" = ").map(|(key, _)| key);
        let key = key.filter(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        keys.extend(key.map(|key| format!("{section}.{key}")).filter(|key| base::is_setting(key)));
    }
    keys
}

fn variable(key: &str) -> String {
    format!("SENTINEL__{}", key.to_ascii_uppercase().replace('.', "__"))
}

#[test]
fn an_error_names_the_variable_and_hides_its_value() {
    let keys = all_keys();
    assert!(keys.len() > 60 && keys.iter().any(|key| key == "data.api_token_file"), "{keys:?}");
    let mut variables: Vec<_> = keys.iter().map(|key| variable(key)).collect();
    variables.extend(variables::OLD_NAMES.map(|(name, _)| name.to_owned()));
    variables.extend(
        ["SENTINEL__SYMBOLS", "SENTINEL__SYMBOLS__X", "SENTINEL__NOWHERE__X", "SENTINEL__LOG__X"].map(String::from),
    );
    let values = [
        CANARY.to_owned(),
        format!("{CANARY} {CANARY}"),
        format!("{CANARY}/{CANARY}"),
        format!("/nonexistent/{CANARY}/x"),
        format!("tcp://{CANARY}:80"),
        format!("https://alice:{CANARY}@host"),
        format!("a `{CANARY}`, expected {CANARY}|"),
        format!("\"{CANARY}\""),
    ];
    let mut refusals = 0;
    for name in &variables {
        for value in &values {
            // With two variables for the token, the error would name the other one.
            let other = if name.contains("API_TOKEN") { "EODHD_API_TOKEN" } else { "UNUSED" };
            let Err(error) = Settings::load(&sources(&[(other, ""), (name, value)])) else { continue };
            let text = format!("{error} {error:?}");
            assert!(!text.contains("5d0c9a7e"), "{name}={value}: {text}");
            assert!(text.contains(name.as_str()), "{name}={value}: {text}");
            refusals += 1;
        }
    }
    assert!(refusals > 400, "{refusals}");
}

#[test]
fn a_value_in_a_file_or_a_flag_is_still_shown() {
    let (_file, file) = with_file("[data]\nconcurrency = \"eight\"\n", &[]);
    assert!(refused(&file).1.contains("eight"));
    let mut flag = sources(&[("METRICS_PORT", CANARY)]);
    flag.flags.push(("metrics.port", "eighty".into()));
    let (_, text) = refused(&flag);
    assert!(text.contains("eighty") && !text.contains("METRICS_PORT"), "the flag is at fault: {text}");
}

#[test]
fn an_address_set_by_an_orchestrator_is_explained() {
    let (keys, text) = refused(&sources(&[("HUB_PORT", "tcp://10.0.0.7:5001")]));
    assert!(keys == ["model.port"] && text.contains("HUB_PORT") && text.contains("orchestrator"), "{text}");
    assert!(!text.contains("10.0.0.7"), "{text}");
    let both = sources(&[("HUB_PORT", "tcp://10.0.0.7:5001"), ("SENTINEL__MODEL__PORT", "5002")]);
    assert_eq!(Settings::load(&both).unwrap().model.port, 5_002);
}

#[test]
fn a_token_is_checked_alike_in_a_file_and_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    for (text, rule) in [
        (format!("'{CANARY}'"), "is in quotes"),
        (format!("EODHD_API_TOKEN={CANARY}"), "is a line NAME=value"),
        (format!("{CANARY} {CANARY}"), "must be printable ASCII"),
        ("<redacted>".into(), "is what `sentinel check` prints"),
        (" ".into(), "is empty"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let by_file = sources(&[("EODHD_API_TOKEN", ""), ("EODHD_API_TOKEN_FILE", path.to_str().unwrap())]);
        for (sources, key) in
            [(sources(&[("EODHD_API_TOKEN", &text)]), "data.api_token"), (by_file, "data.api_token_file")]
        {
            let (keys, message) = refused(&sources);
            assert_eq!(keys, [key], "{message}");
            assert!(message.contains(&format!("the API token {rule}")) && !message.contains("5d0c9a7e"), "{message}");
        }
    }
    for good in ["\u{feff}token\r\n", " token\n"] {
        std::fs::write(&path, good).unwrap();
        let by_file = sources(&[("EODHD_API_TOKEN", ""), ("EODHD_API_TOKEN_FILE", path.to_str().unwrap())]);
        assert!(Settings::load(&by_file).is_ok() && Settings::load(&sources(&[("EODHD_API_TOKEN", good)])).is_ok());
    }
}

#[test]
fn a_variable_that_is_not_text_is_refused_by_name() {
    for name in ["SENTINEL__GATEWAY__ACCOUNT", "HUB_HOST", "EODHD_API_TOKEN"] {
        assert_eq!(refused(&sources(&[(name, "a\u{fffd}b")])).0, [name]);
    }
}
