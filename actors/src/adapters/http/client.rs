//! The client of one server, and the rule that pairs an answer with its request: every request has a connection of its
//! own, so that nothing a peer sends before, behind or instead of an answer can reach another request.

use super::{dns_cache::DnsCache, identity::Identity, transport::Dial};
use awc::{
    ClientRequest, Connector,
    http::{Method, Uri, header, uri::Scheme},
};
use rustls::ClientConfig;
use std::{io, sync::Arc, time::Duration};

/// For name, TCP and TLS together; the deadline of the whole call ends it earlier.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes requests to one server. It holds the trusted roots, for a while the server's address, and no connection.
#[derive(Clone)]
pub struct Client {
    tls: Option<Arc<ClientConfig>>,
    addresses: Arc<DnsCache>,
}

impl Client {
    /// A client for URLs that begin with `base_url`. Only `https` loads the system's trusted roots.
    ///
    /// # Errors
    /// When `https` is asked for and the system has no trusted roots.
    pub fn new(base_url: &str) -> io::Result<Self> {
        Self::with_identity(base_url, None)
    }

    /// The same, with a certificate for a server that asks for one.
    ///
    /// # Errors
    /// As [`Client::new`], and when certificate and key do not go together.
    pub fn with_identity(base_url: &str, identity: Option<&Identity>) -> io::Result<Self> {
        let tls = if is_https(base_url) { Some(Arc::new(tls_config(identity)?)) } else { None };
        Ok(Self { tls, addresses: Arc::default() })
    }

    /// A client with a TLS configuration of its own, for `https` URLs.
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

    /// awc keeps a connection for the next request whatever `Connection: close` says, so each request gets an awc client
    /// of its own: what that client kept ends with it, and there is no second request that could find it.
    fn request(&self, method: Method, url: &str) -> ClientRequest {
        let (tls, url) = match &self.tls {
            // awc would put its own TLS around ours, so it is told http; the Host header is the same for both.
            Some(tls) if is_https(url) => (Some(tls.clone()), with_http(url)),
            _ => (None, url.to_owned()),
        };
        let dial = Dial { tls, addresses: self.addresses.clone() };
        let client = awc::Client::builder()
            .connector(Connector::new().connector(dial).timeout(CONNECT_TIMEOUT))
            // The deadline over the whole call is `within`; awc's own would end with the response head.
            .disable_timeout()
            .disable_redirects()
            .add_default_header((header::USER_AGENT, concat!("sentinel/", env!("CARGO_PKG_VERSION"))))
            .finish();
        // Said as well, so that the server does not wait for a second request.
        client.request(method, url).force_close()
    }
}

fn is_https(url: &str) -> bool {
    url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

/// The same URL with another scheme; one that cannot be parsed stays as it is, and awc says what is wrong with it.
fn with_http(url: &str) -> String {
    let Ok(uri) = url.parse::<Uri>() else { return url.to_owned() };
    let mut parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTP);
    Uri::from_parts(parts).map_or_else(|_| url.to_owned(), |uri| uri.to_string())
}

fn tls_config(identity: Option<&Identity>) -> io::Result<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        return Err(io::Error::other(
            "no trusted root certificates found: install ca-certificates or set SSL_CERT_FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let mut config = match identity.map(Identity::parts) {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?,
        None => builder.with_no_client_auth(),
    };
    // awc's HTTP/2 is h2 0.3, which has an open advisory: never offer it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
