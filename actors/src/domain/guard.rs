//! All reasons for which a BUY or SELL is deliberately not sent, and the rules that check for them.

use crate::domain::position::Opposite;
use serde::Serialize;
use std::{fmt, time::Duration};

macro_rules! suppressions {
    ($($variant:ident = $text:literal, $sentence:literal, [$($setting:literal),*];)+) => {
        /// Why a BUY or SELL was not sent; the values of `sentinel_signals_suppressed_total{reason}`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Suppression { $(#[doc = $sentence] $variant,)+ }

        impl Suppression {
            /// Every reason, in the order in which the rules are checked.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// What it means, in one sentence without an initial capital or a full stop.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }

            /// The settings that affect it.
            pub const fn settings(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($setting),*],)+ }
            }
        }
    };
}

// In the order in which the rules are checked; the first that applies is the reason. `sentinel explain` prints the sentences
// and actors/README.md lists them.
suppressions! {
    BelowThreshold = "below_threshold", "the odds are not above the threshold, so a BUY or SELL becomes HOLD",
        ["trading.threshold"];
    // The user's decision comes before all other rules.
    Halted = "halted", "the kill switch is on, which stops closes, too; `sentinel resume` turns it off, `sentinel cluster resume` a halt in etcd",
        ["guards.halt_file"];
    // If the time is wrong, no rule about time can be trusted.
    ClockStep = "clock_step", "the wall clock has just jumped by 2 s or more, so no rule about time can be trusted", [];
    // Before the bar's age, because at a weekend every bar is old, and the closed market is the reason.
    MarketClosed = "market_closed", "the market is closed by the trading calendar", ["market.calendar", "market.holidays"];
    StaleBar = "stale_bar", "the newest bar closed too long ago", ["data.max_bar_age_s"];
    VolumeLimit = "volume_limit", "the order is larger than allowed", ["guards.volume_max"];
    BadStop = "bad_stop",
        "the stop-loss or take-profit cannot be built at this price: too far, too near or wrong digits; /health says which",
        ["trading.stop_loss", "trading.take_profit", "trading.digits"];
    DryRun = "dry_run", "the order is built and logged, not sent", ["trading.live"];
    Journal = "journal", "the journal cannot be written, so a restart would not know of the order", [];
    AlreadyOrdered = "already_ordered", "this bar was already ordered, whatever the outcome", ["journal.new"];
    Unresolved = "unresolved",
        "an order of unknown outcome blocks its symbol and the rest of its cycle; see `sentinel orders --unresolved`", [];
    Shutdown = "shutdown", "the daemon is stopping", [];
    NotHolder = "not_holder",
        "another daemon holds the account or the symbol's shard in etcd, or etcd does not answer; see `sentinel cluster status`",
        ["cluster.mode"];
    // Ends with the next bar, unlike the one above. Before those about the gateway, because a gateway that recovers does not
    // change it.
    BeforeTakeover = "before_takeover",
        "the bar closed before this daemon took the account over from one with another journal, which may have ordered it",
        ["cluster.mode"];
    Handshake = "handshake", "the gateway has not answered the handshake, a harmless query before any order", [];
    Breaker = "breaker", "the gateway failed too often in a row, and the circuit breaker is open for a while",
        ["breaker.failures", "breaker.pause_s"];
    Failures = "failures",
        "too many orders in a row were not filled; `sentinel resume` starts the count again, or `sentinel cluster resume` in a \
         cluster of members",
        ["guards.failures_in_a_row_max"];
    OrderLimit = "order_limit", "too many orders in the last hour or in the last 24 hours, all symbols together",
        ["guards.orders_per_hour_max", "guards.orders_per_day_max"];
    Cooldown = "cooldown", "the symbol's last order is too recent", ["guards.cooldown_s"];
    LossLimit = "loss_limit", "the loss since the day's first equity (UTC) is at the limit, or the equity is not known",
        ["guards.loss_pct_per_day_max"];
    Positions = "positions", "the gateway's list of open positions cannot be read, so no limit on them can hold", [];
    // Before the next one: no position is closed for an order that may not be sent.
    PositionLimit = "position_limit",
        "enough positions are open in this direction; `sentinel orders closed ID` ends one that only the journal still has",
        ["guards.positions_max"];
    Opposite = "opposite", "a position in the other direction is open: the signal is skipped, or closing it was not confirmed",
        ["guards.opposite"];
    // Before etcd is asked: no claim is made for an order that is too old.
    StaleDecision = "stale_decision",
        "too much time has passed since the model was called: a pause, a slow disk or gateway, or many orders before it",
        ["model.deadline_ms", "gateway.deadline_ms"];
    // Only with cluster.mode = "shared"; asked of etcd before the order is written, and again when it is claimed.
    OrderedElsewhere = "ordered_elsewhere",
        "another member of the cluster, or this one before it lost the symbol's shard, has ordered this bar or a newer one",
        ["cluster.mode"];
    ClaimLate = "claim_late", "etcd did not confirm the claim of the order in time, so the order is never sent", ["cluster.mode"];
}

