//! Puts together what study.json contains.

use super::{
    args::Task,
    engine::{
        Judged, Question,
        market::{Decision, Market, Trade},
        series,
        trades::OppositeRule,
    },
    result::{Confusion, Costs, Counts, Input, Label, Range, Report, Rules, SCHEMA},
    statistics::{calibration::calibration, confusion::confusion, results::months},
    tries::{self, Try},
};
use crate::{bar_files::hex, process::build_info, settings::StudyLabel};
use sentinel_actors::domain::{decision::Action, fill::ExitReason, label};
use sha2::{Digest, Sha256};

/// Bars that a dead band is measured on at least.
const BAND_BARS: usize = 200;
/// Decisions whose odds say which model it is, as long as they are there: bars that are added later change nothing in them.
const FIRST_ODDS: usize = 100;

/// What is recorded of a study, so that it is counted once.
pub(super) fn this_try(task: &Task, question: &Question<'_>, trials: u64) -> Try {
    let settings = &task.settings;
    let exits = &task.terms.exits;
    let symbol = task.instrument.symbol.to_string();
    let interval = settings.data.interval.as_str();
    let times = &question.market.close_times;
    let time = |decision: Option<&Decision>| decision.map_or(0, |decision| times[decision.bar as usize]);
    let mut digest = Sha256::new();
    let model = settings.model.name.clone();
    let (stop, target) = (exits.stop_loss, exits.take_profit);
    let (limit, opposite) = (task.policy.positions_max, task.policy.opposite.as_str());
    let mut rules =
        format!("{symbol}|{interval}|{model}|{}|{stop:?}|{target:?}|{limit}|{opposite}", exits.horizon_bars);
    // Another end of training, or another range, is another sample of the same bars: another chance of advice.
    rules += &format!("|{:?}|{:?}", task.trained_until, task.range);
    digest.update(&rules);
    let odds = question.decisions.iter().map(|decision| (time(Some(decision)), decision.odds.probabilities()));
    let odds_marks = tries::odds_marks(&rules, odds, &settings.calendar);
    for decision in question.decisions.iter().take(FIRST_ODDS) {
        digest.update(time(Some(decision)).to_le_bytes());
        digest.update(decision.odds.probabilities().map(f64::to_le_bytes).as_flattened());
    }
    let market = question.market;
    let span = question.decisions.first().map_or(0, |first| first.bar as usize)
        ..question.decisions.last().map_or(0, |last| last.bar as usize + 1);
    let marks = tries::marks(&market.bars[span.clone()], &times[span], &settings.calendar);
    Try {
        id: hex(&digest.finalize()),
        symbol,
        interval,
        first_close_time: time(question.decisions.first()),
        last_close_time: time(question.decisions.last()),
        model,
        horizon_bars: exits.horizon_bars,
        trials,
        marks,
        odds_marks,
    }
}

/// All of it.
pub(super) fn of(
    task: &Task,
    question: &Question<'_>,
    judged: Judged,
    inputs: Vec<Input>,
    mut counts: Counts,
    has_ranges: bool,
) -> Report {
    let settings = &task.settings;
    let (market, decisions) = (question.market, question.decisions);
    let time = |decision: &Decision| market.close_times[decision.bar as usize];
    let range = |decisions: &[Decision]| {
        let (first, last) = (decisions.first()?, decisions.last()?);
        Some(Range { from: time(first), to: time(last) })
    };
    let (seen, unseen) = decisions.split_at(judged.first_outside);
    counts.decisions = decisions.len() as u64;
    counts.decisions_in_sample = seen.len() as u64;
    let labels = Labels::of(task, market, seen, &mut counts);
    let known: Vec<(&Decision, Action)> =
        unseen.iter().filter_map(|decision| Some((decision, labels.label(market, decision)?))).collect();
    let odds: Vec<[f64; 3]> = known.iter().map(|(decision, _)| decision.odds.probabilities()).collect();
    let right: Vec<Action> = known.iter().map(|(_, label)| *label).collect();
    let likeliest: Vec<Action> = known.iter().map(|(decision, _)| decision.likeliest()).collect();
    let confusion: Confusion = confusion(&likeliest, &right);
    let ends: Vec<i64> = judged.outside.iter().map(|trade| market.exit_time(trade)).collect();
    let nets: Vec<f64> = judged.outside.iter().map(|trade| trade.net).collect();
    let span = decisions.first().map_or(0, |first| first.bar)..decisions.last().map_or(0, |last| last.bar + 1);
    let whole = range(decisions).unwrap_or(Range { from: 0, to: 0 });
    Report {
        schema: SCHEMA,
        made_by: format!("sentinel {}", build_info().version),
        seed: question.seed,
        symbol: task.instrument.symbol.to_string(),
        interval: settings.data.interval.as_str().into(),
        model: settings.model.name.clone(),
        odds_from: task.odds.as_str().into(),
        digits: task.instrument.digits,
        inputs,
        label: labels.described(task),
        rules: rules(task, &judged.outside, has_ranges),
        costs: costs(task),
        counts,
        range: whole,
        trained_until: question.trained_until,
        in_sample: range(seen),
        answer: judged.answer,
        both: judged.both,
        sides: judged.sides,
        trials: judged.trials,
        null: judged.null,
        walk_forward: judged.walk_forward,
        calibration: calibration(&odds, &right, question.seed),
        confusion,
        months: months(&ends, &nets),
        equity: series::equity(market, &judged.outside),
        equity_inside: series::equity(market, &judged.inside),
        prices: series::prices(market, span),
        marks: series::marks(market, &judged.outside),
        look_ahead: question.look_ahead.clone(),
    }
}

/// The class that would have been right for each decision.
struct Labels {
    kind: StudyLabel,
    hold_move: Option<f64>,
    closes: Vec<f64>,
}

