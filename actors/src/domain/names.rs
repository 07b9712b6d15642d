//! The actors, the steps of a cycle and the reasons of a dropped event, as named in metric labels, `/health` and logs.

/// The actors that the daemon needs, as named in `sentinel_actor_up{actor}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// Starts cycles.
    Scheduler,
    /// Fetches bars.
    Fetcher,
    /// Builds features.
    FeatureBuilder,
    /// Calls the model.
    Predictor,
    /// Sends orders to the gateway.
    SignalSender,
    /// Stores decisions and orders on disk.
    Journal,
    /// Counts events, and answers `/metrics` and `/health`.
    Metrics,
}

impl ActorName {
    /// All of them, in pipeline order.
    pub const ALL: [Self; 7] = [
        Self::Scheduler,
        Self::Fetcher,
        Self::FeatureBuilder,
        Self::Predictor,
        Self::SignalSender,
        Self::Journal,
        Self::Metrics,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Fetcher => "fetcher",
            Self::FeatureBuilder => "feature_builder",
            Self::Predictor => "predictor",
            Self::SignalSender => "signal_sender",
            Self::Journal => "journal",
            Self::Metrics => "metrics",
        }
    }
}

/// Why an actor discarded something instead of processing it; the values of `sentinel_events_dropped_total{reason}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// There was no room for it: too many events were waiting for the MetricsActor, or the journal could not be written.
    Full,
    /// It came too late, after the actor had begun to stop.
    Stale,
    /// It is not usable: an answer, a window of bars, a row, a reply to another order, a step that its order cannot take.
    Invalid,
}

impl DropReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Full, Self::Stale, Self::Invalid];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Stale => "stale",
            Self::Invalid => "invalid",
        }
    }
}

/// The steps of a cycle; the values of `sentinel_step_last_success_timestamp_seconds{step}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Bars.
    Fetch,
    /// Features.
    Features,
    /// The model's answer.
    Predict,
    /// BUY, SELL or HOLD.
    Decide,
    /// The order.
    Send,
}

impl Step {
    /// All of them, in the order of a cycle.
    pub const ALL: [Self; 5] = [Self::Fetch, Self::Features, Self::Predict, Self::Decide, Self::Send];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Features => "features",
            Self::Predict => "predict",
            Self::Decide => "decide",
            Self::Send => "send",
        }
    }

    /// The actor that does it. Deciding is a function in the cycle, which the Scheduler runs.
    pub const fn actor(self) -> ActorName {
        match self {
            Self::Fetch => ActorName::Fetcher,
            Self::Features => ActorName::FeatureBuilder,
            Self::Predict => ActorName::Predictor,
            Self::Decide => ActorName::Scheduler,
            Self::Send => ActorName::SignalSender,
        }
    }
}
