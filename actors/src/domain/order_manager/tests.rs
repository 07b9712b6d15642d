//! The manager with a journal and a gateway that fail when a test wants it.

mod exposure;

use super::{fixtures::*, *};
use crate::domain::{
    guard::Obstacles,
    order::{Order, Outcome, Side},
    order_state::OrderState,
    position::{Opposite, Position},
};

#[test]
fn an_order_is_on_disk_before_it_is_sent() {
    let (mut it, book, mut gateway) = (manager(), Book::default(), filling());
    let order = order("EURUSD", BAR);
    assert!(cycle(&mut it, &book, &mut gateway, &order).is_ok());
    assert_eq!(book.state(order.client_order_id), Some(OrderState::Filled));
    assert_eq!(book.calls.get(), 3, "standing, intent and sending, outcome");
    assert_eq!(cycle(&mut it, &book, &mut gateway, &order), Err(Suppression::AlreadyOrdered));
    let restarted = cycle(&mut manager(), &book, &mut gateway, &order);
    assert_eq!(restarted, Err(Suppression::AlreadyOrdered), "a restart knows it too");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn an_order_that_may_not_be_claimed_is_not_written() {
    let (mut it, book, mut gateway) = (manager(), Book::default(), filling());
    let order = order("EURUSD", BAR);
    gateway.unclaimable = Some(Suppression::OrderLimit);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &order), Err(Suppression::OrderLimit));
    assert_eq!((book.state(order.client_order_id), &gateway.calls[..]), (None, &["prepare"][..]));
    gateway.unclaimable = None;
    assert!(cycle(&mut it, &book, &mut gateway, &order).is_ok(), "the bar is not used up");
    assert_eq!(gateway.calls[1..], ["prepare", "send", "settle"]);
}

#[test]
fn nothing_is_sent_while_a_write_before_it_fails() {
    for failing_call in [1, 2] {
        let (mut it, book, mut gateway) = (manager(), Book::default(), filling());
        book.fails.borrow_mut().push(failing_call);
        let first = order("EURUSD", BAR);
        assert_eq!(cycle(&mut it, &book, &mut gateway, &first), Err(Suppression::Journal), "call {failing_call}");
        let other = place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR));
        assert_eq!(other, Err(Suppression::Journal), "nor any other order of the cycle");
        assert_eq!(gateway.sent, 0);
        let next = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
        assert!(next.is_ok(), "the journal works again, and so does trading");
        assert!(book.state(first.client_order_id).is_none_or(|state| state.is_settled()), "call {failing_call}");
        assert!(it.unwritten.is_empty());
    }
}

#[test]
fn an_outcome_that_cannot_be_written_stops_trading_until_it_can_be() {
    let (mut it, book, mut gateway) = (manager(), Book::default(), filling());
    book.fails.borrow_mut().extend([3, 4]);
    let first = order("EURUSD", BAR);
    assert!(cycle(&mut it, &book, &mut gateway, &first).is_ok(), "it was filled, whatever the disk says");
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Sending));
    let next = order("EURUSD", BAR + 3_600);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &next), Err(Suppression::Journal));
    assert!(cycle(&mut it, &book, &mut gateway, &next).is_ok());
    assert_eq!(book.state(first.client_order_id), Some(OrderState::Filled), "what was owed is written");
    assert_eq!(gateway.sent, 2);
}

#[test]
fn an_unknown_order_blocks_its_symbol_and_the_rest_of_its_cycle() {
    let (mut it, book) = (manager(), Book::default());
    assert!(cycle(&mut it, &book, &mut silent(), &order("EURUSD", BAR)).is_ok());
    let mut gateway = filling();
    let rest = place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR));
    assert_eq!(rest, Err(Suppression::Unresolved));
    let next = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
    assert_eq!(next, Err(Suppression::Unresolved), "the symbol stays blocked");
    assert!(place(&mut it, &book, &mut gateway, &order("GBPUSD", BAR)).is_ok(), "the others do not");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn a_crash_before_the_send_expires_and_one_after_it_is_unknown() {
    for (writes, state, then) in
        [(2, OrderState::Expired, Suppression::AlreadyOrdered), (3, OrderState::Unknown, Suppression::AlreadyOrdered)]
    {
        let book = Book::default();
        let order = order("EURUSD", BAR);
        // The process ends here; nothing after these writes happens.
        let intent = OrderStep::Intent { order: Box::new(order.clone()), tickets_before: None };
        let steps = [intent, OrderStep::Sending(order.client_order_id, None)];
        for step in steps.into_iter().take(writes - 1) {
            now(book.write(vec![step])).unwrap();
        }
        let mut gateway = filling();
        assert_eq!(cycle(&mut manager(), &book, &mut gateway, &order), Err(then));
        assert_eq!(book.state(order.client_order_id), Some(state));
        assert_eq!(gateway.sent, 0, "the bar is not ordered again");
    }
}

