//! Sends a query to a gateway: the handshake before any order, the account, the positions. A query has one deadline, from
//! connecting to the reply.

use super::{BadReply, Dialect, DialectKind, GatewaySocket, Peer, Query, QueryAnswer, SocketError};
use crate::domain::clock::Clock;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Largest difference between the gateway's clock and ours. An order's signature is valid for only 5 s.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(2);

/// A gateway that answered in its dialect, and whose clock is close to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// From the completed send to the reply.
    pub roundtrip: Duration,
    /// The gateway's clock minus ours, in milliseconds; `None` if it does not report its time.
    pub clock_skew_ms: Option<i64>,
}

/// Why a query was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing was sent.
    #[error("{dialect} has no query for this that is known to be harmless")]
    NoRequest {
        /// The dialect.
        dialect: DialectKind,
    },
    /// No connection was made; nothing was sent.
    #[error("no gateway within {} ms", deadline.as_millis())]
    NoGateway {
        /// The time that was waited.
        deadline: Duration,
    },
    /// The gateway accepted the request but did not answer.
    #[error("no reply within {} ms", deadline.as_millis())]
    NoReply {
        /// The time that was waited, including connecting.
        deadline: Duration,
    },
    /// Error of libzmq or the system.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The reply is not a success in this dialect.
    #[error("{reason}")]
    BadReply {
        /// What is wrong with it.
        reason: BadReply,
        /// From the completed send to the reply.
        roundtrip: Duration,
    },
}

/// Why a handshake did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// There is no valid reply.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It answers in its dialect, but its time cannot be read.
    #[error("{reason}")]
    BadTime {
        /// The text of its time.
        reason: BadReply,
        /// From the completed send to the reply.
        roundtrip: Duration,
    },
    /// The clocks differ by more than [`CLOCK_SKEW_MAX`].
    #[error("the gateway's clock is off by {skew_ms} ms")]
    ClockSkew {
        /// The gateway's clock minus ours, in milliseconds.
        skew_ms: i64,
        /// From the completed send to the reply.
        roundtrip: Duration,
    },
}

impl QueryError {
    /// Short name of the error, from a fixed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoRequest { .. } => "no_handshake",
            Self::NoGateway { .. } => "no_gateway",
            Self::NoReply { .. } => "timeout",
            Self::Socket(_) => "socket",
            Self::BadReply { .. } => "bad_reply",
        }
    }
}

impl HandshakeError {
    /// Short name of the error, from a fixed set.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Query(error) => error.kind(),
            Self::BadTime { .. } => "bad_reply",
            Self::ClockSkew { .. } => "clock_skew",
        }
    }
}

/// Checks that the gateway answers, speaks this dialect, and has the right time. Needs a tokio runtime.
///
/// # Errors
/// Any reason for which the gateway must not get orders.
pub async fn run(
    dialect: &dyn Dialect,
    peer: &Peer,
    deadline: Duration,
    clock: &dyn Clock,
) -> Result<Handshake, HandshakeError> {
    let Answered { answer, roundtrip, received_at } = ask(dialect, Query::Handshake, peer, deadline, clock).await?;
    if answer.looks_like_a_trade() {
        let reason =
            "it looks like an executed order: check the account, because this gateway may trade on any message";
        return Err(QueryError::BadReply { reason: BadReply::new(reason), roundtrip }.into());
    }
    // The gateway read its clock at some time between the two moments; the middle is the best estimate.
    let skew_ms = |server: Duration| millis(server) - millis(received_at.saturating_sub(roundtrip / 2));
    let clock_skew_ms =
        answer.server_time().map_err(|reason| HandshakeError::BadTime { reason, roundtrip })?.map(skew_ms);
    match clock_skew_ms {
        Some(skew_ms) if u128::from(skew_ms.unsigned_abs()) > CLOCK_SKEW_MAX.as_millis() => {
            Err(HandshakeError::ClockSkew { skew_ms, roundtrip })
        }
        _ => Ok(Handshake { roundtrip, clock_skew_ms }),
    }
}

/// An answer and when it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The gateway's answer.
    pub answer: QueryAnswer,
    /// From the completed send to the reply.
    pub roundtrip: Duration,
    /// Our wall clock when the reply arrived, as time since the unix epoch.
    pub received_at: Duration,
}

/// Sends one query to the gateway. Needs a tokio runtime.
///
/// # Errors
/// There is no successful reply to exactly this query within the deadline.
pub async fn ask(
    dialect: &dyn Dialect,
    query: Query,
    peer: &Peer,
    deadline: Duration,
    clock: &dyn Clock,
) -> Result<Answered, QueryError> {
    let ends_at = Instant::now() + deadline;
    let connecting = GatewaySocket::connect(peer)?;
    ask_on(connecting, dialect, query, (ends_at, deadline), clock).await.map(|(answered, _)| answered)
}

/// Sends one query on a socket that is connecting or known to be good, and returns the socket for the next request.
///
/// # Errors
/// There is no successful reply to exactly this query before `ends_at`, which is `deadline` after the start.
pub async fn ask_on(
    socket: GatewaySocket,
    dialect: &dyn Dialect,
    query: Query,
    (ends_at, deadline): (Instant, Duration),
    clock: &dyn Clock,
) -> Result<(Answered, GatewaySocket), QueryError> {
    let id = Uuid::new_v4();
    let request = dialect.ask(query, id, clock.now()).ok_or(QueryError::NoRequest { dialect: dialect.kind() })?;
    let sending = socket.send(request);
    let awaiting = timeout_at(ends_at, sending).await.map_err(|_| QueryError::NoGateway { deadline })??;
    let sent_at = Instant::now();
    let replied = timeout_at(ends_at, awaiting.reply()).await.map_err(|_| QueryError::NoReply { deadline })?;
    let (roundtrip, received_at) = (sent_at.elapsed(), clock.now());
    // A number of frames other than one comes from a peer that does not speak the dialect.
    let (reply, socket) = match replied {
        Ok(replied) => replied,
        Err(error @ SocketError::Frames(_)) => {
            return Err(QueryError::BadReply { reason: BadReply::new(&error.to_string()), roundtrip });
        }
        Err(error) => return Err(error.into()),
    };
    let answer = dialect.answer(query, id, &reply);
    let answer = answer.map_err(|reason| QueryError::BadReply { reason, roundtrip })?;
    Ok((Answered { answer, roundtrip, received_at }, socket))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
