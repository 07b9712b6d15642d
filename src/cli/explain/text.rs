//! A decision as a paragraph: bar, features, odds, rule, order and reply.

use super::reasons;
use crate::cli::{
    orders::{self, print},
    output::{time, time_ms},
};
use sentinel_actors::{
    adapters::journal::{DecisionRow, OrderLife},
    domain::{decision::Action, features::FEATURE_NAMES, guard::Suppression},
};
use std::fmt::Write as _;

/// The features that are most useful to a person; `--json` has all.
const TELLING: [&str; 9] = [
    "return_1",
    "return_10",
    "volatility_20",
    "rsi_14",
    "macd_hist",
    "high_low_ratio",
    "volume_ratio",
    "hour",
    "day_of_week",
];

pub(super) fn decision(row: &DecisionRow) -> String {
    let mut text = format!("{}  {}  {}\n", time_ms(row.cycle_id), row.symbol, headline(row));
    if let Some(bar) = bar(row) {
        line(&mut text, "bar", &bar);
    }
    if let Some(values) = row.features {
        let telling = FEATURE_NAMES.iter().zip(values).filter(|(name, _)| TELLING.contains(name));
        let telling: Vec<_> = telling.map(|(name, value)| format!("{name} {}", short(value))).collect();
        line(&mut text, "features", &telling.join("  "));
    }
    if let Some([sell, hold, buy]) = row.probabilities {
        let threshold = row.threshold;
        line(&mut text, "odds", &format!("SELL {sell:.3}  HOLD {hold:.3}  BUY {buy:.3}, threshold {threshold}"));
    }
    line(&mut text, "rule", &rule(row));
    for order in &row.ordered_before {
        line(&mut text, "before", &format!("{}  {}", order.id, print::outcome(order)));
    }
    for close in &row.closes {
        line(&mut text, "close", &order(close));
        line(&mut text, "reply", &print::outcome(&close.order));
    }
    if let Some(life) = &row.order {
        line(&mut text, "order", &order(life));
        line(&mut text, "reply", &print::outcome(&life.order));
        text.push_str(&print::steps(life, "            "));
    }
    match (&row.paper, row.paper_suppressed.as_deref()) {
        (Some(paper), _) => line(&mut text, "paper", &orders::paper::in_words(paper)),
        (None, Some(reason)) if Some(reason) == row.suppressed.as_deref() => {
            line(&mut text, "paper", &format!("not ordered either: {reason}"));
        }
        (None, Some(reason)) => {
            let rule = reasons::rule_named(reason).map_or_else(String::new, |rule| format!(": {rule}"));
            line(&mut text, "paper", &format!("not ordered: {reason}{rule}"));
        }
        (None, None) => {}
    }
    text
}

fn line(text: &mut String, name: &str, what: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {name:<9} {what}");
}

/// The result, in a few words.
fn headline(row: &DecisionRow) -> String {
    let action = row.action.as_deref();
    match (action, &row.order, row.suppressed.as_deref(), &row.failure) {
        (None, _, _, Some((stage, kind))) => format!("no decision: {stage} failed, {kind}"),
        (None, _, Some(reason), None) => format!("no decision: {reason}"),
        (None, _, None, None) => "no decision".into(),
        (Some(action), Some(life), ..) => format!("{action}: {}", life.order.state),
        (Some("HOLD"), None, Some(reason), _) => format!("HOLD: {reason}"),
        (Some("HOLD"), None, None, _) => "HOLD".into(),
        (Some(action), None, Some(reason), _) => format!("{action}, not sent: {reason}"),
        (Some(action), None, None, Some((stage, kind))) => format!("{action}: {stage} failed, {kind}"),
        (Some(action), None, None, None) => format!("{action}: its order is no longer in the journal"),
    }
}

fn bar(row: &DecisionRow) -> Option<String> {
    let closed = row.bar_close_time?;
    let mut text = format!("closed {}", time(closed));
    if let Some(now) = row.market_now {
        let _ = write!(text, ", {} old", age(now - closed));
    }
    if let Some(close) = row.close {
        let _ = write!(text, ", at {close}");
    }
    Some(text)
}

/// The rule that stopped it, or that no rule did.
fn rule(row: &DecisionRow) -> String {
    if let Some((stage, kind)) = &row.failure {
        let detail = row.failure_detail.as_deref().map_or_else(String::new, |detail| format!(": {detail}"));
        return format!("{stage} failed, error {kind}{detail}");
    }
    let likeliest = reasons::likeliest(row);
    match (row.suppressed.as_deref(), likeliest) {
        (Some(reason), Some((action, odds))) if reason == Suppression::BelowThreshold.as_str() => {
            format!("{reason}: {} has {odds:.3}, which is not above {}, so it is HOLD", action.as_str(), row.threshold)
        }
        (Some(reason), _) => match reasons::rule_named(reason) {
            Some(rule) => format!("{reason}: {rule}"),
            None => reason.to_owned(),
        },
        (None, Some((Action::Hold, _))) => "HOLD has the highest odds: nothing to send".into(),
        (None, Some((action, odds))) => {
            format!("{} has {odds:.3}, which is above {}, and no rule stopped it", action.as_str(), row.threshold)
        }
        (None, None) => "the cycle ended before the model was asked".into(),
    }
}

fn order(life: &OrderLife) -> String {
    format!("{}  {}", life.order.id, print::content(&life.order))
}

/// `45 s`, `3 min 5 s`, `2 h 10 min`; negative for a bar that closes in the future.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// Four significant digits, however small the number is.
fn short(value: f64) -> String {
    let magnitude = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if magnitude < -6.0 {
        return format!("{value:.1e}");
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests;
