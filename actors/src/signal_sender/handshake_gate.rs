//! Holds back orders until the gateway has answered its dialect's handshake, or the user has confirmed a gateway whose
//! dialect has none.

use super::Config;
use crate::{
    adapters::{
        endpoint::Endpoint,
        gateway::handshake::{self, HandshakeError},
    },
    messages::{Event, Telemetry},
};
use std::cell::{Cell, RefCell};
use tracing::{info, warn};

/// Open or closed; closed at the start.
#[derive(Debug, Default)]
pub(super) struct HandshakeGate {
    is_open: Cell<bool>,
    /// Why it is closed, as last logged; it is logged again only if it changes.
    trouble: RefCell<String>,
}

impl HandshakeGate {
    pub(super) fn is_open(&self) -> bool {
        self.is_open.get()
    }

    /// Does a handshake if it is due: in every cycle until it succeeds.
    pub(super) async fn try_open(&self, config: &Config) {
        if self.is_open.get() || config.shutdown.is_cancelled() {
            return;
        }
        if !config.dialect.kind().has_handshake() {
            // The user confirmed it in the settings.
            self.open(config, "the gateway was checked by hand");
            return;
        }
        let _inflight = config.inflight.enter(Endpoint::Gateway);
        let shaking = handshake::run(&*config.dialect, &config.peer, config.deadline, &*config.clock);
        let shaken = tokio::select! {
            shaken = shaking => shaken,
            () = config.shutdown.cancelled() => return,
        };
        config.breakers.note(Endpoint::Gateway, shaken.is_ok());
        match shaken {
            Ok(handshake) => {
                let skew = handshake.clock_skew_ms.map_or_else(String::new, |skew| format!(", clock skew {skew} ms"));
                self.open(config, &format!("the gateway answers in {}{skew}", config.dialect.kind()));
            }
            Err(error) => self.stay_closed(config, &error),
        }
    }

    /// Closes it: the gateway did not accept or answer a request.
    pub(super) fn close(&self, metrics: &Telemetry, why: &str) {
        self.is_open.set(false);
        self.trouble.replace(why.to_owned());
        metrics.report(Event::GatewayChecked { trouble: Some(why.to_owned()) });
    }

    fn open(&self, config: &Config, why: &str) {
        info!(stage = "send", address = config.peer.address, "{why}");
        self.is_open.set(true);
        self.trouble.take();
        config.metrics.report(Event::GatewayChecked { trouble: None });
    }

    fn stay_closed(&self, config: &Config, error: &HandshakeError) {
        let trouble = format!("handshake with {}: {error}", config.peer.address);
        if *self.trouble.borrow() != trouble {
            warn!(stage = "send", error = error.kind(), "no order is sent until the gateway answers: {trouble}");
        }
        self.close(&config.metrics, &trouble);
    }
}