impl Suppression {
    /// Whether it is about the claim on the account. It says nothing about the gateway, so an order that is given up for it is no
    /// failure in a row.
    pub const fn is_about_claim(self) -> bool {
        matches!(self, Self::NotHolder | Self::BeforeTakeover | Self::OrderedElsewhere | Self::ClaimLate)
    }

    /// The reason of this name; `None` if a later version wrote one that this one does not know.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.as_str() == name)
    }

    /// The rule, and in brackets its settings.
    pub fn rule(self) -> String {
        match self.settings() {
            [] => self.sentence().into(),
            settings => format!("{} ({})", self.sentence(), settings.join(", ")),
        }
    }
}

/// Stops orders immediately, from outside. Checked in every cycle and before every order, so it must be fast.
pub trait KillSwitch: fmt::Debug + Send + Sync {
    /// Whether no order may be sent. If this cannot be checked, it is true.
    fn is_halted(&self) -> bool;
}

/// The conditions for a decided BUY or SELL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Whether the [`KillSwitch`] is on.
    pub is_halted: bool,
    /// Whether the wall clock jumped since the previous cycle.
    pub has_clock_stepped: bool,
    /// Whether the market is open by the calendar, at the market's own "now".
    pub is_market_open: bool,
    /// Whether [`is_stale`] holds for the newest bar.
    pub is_bar_stale: bool,
    /// Size of the order, lots.
    pub volume: f64,
    /// Largest allowed size, lots; 0 is no limit.
    pub volume_max: f64,
}

/// The reason not to order, if any; the first one if there are several.
pub fn objection(around: &Circumstances) -> Option<Suppression> {
    let rules = [
        (around.is_halted, Suppression::Halted),
        (around.has_clock_stepped, Suppression::ClockStep),
        (!around.is_market_open, Suppression::MarketClosed),
        (around.is_bar_stale, Suppression::StaleBar),
        (around.volume_max > 0.0 && around.volume > around.volume_max, Suppression::VolumeLimit),
    ];
    rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
}

/// What can stand in the way of any order at the moment of its sending; the default is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Obstacles {
    /// Whether the [`KillSwitch`] is on.
    pub is_halted: bool,
    /// Whether the daemon is stopping.
    pub is_stopping: bool,
    /// Whether another daemon may hold the account.
    pub is_not_holder: bool,
    /// Bars that closed until then (unix seconds) are not ordered: a daemon with another journal may have ordered them.
    pub bars_after: Option<i64>,
    /// Whether the gateway has not answered the handshake.
    pub lacks_handshake: bool,
    /// Whether the circuit breaker of the gateway is open.
    pub is_breaker_open: bool,
}

