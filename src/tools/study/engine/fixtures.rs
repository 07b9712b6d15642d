//! Made-up markets and models for tests: without an edge, with one, and with one only on the bars that the model was trained on.

use super::{
    Judged, Question, judge,
    market::{Decision, Market, Terms},
    trades::{OppositeRule, Policy},
};
use crate::tools::study::{result::LookAhead, statistics::bootstrap::generator, tries::Tried};
use rand_chacha::{ChaCha8Rng, rand_core::Rng as _};
use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    decision::Prediction,
    fill::{Costs, Exits, TripleDay},
    interval::Interval,
};

/// One position at a time on each side; a signal of the other side changes nothing.
pub const ALONE: Policy = Policy { positions_max: 1, opposite: OppositeRule::Open };

/// From 0 to 1.
pub fn uniform(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / f64::from(u32::MAX)
}

/// About normal: mean 0, deviation 1.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
}

/// A price that goes up or down by chance, 10 points an hour.
pub fn random_walk(count: usize, seed: u64) -> Vec<Bar> {
    let mut random = generator(seed);
    let mut price = 1.1;
    let bar = |index: usize| {
        let open = price;
        price += normal(&mut random) * 1e-4;
        let (high, low) = (open.max(price) + 2e-5, open.min(price) - 2e-5);
        // On a Thursday, and so on.
        Bar { open_time: 3_600 * index as i64, open, high, low, close: price, volume: 1.0 }
    };
    (0..count).map(bar).collect()
}

/// What a model with this much knowledge of the next 4 bars says: 0 is none, 1 is all. Its odds hold on from bar to bar, as those of
/// models do.
pub fn model(bars: &[Bar], seed: u64, knowledge: impl Fn(usize) -> f64) -> Vec<Decision> {
    decisions(bars, seed, knowledge, |view| view)
}

/// The same from a model that is nearly always sure, at most 0.72: whichever threshold is chosen, there are trades to judge it by.
pub fn sure_model(bars: &[Bar], seed: u64, knowledge: impl Fn(usize) -> f64) -> Vec<Decision> {
    decisions(bars, seed, knowledge, |view| 1.2 * (3.0 * view).tanh())
}

fn decisions(bars: &[Bar], seed: u64, knowledge: impl Fn(usize) -> f64, said: impl Fn(f64) -> f64) -> Vec<Decision> {
    let mut random = generator(seed ^ 0x5eed);
    let mut mood = 0.0;
    let decision = |at: usize| {
        mood = 0.8 * mood + 0.6 * normal(&mut random);
        let ahead = bars.get(at + 4).map_or(0.0, |later| (later.close - bars[at].close) / 2e-4);
        let known = knowledge(at);
        let view = said(known * ahead + (1.0 - known * known).sqrt() * mood);
        let weights = [(-view).exp(), 1.0, view.exp()];
        let sum: f64 = weights.iter().sum();
        let odds = Prediction::parse(weights.map(|weight| weight / sum)).unwrap();
        Decision { bar: at as u32, odds }
    };
    (0..bars.len()).map(decision).collect()
}

/// Bars of an hour with this spread, without stops.
pub fn market(bars: Vec<Bar>, spread: f64) -> Market {
    let costs = Costs { spread, ..Costs::default() };
    let exits = Exits { stop_loss: None, take_profit: None, horizon_bars: 4, digits: 5 };
    let terms = Terms { costs, triple_day: TripleDay::Wed, exits };
    Market::new(bars, Interval::OneHour, &Calendar::always(), terms)
}

/// Features that were checked, as they are where a model is asked.
pub fn checked() -> LookAhead {
    LookAhead { is_checked: true, ..LookAhead::default() }
}

/// A study that is the first of its bars, with fewer draws where that changes nothing.
pub fn study(market: &Market, decisions: &[Decision], trained_until: Option<i64>) -> Judged {
    study_after(market, decisions, trained_until, 0)
}

/// The same after other studies.
pub fn study_after(market: &Market, decisions: &[Decision], trained_until: Option<i64>, before: u64) -> Judged {
    judge_by(market, decisions, trained_until, ALONE, before)
}

/// The same by another rule for signals.
pub fn judge_by(
    market: &Market,
    decisions: &[Decision],
    trained_until: Option<i64>,
    policy: Policy,
    before: u64,
) -> Judged {
    let question = Question {
        market,
        decisions,
        trained_until,
        has_bars: true,
        policy,
        seed: 1,
        replicates_grid: 0,
        replicates: 1_000,
        shifts: 400,
        look_ahead: &checked(),
    };
    let count = |own: u64| Ok(Tried { studies: 2, trials: own + before });
    judge(&question, count, |_| {}).unwrap()
}
