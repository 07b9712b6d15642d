//! What each reason for not sending a BUY or SELL means, in a line for a person; and what the odds alone said.

use sentinel_actors::{
    adapters::journal::DecisionRow,
    domain::{
        decision::{Action, Prediction},
        guard::Suppression,
    },
};

/// The rule behind a reason; names the setting, or the way out.
pub(super) const fn rule(reason: Suppression) -> &'static str {
    match reason {
        Suppression::DryRun => "dry run: orders are built and logged, none is sent (trading.live)",
        Suppression::BelowThreshold => "the odds are not above the threshold, which turns a BUY or SELL into HOLD",
        Suppression::AlreadyOrdered => "this bar's one order was made before, whatever became of it",
        Suppression::StaleBar => "the newest bar is older than data.max_bar_age_s",
        Suppression::MarketClosed => "the trading calendar has the market closed (market.calendar)",
        Suppression::Unresolved => {
            "an order of unknown fate blocks its symbol, and the rest of its cycle: `sentinel orders --unresolved`"
        }
        Suppression::Halted => "the kill switch is on (guards.halt_file; `sentinel resume` ends it)",
        Suppression::OrderLimit => "guards.orders_per_hour_max or guards.orders_per_day_max is reached",
        Suppression::Cooldown => "less than guards.cooldown_s has passed since the symbol's last order",
        Suppression::PositionLimit => {
            "guards.positions_max are open this way; `sentinel orders closed ID` ends one that only the journal still has"
        }
        Suppression::LossLimit => "the day's loss is at guards.loss_pct_per_day_max, or nobody could tell the equity",
        Suppression::VolumeLimit => "the order is larger than guards.volume_max",
        Suppression::BadStop => {
            "the stop-loss or take-profit cannot be built at this price: too far, too near, or wrong digits (/health says which)"
        }
        Suppression::Failures => {
            "guards.failures_in_a_row_max orders in a row were not filled; `sentinel resume` counts afresh"
        }
        Suppression::Opposite => {
            "a position of the other direction is open, and guards.opposite skips such a signal or its close was not confirmed"
        }
        Suppression::Handshake => "the gateway did not answer a harmless question, so it gets no order",
        Suppression::Breaker => "the gateway failed too often in a row and is left alone for a while ([breaker])",
        Suppression::ClockStep => "the wall clock jumped since the cycle before, and no rule about time holds",
        Suppression::StaleDecision => {
            "too long passed between decision and send (a pause of the process or machine, or a slow disk or gateway)"
        }
        Suppression::Positions => "the gateway's list of open positions cannot be read, so no limit on them could hold",
        Suppression::Journal => "the journal cannot be written, and a restart would not know of the order",
        Suppression::Shutdown => "the daemon was stopping",
    }
}

/// The rule behind a reason as the journal has it; a later version may know more reasons.
pub(super) fn rule_named(reason: &str) -> Option<&'static str> {
    Suppression::ALL.iter().find(|known| known.as_str() == reason).map(|known| rule(*known))
}

/// What the odds alone would have been, and how sure the model was.
pub(super) fn likeliest(row: &DecisionRow) -> Option<(Action, f64)> {
    Some(Prediction::parse(row.probabilities?).ok()?.likeliest())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_line_of_its_own() {
        let mut rules: Vec<_> = Suppression::ALL.iter().map(|reason| rule_named(reason.as_str()).unwrap()).collect();
        assert!(rules.iter().all(|rule| !rule.is_empty() && rule.len() < 130 && !rule.contains('\n')));
        rules.sort_unstable();
        rules.dedup();
        assert_eq!(rules.len(), Suppression::ALL.len());
        assert_eq!(rule_named("whim"), None);
    }
}
