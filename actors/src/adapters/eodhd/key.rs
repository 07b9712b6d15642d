//! The API token: where it comes from, and how it stays out of everything but one request header.

use awc::http::header::HeaderValue;
use std::{fmt, fs::File, io::Read, path::PathBuf};

/// Longest token file that is read, in bytes.
const TOKEN_BYTES_MAX: u64 = 4_096;
/// A shorter beginning of the token at a cut is no secret.
const TELLING_CHARS_MIN: usize = 4;

/// Where the token comes from. Its `Debug` never shows the token.
#[derive(Clone)]
pub enum ApiToken {
    /// The token itself.
    Value(String),
    /// A file, read again for each cycle: a token can be rotated without a restart.
    File(PathBuf),
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value([redacted])"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Why there is no token. Names the file, never its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the API token from {path:?}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// There is no token in it.
    #[error("the API token is empty")]
    Empty,
    /// It cannot be sent in a header.
    #[error("the API token is too long or has characters that no header may have")]
    Unusable,
}

impl ApiToken {
    /// The token as of now.
    ///
    /// # Errors
    /// A file that cannot be read, an empty token, one that no header can carry.
    pub fn read(&self) -> Result<ApiKey, TokenError> {
        let text = match self {
            Self::Value(token) => token.clone(),
            Self::File(path) => {
                let mut text = String::new();
                File::open(path)
                    .and_then(|file| file.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text))
                    .map_err(|error| TokenError::Unreadable { path: path.clone(), cause: error.to_string() })?;
                text
            }
        };
        ApiKey::new(text.trim())
    }
}

/// A token that can be sent.
#[derive(Clone)]
pub struct ApiKey {
    token: String,
    header: HeaderValue,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey([redacted])")
    }
}

impl ApiKey {
    fn new(token: &str) -> Result<Self, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Empty);
        }
        let header = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        let mut header = header.filter(|_| token.len() as u64 <= TOKEN_BYTES_MAX).ok_or(TokenError::Unusable)?;
        header.set_sensitive(true);
        Ok(Self { token: token.to_owned(), header })
    }

    /// Value of the `Authorization` header.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// `text` without the token: a server may repeat it in an error, and errors are logged. An excerpt can end in the
    /// middle of the token, so a beginning of it at the end of `text` goes, too.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.replace(&self.token, "[redacted]");
        let cuts = self.token.char_indices().map(|(at, _)| at).rev();
        let beginnings = cuts.filter(|at| *at >= TELLING_CHARS_MIN).map(|at| &self.token[..at]);
        if let Some(cut) = beginnings.into_iter().find(|beginning| clean.ends_with(*beginning)) {
            clean.truncate(clean.len() - cut.len());
            clean.push_str("[redacted]");
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "canary-5f3e9a";

    #[test]
    fn the_token_shows_in_no_debug_text() {
        let token = ApiToken::Value(CANARY.into());
        let key = token.read().unwrap();
        let shown = format!("{token:?} {key:?} {:?}", key.header());
        assert!(!shown.contains(CANARY), "{shown}");
        assert_eq!(key.header().as_bytes(), format!("Bearer {CANARY}").as_bytes());
    }

    #[test]
    fn an_answer_that_repeats_the_token_is_redacted_even_where_it_is_cut() {
        let key = ApiToken::Value(CANARY.into()).read().unwrap();
        assert_eq!(key.redact("bad key canary-5f3e9a!"), "bad key [redacted]!");
        assert_eq!(key.redact("bad key canary-5f"), "bad key [redacted]");
        assert_eq!(key.redact("no key in the can"), "no key in the can");
    }

    #[test]
    fn an_empty_or_unsendable_token_is_no_token() {
        let read = |token: &str| ApiToken::Value(token.into()).read().unwrap_err();
        assert_eq!(read(" \n"), TokenError::Empty);
        assert_eq!(read("two\nlines"), TokenError::Unusable);
        assert_eq!(read(&"x".repeat(5_000)), TokenError::Unusable);
        let absent = ApiToken::File("/nonexistent/token".into());
        assert!(matches!(absent.read(), Err(TokenError::Unreadable { .. })));
    }
}
