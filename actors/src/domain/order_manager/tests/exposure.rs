//! Limits, positions, closes and proofs, as the manager uses them.

use super::*;

const CLOSE_THEN_OPEN: Limits = Limits {
    positions_max: 1,
    opposite: Opposite::CloseThenOpen,
    orders_per_hour_max: 0,
    orders_per_day_max: 0,
    cooldown: Duration::ZERO,
    loss_pct_per_day_max: 0.0,
    failures_in_a_row_max: 0,
};

fn known(positions: &[Position]) -> Gateway {
    Gateway { positions: Ok(Positions::Known(positions.to_vec())), ..filling() }
}

#[test]
fn buys_do_not_stack_whoever_tells_the_positions() {
    let limits = Limits { positions_max: 1, ..Limits::default() };
    let full = Err(Suppression::PositionLimit);
    let book = Book::default();
    let by_gateway =
        cycle(&mut manager_with(limits), &book, &mut known(&[position(5, Side::Buy)]), &order("EURUSD", BAR));
    assert_eq!(by_gateway, full);
    book.fills.borrow_mut().push(fill(5, Side::Buy));
    let by_journal = cycle(&mut manager_with(limits), &book, &mut filling(), &order("EURUSD", BAR));
    assert_eq!(by_journal, full, "without a list that can be believed the journal's fills count");
    let known_empty = cycle(&mut manager_with(limits), &book, &mut known(&[]), &order("EURUSD", BAR));
    assert!(known_empty.is_ok(), "a gateway that knows is believed, not the journal");
}

#[test]
fn positions_are_asked_for_once_a_cycle_and_only_if_somebody_wants_them() {
    let (mut manager, book, mut gateway) = (manager(), Book::default(), known(&[]));
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    assert_eq!(gateway.asked, 0);
    let mut manager = manager_by(Rules { proving_dialect: Some("v43"), ..Rules::default() });
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR + 1)).is_ok());
    assert!(place(&mut manager, &book, &mut gateway, &order("GBPUSD", BAR + 1)).is_ok());
    assert_eq!(gateway.asked, 1);
}

#[test]
fn a_silent_gateway_is_asked_once_a_cycle() {
    let limits = Limits { positions_max: 1, ..Limits::default() };
    let (mut manager, book) = (manager_with(limits), Book::default());
    let mut gateway = Gateway { positions: Err(Suppression::Handshake), ..filling() };
    let refused = Err(Suppression::Handshake);
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), refused);
    assert_eq!(place(&mut manager, &book, &mut gateway, &order("GBPUSD", BAR)), refused);
    assert_eq!((gateway.asked, gateway.sent, book.summary().len()), (1, 0, 0));
    gateway.positions = Ok(Positions::Known(Vec::new()));
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)).is_ok(), "the bar was not used up");
}

#[test]
fn an_opposite_signal_closes_first_and_both_are_in_the_journal() {
    let (mut manager, book) = (manager_with(CLOSE_THEN_OPEN), Book::default());
    let mut gateway = known(&[position(5, Side::Sell), position(6, Side::Sell)]);
    let mut closes = Vec::new();
    now(manager.begin(&book, gateway.now)).unwrap();
    let answer =
        now(manager.place(&order("EURUSD", BAR), Moment::default(), (&book, &mut gateway), &mut closes)).unwrap();
    assert_eq!(answer.outcome, filled());
    assert_eq!(closes.iter().map(|(close, _)| close.closes).collect::<Vec<_>>(), [Some(5), Some(6)]);
    let entry = |is_close| ("EURUSD".to_owned(), is_close, OrderState::Filled);
    assert_eq!(book.summary(), [entry(true), entry(true), entry(false)]);
    let before = book.orders.borrow().last().unwrap().2.clone();
    assert_eq!(before, Some(vec![]), "what was closed does not count as open when the new one is proven");
}

