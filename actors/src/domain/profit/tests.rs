//! From two looks at an account to what was realised and what is unexplained.

use super::*;
use crate::domain::{position::Position, side::Side};

const MINUTE_MS: i64 = 60_000;

/// A BUY of a tenth of a lot that opened at 1.1: a hundredth of the price is 110.
fn held(ticket: i64, volume: f64, profit: f64) -> HeldPosition {
    let position = Position { ticket, gateway_name: "EURUSDm".into(), side: Side::Buy, volume };
    HeldPosition {
        open_price: Some(1.1),
        current_price: Some(1.1 + profit / (volume * 100_000.0)),
        profit: Some(profit),
        ..position.into()
    }
}

fn look(minute: i64, balance: f64, positions: &[HeldPosition]) -> Look {
    Look { at_ms: minute * MINUTE_MS, balance, positions: positions.to_vec() }
}

/// Ticket, profit, source and kind.
type Row = (i64, f64, &'static str, &'static str);

/// Each row, and the unexplained rest.
fn brought(change: &Change) -> (Vec<Row>, Option<f64>) {
    let rows = change.realised.iter().map(|it| (it.ticket, it.profit, it.source.as_str(), it.kind.as_str()));
    (rows.collect(), change.unexplained)
}

fn change(before: &Look, after: &Look, earlier: Vec<Candidate>, unseen: Vec<Candidate>) -> Change {
    super::change(before, after, Known { earlier, unseen, unexplained: None })
}

fn between(before: &Look, after: &Look) -> Change {
    change(before, after, Vec::new(), Vec::new())
}

#[test]
fn one_close_brought_what_the_balance_moved_by() {
    let before = look(0, 10_000.0, &[held(7, 0.1, -19.5), held(8, 0.1, 3.0)]);
    let change = between(&before, &look(1, 9_979.93, &[held(8, 0.1, 4.0)]));
    let rows = vec![(7, -19.5, "estimated", "close"), (7, -20.07, "gateway", "close")];
    assert_eq!(brought(&change), (rows, None));
    assert!(change.realised.iter().all(|it| it.is_settled && it.at_ms == MINUTE_MS));
}

#[test]
fn swap_is_part_of_the_estimate() {
    let position = HeldPosition { swap: Some(-1.25), ..held(7, 0.1, 10.0) };
    let change = between(&look(0, 10_000.0, &[position]), &look(1, 10_008.75, &[]));
    assert_eq!(brought(&change).0, [(7, 8.75, "estimated", "close"), (7, 8.75, "gateway", "close")]);
}

#[test]
fn several_closes_at_once_are_estimates_that_add_up_to_the_step() {
    let before = look(0, 10_000.0, &[held(7, 0.1, -19.5), held(8, 0.2, 3.0)]);
    let change = between(&before, &look(1, 9_983.17, &[]));
    // 0.33 less than told: 0.11 and 0.22, by volume.
    assert_eq!(brought(&change), (vec![(7, -19.61, "estimated", "close"), (8, 2.78, "estimated", "close")], None));
}

#[test]
fn a_partial_close_brings_its_share_and_the_rest_stays_open() {
    let before = look(0, 10_000.0, &[held(7, 0.1, 20.0)]);
    let change = between(&before, &look(1, 10_007.95, &[held(7, 0.06, 12.0)]));
    assert_eq!(brought(&change), (vec![(7, 8.0, "estimated", "part"), (7, 7.95, "gateway", "part")], None));
}

#[test]
fn a_netting_position_that_grows_brings_nothing_and_one_that_turns_is_closed() {
    let before = look(0, 10_000.0, &[held(7, 0.1, 20.0)]);
    assert_eq!(between(&before, &look(1, 10_000.0, &[held(7, 0.3, 18.0)])), Change::default());
    let mut turned = held(7, 0.2, 0.0);
    turned.position.side = Side::Sell;
    let change = between(&before, &look(1, 10_021.0, &[turned]));
    assert_eq!(brought(&change).0, [(7, 20.0, "estimated", "close"), (7, 21.0, "gateway", "close")]);
}

#[test]
fn a_step_without_a_close_is_unexplained() {
    let open = [held(7, 0.1, 20.0)];
    for step in [500.0, -2_000.0, 0.01] {
        let change = between(&look(0, 10_000.0, &open), &look(1, 10_000.0 + step, &open));
        assert_eq!(brought(&change), (vec![], Some(step)));
    }
}

#[test]
fn a_deposit_is_not_taken_for_what_a_close_brought() {
    let before = look(0, 10_000.0, &[held(7, 0.1, -20.0)]);
    let change = between(&before, &look(1, 10_980.0, &[]));
    assert_eq!(brought(&change), (vec![(7, -20.0, "estimated", "close")], Some(1_000.0)));
    let both = look(0, 10_000.0, &[held(7, 0.1, -20.0), held(8, 0.1, 5.0)]);
    assert_eq!(between(&both, &look(1, 10_985.0, &[])).unexplained, Some(1_000.0));
}

