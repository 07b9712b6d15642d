//! What the console's thread keeps: the ways to the actors and to the files.

use super::{
    Deps,
    facts::Facts,
    halt::HaltWatch,
    reader::{Reader, ReaderThread},
    refused::RefusedPresses,
};
use crate::daemon::http::shared_request::SharedRequest;
use actix::Recipient;
use sentinel_actors::{
    adapters::prometheus::Format,
    domain::clock::Clock,
    messages::{NotePress, Telemetry},
    metrics::{GetHealth, GetMetrics},
};
use std::{sync::Arc, time::Duration};

/// What the server's thread keeps.
pub(super) struct AppState {
    pub facts: Arc<Facts>,
    pub health: SharedRequest<GetHealth>,
    pub metrics: SharedRequest<GetMetrics>,
    pub press: Recipient<NotePress>,
    pub telemetry: Telemetry,
    pub clock: Arc<dyn Clock>,
    pub halt: HaltWatch,
    /// Held while the kill switch is changed, so that no halt comes between a resume's last look and its removal.
    pub changing: tokio::sync::Mutex<()>,
    pub reader: Reader,
    pub refused: RefusedPresses,
}

impl AppState {
    /// Asks nothing yet.
    pub fn new(deps: Deps, deadline: Duration, thread: ReaderThread) -> Self {
        let Deps { health, metrics, press, telemetry, clock, facts } = deps;
        let text = GetMetrics { format: Format::Text, is_gzipped: false };
        Self {
            health: SharedRequest::new(health, GetHealth, deadline),
            metrics: SharedRequest::new(metrics, text, deadline),
            press,
            telemetry,
            halt: HaltWatch::new(facts.halt_file.clone(), facts.failures_max, clock.now()),
            clock,
            changing: tokio::sync::Mutex::new(()),
            reader: Reader::new(facts.clone(), thread),
            refused: RefusedPresses::default(),
            facts,
        }
    }
}
