//! The MetaTrader gateway on ZeroMQ. Used by the SignalSender and `sentinel verify`.
//!
//! - [`dialects`] - the request for an order in each dialect, and what a reply to it proves
//! - [`queries`] - the requests that do not trade, and their answers
//! - [`handshake`] - sends a query; the handshake is the query before the first order
//! - `reply` - how a reply is read, and whether it contradicts itself
//! - `return_codes` - MQL5's list of return codes
//! - [`socket`], [`curve`] - the REQ socket, and its encryption

pub mod curve;
pub mod dialects;
pub mod handshake;
pub mod queries;
mod reply;
mod return_codes;
pub mod socket;

pub use curve::CurveKeys;
pub use dialects::{Dialect, DialectKind, DialectParams, Verdict, dialect};
pub use queries::{AccountState, Query, QueryAnswer};
pub use reply::BadReply;
pub use socket::{AwaitingReply, GatewaySocket, Peer, REPLY_BYTES_MAX, SocketError};