#[test]
fn a_large_move_of_the_price_is_no_deposit() {
    // One lot and a small account: 80 pips in a minute are 8 % of the balance.
    let before = look(0, 10_000.0, &[held(7, 1.0, -20.0)]);
    let change = between(&before, &look(1, 9_180.0, &[]));
    assert_eq!(brought(&change), (vec![(7, -820.0, "estimated", "close")], None));
    // 500 pips need longer than a minute, and a restart takes longer.
    let late = look(60, 5_000.0, &[]);
    assert_eq!(brought(&between(&before, &late)), (vec![(7, -5_000.0, "estimated", "close")], None));
    assert_eq!(between(&before, &look(1, 5_000.0, &[])).unexplained, Some(-4_980.0));
}

#[test]
fn a_deposit_in_the_minute_of_a_small_close_is_no_profit() {
    // A hundredth of a lot swings by some 1,100: three jumps of a percent and a tenth of a percent of the balance are 43.
    let before = look(0, 10_000.0, &[held(7, 0.01, -20.0)]);
    let change = between(&before, &look(1, 10_030.0, &[]));
    assert_eq!(brought(&change), (vec![(7, -20.0, "estimated", "close")], Some(50.0)));
    let jump = between(&before, &look(1, 9_940.0, &[]));
    assert_eq!(brought(&jump), (vec![(7, -60.0, "estimated", "close")], None));
}

#[test]
fn a_close_that_may_hide_a_deposit_is_estimated() {
    // A tenth of a percent of the price, 10.98, is what a close may differ by from what was told a minute before.
    let before = look(0, 10_000.0, &[held(7, 0.1, -20.0)]);
    for (balance, is_near) in
        [(9_990.97, true), (9_990.99, false), (9_980.0, true), (9_969.03, true), (9_969.01, false)]
    {
        let change = between(&before, &look(1, balance, &[]));
        let (rows, unexplained) = brought(&change);
        let source = if is_near { "gateway" } else { "estimated" };
        let profit = cents(balance - 10_000.0);
        assert_eq!((rows.last(), unexplained), (Some(&(7, profit, source, "close")), None), "{balance}");
    }
    let unseen = vec![Candidate::unseen(9, "EURUSDm".into(), 0.1, MINUTE_MS)];
    let rows = brought(&change(&look(0, 10_000.0, &[]), &look(1, 10_030.0, &[]), vec![], unseen)).0;
    assert_eq!(rows, [(9, 30.0, "estimated", "close")], "nothing was told of it at all");
}

#[test]
fn noise_of_floats_is_no_step() {
    let balance = 10_000.1 + 0.2;
    assert_ne!(balance, 10_000.3);
    assert_eq!(between(&look(0, 10_000.3, &[]), &look(1, balance, &[])), Change::default());
    let change = between(&look(0, 0.1 + 0.2, &[held(7, 0.1, 0.3)]), &look(1, 0.6, &[]));
    assert_eq!(brought(&change).0[1], (7, 0.3, "gateway", "close"), "to the cent");
}

#[test]
fn a_balance_that_moves_later_settles_the_close_then() {
    let before = look(0, 10_000.0, &[held(7, 0.1, -20.0)]);
    let gone = look(1, 10_000.0, &[]);
    let first = between(&before, &gone);
    assert_eq!(brought(&first), (vec![(7, -20.0, "estimated", "close")], None));
    assert!(!first.realised[0].is_settled);
    let earlier = || vec![Candidate::earlier(7, "EURUSDm".into(), gone.at_ms, -20.0, Kind::Close)];
    let later = change(&gone, &look(2, 9_979.0, &[]), earlier(), vec![]);
    assert_eq!(brought(&later).0[1], (7, -21.0, "gateway", "close"));
    assert_eq!(later.realised[1].at_ms, gone.at_ms, "it replaces the estimate");
    assert_eq!(change(&gone, &look(2, 10_000.0, &[]), earlier(), vec![]), Change::default());
}

#[test]
fn an_order_that_no_look_saw_open_explains_a_step() {
    let (before, after) = (look(0, 10_000.0, &[]), look(1, 9_995.0, &[]));
    let unseen = || vec![Candidate::unseen(9, "EURUSDm".into(), 0.1, after.at_ms)];
    assert_eq!(brought(&change(&before, &after, vec![], unseen())).0, [(9, -5.0, "gateway", "close")]);
    assert_eq!(change(&before, &before, vec![], unseen()), Change::default(), "without a step it says nothing");
    let seen = look(0, 10_000.0, &[held(7, 0.1, -4.0)]);
    let rows = brought(&change(&seen, &after, vec![], unseen())).0;
    let told_by_seen = [(7, -5.0, "estimated", "close")];
    assert_eq!(rows, told_by_seen, "a position that is gone explains it better, but the step is not its alone");
    let deposit = change(&before, &look(1, 10_500.0, &[]), vec![], unseen());
    assert_eq!(brought(&deposit), (vec![], Some(500.0)), "nothing is told of it, so the limit is from nothing");
}

