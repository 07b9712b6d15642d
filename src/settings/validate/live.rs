//! What live mode requires in addition to the ranges.

use super::{
    super::{
        Distance, Settings, curve,
        sections::{GatewaySettings, PlaintextSetting},
    },
    Found, SET_THE_DIALECT,
};
use crate::net::is_loopback;
use sentinel_actors::{adapters::gateway::DialectKind, domain::position::Opposite, fetcher::MarketClock};

const ORDER_SEND_VOLUME_MIN: f64 = 0.01;

/// What live mode requires; everything that is missing is named with its flag.
pub(in crate::settings) fn live(settings: &Settings, found: &mut Found) {
    let gateway = &settings.gateway;
    found.unless(gateway.dialect.is_some(), "gateway.dialect", format!("live mode needs it: {SET_THE_DIALECT}"));
    found.unless(
        gateway.i_checked_it_by_hand || gateway.dialect.is_none_or(DialectKind::has_handshake),
        "gateway.i_checked_it_by_hand",
        "live mode needs it to be true: this dialect has no harmless query with which Sentinel could check the gateway",
    );
    found.unless(
        gateway.account.is_some(),
        "gateway.account",
        "live mode needs it: --account with the trading account",
    );
    if let Some(dialect) = gateway.dialect {
        dialect_limits(dialect, settings, found);
    }
    let trading = &settings.trading;
    for symbol in &settings.symbols.0 {
        let is_set = symbol.stop_loss.or(trading.stop_loss).is_some();
        let message = format!(
            "live mode needs it for {}: --stop-loss with a distance in units of the price, or none",
            symbol.name
        );
        found.unless(is_set, "trading.stop_loss", message);
    }
    for symbol in &settings.symbols.0 {
        let is_known = symbol.digits.or(trading.digits).is_some() || symbol.has_five_digits();
        let message = "live mode needs it: how many decimal places the broker's price has, which is 5 in most currency pairs only";
        found.unless(is_known, format!("symbols.{}.digits", symbol.name), message);
    }
    beyond_loopback(settings, found);
}

/// Limits that work only if the dialect has the messages for them.
fn dialect_limits(dialect: DialectKind, settings: &Settings, found: &mut Found) {
    if dialect == DialectKind::PlaceOrder {
        without_terms(settings, found);
    }
    let smallest = settings.symbols.0.iter().filter_map(|symbol| symbol.volume).fold(settings.trading.volume, f64::min);
    found.unless(
        dialect != DialectKind::OrderSend || smallest >= ORDER_SEND_VOLUME_MIN,
        "trading.volume",
        "order_send allows 0.01 to 100 lots",
    );
    let only_with = "needs a dialect that reports positions and account: v43 or envelope";
    found.unless(
        dialect.has_account() || settings.guards.loss_pct_per_day_max <= 0.0,
        "guards.loss_pct_per_day_max",
        format!("{only_with}; or set it to 0"),
    );
    found.unless(
        dialect.has_account() || settings.guards.opposite != Opposite::CloseThenOpen,
        "guards.opposite",
        format!("close_then_open {only_with}; or set it to open or skip"),
    );
}

/// What is allowed only with a gateway on this machine: orders in plaintext, and replays of recorded bars.
fn beyond_loopback(settings: &Settings, found: &mut Found) {
    let gateway = &settings.gateway;
    let is_loopback = is_loopback(&gateway.host);
    found.unless(
        is_loopback || names_a_key(gateway) || gateway.plaintext == PlaintextSetting::Accepted,
        "gateway.plaintext",
        format!(
            "live mode with a gateway on another machine needs CURVE ({}), or this key set to \"accepted\" if everyone on the \
             network may read, change and send orders",
            curve::KEYS.join(", ")
        ),
    );
    let unless_loopback = "is refused in live mode unless the gateway is on loopback";
    found.unless(
        is_loopback || settings.schedule.clock == MarketClock::System,
        "schedule.clock",
        format!("bars {unless_loopback}"),
    );
    found.unless(is_loopback || !settings.schedule.back_to_back, "schedule.back_to_back", unless_loopback);
}

/// What live mode requires if an order has neither volume nor stops: settings must not promise any.
fn without_terms(settings: &Settings, found: &mut Found) {
    let only = "place_order has no field for it: the gateway uses its own";
    found.unless(
        settings.gateway.i_checked_it_by_hand,
        "gateway.i_checked_it_by_hand",
        format!("live mode needs it to be true: {only} volume, stop-loss and take-profit, which you must check there"),
    );
    let has_price = |distance: Option<Distance>| distance.and_then(Distance::price).is_some();
    let trading = &settings.trading;
    for symbol in &settings.symbols.0 {
        let none = |distance: Option<Distance>, or: Option<Distance>| !has_price(distance.or(or));
        found.unless(
            none(symbol.stop_loss, trading.stop_loss),
            "trading.stop_loss",
            format!("must be none for {}: {only}", symbol.name),
        );
        found.unless(
            none(symbol.take_profit, trading.take_profit),
            "trading.take_profit",
            format!("must be none for {}: {only}", symbol.name),
        );
    }
    let limit = settings.guards.volume_max;
    found.unless(limit <= 0.0, "guards.volume_max", format!("has no effect, set it to 0: {only} volume"));
}

/// One key file is enough to show that CURVE is wanted; the missing ones are reported by name.
fn names_a_key(gateway: &GatewaySettings) -> bool {
    [&gateway.curve_server_key_file, &gateway.curve_public_key_file, &gateway.curve_secret_key_file]
        .iter()
        .any(|file| file.is_some())
}
