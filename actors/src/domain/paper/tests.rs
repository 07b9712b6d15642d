//! The account on paper, bar by bar: entries, ends, the rules of live orders, money, and what a restart takes up.

use super::*;
use crate::domain::{
    bar::Bar,
    fill::Costs,
    guard::{Limits, Suppression},
    instrument::Instrument,
    journal::History,
    money::{Money, MoneyTerms},
    order::Side,
};
use proptest::prelude::*;
use std::{sync::Arc, time::Duration};

const HOUR: i64 = 3_600;
/// 2026-01-05 10:00 UTC, a Monday.
const BEGIN: i64 = 1_767_607_200;
const NOW: Duration = Duration::from_secs(BEGIN.unsigned_abs());

fn bar(place: i64, [open, high, low, close]: [f64; 4]) -> Bar {
    Bar { open_time: BEGIN + place * HOUR, open, high, low, close, volume: 1.0 }
}

fn flat(place: i64, price: f64) -> Bar {
    bar(place, [price; 4])
}

fn close_time(bar: &Bar) -> i64 {
    bar.open_time + HOUR
}

fn instrument(name: &str) -> Instrument {
    Instrument {
        symbol: Symbol::new(name),
        ticker: format!("{name}.FOREX"),
        gateway_name: name.into(),
        threshold: 0.6,
        volume: 0.1,
        digits: 5,
        stop_loss: Some(0.001),
        take_profit: Some(0.002),
    }
}

const COSTS: Costs = Costs { spread: 10.0, slippage: 1.0, commission_side: 2.0, swap_long: -3.0, swap_short: 1.0 };

fn terms() -> PaperTerms {
    PaperTerms {
        triple_day: TripleDay::Wed,
        horizon_bars: 0,
        start: 10_000.0,
        account_mode: AccountMode::Hedging,
        opposite: Opposite::Open,
    }
}

/// An order manager for EURUSD and USDJPY and all bars so far.
struct Table {
    manager: PaperOrderManager,
    bars: Vec<Bar>,
    costs: Option<Costs>,
}

fn rules(terms: PaperTerms, limits: Limits) -> PaperRules {
    let money = |name: &str, rate: Option<&str>| MoneyTerms {
        symbol: Symbol::new(name),
        digits: 5,
        contract_size: 100_000.0,
        rate: rate.map(|text| text.parse().unwrap()),
    };
    let terms_of = [money("EURUSD", Some("1")), money("EURCHF", None), money("EURGBP", Some("GBPUSD"))];
    let money = Arc::new(Money::new(terms_of.to_vec()));
    PaperRules {
        limits: Limits { opposite: terms.opposite, ..limits },
        terms,
        money,
        account: "demo".into(),
        model: "baseline".into(),
    }
}

impl Table {
    fn new(terms: PaperTerms) -> Self {
        Self::limited(terms, Limits { positions_max: 1, ..Limits::default() })
    }

    fn limited(terms: PaperTerms, limits: Limits) -> Self {
        let manager = PaperOrderManager::new(
            rules(terms, limits),
            &[instrument("EURUSD")],
            PaperBook::default(),
            History::default(),
        );
        Self { manager, bars: vec![flat(0, 1.1)], costs: Some(COSTS) }
    }

    fn now(&self) -> Duration {
        Duration::from_secs(u64::try_from(close_time(self.bars.last().unwrap())).unwrap() + 5)
    }

    /// A new bar comes.
    fn bar(&mut self, prices: [f64; 4]) -> &mut Self {
        self.bars.push(bar(self.bars.len() as i64, prices));
        let (symbol, now) = (Symbol::new("EURUSD"), self.now());
        self.manager.advance([(&symbol, &self.bars[..])].into_iter(), close_time, now);
        self
    }

    fn signal(&mut self, side: Side) -> Result<Uuid, Suppression> {
        self.signal_of("EURUSD", side)
    }

    fn signal_of(&mut self, name: &str, side: Side) -> Result<Uuid, Suppression> {
        let (now, bar) = (self.now(), *self.bars.last().unwrap());
        self.manager.begin(now);
        let instrument = instrument(name);
        let bar_close_time = close_time(&bar);
        let (confidence, costs) = (0.7, self.costs);
        let signal = PaperSignal { instrument: &instrument, side, confidence, bar: &bar, bar_close_time, costs };
        self.manager.place(&signal, now)
    }

