//! The advice, or why there is none: every condition with what was needed and what was found.

use super::folds::Choice;
use crate::tools::study::{
    files::{day_before, time},
    result::{Answer, Condition, LookAhead, Remade, SideResult, Verdict, WalkForward},
};
use sentinel_actors::domain::fill::Costs;

/// Trades outside that advice needs.
const TRADES: u64 = 100;
/// And in each fold.
const TRADES_FOLD: u64 = 30;
/// Probability that the Sharpe is above what the best of all trials has by chance.
const DSR: f64 = 0.95;
/// Above this, shifts of the signals do as well too often.
const P_VALUE: f64 = 0.05;
/// Without these there is too little to judge.
const ENOUGH: [&str; 2] = ["trades", "trades_per_fold"];
/// If one of these is defined and not met, chance does as well.
const CHANCE: [&str; 4] = ["net_points", "dsr", "p_value", "choice"];
const LOOK_AHEAD: &str = "look_ahead";

/// What advice rests on.
pub struct Evidence<'a> {
    /// `model.trained_until`
    pub trained_until: Option<i64>,
    /// Whether the bars were given, and not only closes.
    pub has_bars: bool,
    /// All folds, outside.
    pub walk_forward: &'a WalkForward,
    /// Of the null.
    pub p_value: Option<f64>,
    /// Whether a feature uses the future.
    pub look_ahead: &'a LookAhead,
    /// What the choice says on all bars outside the training.
    pub now: Choice,
    /// What was charged.
    pub costs: &'a Costs,
    /// After which a position was ended.
    pub horizon_bars: usize,
    /// At once on a side; 0 is no limit.
    pub positions_max: u32,
}

/// Puts it into words.
pub fn of(evidence: &Evidence<'_>) -> Answer {
    let conditions = conditions(evidence);
    let verdict = verdict(&conditions);
    let sentence = match verdict {
        Verdict::Advice => advice(evidence),
        Verdict::NoBetterThanChance => format!("No threshold is better than chance here: {}", lacking(&conditions)),
        Verdict::NotJudged => not_judged(evidence, &conditions),
    };
    let is_advice = verdict == Verdict::Advice;
    Answer { sentence, verdict, is_advice, threshold: evidence.now.threshold.filter(|_| is_advice), conditions }
}

/// What the conditions come to. Too few trades are no proof of chance, and a figure that is not defined is none either. A setting or a
/// check that is lacking could only have made the result look better, so that chance is an answer without it, too.
fn verdict(conditions: &[Condition]) -> Verdict {
    let is_open = |names: &[&str]| {
        conditions.iter().any(|condition| !condition.is_met && names.contains(&condition.name.as_str()))
    };
    let is_defined = |condition: &Condition| condition.bar.is_none() || condition.found.is_some();
    let has_failed =
        |condition: &Condition| !condition.is_met && is_defined(condition) && CHANCE.contains(&condition.name.as_str());
    if conditions.iter().all(|condition| condition.is_met) {
        Verdict::Advice
    } else if !is_open(&ENOUGH) && conditions.iter().any(has_failed) {
        Verdict::NoBetterThanChance
    } else {
        Verdict::NotJudged
    }
}

fn conditions(evidence: &Evidence<'_>) -> Vec<Condition> {
    let Evidence { walk_forward, now, .. } = evidence;
    let outside = &walk_forward.outside;
    let fewest = walk_forward.folds.iter().map(|fold| fold.result.count).min();
    let lowest = outside.net_points_interval.map(|[low, _]| low);
    vec![
        said(
            "trained_until",
            "model.trained_until",
            "set, so that bars the model knows do not count",
            evidence.trained_until.is_some(),
        ),
        said(
            "bars",
            "bars with their opens, highs and lows",
            "--bars or --archive: fills at recorded closes cannot be had",
            evidence.has_bars,
        ),
        said(
            "positions",
            "several positions at once on a side",
            "one (guards.positions_max = 1): trades that share bars are alike, and all figures here look more certain than they are",
            evidence.positions_max == 1,
        ),
        at_least("trades", "trades outside", TRADES as f64, Some(outside.count as f64)),
        at_least("trades_per_fold", "fewest trades in a fold", TRADES_FOLD as f64, fewest.map(|count| count as f64)),
        above("net_points", "lower bound of net points a trade", 0.0, lowest),
        at_least("dsr", "deflated Sharpe ratio", DSR, outside.dsr),
        below("p_value", "p-value against shifted signals", P_VALUE, evidence.p_value),
        said("costs", "costs", "charged, not --frictionless", !evidence.costs.are_none()),
        said(
            "choice",
            "a threshold that earned on all bars outside the training",
            "one at least",
            now.promised.is_some_and(|promised| promised > 0.0),
        ),
        look_ahead(evidence.look_ahead),
    ]
}

