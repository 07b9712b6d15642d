//! What the daemon was told when it started, kept in its state directory for the commands beside it: the flags and variables of
//! a unit or a container are in nobody's shell. `run` writes the file and never reads it. No secret is in it.
//!
//! Root may read what the daemon's user wrote, so a file of another user is believed where it names no file, and of files
//! only those of the daemon's own folder and its credentials: a daemon that was broken into must not choose what root opens.

use super::{LIVE, base::is_setting, place};
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Component, Path, PathBuf},
};

/// Its name in the state directory.
const FILE: &str = "daemon.toml";
/// The same of a start that was refused: `check` says why, and every other command goes by the last one that was not.
const REFUSED_FILE: &str = "daemon-refused.toml";
/// Where the unit of docker/sentinel.service has its state directory, for who is not the daemon.
const PLACE: &str = "/var/lib/sentinel";
/// Where systemd lays a unit's credentials.
const CREDENTIALS: &str = "/run/credentials";
/// Keys whose value no file may hold.
const SECRETS: [&str; 2] = ["data.api_token", "deadman.url"];
/// Longest file that is read.
const BYTES_MAX: u64 = 1 << 20;
const HEAD: &str = "# What the daemon was told by flags and variables when it started last; written by it, and read by sentinel's other\n\
                    # commands. To change something, change the unit, compose.yaml or the settings file.\n";

/// The file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The daemon's settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config: Option<PathBuf>,
    /// Names of symbols, if a flag or a variable said them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) symbols: Option<Vec<String>>,
    /// Keys by the environment.
    #[serde(default)]
    pub(super) variables: BTreeMap<String, String>,
    /// Keys by flags, which beat it.
    #[serde(default)]
    pub(super) flags: BTreeMap<String, String>,
    /// Keys that are not believed, as they name files of another user's choice.
    #[serde(skip)]
    refused: Vec<String>,
    /// Where it was read.
    #[serde(skip)]
    path: PathBuf,
}

impl Told {
    /// What a daemon was told, without what no file may hold.
    pub(super) fn new(
        config: Option<PathBuf>,
        symbols: Option<Vec<String>>,
        mut variables: BTreeMap<String, String>,
        mut flags: BTreeMap<String, String>,
    ) -> Self {
        // What is no path may be the secret itself, in the variable beside its own.
        let is_astray = |key: &str, value: &str| key.ends_with("_file") && !Path::new(value).is_absolute();
        let is_kept = |key: &str, value: &str| !SECRETS.contains(&key) && !is_astray(key, value) && is_setting(key);
        variables.retain(|key, value| is_kept(key, value));
        flags.retain(|key, value| is_kept(key, value));
        Self { config, symbols, variables, flags, ..Self::default() }
    }