    /// What a cycle would write, as the journal is told it.
    fn changes(&mut self) -> (Vec<PaperOrder>, Option<PaperEquity>) {
        let (orders, equity) = self.manager.changes();
        (orders.into_iter().cloned().collect(), equity)
    }

    fn only(&mut self) -> PaperOrder {
        let (orders, _) = self.changes();
        assert_eq!(orders.len(), 1, "{orders:?}");
        orders.into_iter().next().unwrap()
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn an_order_is_entered_at_the_next_open_and_open_until_then() {
    let mut table = Table::new(terms());
    let id = table.signal(Side::Buy).unwrap();
    let order = table.only();
    assert_eq!((order.id, order.entry, order.is_open(), order.open_points()), (id, None, true, 0.0));
    assert_eq!((order.stop_loss, order.take_profit, order.close), (1.099, 1.102, 1.1));
    assert_eq!(table.signal(Side::Buy), Err(Suppression::AlreadyOrdered));
    table.bar([1.1003, 1.1005, 1.1, 1.1004]);
    let order = table.only();
    let entry = order.entry.unwrap();
    assert_eq!(entry.at, BEGIN + HOUR);
    assert!(near(entry.price, 1.1003 + 0.00006), "half the spread and slippage: {}", entry.price);
    assert!(near(order.open_points(), 10.0 - 16.0), "10 up, less spread, slippage and commission");
    assert_eq!(table.signal(Side::Buy), Err(Suppression::PositionLimit));
}

#[test]
fn stops_end_a_position_as_the_model_of_fills_says() {
    for (bars, reason, price, is_ambiguous) in [
        (vec![[1.1, 1.1005, 1.0985, 1.1]], ExitReason::StopLoss, 1.099, false),
        (vec![[1.1, 1.1005, 1.0995, 1.1], [1.1, 1.103, 1.1, 1.1]], ExitReason::TakeProfit, 1.102, false),
        (vec![[1.1, 1.103, 1.098, 1.1]], ExitReason::StopLoss, 1.099, true),
        (vec![[1.1, 1.1, 1.1, 1.1], [1.097, 1.1, 1.096, 1.1]], ExitReason::StopLoss, 1.097, false),
        // It opens beyond the take-profit: nothing better is assumed.
        (vec![[1.1, 1.1, 1.1, 1.1], [1.105, 1.105, 1.1, 1.1]], ExitReason::TakeProfit, 1.102, false),
    ] {
        let mut table = Table::new(terms());
        table.signal(Side::Buy).unwrap();
        for prices in &bars {
            table.bar(*prices);
        }
        let order = table.only();
        let exit = order.exit.unwrap();
        assert_eq!((exit.reason, exit.is_ambiguous), (PaperEnd::Filled(reason), is_ambiguous), "{bars:?}");
        assert!(near(exit.price.unwrap(), price - 0.00006), "{bars:?}: {exit:?}");
        assert_eq!(exit.at, BEGIN + (1 + bars.len() as i64) * HOUR, "within a bar, its close is taken");
        let points = (price - 1.1) * 1e5 - 16.0;
        assert!(near(exit.net_points.unwrap(), (points * 1e6).round() / 1e6), "{bars:?}: {exit:?}");
        // 0.1 lots of 100,000 with five places: 0.1 dollars a point.
        assert!((exit.profit.unwrap() - points / 10.0).abs() < 1e-6, "{exit:?}");
        let equity = table.changes().1.unwrap();
        assert_eq!((equity.equity, equity.unpriced), (Some(equity.balance), 0));
        assert!((equity.balance - 10_000.0 - points / 10.0).abs() < 1e-6 && equity.open_points == 0.0);
    }
}

#[test]
fn a_night_costs_swap_and_wednesday_costs_three() {
    // From Monday 11:00 to Thursday 11:00 UTC: Monday, Tuesday and three of Wednesday.
    let mut table = Table::new(PaperTerms { horizon_bars: 73, ..terms() });
    table.signal(Side::Buy).unwrap();
    for _ in 0..73 {
        table.bar([1.1; 4]);
    }
    let order = table.only();
    assert_eq!(order.nights, 5);
    let exit = order.exit.unwrap();
    assert_eq!(exit.reason, PaperEnd::Filled(ExitReason::Horizon));
    assert!(near(exit.net_points.unwrap(), -16.0 - 15.0), "{exit:?}");
}

#[test]
fn an_opposite_signal_does_what_the_setting_and_the_account_say() {
    for (opposite, account_mode, is_ordered, ends, opens) in [
        (Opposite::Open, AccountMode::Hedging, true, false, true),
        (Opposite::Open, AccountMode::Netting, true, true, false),
        (Opposite::CloseThenOpen, AccountMode::Netting, true, true, true),
        (Opposite::CloseThenOpen, AccountMode::Hedging, true, true, true),
        (Opposite::Skip, AccountMode::Hedging, false, false, false),
    ] {
        let mut table = Table::new(PaperTerms { opposite, account_mode, ..terms() });
        table.signal(Side::Buy).unwrap();
        table.bar([1.1, 1.1, 1.1, 1.1]);
        let second = table.signal(Side::Sell);
        assert_eq!(second.is_ok(), is_ordered, "{opposite:?} {account_mode:?}");
        if !is_ordered {
            assert_eq!(second, Err(Suppression::Opposite));
        }
        table.bar([1.1002, 1.1002, 1.1002, 1.1002]);
        let (orders, _) = table.changes();
        let exit = orders[0].exit;
        assert_eq!(exit.map(|exit| exit.reason), ends.then_some(PaperEnd::Filled(ExitReason::Opposite)));
        if let Some(exit) = exit {
            assert_eq!((exit.at, orders[0].ended_by), (BEGIN + 2 * HOUR, second.ok()), "at the next bar's open");
            assert!(near(exit.price.unwrap(), 1.1002 - 0.00006), "{exit:?}");
        }
        let opened = orders.iter().filter(|order| order.side == Side::Sell && order.is_open()).count();
        assert_eq!(opened, usize::from(opens), "{opposite:?} {account_mode:?}: {orders:?}");
        let met = orders.iter().find_map(|order| order.closes);
        assert_eq!(met, (ends && !opens).then_some(1), "only a netting account meets two orders");
    }
}

#[test]
fn a_position_whose_bars_are_missing_is_lost_without_a_figure() {
    let mut table = Table::new(terms());
    table.signal(Side::Buy).unwrap();
    table.bar([1.1, 1.1, 1.1, 1.1]);
    // A window that begins after all that was seen.
    table.bars = (200..320).map(|place| flat(place, 1.2)).collect();
    let symbol = Symbol::new("EURUSD");
    table.manager.advance([(&symbol, &table.bars[..])].into_iter(), close_time, NOW);
    let exit = table.only().exit.unwrap();
    assert_eq!((exit.reason, exit.price, exit.net_points, exit.profit), (PaperEnd::Lost, None, None, None));
    let equity = table.changes().1.unwrap();
    assert_eq!((equity.balance, equity.points, equity.unpriced), (10_000.0, 0.0, 1));
    assert!(table.signal(Side::Buy).is_ok(), "it counts no more");
}

#[test]
fn a_position_of_a_symbol_that_is_not_traded_any_more_is_lost() {
    let mut table = Table::limited(terms(), Limits { loss_pct_per_day_max: 1.0, ..Limits::default() });
    table.signal_of("EURCHF", Side::Buy).unwrap();
    table.bars.push(flat(1, 1.1005));
    let symbol = Symbol::new("EURCHF");
    table.manager.advance([(&symbol, &table.bars[..])].into_iter(), close_time, NOW);
    table.manager.kept();
    assert_eq!(table.signal(Side::Buy), Err(Suppression::LossLimit), "its loss is not known");
    assert_eq!(table.manager.give_up(&[instrument("EURUSD"), instrument("EURCHF")], NOW), []);
    assert_eq!(table.manager.give_up(&[instrument("EURUSD")], NOW), [symbol]);
    let order = table.only();
    let exit = order.exit.unwrap();
    assert_eq!((exit.reason, exit.price, exit.net_points, exit.profit), (PaperEnd::Lost, None, None, None));
    assert_eq!((order.unkept, table.changes().1.unwrap().unpriced), (Unkept::All, 1));
    table.bar([1.1; 4]);
    assert!(table.signal(Side::Buy).is_ok());
}

#[test]
fn a_trade_that_ends_before_its_rate_has_a_price_is_priced_later() {
    let mut table = Table::new(terms());
    table.signal_of("EURGBP", Side::Buy).unwrap();
    let (traded, rate) = (Symbol::new("EURGBP"), Symbol::new("GBPUSD"));
    table.bars.push(bar(1, [1.1, 1.1, 1.0985, 1.0985]));
    table.manager.advance([(&traded, &table.bars[..])].into_iter(), close_time, NOW);
    let (order, equity) = (table.only(), table.changes().1.unwrap());
    let points = order.exit.unwrap().net_points.unwrap();
    assert!(near(points, -116.0), "{order:?}");
    assert_eq!((order.exit.unwrap().profit, equity.balance, equity.unpriced), (None, 10_000.0, 1));
    table.manager.kept();
    table.manager.advance([(&traded, &table.bars[..])].into_iter(), close_time, NOW);
    assert_eq!(table.changes(), (Vec::new(), None), "still none");
    table.manager.advance([(&rate, &[flat(2, 1.25)][..])].into_iter(), close_time, NOW);
    let (order, equity) = (table.only(), table.changes().1.unwrap());
    // 0.1 lots of 100,000: 0.1 pounds a point, at 1.25 dollars.
    assert!(near(order.exit.unwrap().profit.unwrap(), points * 0.125), "{order:?}");
    assert!(near(equity.balance, 10_000.0 + points * 0.125) && equity.unpriced == 0 && near(equity.points, points));
    table.manager.kept();
    table.manager.advance([(&rate, &[flat(3, 1.5)][..])].into_iter(), close_time, NOW);
    assert_eq!(table.changes(), (Vec::new(), None), "once");
}

#[test]
fn a_trade_waits_a_day_for_its_rate_and_no_longer() {
    for (late, is_priced) in [(RATE_WAIT, true), (RATE_WAIT + Duration::from_secs(1), false)] {
        let mut table = Table::new(terms());
        table.signal_of("EURGBP", Side::Buy).unwrap();
        let (traded, rate) = (Symbol::new("EURGBP"), Symbol::new("GBPUSD"));
        table.bars.push(bar(1, [1.1, 1.1, 1.0985, 1.0985]));
        table.manager.advance([(&traded, &table.bars[..])].into_iter(), close_time, NOW);
        assert_eq!(table.only().ended_at, Some(NOW));
        table.manager.kept();
        table.manager.advance([(&rate, &[flat(2, 1.25)][..])].into_iter(), close_time, NOW + late);
        let (changed, equity) = table.changes();
        let found = (changed.iter().any(|order| order.exit.unwrap().profit.is_some()), equity.is_some());
        assert_eq!(found, (is_priced, is_priced), "{late:?}");
    }
}

#[test]
fn a_trade_that_waits_for_a_rate_is_priced_after_a_restart() {
    let mut table = Table::new(terms());
    table.signal_of("EURGBP", Side::Buy).unwrap();
    let (traded, rate) = (Symbol::new("EURGBP"), Symbol::new("GBPUSD"));
    table.bars.push(bar(1, [1.1, 1.1, 1.0985, 1.0985]));
    table.manager.advance([(&traded, &table.bars[..])].into_iter(), close_time, NOW);
    let (mut orders, equity) = table.changes();
    let points = orders[0].exit.unwrap().net_points.unwrap();
    orders[0].unkept = Unkept::Nothing;
    let book = PaperBook { orders, last_ticket: 1, equity, first_equity: None };
    let rules = rules(terms(), Limits { positions_max: 1, ..Limits::default() });
    let mut manager = PaperOrderManager::new(rules, &[instrument("EURGBP")], book, History::default());
    manager.advance([(&traded, &table.bars[..])].into_iter(), close_time, NOW);
    assert_eq!(manager.changes(), (Vec::new(), None), "the rate has no price yet");
    manager.advance([(&rate, &[flat(2, 1.25)][..])].into_iter(), close_time, NOW);
    let (changed, equity) = manager.changes();
    assert!(near(changed[0].exit.unwrap().profit.unwrap(), points * 0.125));
    let equity = equity.unwrap();
    assert!(near(equity.balance, 10_000.0 + points * 0.125) && near(equity.points, points) && equity.unpriced == 0);
}

#[test]
fn a_bar_that_only_moves_an_open_trade_changes_its_progress_alone() {
    let mut table = Table::new(terms());
    table.signal(Side::Buy).unwrap();
    table.manager.kept();
    table.bar([1.1; 4]);
    assert_eq!(table.only().unkept, Unkept::All, "it is entered");
    table.manager.kept();
    table.bar([1.1, 1.1005, 1.1, 1.1002]);
    assert_eq!(table.only().unkept, Unkept::Progress);
    table.bar([1.1, 1.1005, 1.0985, 1.1]);
    assert_eq!(table.only().unkept, Unkept::All, "it has ended");
}

#[test]
fn limits_of_live_orders_hold_on_paper() {
    let limits = Limits { orders_per_day_max: 2, ..Limits::default() };
    let mut table = Table::limited(terms(), limits);
    for _ in 0..2 {
        table.signal(Side::Buy).unwrap();
        table.bar([1.1; 4]);
    }
    assert_eq!(table.signal(Side::Buy), Err(Suppression::OrderLimit));
    let mut table = Table::limited(terms(), Limits { cooldown: Duration::from_secs(7_000), ..Limits::default() });
    table.signal(Side::Buy).unwrap();
    table.bar([1.1; 4]);
    assert_eq!(table.signal(Side::Sell), Err(Suppression::Cooldown));
    table.bar([1.1; 4]);
    assert!(table.signal(Side::Sell).is_ok());
    let mut table = Table::new(terms());
    table.bars = vec![flat(0, 0.005)];
    assert_eq!(table.signal(Side::Buy), Err(Suppression::BadStop));
    assert_eq!(table.changes(), (Vec::new(), None));
}

#[test]
fn a_day_that_lost_enough_ends_orders_until_the_next() {
    let limits = Limits { loss_pct_per_day_max: 0.1, ..Limits::default() };
    let mut table = Table::limited(terms(), limits);
    table.signal(Side::Buy).unwrap();
    table.bar([1.1, 1.1, 1.0985, 1.0985]);
    assert!(table.changes().1.unwrap().balance < 9_990.0, "more than 0.1 % of 10,000");
    assert_eq!(table.signal(Side::Buy), Err(Suppression::LossLimit));
    while table.now().as_secs() / 86_400 == BEGIN.unsigned_abs() / 86_400 {
        table.bar([1.1; 4]);
    }
    assert!(table.signal(Side::Buy).is_ok());
}

#[test]
fn an_equity_that_nobody_knows_is_none_and_stops_a_loss_limit() {
    let mut table = Table::limited(terms(), Limits { loss_pct_per_day_max: 1.0, ..Limits::default() });
    assert!(table.signal_of("EURCHF", Side::Buy).is_ok(), "nothing is open, so nothing is unknown");
    let symbol = Symbol::new("EURCHF");
    table.bars.push(flat(1, 1.1005));
    table.manager.advance([(&symbol, &table.bars[..])].into_iter(), close_time, NOW);
    let (_, equity) = table.changes();
    let equity = equity.unwrap();
    assert_eq!(equity.equity, None, "EURCHF has no rate");
    assert!(equity.open_points < 0.0, "its points are known");
    assert_eq!(table.signal(Side::Buy), Err(Suppression::LossLimit));
}

#[test]
fn without_costs_nothing_is_charged() {
    let mut table = Table { costs: None, ..Table::new(terms()) };
    table.signal(Side::Sell).unwrap();
    table.bar([1.1, 1.1, 1.0985, 1.0985]);
    assert!(near(table.only().open_points(), 150.0));
}

#[test]
fn what_is_kept_is_not_kept_again_and_what_has_ended_is_let_go() {
    let mut table = Table::new(terms());
    assert_eq!(table.changes(), (Vec::new(), None), "nothing was ever ordered");
    table.signal(Side::Buy).unwrap();
    table.manager.kept();
    assert_eq!(table.changes(), (Vec::new(), None));
    table.bar([1.1, 1.1005, 1.0985, 1.1]);
    assert_eq!(table.changes().0.len(), 1);
    table.manager.kept();
    table.bar([1.1; 4]);
    assert_eq!(table.changes(), (Vec::new(), None));
}

#[test]
fn a_restart_goes_on_and_another_start_is_a_deposit() {
    let mut table = Table::new(terms());
    table.signal(Side::Buy).unwrap();
    table.bar([1.1, 1.1005, 1.0995, 1.1001]);
    let (open, equity) = table.changes();
    let book = PaperBook { orders: open, last_ticket: 1, equity, first_equity: None };
    for start in [10_000.0, 12_500.0] {
        let rules = rules(PaperTerms { start, ..terms() }, Limits { positions_max: 1, ..Limits::default() });
        let manager = PaperOrderManager::new(rules, &[instrument("EURUSD")], book.clone(), History::default());
        let mut again = Table { manager, bars: table.bars.clone(), costs: Some(COSTS) };
        again.bar([1.1, 1.1, 1.0985, 1.1]);
        let order = again.only();
        assert_eq!((order.ticket, order.bars_seen), (1, 2));
        let profit = order.exit.unwrap().profit.unwrap();
        assert!(near(again.changes().1.unwrap().balance, start + profit));
    }
    // Nor is it a loss or a gain of the day: 1 % of what the day began with, with the deposit.
    let limits = Limits { loss_pct_per_day_max: 1.0, ..Limits::default() };
    let day = table.now().as_secs() / 86_400;
    for (start, first, is_stopped) in
        [(1_000.0, 10_000.0, false), (100_000.0, 10_000.0, false), (100_000.0, 11_100.0, true)]
    {
        let rules = rules(PaperTerms { start, ..terms() }, limits);
        let book = PaperBook { first_equity: Some((day, first)), ..book.clone() };
        let manager = PaperOrderManager::new(rules, &[instrument("EURUSD")], book, History::default());
        let mut again = Table { manager, bars: table.bars.clone(), costs: Some(COSTS) };
        again.bar([1.1, 1.1005, 1.0995, 1.1001]);
        assert_eq!(again.signal(Side::Buy) == Err(Suppression::LossLimit), is_stopped, "{start} after {first}");
    }
}

#[test]
fn the_id_is_another_than_that_of_the_live_order() {
    let symbol = Symbol::new("EURUSD");
    let paper = paper_order_id("demo", &symbol, "baseline", BEGIN);
    assert_ne!(paper, crate::domain::order::client_order_id("demo", &symbol, "baseline", BEGIN));
    assert_ne!(paper, paper_order_id("demo", &symbol, "baseline", BEGIN + 60));
}

proptest! {
    /// However many bars come at once, and however long the window is: a trade ends in the same way.
    #[test]
    fn a_trade_does_not_depend_on_how_often_it_is_looked_at(
        moves in prop::collection::vec((-8_i32..=8, 0_i32..=8, 0_i32..=8), 1..40),
        cuts in prop::collection::vec(1_usize..6, 1..40),
        is_buy in any::<bool>(),
        horizon_bars in 0_usize..20,
    ) {
        let mut price = 110_000;
        let mut bars = vec![flat(0, 1.1)];
        for (place, (step, up, down)) in moves.into_iter().enumerate() {
            let (open, close) = (price, price + step * 10);
            let at = |points: i32| f64::from(points) / 1e5;
            let (high, low) = (open.max(close) + up * 10, open.min(close) - down * 10);
            bars.push(bar(place as i64 + 1, [at(open), at(high), at(low), at(close)]));
            price = close;
        }
        let side = if is_buy { Side::Buy } else { Side::Sell };
        let ended = |cuts: &[usize], window: usize| {
            let mut table = Table::new(PaperTerms { horizon_bars, ..terms() });
            table.signal(side).unwrap();
            let (symbol, mut seen) = (Symbol::new("EURUSD"), 1);
            for cut in cuts.iter().chain(std::iter::repeat(&bars.len())) {
                seen = (seen + cut).min(bars.len());
                let from = seen.saturating_sub(window + cut);
                table.manager.advance([(&symbol, &bars[from..seen])].into_iter(), close_time, NOW);
                if seen == bars.len() {
                    break;
                }
            }
            table.only()
        };
        let at_once = ended(&[], bars.len());
        prop_assert_eq!(&ended(&cuts, bars.len()), &at_once);
        prop_assert_eq!(&ended(&cuts, 1), &at_once);
    }
}