#[test]
fn an_order_that_made_a_netting_position_grow_closed_nothing() {
    let before = look(0, 10_000.0, &[held(7, 0.1, 2.0)]);
    let unseen = || vec![Candidate::unseen(9, "eurusdM".into(), 0.1, MINUTE_MS)];
    let added = change(&before, &look(1, 9_999.65, &[held(7, 0.2, 2.0)]), vec![], unseen());
    assert_eq!(brought(&added), (vec![(7, -0.35, "gateway", "opening")], None), "its commission");
    for step in [500.0, 0.5, -500.0] {
        let deposit = change(&before, &look(1, 10_000.0 + step, &[held(7, 0.2, 2.0)]), vec![], unseen());
        assert_eq!(brought(&deposit), (vec![], Some(step)));
    }
    // The gateway answered with the ticket of the deal.
    let opened = change(&look(0, 10_000.0, &[]), &look(1, 10_500.0, &[held(7, 0.1, 0.0)]), vec![], unseen());
    assert_eq!(brought(&opened), (vec![], Some(500.0)));
}

#[test]
fn a_step_that_comes_late_is_not_of_the_position_that_closes_then() {
    let (a, b) = (held(7, 0.1, 50.0), held(8, 0.1, -20.0));
    let first = between(&look(0, 10_000.0, &[a, b.clone()]), &look(1, 10_000.0, std::slice::from_ref(&b)));
    assert_eq!((brought(&first), first.realised[0].is_settled), ((vec![(7, 50.0, "estimated", "close")], None), false));
    let earlier = |ticket, minute: i64, told| {
        vec![Candidate::earlier(ticket, "EURUSDm".into(), minute * MINUTE_MS, told, Kind::Close)]
    };
    let (at_1, at_2) = (look(1, 10_000.0, &[b]), look(2, 10_050.0, &[]));
    let second = change(&at_1, &at_2, earlier(7, 1, 50.0), vec![]);
    let rows = vec![(7, 50.0, "estimated", "close"), (8, -20.0, "estimated", "close")];
    assert_eq!(brought(&second), (rows, None));
    assert_eq!(second.realised.iter().map(|it| it.is_settled).collect::<Vec<_>>(), [true, false]);
    let third = change(&at_2, &look(3, 10_030.0, &[]), earlier(8, 2, -20.0), vec![]);
    assert_eq!(brought(&third).0[1], (8, -20.0, "gateway", "close"));
    let at_once = change(&at_1, &look(2, 10_030.4, &[]), earlier(7, 1, 50.0), vec![]);
    assert_eq!(brought(&at_once).0.iter().map(|row| row.1).sum::<f64>(), 30.4, "both in one step");
    assert!(at_once.realised.iter().all(|it| it.source == Source::Estimated && it.is_settled));
}

/// The positions are gone one look after the balance moved, by this.
fn after_its_step(gone: &[HeldPosition], moved: f64) -> Change {
    let (before, after) = (look(1, 10_000.0 + moved, gone), look(2, 10_000.0 + moved, &[]));
    super::change(&before, &after, Known { unexplained: Some(moved), ..Known::default() })
}

#[test]
fn a_step_that_comes_early_is_of_the_close_that_follows() {
    let one = after_its_step(&[held(7, 0.1, 50.0)], 49.3);
    // A deposit of that size would look the same.
    let rows = vec![(7, 49.3, "estimated", "close")];
    assert_eq!((brought(&one), one.explains_step_before), ((rows, None), true));
    assert!(one.realised.iter().all(|it| it.is_settled), "no later step is its");
    let both = after_its_step(&[held(7, 0.1, 50.0), held(8, 0.1, -20.0)], 29.0);
    let rows = vec![(7, 49.5, "estimated", "close"), (8, -20.5, "estimated", "close")];
    assert_eq!((brought(&both), both.explains_step_before), ((rows, None), true));
}

