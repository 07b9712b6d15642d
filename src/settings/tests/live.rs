//! What live mode requires.

use super::*;

#[test]
fn live_mode_names_every_missing_setting() {
    let (keys, text) = refused(&sources(&[("SENTINEL__TRADING__LIVE", "true"), ("GTW_HOST", "127.0.0.1")]));
    assert_eq!(keys, ["trading.live", "gateway.dialect", "gateway.account", "trading.stop_loss"]);
    assert!(
        text.contains("--live")
            && text.contains("--dialect")
            && text.contains("--account")
            && text.contains("--stop-loss"),
        "{text}"
    );
}

#[test]
fn a_dialect_without_a_handshake_needs_a_confirmation() {
    let order_send = ("SENTINEL__GATEWAY__DIALECT", "order_send");
    assert_eq!(refused(&live(&[order_send])).0, ["gateway.i_checked_it_by_hand"]);
    assert!(Settings::load(&live(&[order_send, ("SENTINEL__GATEWAY__I_CHECKED_IT_BY_HAND", "true")])).is_ok());
    for dialect in ["v43", "envelope"] {
        assert!(Settings::load(&live(&[("SENTINEL__GATEWAY__DIALECT", dialect)])).is_ok(), "{dialect}");
    }
}

#[test]
fn a_dialect_without_volume_and_stops_refuses_settings_for_them() {
    let confirmed = ("SENTINEL__GATEWAY__I_CHECKED_IT_BY_HAND", "true");
    let place_order = ("SENTINEL__GATEWAY__DIALECT", "place_order");
    assert_eq!(refused(&live(&[place_order])).0, ["gateway.i_checked_it_by_hand"]);
    assert!(Settings::load(&live(&[place_order, confirmed])).is_ok());
    for (key, value, refused_key) in [
        ("SENTINEL__TRADING__STOP_LOSS", "0.002", "trading.stop_loss"),
        ("SENTINEL__TRADING__TAKE_PROFIT", "0.002", "trading.take_profit"),
        ("SENTINEL__GUARDS__VOLUME_MAX", "0.5", "guards.volume_max"),
    ] {
        assert_eq!(refused(&live(&[place_order, confirmed, (key, value)])).0, [refused_key]);
    }
}

fn live(more: &[(&str, &str)]) -> Sources {
    let mut sources = sources(&[
        ("SENTINEL__GATEWAY__DIALECT", "v43"),
        ("SENTINEL__GATEWAY__ACCOUNT", "demo"),
        ("SENTINEL__TRADING__STOP_LOSS", "none"),
        ("GTW_HOST", "127.0.0.1"),
    ]);
    sources.environment.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
    sources.flags.push(("trading.live", "true".into()));
    sources
}

#[test]
fn live_mode_needs_the_places_of_prices_that_are_no_usual_pair() {
    for usual in ["EURUSD", "GBPUSD.FOREX", "EURGBP.a", "CAD.FOREX"] {
        assert!(Settings::load(&live(&[("SENTINEL__SYMBOLS", usual)])).is_ok(), "{usual}");
    }
    for unusual in ["USDJPY", "JPY.FOREX", "XAUUSD", "US500.cash", "BTC-USD.CC", "EURHUF"] {
        let (keys, text) = refused(&live(&[("SENTINEL__SYMBOLS", unusual)]));
        assert_eq!(keys, [format!("symbols.{unusual}.digits")], "{text}");
        assert!(Settings::load(&sources(&[("SENTINEL__SYMBOLS", unusual)])).is_ok(), "a dry run goes on");
        let said = [("SENTINEL__SYMBOLS", unusual), ("SENTINEL__TRADING__DIGITS", "3")];
        assert!(Settings::load(&live(&said)).is_ok(), "{unusual}");
    }
}

#[test]
fn live_mode_needs_the_flag() {
    let mut sources = live(&[("SENTINEL__TRADING__LIVE", "true")]);
    assert!(Settings::load(&sources).is_ok());
    sources.flags.clear();
    let (keys, text) = refused(&sources);
    assert!(keys == ["trading.live"] && text.contains("--live"), "{text}");
    sources.flags.push(("trading.live", "false".into()));
    assert!(!Settings::load(&sources).unwrap().trading.live, "--dry-run overrides both");
}

#[test]
fn live_mode_over_a_network_needs_curve_or_accepted_plaintext() {
    assert!(Settings::load(&live(&[])).is_ok());
    let far = ("GTW_HOST", "172.19.141.255");
    let (keys, text) = refused(&live(&[far]));
    assert_eq!(keys, ["gateway.plaintext"]);
    for part in ["accepted", "curve_server_key_file", "curve_public_key_file", "curve_secret_key_file"] {
        assert!(text.contains(part), "{text}");
    }
    let accepted = ("SENTINEL__GATEWAY__PLAINTEXT", "accepted");
    assert!(Settings::load(&live(&[far, accepted])).is_ok());
    let mut bare = live(&[far, ("SENTINEL__GATEWAY__DIALECT", ""), ("SENTINEL__GATEWAY__ACCOUNT", "")]);
    assert_eq!(refused(&bare).0, ["gateway.dialect", "gateway.account", "gateway.plaintext"], "all together");
    bare.flags.clear();
    assert!(Settings::load(&bare).is_ok(), "a dry run does not connect");
}

#[test]
fn one_curve_key_file_requires_the_others() {
    let far = [("GTW_HOST", "gtw"), ("SENTINEL__GATEWAY__CURVE_SERVER_KEY_FILE", "/nonexistent/server.key")];
    let (keys, text) = refused(&live(&far));
    for key in ["gateway.curve_server_key_file", "gateway.curve_public_key_file", "gateway.curve_secret_key_file"] {
        assert!(keys.iter().any(|named| named == key), "{keys:?}");
    }
    assert!(
        !keys.contains(&"gateway.plaintext".into())
            && text.contains("(set by the variable SENTINEL__GATEWAY__CURVE_SERVER_KEY_FILE)"),
        "{text}"
    );
}

#[test]
fn a_replay_trades_only_on_loopback() {
    let replay = [
        ("GTW_HOST", "gtw"),
        ("SENTINEL__GATEWAY__PLAINTEXT", "accepted"),
        ("SENTINEL__SCHEDULE__CLOCK", "bars"),
        ("SENTINEL__SCHEDULE__BACK_TO_BACK", "true"),
    ];
    assert_eq!(refused(&live(&replay)).0, ["schedule.clock", "schedule.back_to_back"]);
}
