//! The certificate that a client presents to a server that requires one.

use crate::adapters::patient_file;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{fmt, path::Path, sync::Arc};

/// A certificate chain has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate chain and its private key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Identity").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads both from PEM files.
    ///
    /// # Errors
    /// Which file cannot be used, and why; never the content of a file.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let chain = CertificateDer::pem_slice_iter(&read(certificate)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.unwrap_or_default();
        if chain.is_empty() {
            return Err(format!("{} holds no certificates in PEM", certificate.display()));
        }
        let key = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|_| format!("{} has no unencrypted private key in PEM", key.display()))?;
        Ok(Self { chain, key: Arc::new(key) })
    }

    /// Whether the key is that of the certificate.
    ///
    /// # Errors
    /// It is not, or it cannot be used.
    pub fn check(&self) -> Result<(), String> {
        let (chain, key) = self.parts();
        let provider = rustls::crypto::ring::default_provider();
        CertifiedKey::from_der(chain, key, &provider).map(drop).map_err(|error| format!("cannot be used: {error}"))
    }

    /// Both, in rustls's types.
    pub fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    patient_file::read(path, FILE_BYTES_MAX).map_err(|fault| format!("{} {fault}", path.display()))
}
