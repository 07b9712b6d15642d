//! A connection of which the server sees only the head of the first request, and for routes that take one a short body. What
//! follows is not passed on, such as a second request: actix-http decodes all requests in its buffer at once, at several
//! kilobytes each, so a client that pipelines thousands of them could fill the daemon's memory.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// Longest head of a request, in bytes, as in nginx and Apache; Prometheus sends a few hundred.
pub(super) const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How many bytes a client may send after the head and still reliably get its answer: closing a socket with unread bytes
/// discards what is still being sent. A client that sends more is not waited for.
const LEFT_BYTES_MAX: usize = 16 * 1024;
/// How long to wait for those bytes.
const LEFT_DEADLINE: Duration = Duration::from_secs(1);
/// Bytes per read, on the stack.
const PART_BYTES: usize = 2 * 1024;
const TOO_LONG: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The stream, up to the end of the first request's head.
pub(super) struct OneRequest<S> {
    stream: S,
    head: Head,
    /// How many bytes after the head are passed on, if the request can have a body.
    body_bytes_max: usize,
    /// What remains to be sent about a head that is too long; the server never sees it.
    refusal: &'static [u8],
    /// Bytes after the head that were read and dropped.
    left: usize,
    /// Set once our half is closed and the client's half is waited for.
    closing: Option<Pin<Box<Sleep>>>,
}

/// How much of the head was read.
enum Head {
    Reading { line: RequestLine, bytes: usize, may_have_body: bool },
    Over,
}

/// The state of the current line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestLine {
    /// Empty, and so were all lines before it: empty lines before a request do not end the head.
    First,
    /// Empty.
    Empty,
    /// Not empty.
    Filled,
}

impl RequestLine {
    /// After how many of these bytes the head ends, or else the state of the line that they leave open. The rule is that of the
    /// parser, httparse: LF ends a line, and a CR may precede it.
    fn after(self, bytes: &[u8]) -> Result<usize, Self> {
        let mut line = self;
        for (at, byte) in bytes.iter().enumerate() {
            line = match (byte, line) {
                (b'\n', Self::Empty) => return Ok(at + 1),
                (b'\n', Self::Filled) => Self::Empty,
                (b'\n' | b'\r', same) => same,
                _ => Self::Filled,
            };
        }
        Err(line)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> OneRequest<S> {
    /// Reads nothing yet.
    pub fn new(stream: S, body_bytes_max: usize) -> Self {
        Self {
            stream,
            head: Head::Reading { line: RequestLine::First, bytes: 0, may_have_body: false },
            body_bytes_max,
            refusal: &[],
            left: 0,
            closing: None,
        }
    }

    /// Reads at most this many bytes; none at the end of the stream.
    fn poll_part<'p>(
        &mut self,
        cx: &mut Context<'_>,
        part: &'p mut [u8; PART_BYTES],
        most: usize,
    ) -> Poll<io::Result<&'p [u8]>> {
        let most = most.min(PART_BYTES);
        let mut buffer = ReadBuf::new(&mut part[..most]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let length = buffer.filled().len();
        Poll::Ready(Ok(&part[..length]))
    }

    /// Drops what the client sent after the head; ready once the client closed its half or sent too much.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut part = [0; PART_BYTES];
        while self.left < LEFT_BYTES_MAX {
            match ready!(self.poll_part(cx, &mut part, PART_BYTES)) {
                Ok(bytes) if !bytes.is_empty() => self.left += bytes.len(),
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.refusal))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.refusal = &self.refusal[written..];
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for OneRequest<S> {
    /// Ends after the head, as if the client had closed its half.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Head::Reading { line, bytes: before, may_have_body } = self.head else {
            let most = out.remaining().min(self.body_bytes_max);
            if most > 0 {
                let mut part = [0; PART_BYTES];
                let part = ready!(self.poll_part(cx, &mut part, most))?;
                self.body_bytes_max -= part.len();
                out.put_slice(part);
                return Poll::Ready(Ok(()));
            }
            // Only what has arrived already: the answer must not wait for it.
            let _ = self.poll_left(cx);
            return Poll::Ready(Ok(()));
        };
        let mut part = [0; PART_BYTES];
        let most = out.remaining().min(HEAD_BYTES_MAX - before);
        let part = ready!(self.poll_part(cx, &mut part, most))?;
        let bytes = before + part.len();
        // POST, PUT and PATCH, and nothing else that has a body.
        let first = part.iter().find(|byte| !matches!(byte, b'\r' | b'\n')).filter(|_| line == RequestLine::First);
        let may_have_body = first.map_or(may_have_body, |byte| *byte == b'P');
        match line.after(part) {
            Ok(end) => {
                self.head = Head::Over;
                self.body_bytes_max = if may_have_body { self.body_bytes_max } else { 0 };
                let end_of_body = part.len().min(end + self.body_bytes_max);
                self.body_bytes_max -= end_of_body - end;
                self.left = part.len() - end_of_body;
                out.put_slice(&part[..end_of_body]);
            }
            Err(_) if bytes >= HEAD_BYTES_MAX => {
                self.head = Head::Over;
                self.body_bytes_max = 0;
                self.refusal = TOO_LONG;
            }
            Err(line) => {
                self.head = Head::Reading { line, bytes, may_have_body };
                out.put_slice(part);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for OneRequest<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The server answers itself: the head was invalid before it was too long.
        self.refusal = &[];
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our half, and waits shortly for the client's half if it sent too much.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closing.is_none() {
            ready!(self.poll_refuse(cx))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        let is_gone = self.poll_left(cx).is_ready();
        let has_sent_too_much = self.left > 0;
        if is_gone || !has_sent_too_much {
            return Poll::Ready(Ok(()));
        }
        self.closing.get_or_insert_with(|| Box::pin(sleep(LEFT_DEADLINE))).as_mut().poll(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of the head, which must not depend on how the bytes are split.
    fn head(text: &str) -> Option<usize> {
        let whole = RequestLine::First.after(text.as_bytes()).ok();
        let mut line = RequestLine::First;
        for (at, byte) in text.bytes().enumerate() {
            match line.after(&[byte]) {
                Ok(_) => {
                    assert_eq!(whole, Some(at + 1), "{text:?}");
                    return whole;
                }
                Err(open) => line = open,
            }
        }
        assert_eq!(whole, None, "{text:?}");
        None
    }

    #[test]
    fn a_head_ends_where_the_parser_ends_it() {
        for (text, rest) in [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET /2"),
            ("GET / HTTP/1.1\nHost: x\n\n", "\n"),
            ("GET / HTTP/1.1\r\nHost: x\n\r\n", "\r\n\r\n"),
            ("GET / HTTP/1.1\nHost: x\r\n\n", "x"),
            ("\r\n\r\n\nGET / HTTP/1.0\r\n\r\n", "body"),
        ] {
            assert_eq!(head(&format!("{text}{rest}")), Some(text.len()), "{text:?}");
            assert_eq!(head(&text[..text.len() - 1]), None, "{text:?}");
        }
        for open in ["", "\r\n\r\n\r\n", "GET / HTTP/1.1\r\n \r\n", "GET / HTTP/1.1\r\n\t\n"] {
            assert_eq!(head(open), None, "{open:?}");
        }
    }
}
