//! Parses the web-config file, in the format of Prometheus's exporter-toolkit. What Sentinel does not support is refused by name.
//! No message shows a value of the file.

use saphyr::{LoadableYamlNode, Mapping, Scalar, Yaml};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A hash with a higher cost takes seconds to check, and a shutdown waits for it.
const COST_MAX: u32 = 14;
/// Keys of exporter-toolkit that Sentinel does not support.
const UNSUPPORTED: [&str; 10] = [
    "tls_server_config.cert",
    "tls_server_config.key",
    "tls_server_config.client_ca",
    "tls_server_config.client_allowed_sans",
    "tls_server_config.cipher_suites",
    "tls_server_config.curve_preferences",
    "http_server_config.headers",
    "rate_limit",
    "rate_limit.interval",
    "rate_limit.burst",
];

/// The content of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<TlsConfig>,
    /// If there are none, no password is asked for.
    pub users: Users,
}

/// `tls_server_config`, with paths that can be opened as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// PEM; the server's own certificate first.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
    /// TLS 1.2 is allowed.
    pub tls12: bool,
    /// TLS 1.3 is allowed.
    pub tls13: bool,
    /// `None`: clients need no certificate.
    pub clients: Option<Clients>,
}

/// Client certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clients {
    /// PEM of the CA that signs them.
    pub ca_file: PathBuf,
    /// A client without a certificate is refused.
    pub required: bool,
}

/// The users' names, each with the bcrypt hash of the password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Users(pub Arc<BTreeMap<String, String>>);

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl WebConfig {
    /// Parses the text of a file in `directory`, to which its paths are relative.
    ///
    /// # Errors
    /// Every fault with its key and what to do.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, Vec<String>> {
        let documents = Yaml::load_from_str(text)
            .map_err(|error| vec![format!("line {} is not valid YAML", error.marker().line())])?;
        let mut reader = Reader { directory, faults: Vec::new() };
        let root = match documents.as_slice() {
            [] | [Yaml::Value(Scalar::Null)] => Mapping::new(),
            [Yaml::Mapping(root)] => root.clone(),
            _ => return Err(vec!["must be one table of keys, such as tls_server_config".into()]),
        };
        reader.only("", &root, &["tls_server_config", "http_server_config", "basic_auth_users"]);
        if let Some(http) = reader.table(&root, "http_server_config") {
            reader.http(&http);
        }
        let tls = reader.table(&root, "tls_server_config").map(|table| reader.tls(&table));
        let users = reader.table(&root, "basic_auth_users").map(|table| reader.users(&table));
        if tls.is_none() && users.is_none() {
            let message = "protects nothing: add tls_server_config or basic_auth_users, or do not set this";
            reader.faults.push(message.into());
        }
        let config = Self { tls: tls.flatten(), users: users.unwrap_or_default() };
        if reader.faults.is_empty() { Ok(config) } else { Err(reader.faults) }
    }
}

