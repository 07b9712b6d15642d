//! TLS and passwords of the port, from the web-config file and the files that it names. They are loaded at start and checked for
//! changes every second. If a change cannot be used, the previous state stays in force.

mod hashes;
mod material;
mod web_config;

pub use hashes::cost;
pub use material::Material;
pub use web_config::{TlsConfig, Users};

use hashes::with_empty_password;
use std::{
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::SystemTime,
};
use web_config::WebConfig;

/// More than thousands of users need.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// TLS, passwords, or both. Clones share their state.
#[derive(Clone)]
pub struct Protection(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// The web-config at start. It stays in force, except for users, certificates and keys.
    config: WebConfig,
    state: RwLock<Arc<State>>,
    seen: Mutex<Vec<Seen>>,
}

/// What is in force.
pub struct State {
    /// Certificates and keys.
    pub tls: Option<Material>,
    /// The users and their password hashes.
    pub users: Users,
}

/// The state of a file when it was read; `None`: it did not exist.
type Seen = (PathBuf, Option<(SystemTime, u64, u64)>);

struct Loaded {
    config: WebConfig,
    state: State,
}

impl Protection {
    /// Reads the file and those it names.
    ///
    /// # Errors
    /// Every fault with its file, its key and what to do, without the content of the file.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let (seen, loaded) = load(path);
        let named = |fault| format!("{}: {fault}", path.display());
        let Loaded { config, state } = loaded.map_err(|faults| faults.into_iter().map(named).collect::<Vec<_>>())?;
        let state = RwLock::new(Arc::new(state));
        Ok(Self(Arc::new(Inner { path: path.into(), config, state, seen: Mutex::new(seen) })))
    }

    /// Whether the port uses TLS.
    pub fn has_tls(&self) -> bool {
        self.0.config.tls.is_some()
    }

    /// Number of users; if 0, no password is asked for.
    pub fn users(&self) -> usize {
        self.state().users.0.len()
    }

    /// The file with the private key.
    pub fn key_file(&self) -> Option<&Path> {
        self.tls().map(|tls| tls.key_file.as_path())
    }

    /// The TLS part of the web-config.
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.0.config.tls.as_ref()
    }

    /// What is in force now.
    pub fn state(&self) -> Arc<State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads everything again if a file has changed. A change that cannot be used is logged once and has no effect.
    pub fn renew(&self) {
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().all(|(path, was)| look(path) == *was) {
            return;
        }
        let file = self.0.path.display();
        let (now, loaded) = load(&self.0.path);
        *seen = now;
        match loaded.and_then(|loaded| self.unless_restart(loaded)) {
            Ok(state) => {
                *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
                tracing::info!(%file, "the web-config file or a file it names has changed and is in force");
            }
            Err(faults) => {
                let error = faults.join("; ");
                tracing::error!(%file, error, "the changed web-config cannot be used: the previous one stays in force");
            }
        }
    }

    /// Refuses changes that need a restart. A file that is written in place is empty for a moment; this must not open the port
    /// to everyone.
    fn unless_restart(&self, Loaded { config, state }: Loaded) -> Result<State, Vec<String>> {
        let before = &self.0.config;
        let kind = |tls: &TlsConfig| (tls.tls12, tls.tls13, tls.clients.as_ref().map(|clients| clients.required));
        let tls_as_before = config.tls.as_ref().map(kind) == before.tls.as_ref().map(kind);
        let users_as_before = config.users.0.is_empty() == before.users.0.is_empty();
        let mut faults = Vec::new();
        if !tls_as_before {
            faults.push("tls_server_config: TLS on or off, its versions and client_auth_type need a restart".into());
        }
        if !users_as_before {
            faults.push("basic_auth_users: the first user, and removing the last one, need a restart".into());
        }
        if faults.is_empty() { Ok(state) } else { Err(faults) }
    }
}

/// Only clones of the same protection are equal.
impl PartialEq for Protection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Protection {}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protection").field(&self.0.path).field(&self.0.config).finish()
    }
}

/// Loads everything. The state of each file is taken before it is read, so that a change in between is noticed the next time.
fn load(path: &Path) -> (Vec<Seen>, Result<Loaded, Vec<String>>) {
    let see = |path: &Path| (path.to_owned(), look(path));
    let mut seen = vec![see(path)];
    let directory = path.parent().unwrap_or(Path::new(""));
    let parsed = read(path).map_err(|fault| vec![fault]).and_then(|text| WebConfig::parse(&text, directory));
    let config = match parsed {
        Ok(config) => config,
        Err(faults) => return (seen, Err(faults)),
    };
    let empty = |name: &str| {
        let name = name.escape_debug();
        format!(
            "basic_auth_users.{name}: is the hash of the empty password: create one for a password with `htpasswd -nBC 10`"
        )
    };
    let faults = with_empty_password(&config.users).into_iter().map(empty).collect::<Vec<_>>();
    if !faults.is_empty() {
        return (seen, Err(faults));
    }
    if let Some(tls) = &config.tls {
        seen.extend([see(&tls.cert_file), see(&tls.key_file)]);
        seen.extend(tls.clients.iter().map(|clients| see(&clients.ca_file)));
    }
    let material = config.tls.as_ref().map(Material::read).transpose();
    let loaded = material.map(|tls| Loaded { state: State { tls, users: config.users.clone() }, config });
    (seen, loaded.map_err(|fault| vec![fault]))
}

fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| format!("cannot be read: {error}"))
}

fn look(path: &Path) -> Option<(SystemTime, u64, u64)> {
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$abcdefghijklmnopqrstuuBIU4HHnZkbEkLqlI3eTGGrcEcCkDnkK";

    fn users(names: &[&str]) -> String {
        names.iter().fold("basic_auth_users:\n".into(), |text, name| format!("{text}  {name}: {HASH}\n"))
    }

    #[test]
    fn users_follow_the_file_unless_it_is_invalid() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        fs::write(&path, users(&["hub"])).unwrap();
        let protection = Protection::load(&path).unwrap();
        let count = |text: &str| {
            fs::write(&path, text).unwrap();
            protection.renew();
            protection.users()
        };
        assert_eq!((protection.has_tls(), protection.users()), (false, 1));
        assert_eq!(count(&users(&["hub", "grafana"])), 2);
        for broken in ["", "{", "basic_auth_users:", "basic_auth_users: {hub: password}", "rate_limit: {burst: 1}"] {
            assert_eq!(count(broken), 2, "{broken}");
        }
        assert_eq!(count(&users(&["hub"])), 1, "it is still checked for changes");
        fs::remove_file(&path).unwrap();
        protection.renew();
        assert_eq!(protection.users(), 1);
        assert_eq!(count(&users(&["a", "b", "c"])), 3, "the file exists again");
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("web.yml");
        let refused = || Protection::load(&path).unwrap_err().join("\n");
        let text = refused();
        assert!(text.contains("web.yml: cannot be read"), "{text}");
        fs::write(&path, "tls_server_config: {cert_file: server.pem, key_file: server.key}").unwrap();
        let text = refused();
        assert!(text.contains("tls_server_config.cert_file") && text.contains("server.pem cannot be read"), "{text}");
        fs::write(folder.path().join("server.pem"), "CANARY").unwrap();
        let text = refused();
        assert!(text.contains("server.pem has no certificates") && !text.contains("CANARY"), "{text}");
    }
}
