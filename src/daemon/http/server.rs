//! The server behind the port: each connection, plain or behind a TLS handshake, is one request with one deadline over
//! all of it. HTTP is put together from the parts of actix-web, whose own server would read on behind the first request
//! and wait for ever for a client that does not read.
//!
//! A connection costs at most 16 KiB of buffer for its head ([`HEAD_BYTES_MAX`](super::one_request::HEAD_BYTES_MAX)) and
//! 32 KiB for its answer ([`ANSWER_BYTES`]); behind TLS as much again for the records, or 64 KiB of a handshake that
//! never ends; and in the kernel twice [`RECEIVE_BYTES`] and twice [`SEND_BYTES`]. The text of the metrics is shared by
//! all that ask within the same second.

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

/// Of an answer, in bytes: as much is encoded before the client has to read.
pub(super) const ANSWER_BYTES: usize = 16 * 1024;
/// What the kernel keeps of a client's bytes that nobody reads, in bytes; it doubles this for its own upkeep.
const RECEIVE_BYTES: u32 = 16 * 1024;
/// What the kernel keeps of an answer that the client does not read, likewise.
const SEND_BYTES: u32 = 32 * 1024;
/// Connections above [`HttpConfig::connections_max`] that are accepted while older ones are closed for them.
const NEWCOMERS: usize = 16;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;
/// How long a client that does not hang up is waited for after an answer with bytes of its request unread.
const DISCONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// A connection that is ready for HTTP.
trait Line: AsyncRead + AsyncWrite {}
impl<S: AsyncRead + AsyncWrite> Line for S {}
type BoxedLine = Pin<Box<dyn Line>>;

/// Binds the address and makes the server: one worker, [`HttpConfig::connections_max`] at a time.
///
/// # Errors
/// When the address cannot be bound.
pub(super) fn serve<F, I, S, B>(
    config: &HttpConfig,
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
    let listener = listen(&config.host, config.port)?;
    let address = listener.local_addr()?;
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
            let open = fn_service(move |stream: TcpStream| open(stream, acceptor.clone(), head_deadline));
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
                // What is dropped here is closed, whatever it still waited for.
                async move { served.await.and_then(Result::ok).unwrap_or(Err(DispatchError::DisconnectTimeout)) }
            })
        })?
        .run();
    Ok((server, address))
}

/// Listens on the first address of the host that can be bound.
fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
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
    // What it accepts inherits both.
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.set_send_buffer_size(SEND_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// A connection up to its first byte of HTTP. A handshake has as long as a head; zero is no deadline of its own.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    deadline: Duration,
) -> Result<(OneRequest<BoxedLine>, Option<SocketAddr>), DispatchError> {
    // An answer must not wait for the scraper's delayed ACK; where it cannot be set, it only does.
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
    Ok((OneRequest::new(line), peer))
}
