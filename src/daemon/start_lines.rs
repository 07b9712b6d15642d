//! What the daemon says when it starts: how it trades, what, and with whom; and which orders the run before left unknown.

use crate::{
    net::authority,
    settings::{Remarks, Resolved},
};
use sentinel_actors::adapters::journal::OrderRow;
use std::{collections::BTreeSet, path::Path};

/// Symbols and orders named in one line; of more, only their number is given.
const NAMED_MAX: usize = 10;

/// Says how the daemon trades. The first word is the one that matters.
pub fn say_settings(settings: &Resolved, file: Option<&Path>, once: bool) {
    let gateway = &settings.gateway;
    let mode = if settings.purpose.gateway.is_live() { "LIVE: orders leave" } else { "DRY RUN: no order leaves" };
    tracing::info!(
        account = gateway.account.as_deref().unwrap_or("-"),
        symbols = %symbols(settings),
        interval = settings.data.interval.as_str(),
        threshold = %thresholds(settings),
        journal = %absolute(&settings.journal.path),
        market = %without_secrets(&settings.data.base_url),
        calendar = settings.calendar_name,
        hub = settings.model.base_url(),
        gtw = %authority(&gateway.host, gateway.port),
        dialect = gateway.dialect.map_or("-", |dialect| dialect.as_str()),
        settings = %file.map_or_else(|| "built-in".to_owned(), absolute),
        deadman = if settings.deadman.source().is_some() && !once { "on" } else { "off" },
        "{mode}"
    );
    say_remarks(&settings.remarks);
    if settings.purpose.gateway.is_live() {
        say_too_large(settings);
    }
}

/// Symbols whose every order would be larger than allowed: nothing else says so but a reason in each cycle's line.
fn say_too_large(settings: &Resolved) {
    let max = settings.guards.volume_max;
    for instrument in settings.instruments.iter().filter(|it| max > 0.0 && it.volume > max) {
        tracing::warn!(
            symbol = %instrument.symbol,
            "no order can leave: its volume of {} lots is above guards.volume_max = {max}; lower the one or raise the other",
            instrument.volume
        );
    }
}

/// What the environment holds that looks as if it did something.
fn say_remarks(remarks: &Remarks) {
    for remark in &remarks.misspelt {
        tracing::warn!("{remark}");
    }
    if !remarks.proxies.is_empty() {
        tracing::info!(
            "{}: set, and not used; Sentinel connects to all of its servers directly",
            remarks.proxies.join(", ")
        );
    }
}

/// Names the orders of unknown fate that the journal had at the start, with the way to settle them.
pub fn say_unresolved(orders: &[OrderRow], journal: &Path) {
    if orders.is_empty() {
        return;
    }
    let journal = absolute(journal);
    tracing::warn!(
        orders = orders.len(),
        "orders of unknown fate in the journal, which block their symbols: {}. Look at the account; `sentinel orders show ID \
         --journal {journal}` tells one's life, `sentinel orders resolve ID filled|rejected --note TEXT --journal {journal}` \
         settles it",
        named(orders.iter().map(order))
    );
}

fn order(order: &OrderRow) -> String {
    let since = chrono::DateTime::from_timestamp_millis(order.updated_at_ms);
    let since = since.map_or_else(String::new, |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    format!("{} {} {} since {since}", order.id, order.symbol, order.side)
}

fn symbols(settings: &Resolved) -> String {
    named(settings.instruments.iter().map(|instrument| instrument.symbol.to_string()))
}

/// A relative path says nothing to who reads the log elsewhere.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// `0.6`, or the lowest and the highest if symbols have their own.
fn thresholds(settings: &Resolved) -> String {
    let all = &settings.instruments;
    // Odds are never negative, and their bits are then in their order.
    let all: BTreeSet<u64> = all.iter().map(|instrument| instrument.threshold.to_bits()).collect();
    match (all.first().copied().map(f64::from_bits), all.last().copied().map(f64::from_bits)) {
        (Some(lowest), Some(highest)) if lowest < highest => format!("{lowest} to {highest}"),
        (Some(only), _) => only.to_string(),
        (None, _) => settings.trading.threshold.to_string(),
    }
}

/// The URL as far as its path: what may stand before the host or behind a `?` is not for a log.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let slash = if path.is_empty() { "" } else { "/" };
    // A secret with a slash in it would end the authority too early.
    if path.contains('@') { format!("{scheme}://...") } else { format!("{scheme}://{host}{slash}{path}") }
}

/// `a, b, c`, or the first few and how many more.
fn named(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED_MAX);
    let text = items.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_said() {
        for (url, said) in [
            ("https://eodhd.com", "https://eodhd.com"),
            ("http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
            ("http://alice:PW@host:80/api", "http://host:80/api"),
            ("http://alice:P@W@host", "http://host"),
            ("http://alice:P/W@host/api", "http://..."),
            ("http://host/api?api_token=PW", "http://host/api"),
            ("http://host#PW", "http://host"),
        ] {
            assert_eq!(without_secrets(url), said);
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(named(["a", "b"].map(str::to_owned).into_iter()), "a, b");
        let many: Vec<_> = (0..12).map(|i| i.to_string()).collect();
        assert!(named(many.into_iter()).ends_with(", 9 and 2 more"));
    }
}
