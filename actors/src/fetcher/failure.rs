//! Why a symbol has no usable bars in a cycle, the name of each error, and whether it concerns the symbol or the endpoint.

use crate::{
    adapters::{
        eodhd::{AnswerError, TokenError},
        http::HttpError,
    },
    domain::{breaker::CallEnd, window::BarFault},
};
use std::time::Duration;

/// Why a symbol has no usable bars in a cycle.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FetchError {
    /// No complete answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// An answer without rows.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The first answer has rows, but no closed bar, or it has no rows.
    #[error("no closed bar in the answer")]
    NoBars,
    /// Bars that cannot be used for a decision.
    #[error(transparent)]
    Bars(#[from] BarFault),
    /// Bars are missing among those that the model sees, and [`OnGap::Stop`](super::OnGap::Stop) is set.
    #[error("bars are missing from {from} to {to}, and data.on_gap is stop")]
    Gap {
        /// Unix seconds.
        from: i64,
        /// Unix seconds.
        to: i64,
    },
    /// No key.
    #[error(transparent)]
    NoKey(#[from] TokenError),
    /// No HTTP client.
    #[error("cannot build the HTTP client: {0}")]
    NoClient(String),
    /// The endpoint's breaker is open; no request was made.
    #[error("too many requests failed in a row, so no request is made for a while")]
    Breaker,
    /// The provider asked for a pause; no request was made.
    #[error("the provider asked for a pause, {} s are left", .wait.as_secs())]
    RateLimited {
        /// The rest of the pause.
        wait: Duration,
    },
}

impl FetchError {
    /// Short name for logs, `/health` and metric labels, from a fixed set.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(error) => error.error_code(),
            Self::Answer(AnswerError::BadShape(_)) => "bad_shape",
            Self::Answer(AnswerError::Empty) | Self::NoBars => "empty_response",
            Self::Bars(fault) => fault.kind(),
            Self::Gap { .. } => "gap",
            Self::NoKey(_) => "no_api_key",
            Self::NoClient(_) => "connect",
            Self::Breaker => "breaker",
            Self::RateLimited { .. } => "rate_limited",
        }
    }

    /// What a request with this error says about the endpoint. Unusable rows concern only this symbol.
    pub const fn call_end(&self) -> CallEnd {
        match self {
            Self::Http(error) => error.call_end(),
            Self::Answer(_) => CallEnd::Refused,
            _ => CallEnd::Failed,
        }
    }

    /// Whether there was an answer and all of it was refused.
    pub(super) const fn discards_answer(&self) -> bool {
        match self {
            Self::Answer(AnswerError::BadShape(_)) => true,
            Self::Bars(fault) => fault.refuses_answer().is_some(),
            _ => false,
        }
    }
}
