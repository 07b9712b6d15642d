//! Sends the dead-man ping: where its URL comes from, and one GET to it. The Deadman uses it.
//!
//! Every part of the URL except its scheme may be secret, so no error or log line contains a part of it.

use super::{
    http::{self, Client, HttpError},
    json::without_bom,
};
use awc::http::Uri;
use std::{fmt, fs::File, io::Read, path::PathBuf, time::Duration};

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// How much of the URL's file is read: a URL and white space around it.
const FILE_BYTES_MAX: u64 = 8_192;
/// Shorter parts of the URL are not hidden: they occur in any text and are not secret.
const TELLING_BYTES_MIN: usize = 4;

/// Where the URL comes from. Its `Debug` never shows the URL.
#[derive(Clone)]
pub enum UrlSource {
    /// The URL itself.
    Value(String),
    /// A file. It is read for each ping, so the URL can be changed without a restart.
    File(PathBuf),
}

impl fmt::Debug for UrlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// What is wrong with a URL. Never contains the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// Empty, or only white space.
    #[error("is empty")]
    Empty,
    /// Neither `http://HOST` nor `https://HOST`, or not one line of printable ASCII.
    #[error("must be one line, an http:// or https:// URL such as https://hc-ping.com/your-uuid")]
    NoUrl,
    /// `user:password@`.
    #[error("must contain no user and no password: services take a secret in the path")]
    Login,
    /// Longer than any URL.
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
}

/// Why a ping failed. Never contains the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PingError {
    /// The file with the URL cannot be read.
    #[error("{path:?} cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: String,
    },
    /// The text is not a valid URL.
    #[error("the URL {0}")]
    Fault(UrlFault),
    /// The server answered with a redirect; redirects are not followed.
    #[error("status {0}: redirects are not followed; set the URL to which it redirects")]
    Redirect(u16),
    /// The server answered with another status that is not 2xx.
    #[error("status {0}")]
    Status(u16),
    /// No answer.
    #[error("{0}")]
    NoAnswer(String),
}

impl UrlSource {
    /// The URL as of now.
    ///
    /// # Errors
    /// The file cannot be read, or its text is not a valid URL.
    pub fn read(&self) -> Result<String, PingError> {
        let bytes = match self {
            Self::Value(url) => url.clone().into_bytes(),
            Self::File(path) => {
                let mut bytes = Vec::new();
                File::open(path)
                    .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
                    .map_err(|error| PingError::Unreadable { path: path.clone(), cause: error.to_string() })?;
                bytes
            }
        };
        url_in(&bytes).map(str::to_owned).map_err(PingError::Fault)
    }
}

/// The URL in a text. White space around it and a byte order mark before it are ignored.
fn url_in(bytes: &[u8]) -> Result<&str, UrlFault> {
    let url = str::from_utf8(without_bom(bytes)).map_err(|_| UrlFault::NoUrl)?.trim();
    if url.is_empty() {
        return Err(UrlFault::Empty);
    }
    if url.len() > URL_BYTES_MAX {
        return Err(UrlFault::TooLong);
    }
    // A fragment is never sent, so a URL with a fragment is probably a mistake.
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains('#') {
        return Err(UrlFault::NoUrl);
    }
    let uri = url.parse::<Uri>().map_err(|_| UrlFault::NoUrl)?;
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(UrlFault::NoUrl);
    };
    if authority.as_str().contains('@') {
        return Err(UrlFault::Login);
    }
    // For an invalid port the library returns no port, and the default port would be used.
    let has_port = authority.as_str().len() > authority.host().len();
    let is_usable = !authority.host().is_empty() && (!has_port || uri.port_u16().is_some_and(|port| port > 0));
    if is_usable { Ok(url) } else { Err(UrlFault::NoUrl) }
}

/// Sends the pings, each on a new connection.
pub struct Pinger {
    source: UrlSource,
    deadline: Duration,
    /// The client for the last URL, kept so that the trusted roots are read only once.
    client: Option<(String, Client)>,
}

