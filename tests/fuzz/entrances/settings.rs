//! Settings: a text of up to six parts, separated by lines of `---`: the settings file, the environment and the flags (a
//! `NAME=value` per line), a calendar file, a holidays file and a confidence reference.

use sentinel::settings::{Daemon, Distance, Purpose, Resolved, Settings, SettingsError, Sources, VerifyGateway};
use std::{collections::HashSet, fs, path::PathBuf, time::Duration};

/// No message and no dump may contain it.
const TOKEN: &str = "canary-5d0c9a7e";
/// The keys that have a flag.
const FLAGS: [&str; 23] = [
    "data.base_url",
    "data.interval",
    "data.lookback_bars",
    "gateway.account",
    "gateway.dialect",
    "gateway.host",
    "gateway.port",
    "guards.halt_file",
    "journal.path",
    "metrics.enabled",
    "metrics.port",
    "model.host",
    "model.port",
    "schedule.back_to_back",
    "schedule.clock",
    "schedule.cron",
    "schedule.cycles",
    "trading.live",
    "trading.stop_loss",
    "trading.take_profit",
    "trading.threshold",
    "trading.volume",
    "symbols",
];

thread_local! {
    /// The only folder that is read, whatever paths the settings contain.
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder for the files");
}

/// True if the daemon would start with these settings.
pub fn enter(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    if text.to_ascii_lowercase().contains("curve_") {
        // Key files cannot be replaced by a flag, and could be any file of this machine.
        return false;
    }
    let mut parts = text.split("---\n");
    let mut part = || parts.next().unwrap_or_default();
    let (file, environment, flags, calendar, holidays, reference) = (part(), part(), part(), part(), part(), part());
    let mut sources = Sources { file: Some(written("settings.toml", file)), ..Sources::default() };
    sources.environment.extend(pairs(environment));
    // If there is a token, the token file named in the text is not read.
    sources.environment.insert("EODHD_API_TOKEN".into(), TOKEN.into());
    for (name, value) in pairs(flags) {
        match FLAGS.into_iter().find(|flag| *flag == name) {
            Some("symbols") => sources.symbols = Some(value.split(',').map(str::to_owned).collect()),
            Some(flag) => sources.flags.push((flag, value)),
            None => {}
        }
    }
    // Flags override all other layers, so no other calendar is read, either.
    let calendar = if calendar.is_empty() { "fx".into() } else { written("calendar.toml", calendar) };
    sources.flags.push(("market.calendar", calendar.display().to_string()));
    let holidays = if holidays.is_empty() { "closed = []" } else { holidays };
    sources.flags.push(("market.holidays", written("holidays.toml", holidays).display().to_string()));
    let reference = if reference.is_empty() { r#"{"bounds": [0.5, 1], "shares": [0.4, 0.6]}"# } else { reference };
    sources.flags.push(("model.confidence_reference", written("confidences.json", reference).display().to_string()));

    let secret_is_ours = !text.contains(TOKEN);
    // A query to the gateway does not need an account.
    checked(Settings::load_for::<VerifyGateway>(&sources), secret_is_ours);
    let Some(settings) = checked(Settings::load_for::<Daemon>(&sources), secret_is_ours) else { return false };
    assert_eq!(settings.trading.live, settings.purpose.gateway.is_live());
    reloads(&sources, &settings.toml);
    true
}

/// Loaded settings are in range; refused settings have a reason. Neither contains the secret.
fn checked<P: Purpose>(loaded: Result<Resolved<P>, SettingsError>, secret_is_ours: bool) -> Option<Resolved<P>> {
    match loaded {
        Ok(settings) => {
            in_range(&settings);
            assert!(!secret_is_ours || !settings.toml.contains(TOKEN), "{}", settings.toml);
            Some(settings)
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!error.0.is_empty() && !message.is_empty());
            assert!(!secret_is_ours || !message.contains(TOKEN), "{message}");
            None
        }
    }
}

/// What every part of the daemon relies on.
fn in_range<P>(settings: &Resolved<P>) {
    let Resolved { data, model, gateway, metrics, journal, guards, .. } = settings;
    assert!((120..=5_000).contains(&data.lookback_bars) && settings.max_bar_age_s > 0);
    for deadline in [data.deadline_ms, model.deadline_ms, gateway.deadline_ms, metrics.header_deadline_ms] {
        assert!((10..=3_600_000).contains(&deadline));
    }
    assert!(model.port > 0 && gateway.port > 0 && journal.keep > Duration::ZERO && gateway.comment.len() <= 31);
    assert!((0.0..=100.0).contains(&guards.volume_max) && (0.0..=100.0).contains(&guards.loss_pct_per_day_max));
    assert!(guards.cooldown_s <= 86_400);
    let names: HashSet<&str> = settings.instruments().map(|instrument| instrument.symbol.as_str()).collect();
    assert!(!names.is_empty() && names.len() == settings.symbols.len());
    for instrument in settings.instruments() {
        assert!((0.0..1.0).contains(&instrument.threshold) && (0.001..=100.0).contains(&instrument.volume));
        assert!(instrument.digits <= 10);
        let distances = [instrument.stop_loss, instrument.take_profit].into_iter().flatten();
        assert!(distances.into_iter().all(|distance| distance.is_finite() && distance > 0.0));
    }
    let now = Duration::from_secs(1_500_000_000);
    let schedule = &settings.schedule;
    assert!(schedule.next_after(now).is_none_or(|due| due > now) && schedule.period(now) > Duration::ZERO);
    for time in [i64::MIN, 0, 1_500_000_000, i64::MAX] {
        let _ = settings.calendar.is_open(time);
    }
    let _ = settings.calendar.expects_bar(1_500_000_000, 1_500_360_000, 3_600);
    let _ = settings.trading.stop_loss.and_then(Distance::price);
}

/// `sentinel check` prints a settings file with the same values.
fn reloads(sources: &Sources, effective: &str) {
    let again = Sources { file: Some(written("effective.toml", effective)), ..Sources::default() };
    let environment = sources.environment.get_key_value("EODHD_API_TOKEN").into_iter();
    // The two secrets are not printed, so they are set again.
    let url =
        effective.contains("\nurl = \"<redacted>\"").then(|| ("SENTINEL__DEADMAN__URL".into(), "https://host/".into()));
    let environment = environment.map(|(k, v)| (k.clone(), v.clone())).chain(url).collect();
    let again = Sources { environment, ..again };
    let again =
        Settings::load_for::<VerifyGateway>(&Sources { flags: vec![("gateway.dialect", "v43".into())], ..again });
    let again = again.unwrap_or_else(|error| panic!("{error}\n{effective}"));
    let [was, is] = [effective, &again.toml].map(without_dialect);
    assert_eq!(was, is);
}

/// The settings without the dialect, which may be missing when the daemon starts.
fn without_dialect(effective: &str) -> String {
    effective.lines().filter(|line| !line.starts_with("dialect = ")).map(|line| format!("{line}\n")).collect()
}

fn pairs(lines: &str) -> impl Iterator<Item = (String, String)> {
    lines.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into()))
}

/// A file of this text.
fn written(name: &str, text: &str) -> PathBuf {
    FOLDER.with(|folder| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a place to write");
        path
    })
}