#[test]
fn nothing_opens_after_a_close_that_was_not_confirmed() {
    let refused = Outcome::Rejected { reason: "no".into() };
    let lost = Outcome::NotSent { reason: "absent".into() };
    for (answer, then) in
        [(unknown(), Suppression::Unresolved), (refused, Suppression::Opposite), (lost, Suppression::Opposite)]
    {
        let (mut manager, book) = (manager_with(CLOSE_THEN_OPEN), Book::default());
        let mut gateway =
            Gateway { close_answer: answer.clone(), ..known(&[position(5, Side::Sell), position(6, Side::Sell)]) };
        assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), Err(Suppression::Opposite));
        assert_eq!(gateway.sent, 1, "not even the next close");
        let retried = place(&mut manager, &book, &mut gateway, &order("EURUSD", BAR));
        assert_eq!(retried, Err(then), "{answer:?}: one request per ticket and bar");
        assert_eq!(gateway.sent, 1);
    }
}

#[test]
fn skip_leaves_opposite_positions_alone() {
    let limits = Limits { opposite: Opposite::Skip, ..Limits::default() };
    let (mut manager, book, mut gateway) = (manager_with(limits), Book::default(), known(&[position(5, Side::Sell)]));
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), Err(Suppression::Opposite));
    assert_eq!(gateway.sent, 0);
}

#[test]
fn pace_is_counted_over_restarts_and_symbols() {
    let limits = Limits { orders_per_hour_max: 2, ..Limits::default() };
    let (book, mut gateway) = (Book::default(), filling());
    let mut manager = manager_with(limits);
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    assert!(place(&mut manager, &book, &mut gateway, &order("GBPUSD", BAR)).is_ok());
    let third = order("USDJPY", BAR);
    let full = Err(Suppression::OrderLimit);
    assert_eq!(place(&mut manager, &book, &mut gateway, &third), full);
    book.time.set(Duration::from_nanos(3_599_999_999_999));
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &third), full);
    assert_eq!(cycle(&mut manager_with(limits), &book, &mut gateway, &third), full, "a restart remembers");
    book.time.set(Duration::from_secs(3_600));
    assert!(cycle(&mut manager, &book, &mut gateway, &third).is_ok(), "an hour later there is room");
}

#[test]
fn a_symbol_cools_down_alone() {
    let limits = Limits { cooldown: Duration::from_secs(600), ..Limits::default() };
    let (mut manager, book, mut gateway) = (manager_with(limits), Book::default(), filling());
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)).is_ok());
    assert!(place(&mut manager, &book, &mut gateway, &order("GBPUSD", BAR)).is_ok());
    let next = order("EURUSD", BAR + 1);
    book.time.set(Duration::from_secs(599));
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &next), Err(Suppression::Cooldown));
    book.time.set(Duration::from_secs(600));
    assert!(cycle(&mut manager, &book, &mut gateway, &next).is_ok());
}

#[test]
fn failures_in_a_row_stop_orders_and_a_fill_starts_afresh() {
    let limits = Limits { failures_in_a_row_max: 2, ..Limits::default() };
    let refusing = || Gateway { answer: Ok(Outcome::Rejected { reason: "no".into() }), ..filling() };
    let (mut manager, book) = (manager_with(limits), Book::default());
    assert!(cycle(&mut manager, &book, &mut refusing(), &order("EURUSD", BAR)).is_ok());
    assert!(place(&mut manager, &book, &mut filling(), &order("GBPUSD", BAR)).is_ok());
    assert!(place(&mut manager, &book, &mut refusing(), &order("USDJPY", BAR)).is_ok());
    // An order that was given up because the account was lost is none of them.
    for (symbol, reason) in [("EURGBP", Suppression::NotHolder), ("EURCHF", Suppression::BeforeTakeover)] {
        let mut lost = Gateway { answer: Err(reason), ..filling() };
        assert_eq!(place(&mut manager, &book, &mut lost, &order(symbol, BAR)), Err(reason));
    }
    assert!(place(&mut manager, &book, &mut refusing(), &order("AUDUSD", BAR)).is_ok());
    let next = order("NZDUSD", BAR);
    assert_eq!(place(&mut manager, &book, &mut filling(), &next), Err(Suppression::Failures));
    assert_eq!(cycle(&mut manager_with(limits), &book, &mut filling(), &next), Err(Suppression::Failures));
}

