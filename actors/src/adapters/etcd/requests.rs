//! A request to one of the endpoints, and the login that it may need.

use super::{Etcd, EtcdError, json::Token, password_in};
use crate::{
    adapters::{
        http::{self, HttpError},
        json::without_bom,
    },
    domain::sanitize::one_line,
};
use awc::http::header;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An answer has a few hundred bytes; in shared mode a few thousand, and one more for each claim without an outcome.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

impl Etcd {
    pub(super) fn request(&self, index: usize, path: &str) -> awc::ClientRequest {
        let url = format!("{}{path}", self.config.endpoints[index]);
        let request = self.clients[index].post(&url).insert_header((header::CONTENT_TYPE, "application/json"));
        match &self.token {
            Some(token) => request.insert_header((header::AUTHORIZATION, token.as_str())),
            None => request,
        }
    }

    /// Asks the endpoints in turn, beginning with the one that answered last. A request that was lost may be repeated: each is
    /// made so that it does nothing a second time.
    pub(super) async fn call<T: DeserializeOwned>(&mut self, path: &str, body: &Value) -> Result<T, EtcdError> {
        let body = Bytes::from(body.to_string());
        if self.config.login.is_some() && self.token.is_none() {
            self.log_in().await?;
        }
        let answered = self.call_any(path, &body).await;
        // A token lives for minutes and ends when etcd restarts. To an old one etcd answers 400 or 401; 3.4 and 3.5 close the
        // connection without a word (etcd-io/etcd#15256).
        if answered.is_ok() || self.config.login.is_none() || !self.is_token_doubted {
            return answered;
        }
        self.log_in().await?;
        let again = self.call_any(path, &body).await;
        if again.is_err() && self.is_token_doubted {
            self.token = None;
        }
        again
    }

    async fn call_any<T: DeserializeOwned>(&mut self, path: &str, body: &Bytes) -> Result<T, EtcdError> {
        let (mut last_error, first) = (None, self.current);
        self.is_token_doubted = false;
        for offset in 0..self.clients.len() {
            let index = (first + offset) % self.clients.len();
            let endpoint = self.config.endpoints[index].clone();
            let sent = http::post(self.request(index, path), body.clone(), BODY_BYTES_MAX, error_text);
            match http::within(self.config.patience, sent).await {
                Ok(answer) => match parsed(&endpoint, &answer) {
                    Ok(answer) => {
                        self.current = index;
                        return Ok(answer);
                    }
                    Err(error) => last_error = Some(error),
                },
                Err(error) => {
                    // Another endpoint would say the same about the request itself, if it is etcd that says it.
                    let is_final =
                        matches!(&error, HttpError::Status { status: 400..=499, body, .. } if is_etcds(body));
                    self.is_token_doubted |=
                        matches!(error, HttpError::Status { status: 400..=499, .. } | HttpError::Broken(_));
                    last_error = Some(EtcdError::Http { endpoint, error });
                    if is_final {
                        break;
                    }
                }
            }
        }
        Err(last_error.unwrap_or_else(|| self.unreadable("there is no endpoint")))
    }

    async fn log_in(&mut self) -> Result<(), EtcdError> {
        let (Some((user, _)), Some(file)) = (self.config.login.clone(), &mut self.password) else { return Ok(()) };
        self.token = None;
        let failed = |detail: String| EtcdError::Login { user: user.clone(), detail };
        let password = file.read_within(self.config.patience).await.and_then(|bytes| password_in(&bytes));
        let password = password.map_err(|fault| failed(format!("the password file {fault}")))?;
        let body = Bytes::from(json!({"name": user, "password": password}).to_string());
        let token = self.call_any::<Token>("/v3/auth/authenticate", &body).await;
        match token.map(|token| token.token) {
            Ok(Some(token)) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                self.token = Some(token);
                Ok(())
            }
            Ok(_) => Err(failed("etcd answered without a token".into())),
            Err(EtcdError::Http { error: HttpError::Status { body, .. }, .. })
                if body.contains("authentication is not enabled") =>
            {
                Err(failed("etcd has no authentication switched on; remove cluster.user, or switch it on".into()))
            }
            Err(EtcdError::Http { error: HttpError::Status { status: 400 | 401, .. }, .. }) => {
                Err(failed("etcd refused the user or the password".into()))
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error's text is etcd's own, and not that of a proxy or of another service.
pub(super) fn is_etcds(error: &str) -> bool {
    error.starts_with("etcdserver: ")
}

pub(super) fn parsed<T: DeserializeOwned>(endpoint: &str, body: &[u8]) -> Result<T, EtcdError> {
    serde_json::from_slice(without_bom(body))
        .map_err(|error| EtcdError::Unreadable { endpoint: endpoint.to_owned(), detail: one_line(&error.to_string()) })
}

fn error_text(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Error {
        error: String,
    }
    serde_json::from_slice::<Error>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |error| error.error)
}