struct Reader<'a> {
    directory: &'a Path,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, key: &str, message: impl fmt::Display) {
        self.faults.push(format!("{key}: {message}"));
    }

    /// A table at the top level. An empty one counts as present, because its author expects protection from it.
    fn table<'y>(&mut self, root: &Mapping<'y>, key: &str) -> Option<Mapping<'y>> {
        match root.get(&string(key))? {
            Yaml::Mapping(table) => Some(table.clone()),
            Yaml::Value(Scalar::Null) => Some(Mapping::new()),
            _ => {
                self.fault(key, "must be a table of keys");
                None
            }
        }
    }

    /// Refuses all other keys, unless they are empty.
    fn only(&mut self, path: &str, table: &Mapping, keys: &[&str]) {
        for (key, value) in table {
            let name = key.as_str().unwrap_or("a key that is not text");
            let name = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            if key.as_str().is_some_and(|key| keys.contains(&key))
                || (UNSUPPORTED.contains(&&*name) && is_empty_value(value))
            {
                continue;
            }
            if UNSUPPORTED.contains(&&*name) {
                self.fault(&name, "is not supported by Sentinel: remove it");
            } else {
                self.fault(&name.escape_debug().to_string(), "is not a key of a web-config file: remove it");
            }
        }
    }

    /// Text; `None` if it is missing or empty, which means the same in this format.
    fn text(&mut self, table: &Mapping, path: &str, key: &str) -> Option<String> {
        match table.get(&string(key))? {
            value if is_empty_value(value) => None,
            Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
            _ => {
                self.fault(&format!("{path}.{key}"), "must be text");
                None
            }
        }
    }

    fn flag(&mut self, table: &Mapping, path: &str, key: &str) -> Option<bool> {
        let flag = table.get(&string(key)).map(Yaml::as_bool)?;
        if flag.is_none() {
            self.fault(&format!("{path}.{key}"), "must be true or false");
        }
        flag
    }

    fn http(&mut self, table: &Mapping) {
        const PATH: &str = "http_server_config";
        self.only(PATH, table, &["http2"]);
        if self.flag(table, PATH, "http2") == Some(true) {
            self.fault("http_server_config.http2", "Sentinel supports only HTTP/1.1: remove it, or set it to false");
        }
    }

    fn tls(&mut self, table: &Mapping) -> Option<TlsConfig> {
        const PATH: &str = "tls_server_config";
        let known = ["cert_file", "key_file", "client_auth_type", "client_ca_file", "min_version", "max_version"];
        self.only(PATH, table, &[&known[..], &["prefer_server_cipher_suites"]].concat());
        // Exporter-toolkit itself ignores this one.
        self.flag(table, PATH, "prefer_server_cipher_suites");
        let cert_file = self.file(table, "cert_file");
        let key_file = self.file(table, "key_file");
        let clients = self.clients(table);
        let lowest = self.version(table, "min_version").unwrap_or(12);
        let highest = self.version(table, "max_version").unwrap_or(13);
        if lowest > highest {
            self.fault("tls_server_config.min_version", "is above max_version");
        }
        let spoken = lowest..=highest;
        let (tls12, tls13) = (spoken.contains(&12), spoken.contains(&13));
        Some(TlsConfig { cert_file: cert_file?, key_file: key_file?, tls12, tls13, clients })
    }

    fn file(&mut self, table: &Mapping, key: &str) -> Option<PathBuf> {
        let path = format!("tls_server_config.{key}");
        let faults = self.faults.len();
        let text = self.text(table, "tls_server_config", key);
        if text.is_none() && faults == self.faults.len() {
            self.fault(&path, "is missing: TLS needs cert_file and key_file");
        }
        text.map(|text| self.directory.join(text))
    }

    fn clients(&mut self, table: &Mapping) -> Option<Clients> {
        const KEY: &str = "tls_server_config.client_auth_type";
        let kind = self.text(table, "tls_server_config", "client_auth_type");
        let ca_file = self.text(table, "tls_server_config", "client_ca_file");
        let required = match kind.as_deref().unwrap_or("NoClientCert") {
            "NoClientCert" if ca_file.is_some() => {
                self.fault(KEY, "must be RequireAndVerifyClientCert if client_ca_file is set");
                return None;
            }
            "NoClientCert" => return None,
            "RequireAndVerifyClientCert" => true,
            "VerifyClientCertIfGiven" => false,
            _ => {
                self.fault(KEY, "must be NoClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert");
                return None;
            }
        };
        let Some(ca_file) = ca_file else {
            self.fault("tls_server_config.client_ca_file", "is missing: client certificates are verified with it");
            return None;
        };
        Some(Clients { ca_file: self.directory.join(ca_file), required })
    }

    fn version(&mut self, table: &Mapping, key: &str) -> Option<u8> {
        match self.text(table, "tls_server_config", key)?.as_str() {
            "TLS12" => Some(12),
            "TLS13" => Some(13),
            _ => {
                self.fault(&format!("tls_server_config.{key}"), "must be TLS12 or TLS13");
                None
            }
        }
    }

    fn users(&mut self, table: &Mapping) -> Users {
        let mut users = BTreeMap::new();
        for (name, hash) in table {
            let Some(name) = name.as_str().filter(|name| !name.is_empty() && !name.contains(':')) else {
                self.fault("basic_auth_users", "a name must be text without a colon");
                continue;
            };
            match hash.as_str().ok_or(NO_HASH.to_owned()).and_then(is_hash) {
                Ok(hash) => _ = users.insert(name.to_owned(), hash.to_owned()),
                Err(rule) => self.fault(&format!("basic_auth_users.{}", name.escape_debug()), rule),
            }
        }
        if table.is_empty() {
            self.fault("basic_auth_users", "is empty: remove it, or add a name and the bcrypt hash of a password");
        }
        Users(users.into())
    }
}

const NO_HASH: &str = "must be the bcrypt hash of a password, as `htpasswd -nBC 10 NAME` prints it after the colon";

fn is_hash(text: &str) -> Result<&str, String> {
    let kind = ["$2a$", "$2b$", "$2y$"].iter().any(|kind| text.starts_with(kind));
    match text.parse::<bcrypt::HashParts>() {
        Ok(parts) if kind && (4..=COST_MAX).contains(&parts.get_cost()) => Ok(text),
        Ok(_) if kind => {
            Err(format!("has a cost that is not 4 to {COST_MAX}: create the hash with `htpasswd -nBC 10 NAME`"))
        }
        _ => Err(NO_HASH.into()),
    }
}

fn string(text: &str) -> Yaml<'_> {
    Yaml::Value(Scalar::String(text.into()))
}

fn is_empty_value(value: &Yaml) -> bool {
    match value {
        Yaml::Value(Scalar::Null) => true,
        Yaml::Value(Scalar::String(text)) => text.is_empty(),
        Yaml::Sequence(list) => list.is_empty(),
        Yaml::Mapping(table) => table.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
