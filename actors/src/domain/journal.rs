//! The journal's inputs and answers: decisions, steps of orders, and the state at the start of a cycle.

use crate::domain::{
    bar::Bar,
    cluster::shared::Claim,
    decision::{Action, Prediction},
    features::FeatureSet,
    guard::{Pace, Suppression},
    instrument::{InstrumentKey, Symbol},
    order::{Order, Outcome},
    order_state::OrderState,
    position::HeldPosition,
    reconcile::{Proof, Unproven},
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The one order of this account, symbol, model and bar is there already.
    #[error("this bar's order is in the journal already")]
    Exists,
    /// No order has this id.
    #[error("no order has the id {0}")]
    NoSuchOrder(Uuid),
    /// An order made no position, or none that still counts.
    #[error("the order has no open position")]
    NoPosition,
    /// An order cannot go from where it stands to there.
    #[error("an order that is {from} cannot become {to}")]
    Transition {
        /// Where it stands.
        from: OrderState,
        /// Where it was to go.
        to: OrderState,
    },
    /// The file cannot be written or read; what was asked may or may not be in it.
    #[error("{0}")]
    Failed(String),
}

impl JournalError {
    /// Bounded name of the fault.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::NoSuchOrder(_) => "no_such_order",
            Self::NoPosition => "no_position",
            Self::Transition { .. } => "transition",
            Self::Failed(_) => "journal",
        }
    }

    /// Whether the journal itself is at fault, so that nothing may be sent until a write works again.
    pub const fn is_broken(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

/// A press of one of the console's two buttons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Press {
    /// `console:USER@ADDRESS`
    pub who: String,
    /// Which one.
    pub action: Button,
    /// The reason that was typed.
    pub note: Option<String>,
    /// When, since the unix epoch. Of a halt it is the time of its file: by that a file is known to be of this press.
    pub at: Duration,
}

/// The console's two buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// No order is sent from now on.
    Halt,
    /// Somebody asked that orders may be sent again; nothing has changed yet.
    AskResume,
    /// Orders may be sent again.
    Resume,
}

impl Button {
    /// As the journal and the log have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Halt => "halt",
            Self::AskResume => "ask_resume",
            Self::Resume => "resume",
        }
    }
}

/// A step in an order's life, to be on disk before the next one is taken.
#[derive(Debug, Clone, PartialEq)]
pub enum OrderStep {
    /// The order is decided and not sent yet.
    Intent {
        /// As it will be sent.
        order: Box<Order>,
        /// Tickets that are open now and could be its instrument's; `None` if nobody knows. They may prove its outcome later.
        tickets_before: Option<Vec<i64>>,
    },
    /// It is about to be sent; under the claim of this epoch, if the account is claimed.
    Sending(Uuid, Option<i64>),
    /// What became of it.
    Outcome(Box<Order>, Outcome),
    /// No part of it was sent, for this reason. No error if its intent is not in the journal.
    GivenUp(Uuid, &'static str),
    /// Its outcome was unknown and open positions have proven it.
    Proven(Uuid, Proof),
    /// Another member of the cluster claimed it and is gone: its outcome is unknown. No error if the outcome is in the journal.
    TakenOver(Box<Claim>),
    /// Its outcome was unknown here, and another member of the cluster knew it.
    Reported(Uuid, Outcome),
}

impl OrderStep {
    /// The order it is about.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Intent { order, .. } | Self::Outcome(order, _) => order.client_order_id,
            Self::Sending(id, _) | Self::GivenUp(id, _) | Self::Proven(id, _) | Self::Reported(id, _) => *id,
            Self::TakenOver(claim) => claim.order.client_order_id,
        }
    }
}

/// What to look for in the journal before orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandingQuestion {
    /// Whether only a write that went through counts as an answer.
    pub must_write: bool,
    /// Count failed orders in a row up to this many; 0 is not at all.
    pub failures_max: u32,
}

/// The state in the journal before a cycle's orders; another process may have changed it since the last cycle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// When it was read, wall clock since the unix epoch.
    pub taken_at: Duration,
    /// Instruments with an order of unknown outcome, by both keys, whatever its account and model.
    pub unresolved: HashSet<InstrumentKey>,
    /// Orders of unknown outcome of this account, oldest first.
    pub unproven: Vec<Unproven>,
    /// Orders of this account that were not filled since the last that was, or since a person allowed orders again.
    pub failures_in_a_row: u32,
}

/// What was ordered before, as a daemon needs it once, at its start: after that, only this daemon sends orders.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Close time of the newest bar ordered per instrument, by both keys, for this account and model, unix seconds.
    pub newest_ordered: HashMap<InstrumentKey, i64>,
    /// When each order of this account's last 24 hours was made, oldest first.
    pub orders: VecDeque<Duration>,
    /// When the newest order of each instrument in these 24 hours was made, by both keys.
    pub newest_at: HashMap<InstrumentKey, Duration>,
    /// Since when this account trades by this journal, wall clock since the unix epoch: earlier orders
    /// are not known here.
    pub live_since: Duration,
    /// Whether that was just now.
    pub is_new: bool,
}

