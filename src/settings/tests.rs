//! Layers, names and refusals.

mod live;
mod secrets;
mod symbols;

use super::*;
use std::{collections::HashMap, io::Write, path::Path};

fn sources(environment: &[(&str, &str)]) -> Sources {
    let mut all: HashMap<String, String> = HashMap::from([("EODHD_API_TOKEN".into(), "secret".into())]);
    all.extend(environment.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    Sources { environment: all, ..Sources::default() }
}

fn with_file(text: &str, environment: &[(&str, &str)]) -> (tempfile::NamedTempFile, Sources) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let path = Some(file.path().to_owned());
    (file, Sources { file: path, ..sources(environment) })
}

/// The keys that are refused, and the whole text.
fn refused(sources: &Sources) -> (Vec<String>, String) {
    let error = Settings::load(sources).unwrap_err();
    (error.0.iter().map(|problem| problem.key.clone()).collect(), error.to_string())
}

#[test]
fn the_binary_runs_without_files() {
    let settings = Settings::load(&sources(&[])).unwrap();
    assert_eq!(settings.metrics.port, 8000);
    assert_eq!((settings.model.host.as_str(), settings.model.port), ("172.19.141.254", 5001));
    assert_eq!((settings.gateway.host.as_str(), settings.gateway.port), ("172.19.141.255", 5555));
    assert!(!settings.trading.live);
    let tickers: Vec<_> = settings.instruments().map(|it| it.ticker.as_str()).collect();
    assert_eq!(tickers, ["EURUSD.FOREX"]);
    assert_eq!(settings.max_bar_age_s, 10_800);
}

#[test]
fn a_later_layer_overrides_an_earlier_one() {
    let (_file, mut sources) = with_file("[metrics]\nport = 1001\n", &[]);
    assert_eq!(Settings::load(&sources).unwrap().metrics.port, 1001);
    sources.environment.insert("METRICS_PORT".into(), "1002".into());
    assert_eq!(Settings::load(&sources).unwrap().metrics.port, 1002);
    sources.environment.insert("SENTINEL__METRICS__PORT".into(), "1003".into());
    assert_eq!(Settings::load(&sources).unwrap().metrics.port, 1003);
    sources.flags.push(("metrics.port", "1004".into()));
    assert_eq!(Settings::load(&sources).unwrap().metrics.port, 1004);
}

#[test]
fn members_share_limits_symbols_interval_and_model() {
    let of = |text: &str| {
        let (_file, sources) = with_file(text, &[]);
        Recorded::of(&Settings::load(&sources).unwrap()).fingerprint_of_members().unwrap()
    };
    let all = of("");
    assert_eq!(all.len(), 16);
    for own in ["[metrics]\nport = 1001\n", "[model]\nhost = \"other\"\n"] {
        assert_eq!(of(own), all, "{own}");
    }
    for shared in [
        "[guards]\norders_per_day_max = 7\n",
        "[guards]\nloss_pct_per_day_max = 7.5\n",
        "[data]\ninterval = \"5m\"\n",
        "[model]\nname = \"other\"\n",
        "[[symbols]]\nname = \"GBPJPY\"\n",
        "[[symbols]]\nname = \"EURUSD\"\ngateway_name = \"EURUSDm\"\n",
    ] {
        assert_ne!(of(shared), all, "{shared}");
    }
}

#[test]
fn an_empty_variable_is_an_unset_one() {
    let settings = Settings::load(&sources(&[("METRICS_PORT", ""), ("SENTINEL__MODEL__PORT", "")])).unwrap();
    assert_eq!((settings.metrics.port, settings.model.port), (8000, 5001));
}

#[test]
fn a_token_of_digits_stays_text() {
    let settings = Settings::load(&sources(&[("EODHD_API_TOKEN", "00123")])).unwrap();
    assert_eq!(settings.data.api_token.unwrap().expose(), "00123");
}

#[test]
fn a_missing_token_is_refused_with_what_to_do() {
    let (keys, text) = refused(&Sources::default());
    assert_eq!(keys, ["data.api_token"]);
    assert!(text.contains("EODHD_API_TOKEN_FILE"), "{text}");
}

