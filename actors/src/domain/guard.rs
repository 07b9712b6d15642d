//! The closed set of reasons for which a BUY or SELL is deliberately not sent, and the guards that find them.

use serde::Serialize;
use std::fmt;

macro_rules! suppressions {
    ($($variant:ident = $text:literal, $doc:literal;)+) => {
        /// Why a BUY or SELL was not sent; the values of `sentinel_signals_suppressed_total{reason}`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Suppression { $(#[doc = $doc] $variant,)+ }

        impl Suppression {
            /// Every reason, in the order of the metric catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

suppressions! {
    DryRun = "dry_run", "No order leaves in dry run.";
    BelowThreshold = "below_threshold", "The threshold turned a BUY or SELL into HOLD.";
    AlreadyOrdered = "already_ordered", "This bar's one order was made before.";
    StaleBar = "stale_bar", "The newest bar is older than `data.max_bar_age_s`.";
    MarketClosed = "market_closed", "The trading calendar has the market closed.";
    Unresolved = "unresolved", "An order of unknown outcome blocks the symbol or the cycle.";
    Halted = "halted", "The kill switch is on.";
    OrderLimit = "order_limit", "Too many orders in the last hour or day.";
    Cooldown = "cooldown", "Too soon after the last order.";
    PositionLimit = "position_limit", "Enough positions are open.";
    LossLimit = "loss_limit", "The day's loss is at its limit.";
    VolumeLimit = "volume_limit", "The order is larger than allowed.";
    Failures = "failures", "Too many failures in a row.";
    Opposite = "opposite", "An opposite position is open.";
    Handshake = "handshake", "The gateway has not answered the handshake.";
    Breaker = "breaker", "The gateway's circuit breaker is open.";
    ClockStep = "clock_step", "The wall clock has just jumped.";
    Journal = "journal", "The journal cannot be written.";
    Shutdown = "shutdown", "The daemon is stopping.";
}

/// Stops orders at once, from outside. Asked in every cycle and before every order, so an answer has to be quick.
pub trait KillSwitch: fmt::Debug + Send + Sync {
    /// Whether no order may leave; a switch that cannot tell says yes.
    fn is_halted(&self) -> bool;
}

/// What surrounds a decided BUY or SELL.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Whether the [`KillSwitch`] is on.
    pub is_halted: bool,
    /// Whether the wall clock jumped since the cycle before.
    pub has_clock_stepped: bool,
    /// Whether the calendar has the market open at the market's own "now".
    pub is_market_open: bool,
    /// Whether [`is_stale`] holds for the newest bar.
    pub is_bar_stale: bool,
    /// Size of the order, lots.
    pub volume: f64,
    /// Largest allowed, lots; 0 is no limit.
    pub volume_max: f64,
}

/// The reason not to order, if there is one; of several the one that says most about why.
pub fn objection(around: &Circumstances) -> Option<Suppression> {
    let rules = [
        // What a person wants comes before all that a rule found out.
        (around.is_halted, Suppression::Halted),
        // With a wrong time every rule about time is worthless.
        (around.has_clock_stepped, Suppression::ClockStep),
        // Before the bar's age: at a weekend every bar is old, and that is why.
        (!around.is_market_open, Suppression::MarketClosed),
        (around.is_bar_stale, Suppression::StaleBar),
        (around.volume_max > 0.0 && around.volume > around.volume_max, Suppression::VolumeLimit),
    ];
    rules.into_iter().find_map(|(objects, reason)| objects.then_some(reason))
}

/// Whether a bar is too old to trade on: `now - bar_close_time > max_bar_age_s`, all in seconds.
pub const fn is_stale(bar_close_time: i64, now: i64, max_bar_age_s: i64) -> bool {
    now.saturating_sub(bar_close_time) > max_bar_age_s
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Circumstances = Circumstances {
        is_halted: false,
        has_clock_stepped: false,
        is_market_open: true,
        is_bar_stale: false,
        volume: 0.02,
        volume_max: 0.0,
    };

    #[test]
    fn a_halt_beats_every_other_reason() {
        let all = Circumstances {
            is_halted: true,
            has_clock_stepped: true,
            is_market_open: false,
            is_bar_stale: true,
            volume: 2.0,
            volume_max: 1.0,
        };
        assert_eq!(objection(&all), Some(Suppression::Halted));
    }

    #[test]
    fn an_order_at_the_volume_limit_passes_and_one_above_it_does_not() {
        assert_eq!(objection(&Circumstances { volume_max: 0.02, ..FINE }), None);
        let limit = Circumstances { volume_max: 0.01, ..FINE };
        assert_eq!(objection(&limit), Some(Suppression::VolumeLimit));
        assert_eq!(objection(&Circumstances { volume: 100.0, ..FINE }), None, "0 is no limit");
    }

    #[test]
    fn a_closed_market_is_a_better_reason_than_an_old_bar() {
        assert_eq!(objection(&FINE), None);
        assert_eq!(objection(&Circumstances { is_bar_stale: true, ..FINE }), Some(Suppression::StaleBar));
        let closed = Circumstances { is_market_open: false, is_bar_stale: true, ..FINE };
        assert_eq!(objection(&closed), Some(Suppression::MarketClosed));
    }

    #[test]
    fn after_a_clock_step_no_other_rule_about_time_is_believed() {
        let stepped = Circumstances { has_clock_stepped: true, is_market_open: false, ..FINE };
        assert_eq!(objection(&stepped), Some(Suppression::ClockStep));
    }

    #[test]
    fn a_bar_is_stale_only_past_its_limit() {
        assert!(!is_stale(1_000, 1_000 + 10_800, 10_800));
        assert!(is_stale(1_000, 1_000 + 10_801, 10_800));
        assert!(!is_stale(1_000, 900, 10_800), "a close in the future is no age");
    }
}
