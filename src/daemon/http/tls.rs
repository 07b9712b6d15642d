//! TLS on the port: the configuration of rustls. Certificates are looked up for each connection, so a renewed certificate needs
//! no restart.

use crate::settings::Protection;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, NoServerSessionStorage, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use std::{fmt, sync::Arc};

/// The configuration of rustls for this protection; `None` if it has no TLS.
///
/// # Errors
/// None, if the web-config file was checked.
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
    // A resumed session would skip the check of the client's certificate against a renewed CA.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Some(config))
}

/// Gives rustls the newest certificates.
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
        clients.ok_or_else(|| rustls::Error::General("no CA for clients".into()))
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
        // Only hints. They would have to be borrowed, which a CA that can be renewed does not allow.
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
