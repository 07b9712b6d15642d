//! The study itself: no file, no socket, no clock. Its result is the same for the same
//! input on any number of cores.
//!
//! `market` has the result of a position on each bar, `trades` which signals become positions, `grid` looks at each threshold,
//! `folds` chooses one on earlier bars and judges it on later ones, `null` compares with chance, `now` is what is chosen on all of
//! them, `answer` writes the sentence.

pub mod answer;
#[cfg(test)]
mod applied;
pub mod chosen_threshold;
pub mod figures;
#[cfg(test)]
mod fixtures;
pub mod folds;
pub mod grid;
pub mod market;
pub mod null;
#[cfg(test)]
mod on_paper;
#[cfg(test)]
mod planted;
pub mod series;
#[cfg(test)]
mod tests;
pub mod trades;

use super::{
    result::{
        Answer, Between, Figures, Fold, LookAhead, Null, Range, Side as SideRows, Threshold, Trials, WalkForward,
    },
    statistics::sharpe,
    tries::Tried,
};
use figures::{Days, Moments};
use folds::{Choice, EMBARGO_BARS, Span};
use grid::Cell;
use market::{Decision, Market, Trade};
use sentinel_actors::domain::side::Side;
use trades::Policy;

/// What a study is about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The bars.
    pub market: &'a Market,
    /// Bars with odds, oldest first.
    pub decisions: &'a [Decision],
    /// `model.trained_until`, unix seconds: bars that close before it were trained on.
    pub trained_until: Option<i64>,
    /// Whether the bars were given, with their opens, and are not only closes that were recorded.
    pub has_bars: bool,
    /// Which signals become trades.
    pub policy: Policy,
    /// Of the bootstrap and of the shifts.
    pub seed: u64,
    /// How often the mean of a threshold is resampled; 0: no intervals there.
    pub replicates_grid: usize,
    /// And of the folds.
    pub replicates: usize,
    /// Circular shifts.
    pub shifts: usize,
    /// Whether a feature uses the future.
    pub look_ahead: &'a LookAhead,
}

/// What came out.
#[derive(Debug)]
pub struct Judged {
    /// First decision that the model has not seen, by its place among the decisions.
    pub first_outside: usize,
    /// Both sides at each threshold.
    pub both: Vec<Threshold>,
    /// BUY alone and SELL alone at each threshold.
    pub sides: Vec<SideRows>,
    /// How often these bars were tried.
    pub trials: Trials,
    /// Chance.
    pub null: Null,
    /// The folds.
    pub walk_forward: WalkForward,
    /// The answer.
    pub answer: Answer,
    /// Walk-forward trades outside, in the order of their ends.
    pub outside: Vec<Trade>,
    /// The same by the first fold's choice, on the bars before it.
    pub inside: Vec<Trade>,
}

/// How far a study has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many thresholds of so many.
    Thresholds(usize, usize),
    /// So many shifts of so many.
    Shifts(usize, usize),
}

