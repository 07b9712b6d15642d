//! The client of one server. Every request has its own connection, so nothing that a server sends before, after or instead of
//! an answer can reach another request.

use super::{dns_cache::DnsCache, identity::Identity, transport::Dial};
use awc::{
    ClientRequest, Connector,
    http::{Method, Uri, header, uri::Scheme},
};
use rustls::{ClientConfig, RootCertStore};
use std::{io, sync::Arc, time::Duration};

/// For DNS, TCP and TLS together. The deadline of the whole call may end it earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes requests to one server. It keeps the trusted roots and, for a while, the server's address, but no connection.
#[derive(Clone)]
pub struct Client {
    tls: Option<Arc<ClientConfig>>,
    addresses: Arc<DnsCache>,
}

impl Client {
    /// A client for URLs that begin with `base_url`. Only `https` loads the system's trusted roots.
    ///
    /// # Errors
    /// `https` is used and the system has no trusted roots.
    pub fn new(base_url: &str) -> io::Result<Self> {
        Self::with_identity(base_url, None)
    }

    /// The same, with a certificate for a server that requires one.
    ///
    /// # Errors
    /// Like [`Client::new`]; or the certificate and the key do not belong together.
    pub fn with_identity(base_url: &str, identity: Option<&Identity>) -> io::Result<Self> {
        let tls = if is_https(base_url) { Some(tls_config(Arc::new(system_roots()?), identity)?) } else { None };
        Ok(Self { tls: tls.map(Arc::new), addresses: Arc::default() })
    }

    /// The same, with these roots instead of the system's.
    ///
    /// # Errors
    /// The certificate and the key do not belong together.
    pub fn with_authority(roots: Arc<RootCertStore>, identity: Option<&Identity>) -> io::Result<Self> {
        Ok(Self::with_tls(tls_config(roots, identity)?))
    }

    /// A client with a given TLS configuration, for `https` URLs.
    pub fn with_tls(config: ClientConfig) -> Self {
        Self { tls: Some(Arc::new(config)), addresses: Arc::default() }
    }

    /// A GET of this URL, ready to be sent.
    pub fn get(&self, url: &str) -> ClientRequest {
        self.request(Method::GET, url)
    }

    /// A POST to this URL, ready to be sent.
    pub fn post(&self, url: &str) -> ClientRequest {
        self.request(Method::POST, url)
    }

    /// awc keeps a connection for the next request even with `Connection: close`. So each request has its own awc client: its
    /// connection is closed with it, and no second request can use it.
    fn request(&self, method: Method, url: &str) -> ClientRequest {
        let (tls, url) = match &self.tls {
            // awc would add its own TLS around ours, so it gets an http URL. The Host header is the same for both.
            Some(tls) if is_https(url) => (Some(tls.clone()), with_http(url)),
            _ => (None, url.to_owned()),
        };
        let dial = Dial { tls, addresses: self.addresses.clone() };
        let client = awc::Client::builder()
            .connector(Connector::new().connector(dial).timeout(CONNECT_TIMEOUT))
            // `within` sets the deadline for the whole call. awc's own deadline would end with the head of the answer.
            .disable_timeout()
            .disable_redirects()
            .add_default_header((header::USER_AGENT, concat!("sentinel/", env!("CARGO_PKG_VERSION"))))
            .finish();
        // Sends `Connection: close`, so that the server does not wait for a second request.
        client.request(method, url).force_close()
    }
}

fn is_https(url: &str) -> bool {
    url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

/// The same URL with another scheme. A URL that cannot be parsed stays as it is; awc reports what is wrong with it.
fn with_http(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_owned() };
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).map_or_else(|_| url.to_owned(), |uri| uri.to_string())
}

fn system_roots() -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(io::Error::other(
            "no trusted root certificates found: install ca-certificates or set SSL_CERT_FILE",
        ));
    }
    Ok(roots)
}

fn tls_config(roots: Arc<RootCertStore>, identity: Option<&Identity>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = match identity.map(Identity::parts) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?,
        None => builder.with_no_client_auth(),
    };
    // awc's HTTP/2 is h2 0.3, which has an open advisory, so HTTP/2 is never offered.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
