//! The API token: where it comes from, and how it is kept out of everything except one request header.

use crate::adapters::json::without_bom;
use awc::http::header::HeaderValue;
use std::{fmt, fs::File, io::Read, path::PathBuf};

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4_096;
/// How much of a token file is read: a token and white space around it.
const FILE_BYTES_MAX: u64 = 16_384;
/// The text that replaces a secret when settings are printed.
const REDACTED: &str = "<redacted>";
/// A shorter beginning of the token at the end of an excerpt is not secret.
const TELLING_CHARS_MIN: usize = 4;

/// Where the token comes from. Its `Debug` never shows the token.
#[derive(Clone)]
pub enum ApiToken {
    /// The token itself.
    Value(String),
    /// A file. It is read in each cycle, so the token can be changed without a restart.
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

/// Why there is no token. Contains the path of the file, never its content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the API token from {path:?}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        cause: String,
    },
    /// The text is not a valid token.
    #[error("the API token {0}")]
    Fault(TokenFault),
}

/// What is wrong with the text of a token from a file or the environment. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Empty, or only white space.
    #[error("is empty")]
    Empty,
    /// Not UTF-8; for example UTF-16.
    #[error("is not UTF-8: save its file as plain text")]
    NotText,
    /// Quotes at the beginning or the end.
    #[error("is in quotes: write it without")]
    Quoted,
    /// `NAME=value`.
    #[error("is a line NAME=value: write only the part after the equals sign")]
    Assignment,
    /// The text that replaces a secret in printed settings.
    #[error("is what `sentinel check` prints instead of a token, not the token itself")]
    Redacted,
    /// Several words or lines, control characters, or letters beyond ASCII.
    #[error("must be printable ASCII without spaces, on one line")]
    Unprintable,
    /// Longer than any token.
    #[error("is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
}

impl ApiToken {
    /// The token as of now.
    ///
    /// # Errors
    /// The file cannot be read, or its text is not a valid token: see [`TokenFault`].
    pub fn read(&self) -> Result<ApiKey, TokenError> {
        let bytes = match self {
            Self::Value(token) => token.clone().into_bytes(),
            Self::File(path) => {
                let mut bytes = Vec::new();
                File::open(path)
                    .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
                    .map_err(|error| TokenError::Unreadable { path: path.clone(), cause: error.to_string() })?;
                bytes
            }
        };
        ApiKey::new(&bytes).map_err(TokenError::Fault)
    }
}

/// The token in a text. White space around it and a byte order mark before it are ignored. Quotes or a name before it are
/// refused, not removed, because they may be part of the token.
fn token_in(bytes: &[u8]) -> Result<&str, TokenFault> {
    let text = str::from_utf8(without_bom(bytes)).map_err(|_| TokenFault::NotText)?;
    let token = text.trim();
    let is_quote = |c: char| "\"'`\u{b4}\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201c}\u{201d}\u{201e}".contains(c);
    if token.is_empty() {
        Err(TokenFault::Empty)
    } else if token.len() > TOKEN_BYTES_MAX {
        Err(TokenFault::TooLong)
    } else if is_assignment(token) {
        Err(TokenFault::Assignment)
    } else if token.starts_with(is_quote) || token.ends_with(is_quote) {
        Err(TokenFault::Quoted)
    } else if token == REDACTED {
        Err(TokenFault::Redacted)
    } else if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err(TokenFault::Unprintable)
    } else {
        Ok(token)
    }
}

/// Whether it is `NAME=value`, as in a file of variables, with or without `export`. Equals signs at the end are a token's
/// padding.
fn is_assignment(token: &str) -> bool {
    let line = token.strip_prefix("export ").unwrap_or(token).trim_start();
    line.split_once('=').is_some_and(|(name, value)| {
        let name = name.trim_end();
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !value.chars().all(|c| c == '=')
    })
}

/// A valid token.
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
    fn new(text: &[u8]) -> Result<Self, TokenFault> {
        let token = token_in(text)?;
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| TokenFault::Unprintable)?;
        header.set_sensitive(true);
        Ok(Self { token: token.to_owned(), header })
    }

    /// Value of the `Authorization` header.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// `text` without the token. A server may repeat the token in an error, and errors are logged. An excerpt may end in the
    /// middle of the token, so a beginning of the token at the end of `text` is removed, too.
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
    fn one_rule_holds_for_a_file_and_for_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let long = "x".repeat(5_000);
        for (text, wanted) in [
            (CANARY, Ok(CANARY)),
            (" \tcanary-5f3e9a\r\n\n", Ok(CANARY)),
            ("\u{feff}canary-5f3e9a\n", Ok(CANARY)),
            ("00123", Ok("00123")),
            ("Y2FuYXJ5==", Ok("Y2FuYXJ5==")),
            ("5f.3e=9a", Ok("5f.3e=9a")),
            ("", Err(TokenFault::Empty)),
            (" \n", Err(TokenFault::Empty)),
            ("\u{feff}\n", Err(TokenFault::Empty)),
            ("\"canary-5f3e9a\"", Err(TokenFault::Quoted)),
            ("'canary-5f3e9a'\n", Err(TokenFault::Quoted)),
            ("canary-5f3e9a'", Err(TokenFault::Quoted)),
            ("\u{201c}canary-5f3e9a\u{201d}", Err(TokenFault::Quoted)),
            ("EODHD_API_TOKEN=canary-5f3e9a", Err(TokenFault::Assignment)),
            ("EODHD_API_TOKEN='canary-5f3e9a'", Err(TokenFault::Assignment)),
            ("export TOKEN=canary-5f3e9a", Err(TokenFault::Assignment)),
            ("api_token = canary-5f3e9a", Err(TokenFault::Assignment)),
            ("canary 5f3e9a", Err(TokenFault::Unprintable)),
            ("canary\n5f3e9a", Err(TokenFault::Unprintable)),
            ("canary\u{0}5f3e9a", Err(TokenFault::Unprintable)),
            ("can\u{e4}ry-5f3e9a", Err(TokenFault::Unprintable)),
            ("canary\u{200b}", Err(TokenFault::Unprintable)),
            ("<redacted>", Err(TokenFault::Redacted)),
            (&long, Err(TokenFault::TooLong)),
        ] {
            std::fs::write(&path, text).unwrap();
            for token in [ApiToken::Value(text.into()), ApiToken::File(path.clone())] {
                let read = token.read();
                let found = read.as_ref().map(|key| key.token.as_str()).map_err(Clone::clone);
                assert_eq!(found, wanted.map_err(TokenError::Fault), "{text:?}");
                let said = read.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(!said.contains("5f3e9a"), "{said}");
            }
        }
        std::fs::write(&path, b"\xff\xfec\0a\0").unwrap();
        let utf_16 = ApiToken::File(path).read();
        assert_eq!(utf_16.err(), Some(TokenError::Fault(TokenFault::NotText)));
        let absent = ApiToken::File("/nonexistent/token".into());
        assert!(matches!(absent.read(), Err(TokenError::Unreadable { .. })));
    }
}
