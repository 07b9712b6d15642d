//! The daemon's account on paper against the study: the same bars, odds, costs and horizon are the same trades, under each rule for
//! signals of the other side.

use super::{
    fixtures::*,
    folds::Choice,
    market::{Decision, Market, Terms, Trade},
    trades::{self, OppositeRule, Policy},
};
use sentinel_actors::domain::{
    bar::Bar,
    calendar::Calendar,
    fill::{Costs, ExitReason, Exits, TripleDay},
    guard::Limits,
    instrument::{Instrument, Symbol},
    interval::Interval,
    journal::History,
    money::Money,
    paper::{PaperBook, PaperEnd, PaperOrder, PaperOrderManager, PaperRules, PaperSignal, PaperTerms},
    position::{AccountMode, Opposite},
    side::Side,
};
use std::{sync::Arc, time::Duration};

const HORIZON: usize = 12;
const THRESHOLD: f64 = 0.45;
const WINDOW: usize = 120;
const COSTS: Costs = Costs { spread: 8.0, slippage: 0.5, commission_side: 3.5, swap_long: -4.0, swap_short: 1.5 };

/// What both must agree on.
type Row = (i64, Side, ExitReason, bool, i64, f64);

fn studied(market: &Market, signals: &[(u32, Side)], policy: Policy) -> Vec<Row> {
    let mut rows = Vec::new();
    trades::run(market, policy, signals.iter().copied(), |trade: &Trade| {
        let closed = market.close_times[trade.bar as usize];
        rows.push((closed, trade.side, trade.reason, trade.is_ambiguous, market.exit_time(trade), trade.net));
    });
    rows.sort_by_key(|row| row.0);
    rows
}

fn on_paper(market: &Market, signals: &[(u32, Side)], terms: PaperTerms, positions_max: u32) -> Vec<Row> {
    let exits = market.terms.exits;
    let instrument = Instrument {
        symbol: Symbol::new("EURUSD"),
        ticker: "EURUSD.FOREX".into(),
        gateway_name: "EURUSD".into(),
        threshold: THRESHOLD,
        volume: 0.01,
        digits: exits.digits,
        stop_loss: exits.stop_loss,
        take_profit: exits.take_profit,
    };
    let rules = PaperRules {
        limits: Limits { positions_max, opposite: terms.opposite, ..Limits::default() },
        terms,
        money: Arc::new(Money::default()),
        account: "demo".into(),
        model: "baseline".into(),
    };
    let mut manager =
        PaperOrderManager::new(rules, std::slice::from_ref(&instrument), PaperBook::default(), History::default());
    let mut ended: Vec<PaperOrder> = Vec::new();
    let mut signals = signals.iter().peekable();
    for at in 0..market.bars.len() {
        let window = &market.bars[at.saturating_sub(WINDOW - 1)..=at];
        let close_time = |bar: &Bar| bar.close_time(Interval::OneHour, &Calendar::always());
        let now = Duration::from_secs(market.close_times[at].unsigned_abs());
        manager.advance([(&instrument.symbol, window)].into_iter(), close_time, now);
        if let Some((_, side)) = signals.next_if(|(bar, _)| *bar as usize == at) {
            manager.begin(now);
            let (bar, bar_close_time) = (&market.bars[at], market.close_times[at]);
            let costs = Some(market.terms.costs);
            // Whether a rule forbids it is what is compared.
            let _ = manager.place(
                &PaperSignal { instrument: &instrument, side: *side, confidence: 0.9, bar, bar_close_time, costs },
                now,
            );
        }
        ended.extend(manager.changes().0.into_iter().filter(|order| order.exit.is_some()).cloned());
        manager.kept();
    }
    let row = |order: &PaperOrder| {
        let exit = order.exit.unwrap();
        let PaperEnd::Filled(reason) = exit.reason else { panic!("lost: {order:?}") };
        (order.bar_close_time, order.side, reason, exit.is_ambiguous, exit.at, exit.net_points.unwrap())
    };
    let mut rows: Vec<Row> = ended.iter().map(row).collect();
    rows.sort_by_key(|row| row.0);
    rows
}

#[test]
fn paper_makes_the_trades_of_the_study() {
    let rules = [
        (OppositeRule::Open, Opposite::Open, AccountMode::Hedging),
        (OppositeRule::CloseOnly, Opposite::Open, AccountMode::Netting),
        (OppositeRule::CloseThenOpen, Opposite::CloseThenOpen, AccountMode::Netting),
        (OppositeRule::Skip, Opposite::Skip, AccountMode::Hedging),
    ];
    let mut reasons = Vec::new();
    for seed in 1..=8 {
        let bars = random_walk(700, seed);
        let decisions: Vec<Decision> = model(&bars, seed, |_| 0.0);
        let exits = Exits { stop_loss: Some(4e-4), take_profit: Some(5e-4), horizon_bars: HORIZON, digits: 5 };
        let terms = Terms { costs: COSTS, triple_day: TripleDay::Wed, exits };
        let market = Market::new(bars, Interval::OneHour, &Calendar::always(), terms);
        // The study makes no trade of a signal whose position its bars do not see end.
        let last = u32::try_from(market.bars.len() - HORIZON - 2).unwrap();
        let choice = Choice { threshold: Some(THRESHOLD), promised: None };
        let signals: Vec<_> = decisions.iter().filter(|it| it.bar < last).collect();
        let signals: Vec<_> = signals.into_iter().filter_map(|it| Some((it.bar, choice.side(it)?))).collect();
        for (rule, opposite, account_mode) in rules {
            let policy = Policy { positions_max: 1, opposite: rule };
            let terms = PaperTerms {
                triple_day: TripleDay::Wed,
                horizon_bars: HORIZON,
                start: 10_000.0,
                account_mode,
                opposite,
            };
            let expected = studied(&market, &signals, policy);
            assert!(expected.len() > 20, "too few to say anything: {}", expected.len());
            assert_eq!(on_paper(&market, &signals, terms, 1), expected, "seed {seed}, {rule:?}");
            reasons.extend(expected.iter().map(|row| row.2.as_str()));
        }
    }
    for reason in ["stop_loss", "take_profit", "opposite", "horizon"] {
        assert!(reasons.contains(&reason), "{reason} never came");
    }
}
