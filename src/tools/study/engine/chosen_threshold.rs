//! What the chosen threshold does on all bars outside the training: the trades that the daemon would have made by it, side by side;
//! and how trades ended.

use super::{
    folds::Choice,
    market::{Decision, Market, Trade},
    run,
    trades::Policy,
};
use crate::tools::study::{
    result::{ExitCounts, SideResult},
    statistics::mean,
};
use sentinel_actors::domain::{fill::ExitReason, side::Side};

/// What each side brought at this threshold; nothing if none was chosen.
pub fn sides(market: &Market, policy: Policy, decisions: &[Decision], choice: Choice) -> Vec<SideResult> {
    if choice.threshold.is_none() {
        return Vec::new();
    }
    let signals: Vec<_> =
        decisions.iter().filter_map(|decision| Some((decision.bar, choice.side(decision)?))).collect();
    let trades = run(market, policy, &signals);
    let of_side = |side: Side| {
        let nets: Vec<f64> = trades.iter().filter(|trade| trade.side == side).map(|trade| trade.net).collect();
        SideResult { side: side.as_str().into(), trades: nets.len() as u64, net_points: mean(&nets) }
    };
    [Side::Buy, Side::Sell].map(of_side).into()
}

/// How many ended for each reason.
pub fn exits(trades: &[Trade]) -> ExitCounts {
    let count = |reason: ExitReason| trades.iter().filter(|trade| trade.reason == reason).count() as u64;
    ExitCounts {
        stop_loss: count(ExitReason::StopLoss),
        take_profit: count(ExitReason::TakeProfit),
        opposite: count(ExitReason::Opposite),
        horizon: count(ExitReason::Horizon),
    }
}