/// Answers it. `count` writes this study's trials down and answers those of all studies of these bars.
///
/// # Errors
/// Those of `count`.
pub fn judge(
    question: &Question<'_>,
    count: impl FnOnce(u64) -> anyhow::Result<Tried>,
    done: impl Fn(Step) + Sync,
) -> anyhow::Result<Judged> {
    let Question { market, decisions, policy, seed, .. } = *question;
    let is_seen = |decision: &Decision| {
        question.trained_until.is_some_and(|until| market.close_times[decision.bar as usize] < until)
    };
    let first_outside = decisions.partition_point(is_seen);
    let unseen = &decisions[first_outside..];
    let spans = folds::spans(unseen, market.terms.exits.horizon_bars);
    let mut cuts: Vec<u32> = spans.iter().map(|span| span.inside_to).collect();
    cuts.push(u32::MAX);
    let all = unseen.first().map_or(0, |first| first.bar)..unseen.last().map_or(0, |last| last.bar + 1);
    let days = Days::new(market, all.clone());
    let replicates = question.replicates_grid;
    let plan = grid::Plan { market, decisions: unseen, policy, cuts: &cuts, days: &days, seed, replicates };
    let mut cells = grid::of(&plan, |ready| done(Step::Thresholds(ready, grid::count())));
    // The sides alone come after both, and are there to look at.
    let own = cells.iter().take_while(|cell| cell.side.is_none()).count();

    let choices: Vec<Choice> = (0..spans.len()).map(|fold| folds::choose(&cells[..own], fold)).collect();
    let now = folds::choose(&cells[..own], spans.len());
    let signals = signals(unseen, &spans, &choices);
    let mut outside = run(market, policy, &signals);
    outside.sort_by_key(|trade| trade.exit);
    let span = spans.first().map_or(0, |first| first.from)..spans.last().map_or(0, |last| last.to);
    let of_fold = |span: &Span| {
        let [from, to] = [span.from, span.to].map(|bar| signals.partition_point(|signal| signal.0 < bar));
        (span.from..span.to, &signals[from..to])
    };
    let by_fold: Vec<_> = spans.iter().map(of_fold).collect();
    let shifted = null::Signals { market, policy, folds: &by_fold };
    let null = null::of(&shifted, question.shifts, seed, |ready| done(Step::Shifts(ready, question.shifts)));

    let trials = own as u64;
    let chance = Chance { now: trials, tried: count(trials)? };
    for cell in &mut cells {
        cell.row.trades.dsr = cell.moments.and_then(|moments| chance.dsr(&moments));
    }
    let (mut figures, moments) = figures::of(&outside, &Days::new(market, span), seed, question.replicates);
    figures.dsr = moments.and_then(|moments| chance.dsr(&moments));
    let folds = of_folds(question, &spans, &choices, &outside, &chance);
    let walk_forward = walk_forward(question, unseen, (folds, figures), &outside, (&choices, now));
    let answer = answer::of(&answer::Evidence {
        trained_until: question.trained_until,
        has_bars: question.has_bars,
        walk_forward: &walk_forward,
        p_value: null.p_value,
        look_ahead: question.look_ahead,
        now,
        costs: &market.terms.costs,
        horizon_bars: market.terms.exits.horizon_bars,
        positions_max: policy.positions_max,
    });
    let before = spans.first().map_or(u32::MAX, |first| first.from);
    let known = decisions.iter().take_while(|decision| decision.bar < before);
    let first = choices.first().copied().unwrap_or_default();
    let known: Vec<_> = known.filter_map(|decision| Some((decision.bar, first.side(decision)?))).collect();
    let trials = chance.trials(moments.as_ref(), &cells[..own]);
    let inside = run(market, policy, &known);
    let (both, sides) = rows(cells);
    Ok(Judged { first_outside, both, sides, trials, null, walk_forward, answer, outside, inside })
}

fn run(market: &Market, policy: Policy, signals: &[(u32, Side)]) -> Vec<Trade> {
    let mut ended = Vec::new();
    trades::run(market, policy, signals.iter().copied(), |trade| ended.push(*trade));
    ended.sort_by_key(|trade| trade.exit);
    ended
}

/// What is signalled in each fold by what was chosen for it.
fn signals(decisions: &[Decision], spans: &[Span], choices: &[Choice]) -> Vec<(u32, Side)> {
    let mut signals = Vec::new();
    for (span, choice) in spans.iter().zip(choices) {
        let from = decisions.partition_point(|decision| decision.bar < span.from);
        let to = decisions.partition_point(|decision| decision.bar < span.to);
        signals.extend(decisions[from..to].iter().filter_map(|decision| Some((decision.bar, choice.side(decision)?))));
    }
    signals
}

/// What the best of all trials has by chance.
struct Chance {
    now: u64,
    tried: Tried,
}