#[test]
fn a_deposit_before_a_close_stays_unexplained() {
    let change = after_its_step(&[held(7, 0.1, 50.0)], 550.0);
    assert_eq!((brought(&change).0, change.explains_step_before), (vec![(7, 50.0, "estimated", "close")], false));
    assert!(!change.realised[0].is_settled, "its own step is still to come");
    let open = [held(7, 0.1, 50.0)];
    let known = Known { unexplained: Some(50.0), ..Known::default() };
    let none = super::change(&look(1, 10_050.0, &open), &look(2, 10_050.0, &open), known);
    assert_eq!(none, Change::default(), "nothing was closed");
    let (before, after) = (look(1, 10_050.0, &open), look(40, 10_050.0, &[]));
    let old = super::change(&before, &after, Known { unexplained: Some(50.0), ..Known::default() });
    assert!(!old.explains_step_before, "that was 39 minutes ago");
    let smaller = after_its_step(&[held(7, 0.1, 20.0)], 35.0);
    assert!(!smaller.explains_step_before, "not what was told of it");
}

#[test]
fn a_close_that_the_balance_does_not_show_in_its_time_stays_as_told() {
    let earlier = |told| vec![Candidate::earlier(7, "EURUSDm".into(), MINUTE_MS, told, Kind::Close)];
    let looks =
        |told, minute, balance| change(&look(1, 10_000.0, &[]), &look(minute, balance, &[]), earlier(told), vec![]);
    assert_eq!(looks(-20.0, 2, 10_000.0), Change::default(), "it may still move");
    let over = looks(-20.0, 3, 10_000.0);
    assert_eq!(brought(&over), (vec![(7, -20.0, "estimated", "close")], None), "never a guess as the gateway's");
    assert!(over.realised.iter().all(|it| it.is_settled && it.at_ms == MINUTE_MS));
    let nothing = looks(-4.0, 3, 10_000.0);
    assert_eq!(brought(&nothing), (vec![(7, -4.0, "estimated", "close"), (7, 0.0, "gateway", "close")], None));
    assert_eq!(brought(&looks(-20.0, 60, 9_980.0)).0[1], (7, -20.0, "gateway", "close"), "nobody looked in between");
    // Somebody looked after its time, and the step came only then.
    let late = change(&look(5, 10_000.0, &[]), &look(6, 9_980.0, &[]), earlier(-20.0), vec![]);
    assert_eq!((brought(&late).0, late.unexplained), (vec![(7, -20.0, "estimated", "close")], Some(-20.0)));
}

#[test]
fn what_opening_a_position_cost_is_no_loss_without_a_reason() {
    let change = between(&look(0, 10_000.0, &[]), &look(1, 9_999.65, &[held(7, 0.1, 0.0)]));
    assert_eq!(brought(&change), (vec![(7, -0.35, "gateway", "opening")], None));
    let gain = between(&look(0, 10_000.0, &[]), &look(1, 10_001.0, &[held(7, 0.1, 0.0)]));
    assert_eq!(gain.unexplained, Some(1.0), "opening brings nothing");
    let withdrawal = between(&look(0, 10_000.0, &[]), &look(1, 9_000.0, &[held(7, 0.1, 0.0)]));
    assert_eq!(withdrawal.unexplained, Some(-1_000.0));
}

#[test]
fn a_profit_that_was_never_told_is_known_by_the_balance_only() {
    let untold = |ticket| HeldPosition { profit: None, ..held(ticket, 0.1, 0.0) };
    let one = between(&look(0, 10_000.0, &[untold(7)]), &look(1, 9_980.0, &[]));
    assert_eq!(
        brought(&one),
        (vec![(7, -20.0, "estimated", "close")], None),
        "there may have been a deposit beside it"
    );
    let small = between(&look(0, 10_000.0, &[untold(7)]), &look(1, 9_992.0, &[]));
    assert_eq!(brought(&small), (vec![(7, -8.0, "gateway", "close")], None));
    let two = between(&look(0, 10_000.0, &[untold(7), held(8, 0.1, 5.0)]), &look(1, 9_985.0, &[]));
    assert_eq!(brought(&two).0, [(7, -20.0, "estimated", "close"), (8, 5.0, "estimated", "close")]);
}

#[test]
fn an_ended_trade_is_added_to_sums_that_are_known() {
    let figures = PaperFigures { day: 3, realised: vec![("EURUSD".into(), Some(2.5))], open: None };
    let more = figures.with("EURUSD", Some(-1.0)).and_then(|it| it.with("XAUUSD", Some(4.0))).unwrap();
    assert_eq!(more.realised, [("EURUSD".into(), Some(1.5)), ("XAUUSD".into(), Some(4.0))]);
    let unknown = more.with("EURUSD", None).unwrap();
    assert_eq!(unknown.realised[0], ("EURUSD".into(), None));
    assert_eq!(unknown.with("EURUSD", Some(1.0)), None, "counted anew: it may be known by now");
}

#[test]
fn a_better_source_comes_later_in_the_alphabet() {
    let all = [Source::Estimated, Source::Gateway, Source::Statement];
    assert!(all.is_sorted() && all.map(Source::as_str).is_sorted());
    assert!(all.iter().all(|source| source.as_str().parse() == Ok(*source)));
    assert_eq!("guess".parse::<Source>(), Err(()));
}