#[test]
fn a_token_in_the_environment_overrides_a_token_file() {
    let (_file, sources) = with_file("[data]\napi_token_file = \"/nonexistent\"\n", &[]);
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.data.api_token_file, None);
}

#[test]
fn a_variables_url_overrides_a_files_and_an_empty_url_is_none() {
    let by_variable = |name, value| with_file("[deadman]\nurl = \"https://by.file/\"\n", &[(name, value)]);
    let (_file, sources) = by_variable("SENTINEL__DEADMAN__URL", "https://by.variable/");
    assert_eq!(Settings::load(&sources).unwrap().deadman.url.unwrap().expose(), "https://by.variable/");
    let url = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(url.path(), "https://in.a.file/\n").unwrap();
    let (_file, sources) = by_variable("SENTINEL__DEADMAN__URL_FILE", url.path().to_str().unwrap());
    assert_eq!(Settings::load(&sources).unwrap().deadman.url, None);
    let (_file, sources) = with_file("[deadman]\nurl = \"\"\n", &[]);
    assert!(Settings::load(&sources).unwrap().deadman.source().is_none());
}

#[test]
fn the_flags_settings_file_overrides_the_variables() {
    let environment = || HashMap::from([("SENTINEL_CONFIG".to_owned(), "/nonexistent/by-variable.toml".to_owned())]);
    let by_flag = Sources::of_daemon(Some(Path::new("/nonexistent/by-flag.toml")), environment());
    let (keys, text) = refused(&by_flag);
    assert_eq!(keys, ["/nonexistent/by-flag.toml"], "{text}");
    let (keys, text) = refused(&Sources::of_daemon(None, environment()));
    assert!(keys == ["SENTINEL_CONFIG"] && text.contains("cannot be read") && !text.contains("by-variable"), "{text}");
}

#[test]
fn the_journals_path_needs_no_other_setting() {
    assert_eq!(Settings::journal_path(&Sources::default()).unwrap().to_str(), Some("journal.db"));
    let placed = sources(&[("STATE_DIRECTORY", "/state")]);
    assert_eq!(Settings::journal_path(&placed).unwrap().to_str(), Some("/state/journal.db"));
    let file = "[journal]\npath = \"/var/lib/sentinel/journal.db\"\n";
    let (_file, sources) = with_file(file, &[("STATE_DIRECTORY", "/state")]);
    assert_eq!(Settings::journal_path(&sources).unwrap().to_str(), Some("/var/lib/sentinel/journal.db"));
}

#[test]
fn unknown_keys_are_refused_and_named() {
    let (_file, in_file) = with_file("[metrics]\nprot = 1\n", &[]);
    let (keys, text) = refused(&in_file);
    assert!(keys[0].starts_with("metrics") && text.contains("prot"), "{text}");
    let (_, text) = refused(&sources(&[("SENTINEL__METRICS__PROT", "1")]));
    assert!(text.contains("prot"), "{text}");
    let (_, text) = refused(&sources(&[("SENTINEL__NONSENSE", "1")]));
    assert!(text.contains("SENTINEL__NONSENSE"), "{text}");
    for odd in ["SENTINEL__DATA__API_TOKEN__X", "SENTINEL__SYMBOLS[0]", "SENTINEL__data__poll", "SENTINEL____POLL"] {
        assert_eq!(refused(&sources(&[(odd, "CANARY")])).0, [odd]);
    }
    let (_file, in_symbol) = with_file("[[symbols]]\nname = \"EURUSD\"\nstoploss = 1\n", &[]);
    let (_, text) = refused(&in_symbol);
    assert!(text.contains("stoploss") && text.contains("stop_loss"), "{text}");
}

