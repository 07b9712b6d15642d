//! Whether a broker's name of an instrument is another spelling of ours. Brokers add suffixes and prefixes, and write pairs
//! with a slash.

use crate::domain::order::Order;

/// Currencies, metals and coins that brokers quote in pairs.
const QUOTED: [&str; 40] = [
    "AED", "AUD", "BCH", "BRL", "BTC", "CAD", "CHF", "CLP", "CNH", "CNY", "CZK", "DKK", "ETH", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "LTC", "MXN", "NOK", "NZD", "PLN", "RON", "SEK", "SGD", "SOL", "THB",
    "TRY", "USD", "XAG", "XAU", "XPD", "XPT", "XRP", "ZAR",
];

/// Longest suffix without a separator, in letters: `EURUSDm`, `US30pro`.
const SUFFIX_LETTERS_MAX: usize = 4;

/// Shortest name, in letters and digits, that is searched for in other names.
const TELLING_CHARS_MIN: usize = 3;

/// Whether a name and the order's are both names of a pair, but of different pairs: a gold position that a user opened is not
/// a spelling of EURUSD, even if it is new.
pub fn is_another_pair(name: &str, order: &Order) -> bool {
    let own = pair(&order.gateway_name).or_else(|| pair(order.symbol.as_str()));
    matches!((pair(name), own), (Some(one), Some(other)) if one != other)
}

/// Whether two names are spellings of the same: of the same pair, or one is the other with a suffix.
pub fn are_alike(one: &str, other: &str) -> bool {
    match (pair(one), pair(other)) {
        (Some(one), Some(other)) => one == other,
        _ => begins_with(one, other) || begins_with(other, one),
    }
}

/// The first pair in a name, in capitals: `EURUSD` in `EUR/USD.raw`.
fn pair(name: &str) -> Option<String> {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let is_pair = |at: &usize| [*at, at + 3].iter().all(|at| QUOTED.contains(&&letters[*at..at + 3]));
    (0..=letters.len().checked_sub(6)?).find(is_pair).map(|at| letters[at..at + 6].to_owned())
}

/// `US30.cash`, `us30m` and `US30` begin with `US30`; `US300` does not, and `UKOIL` does not begin with `OIL`.
fn begins_with(name: &str, root: &str) -> bool {
    let (name, root) = (name.to_lowercase(), root.to_lowercase());
    let Some(rest) = name.strip_prefix(&root).filter(|_| root.chars().count() >= TELLING_CHARS_MIN) else {
        return false;
    };
    match rest.chars().next() {
        None => true,
        Some(first) if !first.is_alphanumeric() => true,
        Some(_) => rest.chars().all(char::is_alphabetic) && rest.chars().count() <= SUFFIX_LETTERS_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spelling_has_the_same_pair_or_goes_on_like_a_suffix() {
        for (one, other) in [
            ("EURUSD.raw", "EURUSD"),
            ("EUR/USD", "EURUSDm"),
            ("mEURUSDx", "EURUSD"),
            ("US30.cash", "US30"),
            ("us30pro", "US30"),
            ("GOLDm", "GOLD"),
            ("#AAPL", "#AAPL.a"),
        ] {
            assert!(are_alike(one, other) && are_alike(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("GBPUSD", "EURUSD"),
            ("UKOIL", "OIL"),
            ("US300", "US30"),
            ("XAUUSD", "EURUSD"),
            ("EU", "EURUSD"),
            ("Euro Dollar", "EURUSD"),
        ] {
            assert!(!are_alike(one, other) && !are_alike(other, one), "{one} {other}");
        }
    }
}