impl Chance {
    /// `statistics::sharpe` says why it takes this variance.
    fn dsr(&self, moments: &Moments) -> Option<f64> {
        moments.dsr(self.tried.trials, sharpe::variance_of_chance(moments.count))
    }

    fn trials(&self, outside: Option<&Moments>, cells: &[Cell]) -> Trials {
        let Tried { studies, trials: total } = self.tried;
        let variance = outside.map(|moments| sharpe::variance_of_chance(moments.count));
        let best = variance.and_then(|variance| sharpe::expected_max(total, variance));
        let between = self.between(outside, cells);
        Trials { total, now: self.now, studies, sharpe_variance: variance, sharpe_expected_max: best, between }
    }

    fn between(&self, outside: Option<&Moments>, cells: &[Cell]) -> Option<Between> {
        let enough = cells.iter().filter(|cell| cell.row.trades.count >= grid::TRADES_MIN);
        let ratios: Vec<f64> = enough.filter_map(|cell| Some(cell.moments?.ratio)).collect();
        let variance = sharpe::variance_between(&ratios)?;
        Some(Between {
            trials: ratios.len() as u64,
            variance,
            expected_max: sharpe::expected_max(self.tried.trials, variance),
            dsr: outside.and_then(|moments| moments.dsr(self.tried.trials, variance)),
        })
    }
}

fn of_folds(
    question: &Question<'_>,
    spans: &[Span],
    choices: &[Choice],
    outside: &[Trade],
    chance: &Chance,
) -> Vec<Fold> {
    let market = question.market;
    let time = |bar: u32| market.close_times.get(bar as usize).copied().unwrap_or_default();
    let first = question.decisions.iter().map(|decision| decision.bar);
    let first = first.filter(|bar| question.trained_until.is_none_or(|until| time(*bar) >= until)).min();
    let fold = |(span, choice): (&Span, &Choice)| {
        let its: Vec<Trade> =
            outside.iter().filter(|trade| (span.from..span.to).contains(&trade.bar)).copied().collect();
        let days = Days::new(market, span.from..span.to);
        let (mut result, moments): (Figures, _) = figures::of(&its, &days, question.seed, question.replicates);
        result.dsr = moments.and_then(|moments| chance.dsr(&moments));
        let inside = first.filter(|first| *first < span.inside_to);
        Fold {
            inside: inside.map(|first| Range { from: time(first), to: time(span.inside_to - 1) }),
            outside: Range { from: time(span.from), to: time(span.to - 1) },
            threshold: choice.threshold,
            promised_net_points: choice.promised,
            result,
        }
    };
    spans.iter().zip(choices).map(fold).collect()
}

fn walk_forward(
    question: &Question<'_>,
    unseen: &[Decision],
    (folds, outside): (Vec<Fold>, Figures),
    trades: &[Trade],
    (choices, now): (&[Choice], Choice),
) -> WalkForward {
    let chosen = || choices.iter().filter_map(|choice| choice.threshold);
    let ends = chosen().reduce(f64::min).zip(chosen().reduce(f64::max));
    WalkForward {
        folds,
        purge_bars: question.market.terms.exits.horizon_bars,
        embargo_bars: EMBARGO_BARS,
        outside,
        exits: chosen_threshold::exits(trades),
        threshold_spread: ends.map(|(low, high)| [low, high]),
        threshold_now: now.threshold,
        sides_now: chosen_threshold::sides(question.market, question.policy, unseen, now),
    }
}

/// Both sides, and each alone.
fn rows(cells: Vec<Cell>) -> (Vec<Threshold>, Vec<SideRows>) {
    let mut both = Vec::new();
    let mut sides = [Side::Buy, Side::Sell].map(|side| SideRows { side: side.as_str().into(), thresholds: Vec::new() });
    for cell in cells {
        match cell.side {
            None => both.push(cell.row),
            Some(side) => sides[usize::from(side == Side::Sell)].thresholds.push(cell.row),
        }
    }
    (both, sides.into())
}
