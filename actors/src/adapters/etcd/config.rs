//! Where etcd is, how its certificates are checked, and where the password is.

use crate::adapters::http::Client;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A password file has one line.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// Where etcd is, and who asks.
#[derive(Debug, Clone)]
pub struct Config {
    /// `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end; tried in turn.
    pub endpoints: Vec<String>,
    /// The certificate authority for https; the system's if there is none.
    pub ca: Option<Ca>,
    /// Name, and file of the password, which is read at every login.
    pub login: Option<(String, PathBuf)>,
    /// The keys are below this: `/sentinel`.
    pub prefix: String,
    /// The trading account.
    pub account: String,
}

/// Certificates that sign etcd's.
#[derive(Clone)]
pub struct Ca(Arc<RootCertStore>);

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ca").field(&self.0.len()).finish()
    }
}

impl Ca {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// There are none in the text, or one cannot be used.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "has a certificate that is not PEM")?;
            roots.add(certificate).map_err(|error| format!("has a certificate that cannot be used: {error}"))?;
        }
        if roots.is_empty() { Err("has no certificates in PEM".into()) } else { Ok(Self(Arc::new(roots))) }
    }

    pub(super) fn client(&self) -> io::Result<Client> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(self.0.clone())
            .with_no_client_auth();
        // The gateway speaks HTTP/1.1; behind the same port HTTP/2 is gRPC.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Client::with_tls(config))
    }
}

/// Reads a password: the file's text without white space at its end.
///
/// # Errors
/// Why not; never any of its content.
pub fn read_password(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = fs::File::open(path).and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| format!("the password file cannot be read: {error}"))?;
    let password = text.trim_end().to_owned();
    if password.is_empty() { Err("the password file is empty".into()) } else { Ok(password) }
}
