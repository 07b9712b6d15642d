//! The REQ socket. A request that was not passed to a connected gateway is dropped with its socket and never delivered later.
//! A request that was passed is answered on this socket or never.

use super::CurveKeys;
use std::sync::LazyLock;
use tmq::{
    Context, Message, Multipart, TmqError,
    request_reply::{RequestReceiver, RequestSender, request},
};

/// Longest accepted reply, in bytes. If a gateway sends more, libzmq closes the connection.
pub const REPLY_BYTES_MAX: i64 = 65_536;

/// One context for the whole process, never destroyed: destroying a context waits for its I/O thread, which may be resolving
/// a name, and would block the exit.
static CONTEXT: LazyLock<Context> = LazyLock::new(Context::new);

/// Why a socket operation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// Error of libzmq or the system.
    #[error("{0}")]
    Zmq(String),
    /// A reply must be exactly one frame.
    #[error("a reply of {0} frames")]
    Frames(usize),
}

impl From<TmqError> for SocketError {
    fn from(error: TmqError) -> Self {
        Self::Zmq(error.to_string())
    }
}

/// The gateway's address and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `tcp://host:port`; an IPv6 address in brackets. A name is resolved to IPv4.
    pub address: String,
    /// Keys of an encrypted connection; `None`: not encrypted.
    pub curve: Option<CurveKeys>,
}

impl Peer {
    /// A gateway without encryption.
    pub fn plain(address: &str) -> Self {
        Self { address: address.to_owned(), curve: None }
    }
}

/// A socket that is connecting or connected, ready for one request.
pub struct GatewaySocket(RequestSender);

impl GatewaySocket {
    /// Starts connecting and returns at once. Needs a tokio runtime.
    ///
    /// # Errors
    /// The address is invalid, the system allows no more sockets, or there are keys but libzmq does not support CURVE. An
    /// absent gateway is not an error here. Nor are other keys at the gateway; then no connection is ever made.
    pub fn connect(peer: &Peer) -> Result<Self, SocketError> {
        let mut socket = request(&CONTEXT)
            // Without these two options an order would still be delivered if the gateway appears after our deadline.
            .set_linger(0)
            .set_immediate(true)
            .set_sndhwm(1)
            .set_rcvhwm(1)
            .set_maxmsgsize(REPLY_BYTES_MAX)
            // Only if an address needs it: with this option libzmq would resolve a name to IPv6 first, and try nothing else.
            .set_ipv6(peer.address.contains("://["));
        if let Some(keys) = &peer.curve {
            socket = socket
                .set_curve_serverkey(keys.server.expose())
                .set_curve_publickey(keys.public.expose())
                .set_curve_secretkey(keys.secret.expose());
        }
        Ok(Self(socket.connect(&peer.address)?))
    }

    /// Passes the request to a connected gateway, and waits for the connection if necessary. If this future is dropped before
    /// it completes, nothing was sent and nothing will be sent.
    ///
    /// # Errors
    /// libzmq refuses; nothing was sent in this case, too.
    pub async fn send(self, body: Vec<u8>) -> Result<AwaitingReply, SocketError> {
        Ok(AwaitingReply(self.0.send(Multipart::from(Message::from(body))).await?))
    }
}

/// A socket whose request was sent.
pub struct AwaitingReply(RequestReceiver);

impl AwaitingReply {
    /// The reply, and the socket for the next request.
    ///
    /// # Errors
    /// The reply is not exactly one frame, or libzmq fails.
    pub async fn reply(self) -> Result<(Vec<u8>, GatewaySocket), SocketError> {
        let (mut frames, socket) = self.0.recv().await?;
        match (frames.pop_front(), frames.len()) {
            (Some(frame), 0) => Ok((frame.to_vec(), GatewaySocket(socket))),
            (first, rest) => Err(SocketError::Frames(usize::from(first.is_some()) + rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::curve::{self, CurveKey, Half},
        *,
    };

    #[actix::test]
    async fn a_bad_address_is_an_error_and_an_absent_gateway_is_not() {
        assert!(GatewaySocket::connect(&Peer::plain("localhost")).is_err());
        assert!(GatewaySocket::connect(&Peer::plain("tcp://127.0.0.1:9")).is_ok());
    }

    #[actix::test]
    async fn a_gateway_is_reached_at_an_ipv6_address() {
        let server = zmq::Context::new().socket(zmq::REP).unwrap();
        server.set_ipv6(true).unwrap();
        server.set_rcvtimeo(5_000).unwrap();
        server.bind("tcp://[::1]:*").unwrap();
        let address = server.get_last_endpoint().unwrap().unwrap();
        assert!(address.starts_with("tcp://[::1]:"), "{address}");
        let gateway = std::thread::spawn(move || {
            let request = server.recv_bytes(0).unwrap();
            server.send(request, 0).unwrap();
            // With `immediate`, libzmq drops a reply that was not read before the gateway closed its connection.
            server
        });
        let answered = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            let socket = GatewaySocket::connect(&Peer::plain(&address)).unwrap();
            socket.send(b"hello".to_vec()).await.unwrap().reply().await.unwrap().0
        });
        assert_eq!(answered.await.unwrap(), b"hello");
        gateway.join().unwrap();
    }

    #[actix::test]
    async fn keys_that_libzmq_cannot_use_are_an_error_and_never_an_open_line() {
        let key = || CurveKey::parse("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", Half::Public).unwrap();
        let curve = Some(CurveKeys { server: key(), public: key(), secret: key() });
        let peer = Peer { curve, ..Peer::plain("tcp://127.0.0.1:9") };
        assert_eq!(GatewaySocket::connect(&peer).is_ok(), curve::is_available());
    }
}
