//! TLS on the port: certificates from their files, and the settings of rustls. What a connection is shown is read anew
//! for each, so that a renewed certificate needs no restart.

use super::{protection::Protection, web_config::TlsConfig};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use std::{fmt, fs::File, io::Read, path::Path, sync::Arc};

/// A certificate chain has some kilobytes; a bundle of every public authority has 250.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What the files of a [`TlsConfig`] hold.
pub(super) struct Material {
    certified: Arc<CertifiedKey>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Material {
    /// Reads the files.
    ///
    /// # Errors
    /// The key whose file is at fault, the file, and what is wrong with it.
    pub fn read(config: &TlsConfig) -> Result<Self, String> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates("cert_file", &config.cert_file)?;
        let key = PrivateKeyDer::from_pem_slice(&read("key_file", &config.key_file)?).map_err(|_| {
            let file = config.key_file.display();
            format!("tls_server_config.key_file: {file} has no private key in PEM that is not encrypted")
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| {
            let file = config.key_file.display();
            format!("tls_server_config.key_file: {file} does not go with the certificate of cert_file: {error}")
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
        true => Err(format!("tls_server_config.{key}: {} holds no certificates in PEM", path.display())),
        false => Ok(found),
    }
}

/// The settings of rustls for this protection, or `None` if it has no TLS.
///
/// # Errors
/// None that the checks of the file have let through.
pub(super) fn server_config(protection: &Protection) -> Result<Option<ServerConfig>, rustls::Error> {
    let Some(tls) = protection.tls() else { return Ok(None) };
    let spoken: &[&SupportedProtocolVersion] = match (tls.tls12, tls.tls13) {
        (true, false) => &[&TLS12],
        (false, true) => &[&TLS13],
        _ => &[&TLS13, &TLS12],
    };
    let provider = Arc::new(ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(spoken)?;
    let newest = |required| Newest { protection: protection.clone(), required, schemes };
    let builder = match &tls.clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::new(newest(clients.required))),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::new(Newest::resolver(protection)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A session taken up again would skip the check of a client's certificate against a renewed authority.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Some(config))
}

/// Answers rustls with what was read last.
struct Newest {
    protection: Protection,
    required: bool,
    schemes: Vec<SignatureScheme>,
}

impl Newest {
    fn resolver(protection: &Protection) -> Self {
        Self { protection: protection.clone(), required: false, schemes: Vec::new() }
    }

    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        let state = self.protection.state();
        let clients = state.tls.as_ref().and_then(|material| material.clients.clone());
        clients.ok_or_else(|| rustls::Error::General("no authority for clients".into()))
    }
}

impl fmt::Debug for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Newest")
    }
}

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.protection.state().tls.as_ref().map(|material| material.certified.clone())
    }
}

impl ClientCertVerifier for Newest {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // Hints only; those of an authority that may be renewed cannot be lent out.
        &[]
    }

    fn verify_client_cert(
        &self,
        client: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verifier()?.verify_client_cert(client, chain, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, client, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        client: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, client, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