impl History {
    /// Whether the one order of this instrument's bar, or a newer bar's, was made, under either name.
    pub fn has_ordered(&self, keys: &[InstrumentKey; 2], bar_close_time: i64) -> bool {
        keys.iter().any(|key| self.newest_ordered.get(key).is_some_and(|newest| *newest >= bar_close_time))
    }

    /// Notes an order of this bar, made at this time.
    pub fn note(&mut self, keys: [InstrumentKey; 2], bar_close_time: i64, at: Duration) {
        for key in keys {
            let newest = self.newest_ordered.entry(key.clone()).or_insert(bar_close_time);
            *newest = bar_close_time.max(*newest);
            self.newest_at.insert(key, at);
        }
    }

    /// How much was ordered before `now`, as the limits on orders count it. `keys` are those of the next order.
    pub fn pace(&self, keys: &[InstrumentKey], now: Duration, failures_in_a_row: u32) -> Pace {
        let within = |period: Duration| {
            let recent = self.orders.iter().filter(|at| now.saturating_sub(**at) < period).count();
            u32::try_from(recent).unwrap_or(u32::MAX)
        };
        let newest = keys.iter().filter_map(|key| self.newest_at.get(key)).max();
        Pace {
            failures_in_a_row,
            last_hour: within(HOUR),
            last_day: within(DAY),
            since_last: newest.map(|at| now.saturating_sub(*at)),
        }
    }

    /// Whether the bar had closed before this journal knew of the account: it may have been ordered by another.
    pub fn is_from_before(&self, bar_close_time: i64) -> bool {
        u64::try_from(bar_close_time).is_ok_and(|closed| closed <= self.live_since.as_secs())
    }
}

/// An order of unknown outcome, as `/health` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedOrder {
    /// Its id, which `sentinel orders resolve` wants.
    pub id: Uuid,
    /// What it blocks.
    pub symbol: Symbol,
}

/// What a cycle knew, decided and did about one symbol.
#[derive(Debug, Clone)]
pub struct DecisionRecord {
    /// The symbol.
    pub symbol: Symbol,
    /// "Now" for the bar's age and the market's hours, unix seconds; `None` if the cycle did not get that far.
    pub market_now: Option<i64>,
    /// Close of the newest bar, unix seconds; with the window, `None` if there were no usable bars.
    pub bar_close_time: Option<i64>,
    /// The bars the features were made from; the journal keeps their digest.
    pub window: Option<Arc<[Bar]>>,
    /// Both feature arrays; the journal keeps the newest bar's 23.
    pub features: Option<Arc<FeatureSet>>,
    /// The model's answer.
    pub prediction: Option<Prediction>,
    /// BUY and SELL need odds above this.
    pub threshold: f64,
    /// What was decided.
    pub action: Option<Action>,
    /// Why a BUY or SELL was not sent, or the stage and kind of the failure that left no decision.
    pub reason: Option<Reason>,
    /// Which rule stopped a BUY or SELL before any that counts earlier orders was asked.
    pub stopped: Option<Suppression>,
    /// What the failed stage says, for a person; the journal keeps one line of it.
    pub failure_detail: Option<String>,
    /// When the rules that count earlier orders were asked, wall clock since the unix epoch; `None` if they were not.
    pub judged_at: Option<Duration>,
    /// The order that was made.
    pub client_order_id: Option<Uuid>,
    /// The orders that closed opposite positions before it.
    pub close_ids: Vec<Uuid>,
}

/// What decisions are made with, and stays the same as long as the daemon runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// `sentinel_config_hash`.
    pub config_hash: u64,
    /// What is known of the model without asking its server: name and address. Another model under the same name and address
    /// has the same.
    pub model_fingerprint: String,
    /// Of this program.
    pub app_version: String,
    /// JSON: the settings that it takes to decide again. No secrets.
    pub settings: String,
}

/// What the gateway reported of the account in a cycle; `None` is what it was not asked or did not report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountSnapshot {
    /// Money without open positions, in the account's currency, as all of these.
    pub balance: Option<f64>,
    /// Money if all positions were closed now.
    pub equity: Option<f64>,
    /// Money that the open positions bind.
    pub margin: Option<f64>,
    /// What is open, whoever opened it.
    pub positions: Option<Vec<HeldPosition>>,
    /// The name of the account's currency.
    pub currency: Option<String>,
    /// Whether balance, equity and positions were told together, with nothing closed in between: only then can two snapshots
    /// be compared.
    pub is_whole: bool,
    /// How often the account is looked at like this; `None`: it was not asked for the record.
    pub every: Option<Duration>,
}

impl AccountSnapshot {
    /// Whether anything was told.
    pub fn is_told(&self) -> bool {
        *self != Self::default()
    }
}

/// Why a symbol has no order although one was near.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A value of `sentinel_signals_suppressed_total{reason}`.
    Suppressed(&'static str),
    /// A stage failed.
    Failed {
        /// `fetch`, `features`, `predict`, `send`.
        stage: &'static str,
        /// `timeout`, `bad_shape` and so on.
        kind: &'static str,
    },
}
