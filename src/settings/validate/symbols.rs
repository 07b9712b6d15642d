//! Checks symbols: their names, and whether their stops fit the scale of their prices.

use super::{
    super::{Distance, Settings, sections::Symbol},
    Found, study,
};
use sentinel_actors::domain::{instrument::InstrumentKey, money::ProfitRate, sanitize::is_hidden};
use std::collections::HashSet;

/// Longest name or ticker of a symbol.
const SYMBOL_BYTES_MAX: usize = 64;
/// Longest name of a symbol at the broker.
const BROKERS_NAME_CHARS_MAX: usize = 64;

pub(super) fn symbols(settings: &Settings, found: &mut Found) {
    found.unless(!settings.symbols.0.is_empty(), "symbols", "must name at least one symbol");
    let mut seen = HashSet::new();
    let mut names_at_gateway = HashSet::new();
    for symbol in &settings.symbols.0 {
        let Symbol {
            name,
            ticker,
            gateway_name,
            threshold: own,
            volume: lots,
            digits: places,
            stop_loss,
            take_profit,
            ..
        } = symbol;
        let key = |field: &str| format!("symbols.{name}.{field}");
        let rule = "must be 1 to 64 letters, digits, '.', '_', '-' or '#'";
        found.unless(
            is_symbol(name),
            "symbols.name",
            format!("{name:?} {rule}; put the broker's name into a [[symbols]] table, as gateway_name"),
        );
        let is_new = seen.insert(name);
        found.unless(is_new, "symbols.name", format!("{name:?} occurs twice"));
        // The ticker that is derived from a name must be valid, too: `sentinel check` prints it.
        let derived = symbol.ticker();
        let fits = ticker.is_some() || derived.len() <= SYMBOL_BYTES_MAX;
        found.unless(fits, "symbols.name", format!("{name:?} is too long for the ticker {derived:?}: set its ticker"));
        found.unless(ticker.as_deref().is_none_or(is_symbol), key("ticker"), rule);
        let at_gateway = symbol.gateway_name();
        let message = format!(
            "{at_gateway:?} is also the name of another symbol (ignoring case): for the gateway they are one instrument"
        );
        found.unless(names_at_gateway.insert(InstrumentKey::of(&at_gateway)) || !is_new, key("gateway_name"), message);
        found.unless(
            gateway_name.as_deref().is_none_or(is_brokers_name),
            key("gateway_name"),
            "must be 1 to 64 visible characters, without quotes, and without spaces at its ends",
        );
        threshold(*own, &key("threshold"), found);
        volume(*lots, &key("volume"), found);
        digits(*places, &key("digits"), found);
        // A distance of [trading] was already checked with the digits of [trading].
        let trading = &settings.trading;
        let with_own_digits = |own: Option<Distance>, base| own.or_else(|| places.and(base));
        let (stop_loss, take_profit) =
            (with_own_digits(*stop_loss, trading.stop_loss), with_own_digits(*take_profit, trading.take_profit));
        let places = places.unwrap_or(trading.digits());
        distance(stop_loss, places, &key("stop_loss"), found);
        distance(take_profit, places, &key("take_profit"), found);
        scale(symbol, settings, found);
        contract_size(symbol.contract_size, &key("contract_size"), found);
        study::costs_of(symbol, settings, found);
    }
}

/// Whether it can be a symbol's name or ticker: these occur in metrics, addresses and file names.
pub fn is_symbol(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SYMBOL_BYTES_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-#".contains(c))
}

/// Whether it can be a broker's name: `EURUSD+`, `@EU6`, `EURUSD.£`, `US Tech 100`. Invisible characters could make two names look
/// the same.
fn is_brokers_name(text: &str) -> bool {
    let is_quote = |c: char| "\"'`\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201c}\u{201d}\u{201e}".contains(c);
    let is_odd = |c: char| is_hidden(c) || is_quote(c) || (c.is_whitespace() && c != ' ');
    (1..=BROKERS_NAME_CHARS_MAX).contains(&text.chars().count()) && text.trim() == text && !text.contains(is_odd)
}

/// Currencies whose pairs have two decimal places, or three with fractions of a pip: a pip is 0.01.
const COARSE_PIP: f64 = 0.01;

/// Refuses stops that cannot fit the prices of a pair, as far as its name shows before any price is known. Digits matter only if
/// there is a stop to round.
fn scale(symbol: &Symbol, settings: &Settings, found: &mut Found) {
    let Some((currency, digits_max)) = symbol.coarse() else { return };
    let Symbol { name, digits, stop_loss, take_profit, .. } = symbol;
    let trading = &settings.trading;
    let distances =
        [("stop_loss", stop_loss.or(trading.stop_loss)), ("take_profit", take_profit.or(trading.take_profit))];
    let wanted = distances.into_iter().filter_map(|(field, distance)| Some((field, distance?.price()?)));
    let wanted: Vec<_> = wanted.collect();
    for (field, distance) in &wanted {
        found.unless(
            *distance >= COARSE_PIP,
            format!("symbols.{name}.{field}"),
            format!(
                "{distance} is less than a pip in {currency}, which is {COARSE_PIP}: give {name} a [[symbols]] table with its \
                 own {field}, such as 0.2 for 20 pips"
            ),
        );
    }
    let digits = digits.unwrap_or(trading.digits());
    found.unless(
        wanted.is_empty() || digits <= digits_max,
        format!("symbols.{name}.digits"),
        format!(
            "{digits} is too many for a price in {currency}, which has at most {digits_max}: give {name} a \
             [[symbols]] table with its own digits"
        ),
    );
}

pub(super) fn contract_size(value: Option<f64>, key: &str, found: &mut Found) {
    let fits = value.is_none_or(|size| size == 0.0 || (1e-3..=1e9).contains(&size));
    found.unless(fits, key, "must be 0 (not known) or 0.001 to 1000000000 units of a lot");
}

/// The daemon has the prices of its own symbols only. A study of one symbol needs no rate.
pub fn rates(settings: &Settings, found: &mut Found) {
    let own = settings.symbols.0.iter();
    let own = own.map(|symbol| (format!("symbols.{}.profit_rate", symbol.name), symbol.profit_rate.as_ref()));
    let all = std::iter::once(("trading.profit_rate".to_owned(), settings.trading.profit_rate.as_ref())).chain(own);
    for (key, rate) in all {
        let Some(named) = rate.and_then(ProfitRate::symbol) else { continue };
        let is_known = settings.symbols.0.iter().any(|symbol| symbol.name == named.as_str());
        found.unless(is_known, key, format!("takes the price of {:?}, which is none of the symbols", named.as_str()));
    }
}

pub(super) fn threshold(value: Option<f64>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| (0.0..1.0).contains(&v)), key, "must be at least 0 and below 1");
}

pub(super) fn volume(value: Option<f64>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| (0.001..=100.0).contains(&v)), key, "must be 0.001 to 100 lots");
}

pub(super) fn digits(value: Option<u32>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| v <= 10), key, "must be 0 to 10 decimal places");
}

pub(super) fn distance(value: Option<Distance>, digits: u32, key: &str, found: &mut Found) {
    // A smaller distance could round to the close itself.
    let least = 1.0 / 10f64.powi(i32::try_from(digits).unwrap_or(0));
    let good = value.and_then(Distance::price).is_none_or(|price| price.is_finite() && price >= least);
    found.unless(
        good,
        key,
        format!("must be a distance of at least one unit of the last of {digits} decimal places, or none"),
    );
}
