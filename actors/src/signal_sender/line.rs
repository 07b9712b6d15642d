//! The line to the gateway: one order out, its reply in, all within a deadline. One line serves one cycle.

use super::Config;
use crate::{
    adapters::{
        gateway::{AwaitingReply, GatewaySocket},
        inflight::Endpoint,
    },
    domain::{
        desk::{Fate, GatewayPort},
        guard::Suppression,
        order::{Order, Outcome},
    },
};
use tokio::time::{Instant, timeout_at};

/// The line of one cycle.
pub(super) struct Line<'a> {
    config: &'a Config,
    /// A socket that is beyond doubt, if there is one.
    socket: Option<GatewaySocket>,
    /// The gateway took no order within its deadline; the rest of the cycle does not wait for it again.
    is_gateway_absent: bool,
}

impl GatewayPort for Line<'_> {
    fn is_stopping(&self) -> bool {
        self.config.shutdown.is_cancelled()
    }

    async fn exchange(&mut self, order: &Order) -> Result<Fate, Suppression> {
        if self.is_gateway_absent {
            return Ok(not_sent("the gateway did not take the order before this one".into()));
        }
        let fate = self.send(order).await?;
        self.is_gateway_absent = matches!(fate.outcome, Outcome::NotSent { .. });
        Ok(fate)
    }
}

impl<'a> Line<'a> {
    /// A line that starts with the socket opened for the cycle, if there is one.
    pub(super) const fn new(config: &'a Config, socket: Option<GatewaySocket>) -> Self {
        Self { config, socket, is_gateway_absent: false }
    }

    /// Sends the order and waits for its reply, all within the deadline. Shutdown ends it only before the send.
    async fn send(&mut self, order: &Order) -> Result<Fate, Suppression> {
        let config = self.config;
        let started = Instant::now();
        let deadline = started + config.deadline;
        let request = config.dialect.open_order(order, config.clock.now());
        let socket_of_cycle = self.socket.take();
        let send = async {
            let connecting = socket_of_cycle.map_or_else(|| GatewaySocket::connect(&config.peer), Ok)?;
            connecting.send(request).await
        };
        let sent = tokio::select! {
            // In this order: a send that has just completed counts, even if the shutdown came in the same moment.
            biased;
            sent = timeout_at(deadline, send) => sent,
            () = config.shutdown.cancelled() => return Err(Suppression::Shutdown),
        };
        let awaiting = match sent {
            Ok(Ok(awaiting)) => awaiting,
            Ok(Err(error)) => return Ok(not_sent(error.to_string())),
            Err(_) => {
                let (address, deadline) = (&config.peer.address, config.deadline);
                return Ok(not_sent(format!("no gateway at {address} within {} ms", deadline.as_millis())));
            }
        };
        let _inflight = config.inflight.enter(Endpoint::Gateway);
        Ok(self.fate(order, awaiting, started, deadline).await)
    }

    /// What the reply to a sent order proves; a socket that is beyond doubt is kept for the next order.
    async fn fate(&mut self, order: &Order, awaiting: AwaitingReply, started: Instant, deadline: Instant) -> Fate {
        let sent_at = Instant::now();
        let (reply, next) = match timeout_at(deadline, awaiting.reply()).await {
            Ok(Ok(replied)) => replied,
            Ok(Err(error)) => return unknown(error.to_string()),
            Err(_) => return unknown(format!("no reply within {} ms", self.config.deadline.as_millis())),
        };
        let replied_at = Instant::now();
        let dialect = &self.config.dialect;
        let verdict = dialect.classify(order, &reply);
        if !verdict.is_ours {
            return Fate::without_reply(verdict.outcome);
        }
        if dialect.echoes_id() && !matches!(verdict.outcome, Outcome::Unknown { .. }) {
            self.socket = Some(next);
        }
        Fate {
            outcome: verdict.outcome,
            send_latency: Some(replied_at - started),
            gateway_roundtrip: Some(replied_at - sent_at),
        }
    }
}

const fn not_sent(reason: String) -> Fate {
    Fate::without_reply(Outcome::NotSent { reason })
}

const fn unknown(reason: String) -> Fate {
    Fate::without_reply(Outcome::Unknown { reason })
}