#[test]
fn an_order_names_its_claim_and_an_old_bar_its_reason() {
    let (mut manager, book) = (manager_with(Limits::default()), Book::default());
    let mut gateway = Gateway { epoch: Some(40), ..filling() };
    gateway.obstacles.bars_after = Some(BAR);
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), Err(Suppression::BeforeTakeover));
    assert!(book.epochs.borrow().is_empty() && gateway.sent == 0);
    assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR + 1)).is_ok());
    assert_eq!((book.epochs.borrow().as_slice(), gateway.sent_under.as_slice()), (&[Some(40)][..], &[Some(40)][..]));
}

#[test]
fn a_days_loss_stops_orders_and_an_equity_nobody_tells_does_too() {
    let limits = Limits { loss_pct_per_day_max: 5.0, ..Limits::default() };
    let (mut manager, book) = (manager_with(limits), Book::default());
    let with = |equity| Gateway { equity, ..filling() };
    assert!(now(manager.reconcile(&book, &mut with(Some(1_000.0)), Duration::ZERO)).is_empty());
    assert_eq!(book.first_equity.get(), Some(1_000.0), "the day's first is noted before there is a signal");
    assert!(cycle(&mut manager, &book, &mut with(Some(951.0)), &order("EURUSD", BAR)).is_ok());
    let next = order("EURUSD", BAR + 1);
    for equity in [Some(950.0), None] {
        assert_eq!(cycle(&mut manager, &book, &mut with(equity), &next), Err(Suppression::LossLimit));
    }
}

#[test]
fn open_positions_settle_what_is_unknown_once_they_can_be_believed() {
    for (after, mode, state) in [
        (vec![position(9, Side::Buy)], AccountMode::Netting, OrderState::Filled),
        (vec![], AccountMode::Hedging, OrderState::Rejected),
        (vec![], AccountMode::Netting, OrderState::Unknown),
    ] {
        let rules = Rules { account_mode: mode, proving_dialect: Some("v43"), ..Rules::default() };
        let (mut manager, book) = (manager_by(rules), Book::default());
        let mut gateway = Gateway { answer: Ok(unknown()), ..known(&[]) };
        let order = order("EURUSD", BAR);
        assert!(cycle(&mut manager, &book, &mut gateway, &order).is_ok());
        gateway.positions = Ok(Positions::Known(after));
        book.time.set(Duration::from_millis(6_999));
        assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty(), "too early to believe it");
        book.time.set(Duration::from_secs(3_600));
        gateway.now.monotonic = Duration::from_millis(6_999);
        assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty(), "the wall clock was only set");
        gateway.now.monotonic = Duration::from_secs(7);
        let proven = now(manager.reconcile(&book, &mut gateway, book.time.get()));
        assert_eq!(book.state(order.client_order_id), Some(state));
        assert_eq!(proven.len(), usize::from(state != OrderState::Unknown));
        let asked = gateway.asked;
        assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty());
        assert_eq!(gateway.asked, asked, "what proved nothing is not asked for in every cycle");
    }
}

#[test]
fn positions_prove_nothing_after_another_daemon_may_have_traded() {
    let rules = Rules { account_mode: AccountMode::Hedging, proving_dialect: Some("v43"), ..Rules::default() };
    let (mut manager, book) = (manager_by(rules), Book::default());
    let mut gateway = Gateway { answer: Ok(unknown()), ..known(&[]) };
    let order = order("EURUSD", BAR);
    assert!(cycle(&mut manager, &book, &mut gateway, &order).is_ok());
    // It fits the order, and may be the other daemon's.
    gateway.positions = Ok(Positions::Known(vec![position(9, Side::Buy)]));
    gateway.obstacles.bars_after = Some(BAR);
    book.time.set(Duration::from_secs(3_600));
    gateway.now.monotonic = Duration::from_secs(3_600);
    let asked = gateway.asked;
    assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty());
    assert_eq!((gateway.asked, book.state(order.client_order_id)), (asked, Some(OrderState::Unknown)));
    // Another daemon takes the account while the positions are asked for.
    gateway.obstacles.bars_after = None;
    gateway.taken_over_at = Some(BAR);
    assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty());
    assert_eq!((gateway.asked, book.state(order.client_order_id)), (asked + 2, Some(OrderState::Unknown)));
    gateway.taken_over_at = None;
    // The daemon before this one ended before the bar of this order.
    gateway.obstacles.bars_after = Some(BAR - 1);
    assert_eq!(now(manager.reconcile(&book, &mut gateway, book.time.get())).len(), 1);
}

