//! Certificates and keys, from the files that a web-config file names.

use super::web_config::TlsConfig;
use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};
use std::{fmt, fs::File, io::Read, path::Path, sync::Arc};

/// A certificate chain has some kilobytes; a bundle of every public authority has 250.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the files of a [`TlsConfig`] hold.
pub struct Material {
    /// The server's certificate and key.
    pub certified: Arc<CertifiedKey>,
    /// Verifies client certificates, if they are asked for.
    pub clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Material {
    /// Reads the files.
    ///
    /// # Errors
    /// The key, its file, and what is wrong with it.
    pub fn read(config: &TlsConfig) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates("cert_file", &config.cert_file)?;
        let key = PrivateKeyDer::from_pem_slice(&read("key_file", &config.key_file)?).map_err(|_| {
            let file = config.key_file.display();
            format!("tls_server_config.key_file: {file} has no unencrypted private key in PEM")
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            let file = config.key_file.display();
            format!("tls_server_config.key_file: {file} does not belong to the certificate in cert_file: {error}")
        })?;
        let clients = match &config.clients {
            Some(clients) => Some(verifier(&clients.ca_file, clients.required, provider)?),
            None => None,
        };
        Ok(Self { certified: certified.into(), clients })
    }
}

fn verifier(path: &Path, required: bool, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let unusable = |error: &dyn fmt::Display| format!("tls_server_config.client_ca_file: {}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in certificates("client_ca_file", path)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| unusable(&error))
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| format!("tls_server_config.{key}: {} cannot be read: {error}", path.display()))?;
    Ok(bytes)
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(key, path)?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().unwrap_or_default();
    match found.is_empty() {
        true => Err(format!("tls_server_config.{key}: {} has no certificates in PEM", path.display())),
        false => Ok(found),
    }
}
