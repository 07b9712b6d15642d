//! GET and POST with one deadline each; any status is an answer.

use crate::net::{self, NOT_A_URL, Origin};
use anyhow::Context as _;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use sentinel_actors::adapters::http::{self, Answer, HttpError, Identity};
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// Longest body that is read; the exposition of 1,000 symbols is a tenth of it.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The login or the client certificate for a page that requires one. The password comes only from a file, because a flag would
/// be in every process list.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Credentials {
    /// User name for a daemon that requires a password (metrics.web_config_file)
    #[arg(long, value_name = "NAME", requires = "password_file")]
    pub user: Option<String>,
    /// File with this user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Client certificate (PEM) for a daemon that requires one (client_auth_type)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Private key (PEM) of --cert
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// The `Content-Type` header, empty if there is none.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// From the first byte sent to the last byte read.
    pub took: Duration,
    /// When the first byte was sent, by the clock of this machine.
    pub sent_at: DateTime<Utc>,
    /// The `Date` header: whole seconds by the clock of the server.
    pub date: Option<DateTime<Utc>>,
}

impl Page {
    /// The body as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of one server. Certificates of `https` URLs are checked against the system's trusted roots, or those of
/// `SSL_CERT_FILE`.
pub struct Client {
    base_url: String,
    client: http::Client,
    login: Option<(String, String)>,
    deadline: Duration,
}

impl Client {
    /// A client of `base_url` (scheme, host and port; requested paths are appended to its path) with a deadline per request.
    ///
    /// # Errors
    /// When the URL is invalid, the password file or the certificate cannot be used, or the system has no trusted roots for
    /// `https`.
    pub fn new(base_url: &str, credentials: &Credentials, deadline: Duration) -> anyhow::Result<Self> {
        // Never shown, because the password would be on the screen and in the report.
        if base_url.contains('@') {
            anyhow::bail!(
                "the URL contains a user or a password: leave them out; --user and --password-file are for the daemon on INF"
            );
        }
        let base_url = net::without_metrics_path(base_url).to_owned();
        anyhow::ensure!(Origin::of(&base_url).is_some(), "{base_url:?} is {NOT_A_URL}");
        let login = match (&credentials.user, &credentials.password_file) {
            (Some(user), Some(path)) => {
                let password =
                    fs::read_to_string(path).with_context(|| format!("the password file {}", path.display()))?;
                Some((user.clone(), password.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned()))
            }
            _ => None,
        };
        let identity = match (&credentials.cert, &credentials.key) {
            (Some(cert), Some(key)) => Some(Identity::read(cert, key).map_err(anyhow::Error::msg)?),
            _ => None,
        };
        let client =
            http::Client::with_identity(&base_url, identity.as_ref()).context("cannot make an HTTPS client")?;
        Ok(Self { base_url, client, login, deadline })
    }

    /// Scheme, host and port, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether a user and a password are given.
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// GET of a path that begins with a slash; a non-empty `accept` is sent as `Accept`.
    ///
    /// # Errors
    /// When there is no complete answer in time.
    pub async fn get(&self, path: &str, accept: &str) -> Result<Page, HttpError> {
        let request = self.with_login(self.client.get(&format!("{}{path}", self.base_url)));
        let request = if accept.is_empty() { request } else { request.insert_header(("Accept", accept)) };
        self.page(http::fetch(request, None, BODY_BYTES_MAX)).await
    }

    /// GET of a path with parameters, which this function escapes.
    ///
    /// # Errors
    /// When there is no complete answer in time.
    pub async fn get_with(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Page, HttpError> {
        let request = self.with_login(self.client.get(&format!("{}{path}", self.base_url)));
        let request = request.query(&parameters).map_err(|error| HttpError::Broken(error.to_string()))?;
        self.page(http::fetch(request, None, BODY_BYTES_MAX)).await
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// When there is no complete answer in time.
    pub async fn post_json(&self, path: &str, body: String) -> Result<Page, HttpError> {
        let request = self.with_login(self.client.post(&format!("{}{path}", self.base_url)));
        let request = request.insert_header(("Content-Type", "application/json"));
        self.page(http::fetch(request, Some(body.into()), BODY_BYTES_MAX)).await
    }

    fn with_login(&self, request: awc::ClientRequest) -> awc::ClientRequest {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, password),
            None => request,
        }
    }

    async fn page(&self, call: impl Future<Output = Result<Answer, HttpError>>) -> Result<Page, HttpError> {
        let (began, sent_at) = (Instant::now(), Utc::now());
        let Answer { status, headers, content_type, body } = http::within(self.deadline, call).await?;
        let date = headers.get("Date").and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
        Ok(Page { status, content_type, body, took: began.elapsed(), sent_at, date: date.map(|date| date.to_utc()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_url_is_refused_with_the_right_form() {
        let client = |url| Client::new(url, &Credentials::default(), Duration::from_secs(1));
        for url in ["127.0.0.1:8000", "ftp://hub", "http://", "", "http:///metrics"] {
            let error = client(url).err().map(|error| error.to_string());
            assert!(error.is_some_and(|text| text.contains("http://HOST:PORT")), "{url}");
        }
        for url in ["http://127.0.0.1:8000/metrics", "http://127.0.0.1:8000/metrics/"] {
            assert_eq!(client(url).map(|it| it.base_url().to_owned()).ok().as_deref(), Some("http://127.0.0.1:8000"));
        }
        assert_eq!(
            client("http://127.0.0.1:8000/").ok().map(|it| it.base_url().to_owned()),
            Some("http://127.0.0.1:8000".into())
        );
    }

    #[test]
    fn a_url_with_a_password_is_refused_and_not_shown() {
        for url in ["http://alice:CANARY@hub:9090", "https://CANARY@hub", "http://a:CAN/ARY@hub", "alice:CANARY@hub"] {
            let error = Client::new(url, &Credentials::default(), Duration::from_secs(1)).err().unwrap().to_string();
            assert!(error.contains("--password-file") && !error.contains("CAN"), "{error}");
        }
    }

    #[test]
    fn a_missing_password_file_is_named() {
        let client =
            |credentials| Client::new("http://127.0.0.1:1", &credentials, Duration::from_secs(1)).err().unwrap();
        let (user, password_file) = (Some("hub".into()), Some("/nowhere/password".into()));
        let error = client(Credentials { user, password_file, ..Credentials::default() });
        assert!(format!("{error:#}").starts_with("the password file /nowhere/password: "), "{error:#}");
        let (cert, key) = (Some("/nowhere/cert.pem".into()), Some("/nowhere/key.pem".into()));
        let error = client(Credentials { cert, key, ..Credentials::default() });
        assert!(format!("{error:#}").starts_with("/nowhere/cert.pem cannot be read: "), "{error:#}");
    }
}