impl Pinger {
    /// A new one; `deadline` is for a whole ping.
    pub const fn new(source: UrlSource, deadline: Duration) -> Self {
        Self { source, deadline, client: None }
    }

    /// One GET. Any 2xx is a success. The body is not read.
    ///
    /// # Errors
    /// See [`PingError`].
    pub async fn ping(&mut self) -> Result<(), PingError> {
        let url = self.source.read()?;
        let said = |error: &str| PingError::NoAnswer(redacted(error, &url));
        let client = match self.client.take() {
            Some((last, client)) if last == url => client,
            _ => Client::new(&url).map_err(|error| said(&error.to_string()))?,
        };
        let asked = http::within(self.deadline, http::status(client.get(&url))).await;
        self.client = Some((url.clone(), client));
        match asked {
            Ok(200..=299) => Ok(()),
            Ok(status @ 300..=399) => Err(PingError::Redirect(status)),
            Ok(status) => Err(PingError::Status(status)),
            Err(error @ HttpError::Timeout { .. }) => Err(PingError::NoAnswer(error.to_string())),
            Err(error) => Err(said(&error.to_string())),
        }
    }
}

/// `text` without any part of the URL: TLS errors contain the host, and a library's error may contain more.
fn redacted(text: &str, url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let parts = rest.split(['/', '?', '&', '=', ':']);
    let mut parts: Vec<_> =
        [url, rest].into_iter().chain(parts).filter(|part| part.len() >= TELLING_BYTES_MIN).collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    parts.iter().fold(text.to_owned(), |text, part| text.replace(part, "[redacted]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_http_or_https_without_a_login() {
        for url in [
            "https://hc-ping.com/5d0c9a7e",
            "http://172.19.141.254:9115/probe?module=inf",
            " \u{feff}https://hub.example:8443/x@y\n".trim_start(),
            "http://[::1]:80/",
            "HTTPS://host",
        ] {
            assert_eq!(url_in(url.as_bytes()), Ok(url.trim_start_matches('\u{feff}').trim()), "{url}");
        }
        let long = format!("https://host/{}", "x".repeat(3_000));
        for (url, fault) in [
            ("", UrlFault::Empty),
            (" \n", UrlFault::Empty),
            ("hc-ping.com/5d0c9a7e", UrlFault::NoUrl),
            ("ftp://host/5d0c9a7e", UrlFault::NoUrl),
            ("<redacted>", UrlFault::NoUrl),
            ("\"https://host/5d0c9a7e\"", UrlFault::NoUrl),
            ("https://host/5d0c9a7e\nhttps://host/2", UrlFault::NoUrl),
            ("https://host/5d0c9a7e#now", UrlFault::NoUrl),
            ("https://host:99999/5d0c9a7e", UrlFault::NoUrl),
            ("https://host:0/5d0c9a7e", UrlFault::NoUrl),
            ("https://", UrlFault::NoUrl),
            ("https://:80/5d0c9a7e", UrlFault::NoUrl),
            ("https://alice:5d0c9a7e@host/", UrlFault::Login),
            (&long, UrlFault::TooLong),
        ] {
            assert_eq!(url_in(url.as_bytes()), Err(fault), "{url}");
            assert!(!fault.to_string().contains("5d0c9a7e"));
        }
        assert_eq!(url_in(b"\xff\xfeh\0"), Err(UrlFault::NoUrl));
    }

    #[test]
    fn no_part_of_the_url_is_in_an_error_or_a_debug_text() {
        let url = "https://5d0c9a7e.example:8443/ping/secret-1?key=secret-2";
        let text = format!("cannot reach {url}: not valid for name \"5d0c9a7e.example\", /ping/secret-1 key=secret-2");
        let clean = redacted(&text, url);
        for part in ["5d0c9a7e", "secret"] {
            assert!(!clean.contains(part), "{clean}");
        }
        assert!(clean.contains("cannot reach") && clean.contains("not valid for name"), "{clean}");
        assert_eq!(format!("{:?}", UrlSource::Value(url.into())), "Value([redacted])");
    }
}