impl Obstacles {
    /// The reason not to send an order of the bar that closed at this time (unix seconds), if any; the first one if there are
    /// several.
    pub fn objection(&self, bar_close_time: i64) -> Option<Suppression> {
        let rules = [
            (self.is_halted, Suppression::Halted),
            (self.is_stopping, Suppression::Shutdown),
            (self.is_not_holder, Suppression::NotHolder),
            (self.is_from_before(bar_close_time), Suppression::BeforeTakeover),
            (self.lacks_handshake, Suppression::Handshake),
            (self.is_breaker_open, Suppression::Breaker),
        ];
        rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
    }

    /// Whether another daemon may have ordered the bar that closed at this time (unix seconds).
    pub fn is_from_before(&self, bar_close_time: i64) -> bool {
        self.bars_after.is_some_and(|until| bar_close_time <= until)
    }
}

/// Whether a bar is too old to trade on: `now - bar_close_time > max_bar_age_s`, all in seconds.
pub const fn is_stale(bar_close_time: i64, now: i64, max_bar_age_s: i64) -> bool {
    now.saturating_sub(bar_close_time) > max_bar_age_s
}

/// Limits on an account's orders; 0 turns a limit off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Orders in any 3,600 s, for all symbols together.
    pub orders_per_hour_max: u32,
    /// Orders in any 86,400 s, for all symbols together.
    pub orders_per_day_max: u32,
    /// Least time between two orders of a symbol.
    pub cooldown: Duration,
    /// Open positions of a symbol in the direction of the signal.
    pub positions_max: u32,
    /// Loss since the day's first equity (UTC), percent.
    pub loss_pct_per_day_max: f64,
    /// Orders in a row that were not filled.
    pub failures_in_a_row_max: u32,
    /// What a signal does while positions in the other direction are open.
    pub opposite: Opposite,
}

/// Recent orders, from the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// Orders in a row that were not filled.
    pub failures_in_a_row: u32,
    /// Orders in the last 3,600 s.
    pub last_hour: u32,
    /// Orders in the last 86,400 s.
    pub last_day: u32,
    /// Time since the symbol's last order; `None` if there was none in the last day.
    pub since_last: Option<Duration>,
}

/// The reason not to order because of earlier orders, if any.
pub fn pace_objection(pace: &Pace, limits: &Limits) -> Option<Suppression> {
    let reached = |count: u32, max: u32| max > 0 && count >= max;
    let rules = [
        (reached(pace.failures_in_a_row, limits.failures_in_a_row_max), Suppression::Failures),
        (reached(pace.last_hour, limits.orders_per_hour_max), Suppression::OrderLimit),
        (reached(pace.last_day, limits.orders_per_day_max), Suppression::OrderLimit),
        (pace.since_last.is_some_and(|since| since < limits.cooldown), Suppression::Cooldown),
    ];
    rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
}

/// The reason not to order because of the day's loss, if any. `first` and `now` are equities, `None` if the gateway did not
/// report them; that counts as a loss. A first equity of zero or less counts as the limit reached.
pub fn loss_objection(first: Option<f64>, now: Option<f64>, limits: &Limits) -> Option<Suppression> {
    let max = limits.loss_pct_per_day_max;
    let is_within = match (first, now) {
        (Some(first), Some(now)) => first > 0.0 && 100.0 * (first - now) / first < max,
        _ => false,
    };
    (max > 0.0 && !is_within).then_some(Suppression::LossLimit)
}

/// The reason not to order because of open positions, if any: this many positions of the symbol in the signal's direction,
/// and this many in the other. [`Opposite::CloseThenOpen`] is not a reason here, because the manager closes them first.
pub fn exposure_objection(same: usize, opposite: usize, limits: &Limits) -> Option<Suppression> {
    let max = usize::try_from(limits.positions_max).unwrap_or(usize::MAX);
    let rules = [
        (max > 0 && same >= max, Suppression::PositionLimit),
        (opposite > 0 && limits.opposite == Opposite::Skip, Suppression::Opposite),
    ];
    rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
}

#[cfg(test)]
mod tests;