    /// Writes it to the state directory that the environment names, if it does: then it is a service's, and not a trial of
    /// somebody's shell. `is_refused` says whether the settings could not stand.
    ///
    /// # Errors
    /// As the system says.
    pub fn write(&self, environment: &HashMap<String, String>, is_refused: bool) -> io::Result<()> {
        let Some(place) = place::service_directory(environment) else { return Ok(()) };
        let (path, refused) = (place.join(FILE), place.join(REFUSED_FILE));
        let path = if is_refused { &refused } else { &path };
        let new = path.with_extension("toml.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let text = toml::to_string(self).map_err(io::Error::other)?;
        file.write_all(format!("{HEAD}\n{text}").as_bytes())?;
        fs::rename(&new, path)?;
        if is_refused {
            return Ok(());
        }
        match fs::remove_file(&refused) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The daemon's file: in the state directory that the environment names, else where the unit has it. `None` if there is
    /// none. With `or_refused` that of a start that was refused since.
    ///
    /// # Errors
    /// What is there and cannot be read, in words for a person.
    pub fn find(environment: &HashMap<String, String>, or_refused: bool) -> Result<Option<Self>, String> {
        let place = place::service_directory(environment).unwrap_or_else(|| PathBuf::from(PLACE));
        let names: &[&str] = if or_refused { &[REFUSED_FILE, FILE] } else { &[FILE] };
        for path in names.iter().map(|name| place.join(name)) {
            if let Some(told) = Self::read(&path)? {
                return Ok(Some(told));
            }
        }
        Ok(None)
    }

    fn read(path: &Path) -> Result<Option<Self>, String> {
        let shown = path.display();
        let (text, owner) = match read(path) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(format!(
                    "what the daemon was told by flags and variables is in {shown}, which this user may not read: run this \
                     as root, or as the daemon's user"
                ));
            }
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let no_use =
            |_| format!("{shown} is not as a daemon writes it, and is left out; its next start writes it anew");
        let mut told = Self { path: path.to_owned(), ..toml::from_str(&text).map_err(no_use)? };
        if owner != geteuid().as_raw() {
            told.believe_only_below(path.parent().unwrap_or(Path::new(PLACE)));
        }
        told.drop_what_is_gone();
        Ok(Some(told))
    }

    /// Where it was read.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys it says.
    pub fn keys(&self) -> Vec<&str> {
        let symbols = self.symbols.as_ref().map(|_| "symbols");
        let mut keys: Vec<_> =
            self.variables.keys().chain(self.flags.keys()).map(String::as_str).chain(symbols).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// The keys it says that are not believed.
    pub fn refused(&self) -> &[String] {
        &self.refused
    }

    /// Whether the daemon was started with `--live`.
    pub(super) fn is_live_asked(&self) -> bool {
        self.flags.get(LIVE).is_some_and(|value| value == "true")
    }

    fn believe_only_below(&mut self, place: &Path) {
        let Self { variables, flags, refused, .. } = self;
        for layer in [variables, flags] {
            layer.retain(|key, value| {
                let is_believed = is_harmless(key, value, place);
                refused.extend((!is_believed).then(|| key.clone()));
                is_believed
            });
        }
        let is_roots = |path: &Path| fs::metadata(path).is_ok_and(|file| file.uid() == 0 && file.mode() & 0o022 == 0);
        self.config = self.config.take().filter(|path| is_roots(path));
    }

    /// A credential is there while the daemon runs; without it the settings file's own value holds, if there is one.
    fn drop_what_is_gone(&mut self) {
        for layer in [&mut self.variables, &mut self.flags] {
            layer.retain(|_, value| !is_below(value, Path::new(CREDENTIALS)) || Path::new(value).exists());
        }
    }
}

/// Whether root may follow another user's word for this.
fn is_harmless(key: &str, value: &str, place: &Path) -> bool {
    match key {
        "journal.path" | "guards.halt_file" => is_below(value, place),
        "market.calendar" => matches!(value, "fx" | "always" | "auto"),
        "market.holidays" | "model.confidence_reference" => false,
        _ if key.ends_with("_file") => is_below(value, Path::new(CREDENTIALS)),
        _ => true,
    }
}

fn is_below(path: &str, folder: &Path) -> bool {
    let path = Path::new(path);
    path.starts_with(folder) && !path.components().any(|part| part == Component::ParentDir)
}

/// The text and its owner. Nothing is followed and nothing waited for.
fn read(path: &Path) -> io::Result<(String, u32)> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("is no plain file"));
    }
    let file = File::open(path)?;
    let owner = file.metadata()?.uid();
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Sources};
    use tempfile::TempDir;

    fn environment(place: &Path, more: &[(&str, &str)]) -> HashMap<String, String> {
        let place = ("STATE_DIRECTORY", place.to_str().unwrap());
        more.iter().chain([&place]).map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    /// A daemon's layers in this place: dialect by a flag, two keys and a secret by variables, the rest by its file.
    fn daemon(place: &Path) -> Sources {
        let file = place.join("production.toml");
        fs::write(&file, "gateway.account = \"by file\"\nmodel.port = 1\n").unwrap();
        let variables =
            environment(place, &[("HUB_PORT", "2"), ("SENTINEL__SYMBOLS", "A,B"), ("EODHD_API_TOKEN", "5d0c9a7e")]);
        let mut sources = Sources::of_daemon(Some(&file), variables);
        sources.flags = vec![("gateway.dialect", "v43".into()), (super::super::LIVE, "true".into())];
        sources
    }

    fn beside(place: &Path, config: Option<&Path>, more: &[(&str, &str)]) -> Settings {
        let environment = environment(place, more);
        let told = Told::find(&environment, false).unwrap();
        Settings::load_unchecked(&Sources::beside(config, environment, told)).unwrap()
    }

    #[test]
    fn a_command_in_another_shell_has_the_daemons_settings() {
        let place = TempDir::new().unwrap();
        let sources = daemon(place.path());
        let its = Settings::load_unchecked(&sources).unwrap();
        let journal = its.journal.placed(&sources.environment).path;
        sources.to_tell(Some(&journal)).write(&sources.environment, false).unwrap();
        let found = beside(place.path(), None, &[("HOME", "/root")]);
        assert_eq!((found.gateway, found.model, found.symbols), (its.gateway, its.model, its.symbols));
        assert_eq!((found.trading.live, found.journal.path), (true, Some(journal)));
        let text = fs::read_to_string(place.path().join(FILE)).unwrap();
        assert!(!text.contains("5d0c9a7e") && !text.contains("api_token"), "{text}");
        let mode = fs::metadata(place.path().join(FILE)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(beside(place.path(), None, &[("HUB_PORT", "3")]).model.port, 3, "this shell's own word is stronger");
    }

    #[test]
    fn with_another_settings_file_nothing_of_the_daemon_is_used() {
        let place = TempDir::new().unwrap();
        let sources = daemon(place.path());
        sources.to_tell(None).write(&sources.environment, false).unwrap();
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
    fn a_refused_start_is_known_to_check_alone_until_one_is_not() {
        let place = TempDir::new().unwrap();
        let sources = daemon(place.path());
        let find = |or_refused| Told::find(&sources.environment, or_refused).unwrap();
        assert_eq!(find(true), None);
        sources.to_tell(None).write(&sources.environment, true).unwrap();
        assert_eq!((find(false), find(true).unwrap().is_live_asked()), (None, true));
        sources.to_tell(None).write(&sources.environment, false).unwrap();
        assert_eq!(find(true).unwrap().path(), place.path().join(FILE));
        assert!(!place.path().join(REFUSED_FILE).exists());
    }

    #[test]
    fn a_secret_in_the_variable_of_its_file_is_not_kept() {
        let place = TempDir::new().unwrap();
        let astray = [("EODHD_API_TOKEN_FILE", "5d0c9a7e"), ("SENTINEL__DEADMAN__URL", "https://host/5d0c9a7e")];
        let environment = environment(place.path(), &astray);
        Sources::of_daemon(None, environment.clone()).to_tell(None).write(&environment, true).unwrap();
        let text = fs::read_to_string(place.path().join(REFUSED_FILE)).unwrap();
        assert!(!text.contains("5d0c9a7e"), "{text}");
    }

    #[test]
    fn another_users_word_chooses_no_file_outside_its_own_folder() {
        let place = Path::new("/var/lib/sentinel");
        for (key, value, is_believed) in [
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
            assert_eq!(is_harmless(key, value, place), is_believed, "{key} {value}");
        }
        let mut told = Told { config: Some("/nonexistent.toml".into()), ..Told::default() };
        told.flags.insert("guards.halt_file".into(), "/etc/passwd".into());
        told.believe_only_below(place);
        assert_eq!(
            (told.config.as_ref(), told.flags.len(), told.refused()),
            (None, 0, &["guards.halt_file".to_owned()][..])
        );
    }

    #[test]
    fn every_setting_that_names_a_file_is_known_as_one() {
        let base = include_str!("../../config/base.toml");
        let (mut section, mut files) = ("", 0);
        for line in base.lines() {
            section = line.strip_prefix('[').map_or(section, |name| name.trim_end_matches(']'));
            let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ") else { continue };
            if value.starts_with("\"/") {
                files += 1;
                assert!(!is_harmless(&format!("{section}.{key}"), "/etc/shadow", Path::new(PLACE)), "{section}.{key}");
            }
        }
        assert!(files >= 12, "{files}");
    }

    #[test]
    fn what_is_no_file_of_a_daemon_is_said_and_left_out() {
        let place = TempDir::new().unwrap();
        let environment = environment(place.path(), &[]);
        fs::write(place.path().join(FILE), "canary = [").unwrap();
        let said = Told::find(&environment, false).unwrap_err();
        assert!(said.contains(FILE) && !said.contains("canary"), "{said}");
        fs::remove_file(place.path().join(FILE)).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.path().join(FILE)).unwrap();
        assert!(Told::find(&environment, false).unwrap_err().contains("no plain file"));
    }

    #[test]
    fn a_key_of_another_version_and_a_credential_that_is_gone_stop_no_command() {
        let place = TempDir::new().unwrap();
        let text = "[variables]\n\"gateway.sparkle\" = \"1\"\n\"data.api_token_file\" = \"/run/credentials/none.service/key\"\n";
        fs::write(place.path().join(FILE), text).unwrap();
        let environment = environment(place.path(), &[]);
        let told = Told::find(&environment, false).unwrap();
        let sources = Sources { told, environment, ..Sources::default() };
        assert_eq!(Settings::load_unchecked(&sources).unwrap().data.api_token_file, None);
    }
}
