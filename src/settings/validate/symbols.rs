//! What a symbol may be, by its names and by the scale of its prices.

use super::{
    super::{Distance, Settings, sections::Symbol},
    Found,
};
use sentinel_actors::domain::{instrument::InstrumentKey, sanitize::is_hidden};
use std::collections::HashSet;

/// A symbol and its ticker.
const SYMBOL_BYTES_MAX: usize = 64;
/// The broker's name of it.
const BROKERS_NAME_CHARS_MAX: usize = 64;

pub(super) fn symbols(settings: &Settings, found: &mut Found) {
    found.unless(!settings.symbols.0.is_empty(), "symbols", "must name at least one symbol");
    let mut seen = HashSet::new();
    let mut names_at_gateway = HashSet::new();
    for symbol in &settings.symbols.0 {
        let Symbol { name, ticker, gateway_name, threshold: own, volume: lots, digits: places, stop_loss, take_profit } =
            symbol;
        let key = |field: &str| format!("symbols.{name}.{field}");
        let rule = "must be 1 to 64 letters, digits, '.', '_', '-' or '#'";
        found.unless(
            is_symbol(name),
            "symbols.name",
            format!("{name:?} {rule}; a broker's name of it goes into a [[symbols]] table as its gateway_name"),
        );
        let is_new = seen.insert(name);
        found.unless(is_new, "symbols.name", format!("{name:?} is there twice"));
        // The ticker that is derived from a name has to be one, too: `sentinel check` writes it out.
        let derived = symbol.ticker();
        let fits = ticker.is_some() || derived.len() <= SYMBOL_BYTES_MAX;
        found.unless(fits, "symbols.name", format!("{name:?} is too long for the ticker {derived:?}: name its ticker"));
        found.unless(ticker.as_deref().is_none_or(is_symbol), key("ticker"), rule);
        let at_gateway = symbol.gateway_name();
        let message = format!(
            "{at_gateway:?} is another symbol's, too, perhaps in capitals: to the gateway they are one instrument"
        );
        found.unless(names_at_gateway.insert(InstrumentKey::of(&at_gateway)) || !is_new, key("gateway_name"), message);
        found.unless(
            gateway_name.as_deref().is_none_or(is_brokers_name),
            key("gateway_name"),
            "must be 1 to 64 characters that can be seen, without quotes, and without space at its ends",
        );
        threshold(*own, &key("threshold"), found);
        volume(*lots, &key("volume"), found);
        digits(*places, &key("digits"), found);
        // A distance of [trading] has been looked at with the digits of [trading].
        let trading = &settings.trading;
        let with_own_digits = |own: Option<Distance>, base| own.or_else(|| places.and(base));
        let (stop_loss, take_profit) =
            (with_own_digits(*stop_loss, trading.stop_loss), with_own_digits(*take_profit, trading.take_profit));
        let places = places.unwrap_or(trading.digits);
        distance(stop_loss, places, &key("stop_loss"), found);
        distance(take_profit, places, &key("take_profit"), found);
        scale(symbol, settings, found);
    }
}

/// Whether it is a name of ours, or EODHD's: those go into metrics, addresses and file names.
pub fn is_symbol(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SYMBOL_BYTES_MAX
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-#".contains(c))
}

/// Whether a broker may call an instrument so: `EURUSD+`, `@EU6`, `EURUSD.£`, `US Tech 100`. What nobody can see would make
/// two names out of one.
fn is_brokers_name(text: &str) -> bool {
    let is_quote = |c: char| "\"'`\u{ab}\u{bb}\u{2018}\u{2019}\u{201a}\u{201c}\u{201d}\u{201e}".contains(c);
    let is_odd = |c: char| is_hidden(c) || is_quote(c) || (c.is_whitespace() && c != ' ');
    (1..=BROKERS_NAME_CHARS_MAX).contains(&text.chars().count()) && text.trim() == text && !text.contains(is_odd)
}

/// Currencies whose pairs have two decimal places, or three with fractions of a pip: what their broker calls a pip is 0.01.
const COARSE_CURRENCIES: [&str; 3] = ["JPY", "HUF", "KRW"];
const COARSE_DIGITS_MAX: u32 = 3;
const COARSE_PIP: f64 = 0.01;

/// Stops that cannot fit the prices of a pair, as far as its name tells before any price is known. Digits matter only where
/// there is a stop to round.
fn scale(symbol: &Symbol, settings: &Settings, found: &mut Found) {
    let Some(currency) = symbol.quote_currency().filter(|quote| COARSE_CURRENCIES.contains(&quote.as_str())) else {
        return;
    };
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
                "{distance} is less than a pip of {currency}, which is {COARSE_PIP}: give {name} a [[symbols]] table with its \
                 own {field}, such as 0.2 for 20 pips"
            ),
        );
    }
    let digits = digits.unwrap_or(trading.digits);
    found.unless(
        wanted.is_empty() || digits <= COARSE_DIGITS_MAX,
        format!("symbols.{name}.digits"),
        format!(
            "{digits} are too many for a price in {currency}, which has at most {COARSE_DIGITS_MAX}: give {name} a \
             [[symbols]] table with its own digits"
        ),
    );
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
    // Less than the last decimal place may round to the close itself.
    let least = 1.0 / 10f64.powi(i32::try_from(digits).unwrap_or(0));
    let good = value.and_then(Distance::price).is_none_or(|price| price.is_finite() && price >= least);
    found.unless(good, key, format!("must be a distance in price of at least one of {digits} decimal places, or none"));
}
