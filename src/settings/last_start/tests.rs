//! What a command in another shell uses of the daemon's last start, and which files it trusts.

use super::{trust::is_harmless, *};
use crate::settings::{Settings, Sources};
use tempfile::TempDir;

fn environment(place: &Path, more: &[(&str, &str)]) -> HashMap<String, String> {
    let place = ("STATE_DIRECTORY", place.to_str().unwrap());
    more.iter().chain([&place]).map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// A daemon with a dialect by a flag, two keys and a secret by variables, and the rest by its settings file.
fn daemon(place: &Path) -> Sources {
    let file = place.join("production.toml");
    fs::write(&file, "gateway.account = \"by file\"\nmodel.port = 1\n").unwrap();
    let variables =
        environment(place, &[("HUB_PORT", "2"), ("SENTINEL__SYMBOLS", "A,B"), ("EODHD_API_TOKEN", "5d0c9a7e")]);
    let mut sources = Sources::of_daemon(Some(&file), variables);
    sources.flags = vec![("gateway.dialect", "v43".into()), (crate::settings::LIVE, "true".into())];
    sources
}

fn beside(place: &Path, config: Option<&Path>, more: &[(&str, &str)]) -> Settings {
    let environment = environment(place, more);
    let last_start = LastStart::find(&environment, false).unwrap();
    Settings::load_unchecked(&Sources::beside(config, environment, last_start)).unwrap()
}

#[test]
fn a_command_in_another_shell_has_the_daemons_settings() {
    let place = TempDir::new().unwrap();
    let sources = daemon(place.path());
    let its = Settings::load_unchecked(&sources).unwrap();
    let journal = its.journal.located(&sources.environment).path;
    sources.to_last_start(Some(&journal)).write(&sources.environment, false).unwrap();
    let found = beside(place.path(), None, &[("HOME", "/root")]);
    assert_eq!((found.gateway, found.model, found.symbols), (its.gateway, its.model, its.symbols));
    assert_eq!((found.trading.live, found.journal.path), (true, Some(journal)));
    let text = fs::read_to_string(place.path().join(FILE)).unwrap();
    assert!(!text.contains("5d0c9a7e") && !text.contains("api_token"), "{text}");
    let mode = fs::metadata(place.path().join(FILE)).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(beside(place.path(), None, &[("HUB_PORT", "3")]).model.port, 3, "this shell's own variable wins");
}

#[test]
fn another_settings_file_replaces_the_last_start() {
    let place = TempDir::new().unwrap();
    let sources = daemon(place.path());
    sources.to_last_start(None).write(&sources.environment, false).unwrap();
    let other = place.path().join("other.toml");
    fs::write(&other, "").unwrap();
    for found in [
        beside(place.path(), Some(&other), &[]),
        beside(place.path(), None, &[("SENTINEL_CONFIG", other.to_str().unwrap())]),
    ] {
        assert_eq!((found.gateway.dialect, found.gateway.account, found.model.port), (None, None, 5_001));
    }
    let same = place.path().join(".").join("production.toml");
    assert_eq!(beside(place.path(), Some(&same), &[]).model.port, 2, "the same file by another name");
}

#[test]
fn only_check_uses_a_refused_start() {
    let place = TempDir::new().unwrap();
    let sources = daemon(place.path());
    let find = |or_refused| LastStart::find(&sources.environment, or_refused).unwrap();
    assert_eq!(find(true), None);
    sources.to_last_start(None).write(&sources.environment, true).unwrap();
    assert_eq!((find(false), find(true).unwrap().is_live_asked()), (None, true));
    sources.to_last_start(None).write(&sources.environment, false).unwrap();
    assert_eq!(find(true).unwrap().path(), place.path().join(FILE));
    assert!(!place.path().join(REFUSED_FILE).exists());
}

#[test]
fn a_secret_in_the_variable_of_its_file_is_not_kept() {
    let place = TempDir::new().unwrap();
    let misplaced = [("EODHD_API_TOKEN_FILE", "5d0c9a7e"), ("SENTINEL__DEADMAN__URL", "https://host/5d0c9a7e")];
    let environment = environment(place.path(), &misplaced);
    Sources::of_daemon(None, environment.clone()).to_last_start(None).write(&environment, true).unwrap();
    let text = fs::read_to_string(place.path().join(REFUSED_FILE)).unwrap();
    assert!(!text.contains("5d0c9a7e"), "{text}");
}

#[test]
fn another_user_cannot_name_files_outside_the_daemons_folder() {
    let place = Path::new("/var/lib/sentinel");
    for (key, value, is_trusted) in [
        ("gateway.dialect", "v43", true),
        ("data.base_url", "http://127.0.0.1:1", true),
        ("journal.path", "/var/lib/sentinel/journal.db", true),
        ("journal.path", "/var/lib/sentinel/../../../etc/shadow", false),
        ("journal.path", "/var/lib/sentinel-2/journal.db", false),
        ("guards.halt_file", "/var/lib/sentinel/halt", true),
        ("guards.halt_file", "/etc/passwd", false),
        ("guards.halt_file", "halt", false),
        ("data.api_token_file", "/run/credentials/sentinel.service/eodhd_api_token", true),
        ("data.api_token_file", "/run/credentials/../../etc/shadow", false),
        ("data.api_token_file", "/var/lib/sentinel/link-to-something", false),
        ("gateway.curve_secret_key_file", "/root/.ssh/id_ed25519", false),
        ("metrics.web_config_file", "/etc/shadow", false),
        ("deadman.url_file", "/etc/shadow", false),
        ("market.holidays", "/etc/shadow", false),
        ("market.calendar", "fx", true),
        ("market.calendar", "/etc/shadow", false),
        ("model.confidence_reference", "x.json", false),
    ] {
        assert_eq!(is_harmless(key, value, place), is_trusted, "{key} {value}");
    }
    let mut last_start = LastStart { config: Some("/nonexistent.toml".into()), ..LastStart::default() };
    last_start.flags.insert("guards.halt_file".into(), "/etc/passwd".into());
    last_start.drop_untrusted(place);
    assert_eq!(
        (last_start.config.as_ref(), last_start.flags.len(), last_start.untrusted()),
        (None, 0, &["guards.halt_file".to_owned()][..])
    );
}

#[test]
fn every_setting_with_a_path_is_treated_as_one() {
    let base = include_str!("../../../config/base.toml");
    let (mut section, mut files) = ("", 0);
    for line in base.lines() {
        section = line.strip_prefix('[').map_or(section, |name| name.trim_end_matches(']'));
        let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
        // The prefix is one of etcd's keys.
        if value.starts_with("\"/") && key != "prefix" {
            files += 1;
            assert!(
                !is_harmless(&format!("{section}.{key}"), "/etc/shadow", Path::new(USUAL_DIRECTORY)),
                "{section}.{key}"
            );
        }
    }
    assert!(files >= 12, "{files}");
}

#[test]
fn a_file_of_another_kind_is_refused_by_name() {
    let place = TempDir::new().unwrap();
    let environment = environment(place.path(), &[]);
    fs::write(place.path().join(FILE), "canary = [").unwrap();
    let error = LastStart::find(&environment, false).unwrap_err();
    assert!(error.contains(FILE) && !error.contains("canary"), "{error}");
    fs::remove_file(place.path().join(FILE)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path().join(FILE)).unwrap();
    assert!(LastStart::find(&environment, false).unwrap_err().contains("not a regular file"));
}

#[test]
fn unknown_keys_and_missing_credentials_are_ignored() {
    let place = TempDir::new().unwrap();
    let text =
        "[variables]\n\"gateway.sparkle\" = \"1\"\n\"data.api_token_file\" = \"/run/credentials/none.service/key\"\n";
    fs::write(place.path().join(FILE), text).unwrap();
    let environment = environment(place.path(), &[]);
    let last_start = LastStart::find(&environment, false).unwrap();
    let sources = Sources { last_start, environment, ..Sources::default() };
    assert_eq!(Settings::load_unchecked(&sources).unwrap().data.api_token_file, None);
}
