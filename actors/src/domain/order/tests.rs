//! The content of an order: id, stops, fills.

use super::*;

fn instrument() -> Instrument {
    Instrument {
        symbol: Symbol::new("EURUSD"),
        ticker: "EURUSD.FOREX".into(),
        gateway_name: "EURUSDm".into(),
        threshold: 0.6,
        volume: 0.01,
        digits: 5,
        stop_loss: Some(0.002),
        take_profit: None,
    }
}

#[test]
fn a_fill_of_another_volume_says_so() {
    let filled = |volume| Outcome::Filled { ticket: 1, price: None, volume }.other_volume(0.3);
    assert_eq!([filled(None), filled(Some(0.1 + 0.2)), filled(Some(0.1))], [None, None, Some(0.1)]);
    assert_eq!(Outcome::Unknown { reason: "volume 0.1".into() }.other_volume(0.3), None);
}

#[test]
fn the_identity_is_the_published_one() {
    let id = client_order_id("demo", &Symbol::new("EURUSD"), "baseline", 1_500_000_000);
    assert_eq!(id.to_string(), "f20cfd40-3bf1-5e7f-b0ab-e952611bc0a1");
}

#[test]
fn stops_are_absolute_prices_on_the_losing_and_the_winning_side() {
    let mut instrument = instrument();
    instrument.take_profit = Some(0.003);
    let buy = Order::new(Uuid::nil(), &instrument, Side::Buy, 0.7, 1.1, 0).unwrap();
    assert_eq!((buy.stop_loss, buy.take_profit), (1.098, 1.103));
    let sell = Order::new(Uuid::nil(), &instrument, Side::Sell, 0.7, 1.1, 0).unwrap();
    assert_eq!((sell.stop_loss, sell.take_profit), (1.102, 1.097));
}

#[test]
fn no_distance_is_no_stop() {
    let order = Order::new(Uuid::nil(), &instrument(), Side::Buy, 0.7, 1.1, 0).unwrap();
    assert_eq!(order.take_profit, 0.0);
}

#[test]
fn stops_have_the_instruments_digits() {
    let order = Order::new(Uuid::nil(), &instrument(), Side::Buy, 0.7, 1.123_456_7, 0).unwrap();
    assert_eq!(order.stop_loss, 1.121_46);
}

#[test]
fn a_stop_that_no_broker_could_mean_is_no_order() {
    let with = |stop_loss, take_profit, side| {
        let instrument = Instrument { stop_loss, take_profit, ..instrument() };
        Order::new(Uuid::nil(), &instrument, side, 0.7, 1.1, 0)
    };
    assert!(with(Some(20.0), None, Side::Buy).is_err(), "20 pips said as a price would be a negative stop");
    assert!(with(None, Some(30.0), Side::Sell).is_err());
    assert!(with(Some(1.1), None, Side::Buy).is_err(), "0 would mean no stop");
    assert!(with(Some(1e-9), None, Side::Buy).is_err(), "a stop at the close is none");
    assert!(with(Some(20.0), None, Side::Sell).is_err(), "on its side, and never hit");
    assert!(with(None, Some(30.0), Side::Buy).is_err());
    assert!(with(Some(0.12), None, Side::Sell).is_err() && with(Some(0.10), Some(0.10), Side::Sell).is_ok());
}

#[test]
fn a_stop_of_another_instruments_scale_is_no_order() {
    let check = |close, digits, distance| {
        let both = [(Some(distance), None), (None, Some(distance))];
        let results = both.map(|(stop_loss, take_profit)| {
            let instrument = Instrument { stop_loss, take_profit, digits, ..instrument() };
            let checked = check_stops(&instrument, close);
            for side in [Side::Buy, Side::Sell] {
                let built = Order::new(Uuid::nil(), &instrument, side, 0.7, close, 0);
                assert_eq!(built.is_ok(), checked.is_ok(), "what is checked is what is built");
            }
            checked
        });
        assert_eq!(results[0].is_ok(), results[1].is_ok());
        results[0].map_err(|bad_stop| bad_stop.to_string())
    };
    // close, digits, distance: EUR/USD, USD/JPY, gold, bitcoin, a coin of a few cents, an index.
    for (close, digits, distance) in [
        (1.1, 5, 0.002),
        (1.1, 5, 0.0001),
        (1.1, 4, 0.0001),
        (150.0, 3, 0.2),
        (150.0, 3, 0.01),
        (150.0, 5, 0.2),
        (4_000.0, 2, 5.0),
        (100_000.0, 2, 500.0),
        (0.000_012_34, 8, 0.000_000_5),
        (40_000.0, 0, 200.0),
    ] {
        assert_eq!(check(close, digits, distance), Ok(()), "{close} {digits} {distance}");
    }
    for (close, digits, distance, why) in [
        (150.0, 3, 0.002, "too near"),
        (150.0, 5, 0.002, "too near"),
        (4_000.0, 2, 0.002, "too near"),
        (100_000.0, 2, 0.2, "too near"),
        (1.1, 5, 0.000_02, "too near"),
        (1.1, 2, 0.002, "too few digits"),
        (1.1, 0, 0.02, "too few digits"),
        (100_000.0, 5, 500.0, "too many digits"),
        (4_000.0, 8, 5.0, "too many digits"),
        (1.1, 5, 20.0, "not pips"),
        (1.1, 5, f64::NAN, "wrong side"),
        (f64::NAN, 5, 0.002, "wrong side"),
    ] {
        let said = check(close, digits, distance).unwrap_err();
        let has_both = said.contains(&distance.to_string()) && said.contains(&close.to_string());
        assert!(said.contains(why) && has_both, "{close} {digits} {distance}: {said}");
    }
    assert_eq!(check_stops(&Instrument { stop_loss: None, digits: 10, ..instrument() }, 4_000.0), Ok(()), "unused");
}
