//! Where etcd is, how its certificates are checked, and where the password is.

use crate::adapters::http::{Client, Identity};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

/// A password file has one line.
pub const PASSWORD_BYTES_MAX: u64 = 4_096;

/// Where etcd is, and who asks.
#[derive(Debug, Clone)]
pub struct Config {
    /// `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end; tried in turn.
    pub endpoints: Vec<String>,
    /// The certificate authority for https; the system's if there is none.
    pub ca: Option<Ca>,
    /// The certificate that this side presents, for an etcd that wants one.
    pub identity: Option<Identity>,
    /// How long one endpoint is waited for, see [`Terms::patience`](crate::domain::cluster::Terms::patience).
    pub patience: Duration,
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
}

impl Config {
    pub(super) fn client(&self, endpoint: &str) -> io::Result<Client> {
        match &self.ca {
            Some(Ca(roots)) => Client::with_authority(roots.clone(), self.identity.as_ref()),
            None => Client::with_identity(endpoint, self.identity.as_ref()),
        }
    }
}

/// The password in a file: its text without white space at its end.
///
/// # Errors
/// Why not; never any of its content.
pub fn password_in(file: &[u8]) -> Result<String, String> {
    let text = str::from_utf8(file).map_err(|_| "is not UTF-8")?;
    let password = text.trim_end().to_owned();
    if password.is_empty() { Err("is empty".into()) } else { Ok(password) }
}
