//! One order on the wire: sent at most once, not after its age, its claim or a halt forbids it, and the outcome that its reply
//! proves.

use super::{Claims, Config, GatewaySession};
use crate::{
    adapters::{
        endpoint::Endpoint,
        fail_points::reach,
        gateway::{AwaitingReply, GatewaySocket},
    },
    domain::{
        clock::Expiry,
        cluster::shared::OrderClaim,
        guard::Suppression,
        names::{ActorName, DropReason},
        order::{Order, Outcome},
        order_manager::OrderResult,
    },
};
use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

/// How often the kill switch is checked while an order waits for a connection.
const HALT_PERIOD: Duration = Duration::from_millis(50);

/// Under what an order is sent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Permit<'a> {
    /// The claim on the account that the journal names, if there is one.
    Held(Option<i64>),
    /// A claim of its own.
    Claimed(&'a OrderClaim),
}

impl Permit<'_> {
    /// Why the order may not be sent at this moment; the first reason if there are several.
    fn objection(self, config: &Config, order: &Order, expiry: Expiry) -> Option<Suppression> {
        let authority = &config.authority;
        let claim = match self {
            // Another claim than the one that the journal names is none for this order.
            Self::Held(epoch) => {
                let is_held = authority.may_send() && authority.epoch(&order.symbol) == epoch;
                (!is_held).then_some(Suppression::NotHolder)
            }
            Self::Claimed(claim) => {
                config.claims.as_ref().map_or(Some(Suppression::NotHolder), |claims| claims.cell.objection(claim))
            }
        };
        let is_from_before = authority.bars_after().is_some_and(|until| order.bar_close_time <= until);
        let rules = [
            claim.filter(|reason| *reason != Suppression::ClaimLate),
            is_from_before.then_some(Suppression::BeforeTakeover),
            expiry.is_over(config.clock.moment()).then_some(Suppression::StaleDecision),
            claim,
        ];
        rules.into_iter().flatten().next()
    }
}

impl GatewaySession<'_> {
    /// Claims the order, and sends it if the claim is ours. Whatever comes of it is to be written to etcd.
    pub(super) async fn send_claimed(
        &mut self,
        order: &Order,
        expiry: Expiry,
        mut claim: OrderClaim,
        claims: &Mutex<Claims>,
    ) -> Result<OrderResult, Suppression> {
        let mut claims = claims.lock().await;
        claims.make(&mut claim).await?;
        let sent = self.send(order, expiry, Permit::Claimed(&claim)).await;
        match &sent {
            Ok(answer) => claims.ended(&claim, &answer.outcome),
            Err(reason) => claims.given_up(&claim, *reason),
        }
        sent
    }

    /// Sends the order and waits for its reply, all within the deadline. Shutdown cancels it only before the send.
    pub(super) async fn send(
        &mut self,
        order: &Order,
        expiry: Expiry,
        permit: Permit<'_>,
    ) -> Result<OrderResult, Suppression> {
        let config = self.config;
        let started = Instant::now();
        let deadline = started + config.deadline;
        let signed_at = config.clock.now();
        let request = match order.closes {
            None => config.dialect.open_order(order, signed_at),
            Some(ticket) => match config.dialect.close_position(order, ticket, signed_at) {
                Some(request) => request,
                None => return Ok(not_sent(format!("{} cannot close a position", config.dialect.kind()))),
            },
        };
        let socket_of_cycle = self.socket.take();
        reach("send.before");
        let mut send = pin!(async {
            let connecting = socket_of_cycle.map_or_else(|| GatewaySocket::connect(&config.peer), Ok)?;
            connecting.send(request).await
        });
        // Age and claim are checked before each step of the send: if the process was suspended while it waited for the
        // connection, it must not send an old order, or one of an account that it no longer holds, when it continues.
        let in_time = poll_fn(|cx| {
            if let Some(reason) = permit.objection(config, order, expiry) {
                return Poll::Ready(Err(reason));
            }
            send.as_mut().poll(cx).map(Ok)
        });
        let sent = tokio::select! {
            // In this order: a send that has just completed counts, even if shutdown begins at the same moment.
            biased;
            sent = timeout_at(deadline, in_time) => sent.map_or(Ok(None), |sent| sent.map(Some))?,
            () = halted(config) => return Err(Suppression::Halted),
            () = config.shutdown.cancelled() => return Err(Suppression::Shutdown),
        };
        let awaiting = match sent {
            Some(Ok(awaiting)) => awaiting,
            Some(Err(error)) => return Ok(not_sent(error.to_string())),
            None => {
                let (address, deadline) = (&config.peer.address, config.deadline);
                return Ok(not_sent(format!("no gateway at {address} within {} ms", deadline.as_millis())));
            }
        };
        reach("send.after");
        let _inflight = config.inflight.enter(Endpoint::Gateway);
        Ok(self.outcome(order, awaiting, started, deadline).await)
    }

    /// The outcome that the reply to a sent order proves. If the reply leaves no doubt, the socket is kept for the next
    /// order.
    async fn outcome(
        &mut self,
        order: &Order,
        awaiting: AwaitingReply,
        started: Instant,
        deadline: Instant,
    ) -> OrderResult {
        let sent_at = Instant::now();
        let (reply, next) = match timeout_at(deadline, awaiting.reply()).await {
            Ok(Ok(replied)) => replied,
            Ok(Err(error)) => return unknown(error.to_string()),
            Err(_) => return unknown(format!("no reply within {} ms", self.config.deadline.as_millis())),
        };
        let replied_at = Instant::now();
        reach("reply.after");
        let dialect = &self.config.dialect;
        let verdict = dialect.classify(order, &reply);
        if !verdict.is_ours {
            self.config.metrics.dropped(ActorName::SignalSender, DropReason::Invalid, 1);
            return OrderResult::without_reply(verdict.outcome);
        }
        if dialect.echoes_id() && !matches!(verdict.outcome, Outcome::Unknown { .. }) {
            self.socket = Some(next);
        }
        OrderResult {
            outcome: verdict.outcome,
            send_latency: Some(replied_at - started),
            gateway_roundtrip: Some(replied_at - sent_at),
        }
    }
}

/// Completes when the kill switch is on, so that an order that waits for a connection is not sent after a halt.
async fn halted(config: &Config) {
    while !config.kill_switch.is_halted() {
        tokio::time::sleep(HALT_PERIOD).await;
    }
}

pub(super) const fn not_sent(reason: String) -> OrderResult {
    OrderResult::without_reply(Outcome::NotSent { reason })
}

const fn unknown(reason: String) -> OrderResult {
    OrderResult::without_reply(Outcome::Unknown { reason })
}
