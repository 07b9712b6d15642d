//! Why etcd gave no usable answer.

use crate::adapters::http::HttpError;

/// Why etcd gave no usable answer. Never contains a password or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// No connection, no answer in time, or a status other than 200.
    #[error("{endpoint}: {error}")]
    Http {
        /// The endpoint that was tried last.
        endpoint: String,
        /// Its error.
        error: HttpError,
    },
    /// The answer cannot be read.
    #[error("{endpoint}: the answer is not etcd's: {detail}")]
    Unreadable {
        /// The endpoint.
        endpoint: String,
        /// What is wrong.
        detail: String,
    },
    /// The login failed.
    #[error("the login of user {user} failed: {detail}")]
    Login {
        /// The user.
        user: String,
        /// What is wrong.
        detail: String,
    },
}
