//! A body that is encoded piece by piece, as the client reads it. Otherwise actix-http would copy the whole body into the buffer
//! of every connection, also for clients that do not read.

use super::server::ANSWER_BYTES;
use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};
use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

/// Bytes that all clones share.
pub(in super::super) struct SlicedBody(Bytes);

impl SlicedBody {
    /// A body with these bytes.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }
}

impl MessageBody for SlicedBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let next = ANSWER_BYTES.min(self.0.len());
        Poll::Ready((next > 0).then(|| Ok(self.0.split_to(next))))
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        if self.0.len() <= ANSWER_BYTES { Ok(self.0) } else { Err(self) }
    }
}
