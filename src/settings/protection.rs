//! What protects the port, as the web-config file and the files it names say: loaded at start, looked at every second,
//! and kept as it was when what is found then cannot be used.

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

/// Far more than thousands of users.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// TLS, passwords, or both. Clones share what they know.
#[derive(Clone)]
pub struct Protection(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// What was said at start, and holds until the end except for what the files hold.
    said: WebConfig,
    state: RwLock<Arc<State>>,
    seen: Mutex<Vec<Seen>>,
}

/// What is in force.
pub struct State {
    /// Certificates and keys.
    pub tls: Option<Material>,
    /// Who has a password.
    pub users: Users,
}

/// A file as it was when it was read; `None`: it was not there.
type Seen = (PathBuf, Option<(SystemTime, u64, u64)>);

struct Loaded {
    config: WebConfig,
    state: State,
}

impl Protection {
    /// Reads the file and those it names.
    ///
    /// # Errors
    /// Every fault with the file, its key and the way out, and without what is in the file.
    pub fn load(path: &Path) -> Result<Self, Vec<String>> {
        let (seen, loaded) = load(path);
        let named = |fault| format!("{}: {fault}", path.display());
        let Loaded { config, state } = loaded.map_err(|faults| faults.into_iter().map(named).collect::<Vec<_>>())?;
        let state = RwLock::new(Arc::new(state));
        Ok(Self(Arc::new(Inner { path: path.into(), said: config, state, seen: Mutex::new(seen) })))
    }

    /// Whether the port speaks TLS.
    pub fn has_tls(&self) -> bool {
        self.0.said.tls.is_some()
    }

    /// How many users there are; none is asked for a password if it is 0.
    pub fn users(&self) -> usize {
        self.state().users.0.len()
    }

    /// The file with the private key.
    pub fn key_file(&self) -> Option<&Path> {
        self.tls().map(|tls| tls.key_file.as_path())
    }

    /// What was said of TLS.
    pub fn tls(&self) -> Option<&TlsConfig> {
        self.0.said.tls.as_ref()
    }

    /// What is in force now.
    pub fn state(&self) -> Arc<State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads everything again if a file has changed. What cannot be used is told once, and nothing changes.
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
                tracing::error!(%file, error, "cannot be used as it is now: what was read before stays in force");
            }
        }
    }

    /// A file that is written in place is empty for a moment: that must not open the port to everyone.
    fn unless_restart(&self, Loaded { config, state }: Loaded) -> Result<State, Vec<String>> {
        let said = &self.0.said;
        let kind = |tls: &TlsConfig| (tls.tls12, tls.tls13, tls.clients.as_ref().map(|clients| clients.required));
        let tls_as_before = config.tls.as_ref().map(kind) == said.tls.as_ref().map(kind);
        let users_as_before = config.users.0.is_empty() == said.users.0.is_empty();
        let mut faults = Vec::new();
        if !tls_as_before {
            faults.push("tls_server_config: TLS on or off, its versions and client_auth_type take a restart".into());
        }
        if !users_as_before {
            faults.push("basic_auth_users: a password for the first time, or none any more, takes a restart".into());
        }
        if faults.is_empty() { Ok(state) } else { Err(faults) }
    }
}

/// Only its own clones are equal to it.
impl PartialEq for Protection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Protection {}

impl fmt::Debug for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protection").field(&self.0.path).field(&self.0.said).finish()
    }
}

/// The files as they are before they are read, so that a change in between is seen the next time.
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
            "basic_auth_users.{name}: is the hash of the empty password: make one of a password with `htpasswd -nBC 10`"
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
    fn users_follow_the_file_and_a_bad_one_changes_nothing() {
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
        assert_eq!(count(&users(&["hub"])), 1, "it goes on being looked at");
        fs::remove_file(&path).unwrap();
        protection.renew();
        assert_eq!(protection.users(), 1);
        assert_eq!(count(&users(&["a", "b", "c"])), 3, "a file that is back counts");
    }

    #[test]
    fn what_is_missing_is_named() {
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
        assert!(text.contains("server.pem holds no certificates") && !text.contains("CANARY"), "{text}");
    }
}
