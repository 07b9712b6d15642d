//! One connection: DNS, TCP, TLS if needed, and a stream that skips interim answers. awc's own connector cannot skip them,
//! and would keep the connection.

use super::{dns_cache::DnsCache, interim_responses::Interim};
use actix_rt::net::{ActixStream, Ready};
use actix_service::{Service, always_ready};
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use rustls::{ClientConfig, pki_types::ServerName};
use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
/// Bytes read at a time until the answer begins.
const CHUNK_BYTES: usize = 4_096;

/// Connects to the host of a URI, with or without TLS. The scheme of the URI does not matter.
#[derive(Clone)]
pub struct Dial {
    /// `None` is plain TCP.
    pub tls: Option<Arc<ClientConfig>>,
    /// The cached addresses.
    pub addresses: Arc<DnsCache>,
}

impl Service<ConnectInfo<Uri>> for Dial {
    type Response = Connection<Uri, Stream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    always_ready!();

    fn call(&self, info: ConnectInfo<Uri>) -> Self::Future {
        let (dial, uri) = (self.clone(), info.request().clone());
        Box::pin(async move {
            let stream = dial.connect(&uri).await.map_err(ConnectError::Io)?;
            Ok(Connection::new(uri, stream))
        })
    }
}

impl Dial {
    async fn connect(self, uri: &Uri) -> io::Result<Stream> {
        // In a URI an IPv6 address is in brackets, which are not part of it.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(if self.tls.is_some() { HTTPS_PORT } else { HTTP_PORT });
        let tcp = self.addresses.connect(host, port).await?;
        // Head and body are written separately. The body must not wait until the head is acknowledged.
        tcp.set_nodelay(true)?;
        let socket = match self.tls {
            None => Socket::Plain(tcp),
            Some(config) => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                Socket::Tls(Box::new(TlsConnector::from(config).connect(name, tcp).await?))
            }
        };
        Ok(Stream { socket, interim: Some(Interim::default()), begun: Bytes::new(), has_asked: false })
    }
}

#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

/// A connection from which awc reads the answer's head first, never an interim one.
pub struct Stream {
    socket: Socket,
    /// `Some` until the answer begins.
    interim: Option<Interim>,
    /// The answer's first bytes, until they are read.
    begun: Bytes,
    /// Whether any part of the request was sent.
    has_asked: bool,
}

impl Stream {
    /// Fails if the server has already sent something: it cannot be an answer to this request. Bytes that are still on the
    /// way now cannot be distinguished from an answer.
    fn hear_nothing_yet(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut chunk = [0; 1];
        let mut chunk = ReadBuf::new(&mut chunk);
        match self.socket.poll_read(cx, &mut chunk) {
            Poll::Pending => Ok(()),
            Poll::Ready(read) => {
                read?;
                let error = if chunk.filled().is_empty() {
                    io::Error::from(io::ErrorKind::ConnectionReset)
                } else {
                    io::Error::new(io::ErrorKind::InvalidData, "an answer came before the request was sent")
                };
                Err(error)
            }
        }
    }

    /// Reads until the answer has begun or the connection has ended.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(interim) = &mut self.interim {
            let mut chunk = [0; CHUNK_BYTES];
            let mut chunk = ReadBuf::new(&mut chunk);
            ready!(self.socket.poll_read(cx, &mut chunk))?;
            let begun = match chunk.filled() {
                [] => Some(interim.rest()),
                bytes => interim.push(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            };
            if let Some(begun) = begun {
                (self.begun, self.interim) = (begun.into(), None);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_begin(cx))?;
        if this.begun.is_empty() {
            return this.socket.poll_read(cx, buf);
        }
        let room = buf.remaining().min(this.begun.len());
        buf.put_slice(&this.begun.split_to(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.has_asked, true) {
            this.hear_nothing_yet(cx)?;
        }
        match &mut this.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Socket::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Socket::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Socket::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl ActixStream for Stream {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.socket.tcp(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.socket.tcp(), cx)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, io::Write, net::TcpListener, thread, time::Duration};

    #[actix::test]
    async fn a_peer_that_speaks_before_it_is_asked_is_not_heard() {
        for speaks in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let uri: Uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
            let peer = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                if speaks {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
                thread::sleep(Duration::from_millis(300));
            });
            let dial = Dial { tls: None, addresses: Arc::default() };
            let mut stream = dial.connect(&uri).await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            let sent = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"GET / HTTP/1.1\r\n\r\n")).await;
            assert_eq!(sent.is_err_and(|error| error.kind() == io::ErrorKind::InvalidData), speaks);
            peer.join().unwrap();
        }
    }
}