#[test]
fn what_shutdown_gives_up_is_not_sent_and_says_so() {
    let (mut it, book) = (manager(), Book::default());
    let mut gateway = Gateway { answer: Err(Suppression::Shutdown), ..filling() };
    let order = order("EURUSD", BAR);
    assert_eq!(cycle(&mut it, &book, &mut gateway, &order), Err(Suppression::Shutdown));
    assert_eq!(book.state(order.client_order_id), Some(OrderState::NotSent));
    gateway.obstacles.is_stopping = true;
    assert_eq!(cycle(&mut it, &book, &mut gateway, &self::order("GBPUSD", BAR)), Err(Suppression::Shutdown));
    assert_eq!(gateway.sent, 1);
}

#[test]
fn an_order_goes_out_soon_after_it_was_decided_or_not_at_all() {
    let rules = Rules { decision_age_max: Duration::from_secs(15), ..Rules::default() };
    let second = Duration::from_secs;
    for (wall, monotonic, is_sent) in [(15, 15, true), (16, 0, false), (0, 16, false)] {
        let (mut it, book) = (manager_by(rules), Book::default());
        let mut gateway = Gateway { now: Moment { wall: second(wall), monotonic: second(monotonic) }, ..filling() };
        let placed = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR));
        assert_eq!(placed.is_ok(), is_sent, "{wall} s by the wall clock, {monotonic} s by the other");
        assert!(is_sent || placed == Err(Suppression::StaleDecision));
        assert_eq!(book.summary().len(), usize::from(is_sent), "before the journal: the next cycle may decide anew");
    }
}