/// What is met or not, without a number.
fn said(name: &str, what: &str, needed: &str, is_met: bool) -> Condition {
    Condition {
        name: name.into(),
        what: what.into(),
        needed: needed.into(),
        bar: None,
        found: None,
        is_met,
        is_checked: true,
    }
}

fn look_ahead(found: &LookAhead) -> Condition {
    let others = found.recorded.as_ref().map_or(0, Remade::unequal);
    if found.is_checked && found.unequal == 0 && others > 0 {
        let what = "recorded decisions whose features these bars do not give";
        let others = condition(LOOK_AHEAD, what, "none".into(), 0.0, Some(others as f64), false);
        return Condition { is_checked: false, ..others };
    }
    if found.is_checked {
        let unequal = found.unequal as f64;
        return condition(
            LOOK_AHEAD,
            "decisions that later bars change",
            "none".into(),
            0.0,
            Some(unequal),
            unequal == 0.0,
        );
    }
    let needed = "checked: --model configured or a URL makes them here, and --bars or --archive those of recorded odds";
    Condition { is_checked: false, ..said(LOOK_AHEAD, "features not checked for look-ahead", needed, false) }
}

fn condition(name: &str, what: &str, needed: String, bar: f64, found: Option<f64>, is_met: bool) -> Condition {
    Condition { name: name.into(), what: what.into(), needed, bar: Some(bar), found, is_met, is_checked: true }
}

fn at_least(name: &str, what: &str, bar: f64, found: Option<f64>) -> Condition {
    condition(name, what, format!("at least {bar}"), bar, found, found.is_some_and(|found| found >= bar))
}

fn above(name: &str, what: &str, bar: f64, found: Option<f64>) -> Condition {
    condition(name, what, format!("above {bar}"), bar, found, found.is_some_and(|found| found > bar))
}

fn below(name: &str, what: &str, bar: f64, found: Option<f64>) -> Condition {
    condition(name, what, format!("below {bar}"), bar, found, found.is_some_and(|found| found < bar))
}

fn advice(evidence: &Evidence<'_>) -> String {
    let threshold = evidence.now.threshold.unwrap_or_default();
    let trained = evidence.trained_until.map_or_else(|| "an unknown time".into(), until);
    format!(
        "BUY and SELL above {threshold:.2} (trading.threshold): after the training that you named (until {trained}), on bars that the \
         choice had not seen, {}",
        result(evidence)
    )
}

/// What such a choice brought, and what is different from the daemon or wrong about it.
fn result(evidence: &Evidence<'_>) -> String {
    let WalkForward { outside, exits, sides_now, .. } = evidence.walk_forward;
    let net = outside.net_points.unwrap_or_default();
    let [low, high] = outside.net_points_interval.unwrap_or_default();
    let mut text = format!(
        "such a choice brought {net:.1} points a trade after costs of {} points ({low:.1} to {high:.1} with 95 % confidence, {} \
         trades)",
        short(evidence.costs.round_trip()),
        outside.count
    );
    for SideResult { side, trades, net_points } in sides_now {
        if let Some(lost) = net_points.filter(|net| *net < 0.0) {
            text += &format!("; {side} alone lost {:.1} points a trade above it ({trades} trades)", -lost);
        }
    }
    if exits.horizon > 0 {
        let bars = if evidence.horizon_bars == 1 { "1 bar".into() } else { format!("{} bars", evidence.horizon_bars) };
        let (ended, all) = (exits.horizon, outside.count);
        text += &format!("; {ended} of {all} positions were ended after {bars}, which Sentinel does not do");
    }
    text
}

/// What is lacking. If it is the look-ahead check alone, what was found is said, too.
fn not_judged(evidence: &Evidence<'_>, conditions: &[Condition]) -> String {
    let text = format!("Not judged: {}", lacking(conditions));
    let is_only_unchecked = conditions.iter().all(|condition| condition.is_met || !condition.is_checked);
    if !is_only_unchecked {
        return text;
    }
    let threshold = evidence.now.threshold.unwrap_or_default();
    format!("{text}. If they use no later bars: BUY and SELL above {threshold:.2}, {}", result(evidence))
}

/// The last day of training, or the moment.
fn until(end: i64) -> String {
    day_before(end).unwrap_or_else(|| time(end))
}

fn lacking(conditions: &[Condition]) -> String {
    let lacking = conditions.iter().filter(|condition| !condition.is_met).map(|condition| {
        match (condition.bar, condition.found) {
            (Some(_), Some(found)) => format!("{} {} (needed: {})", condition.what, short(found), condition.needed),
            (Some(_), None) => format!("{} not defined (needed: {})", condition.what, condition.needed),
            (None, _) => format!("{} (needed: {})", condition.what, condition.needed),
        }
    });
    lacking.collect::<Vec<_>>().join("; ")
}

fn short(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number}") } else { format!("{number:.3}") }
}
