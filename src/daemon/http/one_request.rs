//! A connection of which the server sees one request and nothing else: what comes behind the empty line that ends the
//! head is never handed on, neither a body, which nothing here has a use for, nor a second request. actix-http decodes
//! all requests that lie in its buffer at once, at kilobytes for each, so a client that sends a thousand of them in one
//! breath could fill the daemon's memory.

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

/// Longest head of a request, in bytes, as nginx and Apache have it; a scraper's has some hundred.
pub(super) const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How much a client may send behind its head and still get its answer for certain: a socket that is closed with bytes
/// unread takes back what is still under way. Who sends more is not waited for.
const LEFT_BYTES_MAX: usize = 16 * 1024;
/// How long those bytes are waited for.
const LEFT_DEADLINE: Duration = Duration::from_secs(1);
/// What is read in one go, on the stack.
const PART_BYTES: usize = 2 * 1024;
const TOO_LONG: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The stream, up to the end of its first request's head.
pub(super) struct OneRequest<S> {
    stream: S,
    head: Head,
    /// What is still to be said of a head that is too long; the server is never shown one.
    refusal: &'static [u8],
    /// Bytes behind the head that were read away.
    left: usize,
    /// Our half is closed, and the client's is waited for.
    closing: Option<Pin<Box<Sleep>>>,
}

/// How far the head has come.
enum Head {
    Reading { line: Line, bytes: usize },
    Over,
}

/// What the line that is being read has so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing, and no line before it had anything either: an empty line before a request does not end it.
    First,
    /// Nothing.
    Empty,
    /// Something.
    Filled,
}

impl Line {
    /// How many of these bytes the head ends with, or else the line that they leave open. The rule is that of the
    /// parser, httparse: LF ends a line, and a CR may stand before it.
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
    /// Nothing is read yet.
    pub fn new(stream: S) -> Self {
        Self { stream, head: Head::Reading { line: Line::First, bytes: 0 }, refusal: &[], left: 0, closing: None }
    }

    /// Reads a part of at most this many bytes, none at the end.
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

    /// Reads away what the client has sent too much; ready once it has hung up or has sent more than is borne with.
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
    /// Ends behind the head, as if the client had closed its half.
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Head::Reading { line, bytes: before } = self.head else {
            // Only what is there already: the answer must not wait for it.
            let _ = self.poll_left(cx);
            return Poll::Ready(Ok(()));
        };
        let mut part = [0; PART_BYTES];
        let most = out.remaining().min(HEAD_BYTES_MAX - before);
        let part = ready!(self.poll_part(cx, &mut part, most))?;
        let bytes = before + part.len();
        match line.after(part) {
            Ok(end) => {
                self.head = Head::Over;
                self.left = part.len() - end;
                out.put_slice(&part[..end]);
            }
            Err(_) if bytes >= HEAD_BYTES_MAX => {
                self.head = Head::Over;
                self.refusal = TOO_LONG;
            }
            Err(line) => {
                self.head = Head::Reading { line, bytes };
                out.put_slice(part);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for OneRequest<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // The server has an answer of its own, to a head that was wrong before it was too long.
        self.refusal = &[];
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes our half, and waits a moment for the client's if it has sent too much.
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

    /// The head's length that a client's bytes have, whatever parts they come in.
    fn head(text: &str) -> Option<usize> {
        let whole = Line::First.after(text.as_bytes()).ok();
        let mut line = Line::First;
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