#[test]
fn every_value_out_of_range_is_refused_by_its_key() {
    for (variable, value, key) in [
        ("SENTINEL__SCHEDULE__CRON", "* * * * *", "schedule.cron"),
        ("SENTINEL__SCHEDULE__CLOCK", "sundial", "schedule.clock"),
        ("SENTINEL__SCHEDULE__CYCLES", "18446744073709551615", "schedule.cycles"),
        ("SENTINEL__DATA__BASE_URL", "ftp://x", "data.base_url"),
        ("SENTINEL__DATA__BASE_URL", "http://10.0.0.1", "data.base_url"),
        ("SENTINEL__DATA__BASE_URL", "https://eodhd.com/?a=b", "data.base_url"),
        ("SENTINEL__MODEL__SCHEME", "ftp", "model.scheme"),
        ("HUB_HOST", "fe80::1%eth0", "model.host"),
        ("GTW_HOST", "[::1", "gateway.host"),
        ("SENTINEL__DATA__INTERVAL", "2h", "data.interval"),
        ("SENTINEL__DATA__LOOKBACK_BARS", "119", "data.lookback_bars"),
        ("SENTINEL__DATA__POLL", "sometimes", "data.poll"),
        ("SENTINEL__DATA__DEADLINE_MS", "0", "data.deadline_ms"),
        ("SENTINEL__DATA__MAX_BAR_AGE_S", "0", "data.max_bar_age_s"),
        ("SENTINEL__DATA__ON_GAP", "panic", "data.on_gap"),
        ("SENTINEL__DATA__JUMP_MAX", "-0.2", "data.jump_max"),
        ("SENTINEL__DATA__JUMP_MAX", "0.0005", "data.jump_max"),
        ("SENTINEL__DATA__JUMP_MAX", "NaN", "data.jump_max"),
        ("SENTINEL__DATA__JUMP_MAX", "inf", "data.jump_max"),
        ("SENTINEL__DATA__JUMP_MAX", "20%", "data.jump_max"),
        ("SENTINEL__DATA__CONCURRENCY", "0", "data.concurrency"),
        ("SENTINEL__DATA__API_TOKEN", "two words", "data.api_token"),
        ("SENTINEL__FEATURES__HOUR_AND_WEEKDAY", "local", "features.hour_and_weekday"),
        ("SENTINEL__MARKET__CALENDAR", "FX", "market.calendar"),
        ("SENTINEL__MARKET__HOLIDAYS", "/nonexistent", "market.holidays"),
        ("SENTINEL__MODEL__TABULAR", "round", "model.tabular"),
        ("SENTINEL__MODEL__NAME", "a|b", "model.name"),
        ("SENTINEL__MODEL__ROWS_PER_REQUEST", "0", "model.rows_per_request"),
        ("HUB_PORT", "70000", "model.port"),
        ("HUB_HOST", "a host", "model.host"),
        ("SENTINEL__TRADING__THRESHOLD", "1", "trading.threshold"),
        ("SENTINEL__TRADING__THRESHOLD", "NaN", "trading.threshold"),
        ("SENTINEL__TRADING__VOLUME", "0", "trading.volume"),
        ("SENTINEL__TRADING__LIVE", "perhaps", "trading.live"),
        ("SENTINEL__TRADING__STOP_LOSS", "-0.1", "trading.stop_loss"),
        ("SENTINEL__TRADING__STOP_LOSS", "wide", "trading.stop_loss"),
        ("SENTINEL__TRADING__STOP_LOSS", "0.000001", "trading.stop_loss"),
        ("SENTINEL__TRADING__VOLUME", "1e-320", "trading.volume"),
        ("SENTINEL__GUARDS__HALT_FILE", "halt", "guards.halt_file"),
        ("SENTINEL__GUARDS__HALT_FILE", "/nonexistent/halt", "guards.halt_file"),
        ("SENTINEL__GUARDS__VOLUME_MAX", "-1", "guards.volume_max"),
        ("SENTINEL__GUARDS__VOLUME_MAX", "NaN", "guards.volume_max"),
        ("SENTINEL__HEALTH__FAILED_SHARE_MAX", "1.01", "health.failed_share_max"),
        ("SENTINEL__HEALTH__FAILED_SHARE_MAX", "-0.1", "health.failed_share_max"),
        ("SENTINEL__HEALTH__FAILED_SHARE_MAX", "NaN", "health.failed_share_max"),
        ("SENTINEL__STUDY__SPREAD_POINTS", "-1", "study.spread_points"),
        ("SENTINEL__STUDY__SPREAD_POINTS", "NaN", "study.spread_points"),
        ("SENTINEL__STUDY__SLIPPAGE_POINTS", "-0.1", "study.slippage_points"),
        ("SENTINEL__STUDY__COMMISSION_PER_LOT_SIDE", "-1", "study.commission_per_lot_side"),
        ("SENTINEL__STUDY__SWAP_LONG_POINTS", "inf", "study.swap_long_points"),
        ("SENTINEL__STUDY__TRIPLE_SWAP_DAY", "sun", "study.triple_swap_day"),
        ("SENTINEL__STUDY__HORIZON_BARS", "0", "study.horizon_bars"),
        ("SENTINEL__STUDY__LABEL", "close", "study.label"),
        ("SENTINEL__STUDY__HOLD_SHARE", "1", "study.hold_share"),
        ("SENTINEL__CLUSTER__WEIGHT", "0", "cluster.weight"),
        ("SENTINEL__CLUSTER__WEIGHT", "101", "cluster.weight"),
        ("SENTINEL__CLUSTER__ADDRESS", "inf-1", "cluster.address"),
        ("SENTINEL__CLUSTER__MODE", "guard", "cluster.endpoints"),
        ("SENTINEL__CLUSTER__LEASE_S", "7", "cluster.lease_s"),
        ("SENTINEL__CLUSTER__LEASE_S", "61", "cluster.lease_s"),
        ("SENTINEL__CLUSTER__KEEPALIVE_S", "6", "cluster.keepalive_s"),
        ("SENTINEL__CLUSTER__KEEPALIVE_S", "0", "cluster.keepalive_s"),
        ("SENTINEL__CLUSTER__PREFIX", "/sentinel/", "cluster.prefix"),
        ("SENTINEL__CLUSTER__MEMBER", " a", "cluster.member"),
        ("SENTINEL__PAPER__BALANCE", "0", "paper.balance"),
        ("SENTINEL__PAPER__BALANCE", "NaN", "paper.balance"),
        ("SENTINEL__PAPER__HORIZON_BARS", "10001", "paper.horizon_bars"),
        ("SENTINEL__TRADING__CONTRACT_SIZE", "-1", "trading.contract_size"),
        ("SENTINEL__TRADING__CONTRACT_SIZE", "inf", "trading.contract_size"),
        ("SENTINEL__TRADING__PROFIT_RATE", "2/EURUSD", "trading.profit_rate"),
        ("SENTINEL__TRADING__PROFIT_RATE", "1/GBPJPY", "trading.profit_rate"),
        ("SENTINEL__MODEL__TRAINED_UNTIL", "yesterday", "model.trained_until"),
        ("SENTINEL__TRADING__STOP_LOSS", "0.000009", "trading.stop_loss"),
        ("SENTINEL__BREAKER__FAILURES", "1001", "breaker.failures"),
        ("SENTINEL__BREAKER__PAUSE_S", "0", "breaker.pause_s"),
        ("SENTINEL__GATEWAY__COMMENT", "a comment of more than thirty-one characters", "gateway.comment"),
        ("SENTINEL__GATEWAY__DIALECT", "klingon", "gateway.dialect"),
        ("SENTINEL__GATEWAY__DIALECT", "ea", "gateway.dialect"),
        ("SENTINEL__GATEWAY__PLAINTEXT", "ok", "gateway.plaintext"),
        ("SENTINEL__JOURNAL__PATH", "/nonexistent/folder/journal.db", "journal.path"),
        ("SENTINEL__JOURNAL__PATH", "/", "journal.path"),
        ("SENTINEL__JOURNAL__KEEP_DAYS", "0", "journal.keep_days"),
        ("SENTINEL__METRICS__BIND", "everywhere", "metrics.bind"),
        ("SENTINEL__METRICS__WEB_CONFIG_FILE", "/nonexistent/web-config.yml", "metrics.web_config_file"),
        ("SENTINEL__DEADMAN__URL", "hc-ping.com/uuid", "deadman.url"),
        ("SENTINEL__DEADMAN__URL_FILE", "/nonexistent/url", "deadman.url_file"),
        ("SENTINEL__DEADMAN__EVERY_S", "3601", "deadman.every_s"),
        ("SENTINEL__DEADMAN__DEADLINE_MS", "9", "deadman.deadline_ms"),
        ("SENTINEL__LOG__LEVEL", "loud=very", "log.level"),
        ("SENTINEL__LOG__FORMAT", "xml", "log.format"),
        ("SENTINEL__SYMBOLS", "EUR/USD", "symbols.name"),
        ("SENTINEL__SYMBOLS", "EURUSD,EURUSD", "symbols.name"),
    ] {
        let (keys, text) = refused(&sources(&[(variable, value)]));
        assert_eq!(keys, [key], "{variable}={value}: {text}");
        assert!(!text.contains("secret"), "{text}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_refused_in_plain_words() {
    assert!(refused(&sources(&[("METRICS_PORT", "70000")])).1.contains("a whole number from 0 to 65535"));
    let (_, text) = refused(&sources(&[("SENTINEL__TRADING__THRESHOLD", "high")]));
    assert!(text.contains("expected a number") && !text.contains("for key"), "{text}");
}

#[test]
fn no_error_shows_a_secret() {
    let (_, text) = refused(&sources(&[("EODHD_API_TOKEN", ""), ("EODHD_API_TOKEN_FILE", "CANARY")]));
    assert!(!text.contains("CANARY") && text.contains("api_token_file"), "a token in the wrong variable: {text}");
    for text in
        ["[data]\napi_token = \"CANARY", "[data]\napi_token = [\"CANARY\"]\n", "[data]\napi_token = { CANARY = 1 }\n"]
    {
        let (_file, mut sources) = with_file(text, &[]);
        sources.environment.clear();
        let error = Settings::load(&sources).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
    }
    let settings = Settings::load(&sources(&[("EODHD_API_TOKEN", "CANARY")])).unwrap();
    assert!(!format!("{settings:?}{}", settings.toml).contains("CANARY"));
}

#[test]
fn the_effective_settings_can_be_read_again() {
    let (_file, file) = with_file("[[symbols]]\nname = \"GBPUSD\"\nstop_loss = \"none\"\nthreshold = 0.7\n", &[]);
    let text = Settings::load(&file).unwrap().toml;
    assert!(text.contains("ticker = \"GBPUSD.FOREX\"") && text.contains("stop_loss = \"none\""), "{text}");
    let (_again, again) = with_file(&text, &[]);
    assert_eq!(Settings::load(&again).unwrap().toml, text);
}

#[test]
fn the_hash_covers_effective_settings_without_secrets() {
    let hash = |environment: &[(&str, &str)]| Settings::load(&sources(environment)).unwrap().hash;
    let plain = hash(&[]);
    assert!(plain < 1 << 48 && plain as f64 as u64 == plain, "a float holds it");
    assert_eq!(plain, hash(&[("EODHD_API_TOKEN", "rotated")]));
    assert_eq!(plain, hash(&[("METRICS_PORT", "8000")]), "only the effective value counts, not where it was set");
    assert_ne!(plain, hash(&[("METRICS_PORT", "8002")]));
}

#[test]
fn verifying_the_gateway_needs_its_dialect_and_no_token() {
    let load = |environment: &[(&str, &str)]| {
        let mut sources = sources(environment);
        sources.environment.remove("EODHD_API_TOKEN");
        Settings::load_for::<VerifyGateway>(&sources)
    };
    let verifiable = [("SENTINEL__GATEWAY__DIALECT", "order_send"), ("SENTINEL__TRADING__LIVE", "true")];
    assert!(load(&verifiable).is_ok(), "the requirements of live mode do not apply");
    let error = load(&[]).unwrap_err();
    assert!(error.0.len() == 1 && error.to_string().contains("gateway.dialect"), "{error}");
    assert!(load(&[verifiable[0], ("GTW_PORT", "0")]).unwrap_err().to_string().contains("gateway.port"));
}

#[test]
fn a_new_journal_waits_only_with_the_system_clock() {
    let wait = ("SENTINEL__JOURNAL__NEW", "wait");
    assert!(Settings::load(&sources(&[wait])).is_ok());
    assert_eq!(refused(&sources(&[wait, ("SENTINEL__SCHEDULE__CLOCK", "bars")])).0, ["journal.new"]);
}
