//! The server of the port: each connection, with or without TLS, is one request with one deadline for everything. It is built
//! from the parts of actix-web, because actix-web's own server would continue to read after the first request and would wait
//! forever for a client that does not read.
//!
//! A connection needs at most 16 KiB of buffer for its head ([`HEAD_BYTES_MAX`](super::one_request::HEAD_BYTES_MAX)) and
//! 32 KiB for its answer ([`ANSWER_BYTES`]); with TLS the same again for the records, or 64 KiB for a handshake that never ends;
//! and in the kernel twice [`RECEIVE_BYTES`] and twice [`SEND_BYTES`]. All requests within the same second share the text of the
//! metrics.

use super::{HttpConfig, STOP_DEADLINE_S, connection_slots::ConnectionSlots, one_request::OneRequest};
use actix_http::{HttpService, Request, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, apply_fn_factory, fn_service, map_config};
use actix_web::{
    Error,
    body::MessageBody,
    dev::{AppConfig, Response, Server, Service},
    http::KeepAlive,
    rt::net::TcpStream,
};
use rustls::ServerConfig;
use std::{
    fmt, io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Bytes of an answer that are encoded before the client has to read.
pub(in super::super) const ANSWER_BYTES: usize = 16 * 1024;
/// Size of the kernel's receive buffer, in bytes; the kernel doubles it for its own overhead.
const RECEIVE_BYTES: u32 = 16 * 1024;
/// Size of the kernel's send buffer, in bytes; likewise.
const SEND_BYTES: u32 = 32 * 1024;
/// Connections above [`HttpConfig::connections_max`] that are accepted while the oldest ones are being closed.
const NEWCOMERS: usize = 16;
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long to wait for a client to disconnect after an answer, if bytes of its request are unread.
const DISCONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// A connection that is ready for HTTP, with or without TLS.
trait Line: AsyncRead + AsyncWrite {}
impl<S: AsyncRead + AsyncWrite> Line for S {}
type BoxedLine = Pin<Box<dyn Line>>;

/// Creates the server of a bound address: one worker, and [`HttpConfig::connections_max`] connections at a time.
///
/// # Errors
/// When the system refuses to use the listener.
pub(in super::super) fn serve<F, I, S, B>(
    config: &HttpConfig,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    app: F,
) -> io::Result<(Server, SocketAddr)>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let body_bytes_max = config.body_bytes_max;
    let (head_deadline, deadline, most) = (config.header_deadline, config.connection_deadline, config.connections_max);
    let acceptor = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
    let server = Server::build()
        .workers(1)
        .max_concurrent_connections(most + NEWCOMERS)
        .shutdown_timeout(STOP_DEADLINE_S)
        .disable_signals()
        .listen("http", listener, move || {
            let acceptor = acceptor.clone();
            let is_secure = acceptor.is_some();
            let open =
                fn_service(move |stream: TcpStream| open(stream, acceptor.clone(), head_deadline, body_bytes_max));
            let app = app().into_factory().map_err(|error: S::Error| error.into().error_response());
            let http = HttpService::build()
                .keep_alive(KeepAlive::Disabled)
                .client_request_timeout(head_deadline)
                .client_disconnect_timeout(DISCONNECT_DEADLINE)
                .h1_write_buffer_size(ANSWER_BYTES)
                .local_addr(address);
            let http = if is_secure { http.secure() } else { http };
            let http = http.h1(map_config(app, |()| AppConfig::default()));
            let slots = ConnectionSlots::new(most);
            apply_fn_factory(open.and_then(http), move |stream, line| {
                let served = slots.take().serve(timeout(deadline, line.call(stream)));
                // Dropping the connection closes it, whatever it is waiting for.
                async move { served.await.and_then(Result::ok).unwrap_or(Err(DispatchError::DisconnectTimeout)) }
            })
        })?
        .run();
    Ok((server, address))
}

/// Listens on the first address of the host that can be bound.
///
/// # Errors
/// When none can be bound.
pub(in super::super) fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut failure = io::Error::other("the host has no address");
    for address in (host, port).to_socket_addrs()? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit both.
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.set_send_buffer_size(SEND_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Prepares a connection for HTTP. A TLS handshake has the same deadline as a head; zero is no deadline.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    deadline: Duration,
    body_bytes_max: usize,
) -> Result<(OneRequest<BoxedLine>, Option<SocketAddr>), DispatchError> {
    // An answer must not wait for the client's delayed ACK. If this fails, answers are only slower.
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok();
    let line: BoxedLine = match acceptor {
        None => Box::pin(stream),
        Some(acceptor) => {
            let handshake = acceptor.accept_with(stream, |session| session.set_buffer_limit(Some(ANSWER_BYTES / 2)));
            let shaken = match deadline.is_zero() {
                true => handshake.await,
                false => timeout(deadline, handshake).await.unwrap_or(Err(io::ErrorKind::TimedOut.into())),
            };
            Box::pin(shaken.map_err(DispatchError::Io)?)
        }
    };
    Ok((OneRequest::new(line, body_bytes_max), peer))
}
