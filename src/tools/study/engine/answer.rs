//! The advice, or why there is none: every condition with what was needed and what was found.

use super::folds::Choice;
use crate::tools::study::result::{Answer, Figures, Fold, Gate, LookAhead};

/// Trades outside that an advice needs.
const TRADES: u64 = 100;
/// And in each fold.
const TRADES_FOLD: u64 = 30;
/// Probability that the Sharpe is above what the best of all trials has by chance.
const DSR: f64 = 0.95;
/// Above this, shifts of the signals do as well too often.
const P_VALUE: f64 = 0.05;

/// What an advice rests on.
pub struct Evidence<'a> {
    /// `model.trained_until`
    pub trained_until: Option<i64>,
    /// All folds, outside.
    pub outside: &'a Figures,
    /// One by one.
    pub folds: &'a [Fold],
    /// Of the null.
    pub p_value: Option<f64>,
    /// Whether a feature uses the future.
    pub look_ahead: &'a LookAhead,
    /// What the choice says on all bars outside the training.
    pub now: Choice,
    /// Nothing was charged.
    pub is_frictionless: bool,
}

/// Puts it into words.
pub fn of(evidence: &Evidence<'_>) -> Answer {
    let gates = gates(evidence);
    let is_advice = gates.iter().all(|gate| gate.is_met);
    let sentence = if is_advice { advice(evidence) } else { none(&gates) };
    let chosen = |threshold: Option<f64>| threshold.filter(|_| is_advice);
    Answer {
        sentence,
        is_advice,
        threshold_buy: chosen(evidence.now.buy),
        threshold_sell: chosen(evidence.now.sell),
        gates,
    }
}

fn gates(evidence: &Evidence<'_>) -> Vec<Gate> {
    let Evidence { outside, folds, look_ahead, now, .. } = evidence;
    let fewest = folds.iter().map(|fold| fold.result.count).min();
    let lowest = outside.net_points_interval.map(|[low, _]| low);
    let unequal = look_ahead.is_checked.then_some(look_ahead.unequal as f64);
    let found = [
        at_least("trades", "trades outside", TRADES as f64, Some(outside.count as f64)),
        at_least(
            "trades_per_fold",
            "trades of the fold with the fewest",
            TRADES_FOLD as f64,
            fewest.map(|count| count as f64),
        ),
        above("net_points", "lower bound of net points a trade", 0.0, lowest),
        at_least("dsr", "deflated Sharpe ratio", DSR, outside.dsr),
        below("p_value", "p-value against shifted signals", P_VALUE, evidence.p_value),
    ];
    let mut gates = vec![Gate {
        name: "trained_until".into(),
        what: "model.trained_until".into(),
        needed: "set, so that bars the model knows do not count".into(),
        bar: None,
        found: None,
        is_met: evidence.trained_until.is_some(),
    }];
    gates.extend(found);
    gates.push(Gate {
        name: "costs".into(),
        what: "costs".into(),
        needed: "charged, not --frictionless".into(),
        bar: None,
        found: None,
        is_met: !evidence.is_frictionless,
    });
    gates.push(Gate {
        name: "choice".into(),
        what: "a threshold that earned on all bars outside the training".into(),
        needed: "one at least".into(),
        bar: None,
        found: None,
        is_met: now.promised.is_some_and(|promised| promised > 0.0),
    });
    gates.push(Gate {
        name: "look_ahead".into(),
        what: "decisions that see the future".into(),
        needed: "none, where features are made here".into(),
        bar: Some(0.0),
        found: unequal,
        is_met: unequal.is_none_or(|unequal| unequal == 0.0),
    });
    gates
}

fn gate(name: &str, what: &str, needed: String, bar: f64, found: Option<f64>, is_met: bool) -> Gate {
    Gate { name: name.into(), what: what.into(), needed, bar: Some(bar), found, is_met }
}

fn at_least(name: &str, what: &str, bar: f64, found: Option<f64>) -> Gate {
    gate(name, what, format!("at least {bar}"), bar, found, found.is_some_and(|found| found >= bar))
}

fn above(name: &str, what: &str, bar: f64, found: Option<f64>) -> Gate {
    gate(name, what, format!("above {bar}"), bar, found, found.is_some_and(|found| found > bar))
}

fn below(name: &str, what: &str, bar: f64, found: Option<f64>) -> Gate {
    gate(name, what, format!("below {bar}"), bar, found, found.is_some_and(|found| found < bar))
}

fn advice(evidence: &Evidence<'_>) -> String {
    let Evidence { outside, now, .. } = evidence;
    let side = |name: &str, threshold: Option<f64>| match threshold {
        Some(threshold) => format!("{name} above {threshold:.2}"),
        None => format!("no {name}"),
    };
    let (buy, sell) = (side("BUY", now.buy), side("SELL", now.sell));
    let net = outside.net_points.unwrap_or_default();
    let [low, high] = outside.net_points_interval.unwrap_or_default();
    format!(
        "{buy}, {sell}: on bars that neither the model nor the choice had seen, such a choice brought {net:.1} points a trade after \
         costs ({low:.1} to {high:.1} with 95 % confidence, {} trades)",
        outside.count
    )
}

fn none(gates: &[Gate]) -> String {
    let lacking = gates.iter().filter(|gate| !gate.is_met).map(|gate| match (gate.bar, gate.found) {
        (Some(_), Some(found)) => format!("{} {} (needed: {})", gate.what, short(found), gate.needed),
        (Some(_), None) => format!("{} not defined (needed: {})", gate.what, gate.needed),
        (None, _) => format!("{} (needed: {})", gate.what, gate.needed),
    });
    format!("No threshold is better than chance here: {}", lacking.collect::<Vec<_>>().join("; "))
}

fn short(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number}") } else { format!("{number:.3}") }
}