#[test]
fn an_instrument_is_the_same_under_a_new_name_of_ours() {
    let renamed = |bar| Order { gateway_name: "eurusd".into(), ..order("EURUSD.a", bar) };
    let (book, mut gateway) = (Book::default(), filling());
    assert!(cycle(&mut manager(), &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    let again = cycle(&mut manager(), &book, &mut gateway, &renamed(BAR));
    assert_eq!(again, Err(Suppression::AlreadyOrdered), "the bar was ordered");
    let (book, mut gateway) = (Book::default(), silent());
    assert!(cycle(&mut manager(), &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    let next = cycle(&mut manager(), &book, &mut gateway, &renamed(BAR + 3_600));
    assert_eq!(next, Err(Suppression::Unresolved), "its outcome is unknown");
    assert_eq!(gateway.sent, 1);
}

#[test]
fn a_journal_that_is_new_lets_the_bars_of_before_pass_if_it_shall() {
    let closed = Duration::from_secs(u64::try_from(BAR).unwrap());
    for (waits_for_new_bar, bar, is_sent) in [(true, BAR, false), (true, BAR + 1, true), (false, BAR, true)] {
        let (mut it, book) = (manager_by(Rules { waits_for_new_bar, ..Rules::default() }), Book::default());
        book.live_since.set(closed);
        let placed = cycle(&mut it, &book, &mut filling(), &order("EURUSD", bar));
        assert_eq!(placed.is_ok(), is_sent, "{waits_for_new_bar} {}", bar - BAR);
    }
}

#[test]
fn orders_of_the_hour_count_in_whatever_order_a_set_clock_dated_them() {
    let limits = Limits { orders_per_hour_max: 2, ..Limits::default() };
    let (mut it, book, mut gateway) = (manager_with(limits), Book::default(), filling());
    for (at, bar, is_sent) in
        [(10_000, BAR, true), (1_000, BAR + 1, true), (10_100, BAR + 2, true), (10_200, BAR + 3, false)]
    {
        // The clock was set back before the second and forward again before the third.
        book.time.set(Duration::from_secs(at));
        assert_eq!(cycle(&mut it, &book, &mut gateway, &order("EURUSD", bar)).is_ok(), is_sent, "at {at}");
    }
}

/// Every rule of the manager objects, and one after the other is lifted.
#[test]
fn the_rules_object_in_the_order_of_the_list() {
    let limits = Limits {
        failures_in_a_row_max: 1,
        orders_per_hour_max: 1,
        cooldown: Duration::from_secs(3_600),
        loss_pct_per_day_max: 1.0,
        positions_max: 1,
        opposite: Opposite::Skip,
        ..Limits::default()
    };
    let book = Book::default();
    let (first, next) = (order("EURUSD", BAR), order("EURUSD", BAR + 3_600));
    let mut gateway = Gateway {
        obstacles: Obstacles {
            is_halted: false,
            is_stopping: true,
            is_not_holder: true,
            bars_after: Some(next.bar_close_time),
            lacks_handshake: true,
            is_breaker_open: true,
        },
        positions: Err(Suppression::Positions),
        unclaimable: Some(Suppression::OrderedElsewhere),
        answer: Err(Suppression::ClaimLate),
        ..filling()
    };
    gateway.now.monotonic = Duration::from_secs(60);
    let mut it = manager_with(limits);
    // Its journal is not read yet, and the bar is ordered by another run of the daemon.
    let mut found = vec![place(&mut it, &book, &mut gateway, &first)];
    assert!(cycle(&mut manager(), &book, &mut silent(), &first).is_ok());
    found.push(cycle(&mut it, &book, &mut gateway, &first));
    let mut ask = |lift: &dyn Fn(&mut OrderManager, &mut Gateway)| {
        lift(&mut it, &mut gateway);
        found.push(cycle(&mut it, &book, &mut gateway, &next));
    };
    ask(&|_, _| {});
    book.orders.borrow_mut()[0].1 = OrderState::Rejected;
    ask(&|_, _| {});
    ask(&|_, gateway| gateway.obstacles.is_stopping = false);
    ask(&|_, gateway| gateway.obstacles.is_not_holder = false);
    ask(&|_, gateway| gateway.obstacles.bars_after = None);
    ask(&|_, gateway| gateway.obstacles.lacks_handshake = false);
    ask(&|_, gateway| gateway.obstacles.is_breaker_open = false);
    ask(&|it, _| it.rules.limits.failures_in_a_row_max = 0);
    ask(&|it, _| it.rules.limits.orders_per_hour_max = 0);
    ask(&|it, _| it.rules.limits.cooldown = Duration::ZERO);
    ask(&|_, gateway| gateway.equity = Some(1_000.0));
    let (same, other) = (position(7, Side::Buy), position(8, Side::Sell));
    ask(&|_, gateway| gateway.positions = Ok(Positions::Known(vec![same.clone(), other.clone()])));
    ask(&|_, gateway| gateway.positions = Ok(Positions::Known(vec![other.clone()])));
    ask(&|_, gateway| gateway.positions = Ok(Positions::Untold));
    ask(&|_, gateway| gateway.now.monotonic = Duration::ZERO);
    ask(&|_, gateway| gateway.unclaimable = None);
    let reasons: Vec<_> = found.into_iter().filter_map(Result::err).collect();
    let listed = Suppression::ALL.iter().copied().skip_while(|reason| *reason != Suppression::Journal);
    assert_eq!(reasons, listed.collect::<Vec<_>>());
    assert_eq!(gateway.calls, ["prepare", "prepare", "send", "settle"]);
}

#[test]
fn a_new_standing_serves_the_orders_of_its_cycle() {
    let ms = Duration::from_millis;
    let moment = |wall: u64, monotonic: u64| Moment { wall: ms(100_000 + wall), monotonic: ms(monotonic) };
    for (wall, monotonic, calls, why) in [
        (1_000, 1_000, 3, "standing, intent and sending, outcome"),
        (1_001, 0, 4, "a machine that slept reads the standing again"),
        (0, 1_001, 4, "so does a process that was stopped"),
    ] {
        let rules = Rules { decision_age_max: ms(200_000), ..Rules::default() };
        let (mut it, book) = (manager_by(rules), Book::default());
        let mut gateway = Gateway { now: moment(wall, monotonic), ..filling() };
        now(it.prepare(&book, moment(0, 0)));
        assert!(cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
        assert_eq!(book.calls.get(), calls, "{why}");
        assert!(cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600)).is_ok());
        assert_eq!(book.calls.get(), calls + 3, "it serves once");
    }
}

#[test]
fn an_old_or_failed_standing_is_read_again() {
    let (mut it, book, mut gateway) = (manager(), Book::default(), filling());
    now(it.prepare(&book, gateway.now));
    now(it.reconcile(&book, &mut gateway, Duration::ZERO));
    let before = book.calls.get();
    assert!(cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    assert_eq!(book.calls.get(), before + 3, "a new cycle has begun");
    book.fails.borrow_mut().push(book.calls.get() + 1);
    now(it.prepare(&book, gateway.now));
    assert!(cycle(&mut it, &book, &mut gateway, &order("GBPUSD", BAR)).is_ok(), "the journal works again");
    assert_eq!(book.calls.get(), before + 3 + 1 + 3);
}

#[test]
fn an_unknown_order_of_the_cycle_before_blocks_although_the_standing_was_prepared() {
    let (mut it, book) = (manager(), Book::default());
    assert!(cycle(&mut it, &book, &mut silent(), &order("EURUSD", BAR)).is_ok());
    let mut gateway = filling();
    now(it.prepare(&book, gateway.now));
    let next = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR + 3_600));
    assert_eq!((next, gateway.sent), (Err(Suppression::Unresolved), 0));
    now(it.prepare(&book, gateway.now));
    let again = cycle(&mut it, &book, &mut gateway, &order("EURUSD", BAR));
    assert_eq!((again, gateway.sent), (Err(Suppression::AlreadyOrdered), 0));
}