#[test]
fn a_foreign_spelling_lifts_no_limit() {
    let full = Err(Suppression::PositionLimit);
    let limits = Limits { positions_max: 1, ..Limits::default() };
    let named = |name: &str| Position { gateway_name: name.into(), ..position(5, Side::Buy) };
    for (name, ours) in
        [("eurusd", None), ("EURUSD.raw", None), ("Euro", Some(fill(5, Side::Buy))), ("Euro", Some(fill(4, Side::Buy)))]
    {
        let book = Book::default();
        book.fills.borrow_mut().extend(ours);
        let mut gateway = known(&[named(name)]);
        let mut manager = manager_with(limits);
        assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), full, "{name}");
        assert_eq!(manager.doubts().map(<[_]>::len), Some(usize::from(name != "eurusd")), "{name}");
    }
    let strange = known(&[named("Gold")]);
    let placed = cycle(&mut manager_with(limits), &Book::default(), &mut { strange }, &order("EURUSD", BAR));
    assert!(placed.is_ok(), "nothing of ours is missing, and the name is not ours");
    for opposite in [Opposite::Skip, Opposite::CloseThenOpen] {
        let limits = Limits { opposite, ..Limits::default() };
        let sell = Position { gateway_name: "EURUSD.raw".into(), ..position(5, Side::Sell) };
        let book = Book::default();
        let placed = cycle(&mut manager_with(limits), &book, &mut known(&[sell]), &order("EURUSD", BAR));
        assert_eq!(placed, Err(Suppression::Opposite), "{opposite:?}");
        assert!(book.summary().is_empty(), "nobody closes what may be somebody else's");
    }
}

#[test]
fn an_order_that_may_be_open_under_another_name_stays_unknown() {
    let rules = Rules { account_mode: AccountMode::Hedging, proving_dialect: Some("v43"), ..Rules::default() };
    let (mut manager, book) = (manager_by(rules), Book::default());
    let mut gateway = Gateway { answer: Ok(unknown()), ..known(&[]) };
    let order = order("EURUSD", BAR);
    assert!(cycle(&mut manager, &book, &mut gateway, &order).is_ok());
    let renamed = Position { gateway_name: "Euro".into(), ..position(9, Side::Buy) };
    gateway.positions = Ok(Positions::Known(vec![renamed]));
    book.time.set(Duration::from_secs(3_600));
    gateway.now.monotonic = Duration::from_secs(3_600);
    assert!(now(manager.reconcile(&book, &mut gateway, book.time.get())).is_empty());
    assert_eq!(book.state(order.client_order_id), Some(OrderState::Unknown));
}

#[test]
fn a_list_that_cannot_be_read_turns_no_limit_off() {
    let (mut manager, book) = (manager_with(Limits { positions_max: 1, ..Limits::default() }), Book::default());
    let mut gateway = Gateway { positions: Err(Suppression::Positions), ..filling() };
    let refused = Err(Suppression::Positions);
    assert_eq!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR)), refused);
    assert_eq!((gateway.sent, book.summary().len()), (0, 0), "and the bar is not used up");
}

#[test]
fn the_journal_is_asked_whose_tickets_are_only_when_a_new_one_is_listed() {
    let rules = Rules { proving_dialect: Some("v43"), ..Rules::default() };
    let (mut manager, book) = (manager_by(rules), Book::default());
    let elsewhere = |ticket| Position { gateway_name: "GBPUSD".into(), ..position(ticket, Side::Buy) };
    let mut gateway = known(&[position(5, Side::Buy), elsewhere(6)]);
    for (bar, listed, read) in [(1, vec![], 1), (2, vec![], 1), (3, vec![elsewhere(7)], 2), (4, vec![], 2)] {
        if let Ok(Positions::Known(all)) = &mut gateway.positions {
            all.extend(listed);
        }
        assert!(cycle(&mut manager, &book, &mut gateway, &order("EURUSD", BAR + bar)).is_ok());
        assert_eq!(book.fills_read.get(), read, "cycle {bar}");
    }
}
