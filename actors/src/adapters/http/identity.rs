//! The certificate that a client presents to a server that requires one.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{fs::File, io::Read, path::Path, sync::Arc};

/// A certificate chain has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A certificate chain and its private key.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
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

    /// Both, in rustls's types.
    pub fn parts(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (self.chain.clone(), self.key.clone_key())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map(|_| bytes).map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
