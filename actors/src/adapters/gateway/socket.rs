//! The REQ socket. A request that was not handed to a connected gateway is dropped with its socket and never
//! delivered later; a request that was, is answered on this socket or not at all.

use super::CurveKeys;
use std::sync::LazyLock;
use tmq::{
    Context, Message, Multipart, TmqError,
    request_reply::{RequestReceiver, RequestSender, request},
};

/// Longest reply accepted, in bytes; libzmq drops the connection of a gateway that sends more.
pub const REPLY_BYTES_MAX: i64 = 65_536;

/// One context for the whole process, never destroyed: ending a context waits for its I/O thread, which may be
/// resolving a name, and would hang the exit.
static CONTEXT: LazyLock<Context> = LazyLock::new(Context::new);

/// Why a socket did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// libzmq or the system said no.
    #[error("{0}")]
    Zmq(String),
    /// A reply is exactly one frame.
    #[error("a reply of {0} frames")]
    Frames(usize),
}

impl From<TmqError> for SocketError {
    fn from(error: TmqError) -> Self {
        Self::Zmq(error.to_string())
    }
}

/// Where the gateway is, and how it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// `tcp://host:port`; an IPv6 address in brackets. A name is looked up as IPv4.
    pub address: String,
    /// Keys of an encrypted line; `None`: an open one.
    pub curve: Option<CurveKeys>,
}

impl Peer {
    /// A gateway on an open line.
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
    /// When the address is not one, no more sockets can be made, or libzmq has no CURVE and there are keys; not when
    /// nobody is there, and not when the gateway has other keys: then the connection never comes about.
    pub fn connect(peer: &Peer) -> Result<Self, SocketError> {
        let mut socket = request(&CONTEXT)
            // Without these two an order would still be delivered when the gateway appears after our deadline.
            .set_linger(0)
            .set_immediate(true)
            .set_sndhwm(1)
            .set_rcvhwm(1)
            .set_maxmsgsize(REPLY_BYTES_MAX)
            // Only where an address needs it: with it libzmq would look a name up as IPv6 first and try nothing else.
            .set_ipv6(peer.address.contains("://["));
        if let Some(keys) = &peer.curve {
            socket = socket
                .set_curve_serverkey(keys.server.expose())
                .set_curve_publickey(keys.public.expose())
                .set_curve_secretkey(keys.secret.expose());
        }
        Ok(Self(socket.connect(&peer.address)?))
    }

    /// Hands the request to a connected gateway, waiting for the connection if need be. Dropping this future before
    /// it completes means that nothing was sent and nothing will be.
    ///
    /// # Errors
    /// When libzmq refuses; nothing was sent then either.
    pub async fn send(self, body: Vec<u8>) -> Result<AwaitingReply, SocketError> {
        Ok(AwaitingReply(self.0.send(Multipart::from(Message::from(body))).await?))
    }
}

/// A socket whose request is out.
pub struct AwaitingReply(RequestReceiver);

impl AwaitingReply {
    /// The reply, and the socket for a next request.
    ///
    /// # Errors
    /// When the reply is not exactly one frame, or libzmq fails.
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
        server.set_rcvtimeo(20_000).unwrap();
        server.bind("tcp://[::1]:*").unwrap();
        let address = server.get_last_endpoint().unwrap().unwrap();
        assert!(address.starts_with("tcp://[::1]:"), "{address}");
        let gateway = std::thread::spawn(move || {
            let request = server.recv_bytes(0).unwrap();
            server.send(request, 0).unwrap();
        });
        let answered = tokio::time::timeout(std::time::Duration::from_secs(20), async {
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