impl Labels {
    fn of(task: &Task, market: &Market, seen: &[Decision], counts: &mut Counts) -> Self {
        let study = &task.settings.study;
        if study.label == StudyLabel::TripleBarrier {
            return Self { kind: study.label, hold_move: None, closes: Vec::new() };
        }
        let closes: Vec<f64> = market.bars.iter().map(|bar| bar.close).collect();
        let known = seen.last().map_or(0, |last| last.bar as usize + 1);
        let measured = if known >= BAND_BARS {
            &closes[..known]
        } else {
            counts.notes.push(
                "the smallest moves, which are HOLD, are measured on all bars: too few are from before model.trained_until"
                    .into(),
            );
            &closes[..]
        };
        let hold_move = label::dead_band(measured, study.horizon_bars, study.hold_share);
        Self { kind: study.label, hold_move, closes }
    }

    /// `None` where the bars end before it is known.
    fn label(&self, market: &Market, decision: &Decision) -> Option<Action> {
        let (at, exits) = (decision.bar as usize, &market.terms.exits);
        match self.kind {
            StudyLabel::Horizon => label::horizon(&self.closes, at, exits.horizon_bars, self.hold_move?),
            StudyLabel::TripleBarrier => {
                label::triple_barrier(&market.bars, at, exits.horizon_bars, exits.stop_loss?, exits.take_profit?)
            }
        }
    }

    fn described(&self, task: &Task) -> Label {
        let exits = &task.terms.exits;
        let of_barrier = |distance: Option<f64>| distance.filter(|_| self.kind == StudyLabel::TripleBarrier);
        Label {
            kind: self.kind.as_str().into(),
            horizon_bars: exits.horizon_bars,
            hold_move: self.hold_move,
            stop_loss: of_barrier(exits.stop_loss),
            take_profit: of_barrier(exits.take_profit),
        }
    }
}

fn costs(task: &Task) -> Costs {
    let (costs, study) = (&task.terms.costs, &task.settings.study);
    let is_frictionless = costs.are_none();
    Costs {
        is_frictionless,
        spread: costs.spread,
        spread_from: if is_frictionless { "none" } else { "settings" }.into(),
        slippage: costs.slippage,
        commission_per_lot_side: if is_frictionless { 0.0 } else { study.commission(&task.pricing.symbol) },
        commission_side: costs.commission_side,
        swap_long: costs.swap_long,
        swap_short: costs.swap_short,
        swap_triple_day: task.terms.triple_day.as_str().into(),
        round_trip: costs.round_trip(),
    }
}

fn rules(task: &Task, trades: &[Trade], has_ranges: bool) -> Rules {
    let exits = &task.terms.exits;
    let stopped = [ExitReason::StopLoss, ExitReason::TakeProfit];
    let at_stops = trades.iter().filter(|trade| stopped.contains(&trade.reason)).count() as u64;
    let ambiguous = trades.iter().filter(|trade| trade.is_ambiguous).count() as u64;
    Rules {
        horizon_bars: exits.horizon_bars,
        stop_loss: exits.stop_loss,
        take_profit: exits.take_profit,
        opposite: task.policy.opposite.as_str().into(),
        positions_max: task.policy.positions_max,
        bars_ambiguous: ambiguous,
        bars_ambiguous_share: (at_stops > 0).then(|| ambiguous as f64 / at_stops as f64),
        sentences: sentences(task, has_ranges),
    }
}

fn sentences(task: &Task, has_ranges: bool) -> Vec<String> {
    let (exits, limit) = (&task.terms.exits, task.policy.positions_max);
    let entry = if has_ranges {
        "A signal is decided on at a bar's close and filled at the open of the next bar, half a spread and the slippage worse."
    } else {
        "A signal is filled at the close that was recorded with it, because the next bar's open is not known, half a spread and the \
         slippage worse."
    };
    let mut said = vec![entry.to_owned()];
    if exits.stop_loss.is_some() || exits.take_profit.is_some() {
        said.push(
            "Stops count from the close that was decided on. A bar that reaches both counts as the stop-loss; one that opens \
             beyond the stop-loss fills at its open."
                .into(),
        );
        said.push(
            "Stops are looked for on the bars as they are. Live, a BUY ends at the bid and a SELL at the ask: with bars of mid prices a \
             stop is reached half a spread earlier and a target half a spread later than here; with bars of bids, as MetaTrader \
             exports them, those of a SELL are off by a whole spread, and those of a BUY are right."
                .into(),
        );
    }
    let bars =
        if exits.horizon_bars == 1 { "the next bar".into() } else { format!("bar {} after it", exits.horizon_bars) };
    said.push(format!(
        "A position that nothing else has ended is closed at the close of {bars}. Sentinel itself has no such rule."
    ));
    said.push(match limit {
        0 => "Every signal opens a position (guards.positions_max = 0).".into(),
        1 => "While a position is open, another signal of its side makes no trade.".into(),
        limit => format!("While {limit} positions of a side are open, another signal of it makes no trade."),
    });
    said.push(
        match task.policy.opposite {
            OppositeRule::Open => "A signal of the other side opens a position beside it.",
            OppositeRule::CloseOnly => {
                "A signal of the other side ends it at the next open and opens none: on a netting account the two orders meet."
            }
            OppositeRule::CloseThenOpen => "A signal of the other side ends it at the next open and opens its own there.",
            OppositeRule::Skip => "A signal of the other side makes no trade while it is open.",
        }
        .into(),
    );
    said.push(
        "BUY and SELL have one threshold, as in trading.threshold. In the tables of one side it is alone: the other one neither ends \
         its positions nor stops them."
            .into(),
    );
    said
}
