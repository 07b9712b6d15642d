//! The first lines of the daemon's log: how and what it trades, with which servers, and which orders are of unknown outcome.

use crate::{
    net::authority,
    settings::{ClusterMode, Remarks, Resolved},
};
use sentinel_actors::adapters::journal::OrderRow;
use std::{collections::BTreeSet, path::Path};

/// How many symbols and orders one line lists; of more, only the number is given.
const NAMED_MAX: usize = 10;

/// Logs how the daemon trades. The first words say whether it sends orders.
pub fn say_settings(settings: &Resolved, file: Option<&Path>, once: bool) {
    let gateway = &settings.gateway;
    let mode = if settings.purpose.gateway.is_live() { "LIVE: orders are sent" } else { "DRY RUN: no orders are sent" };
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

/// Logs whether something keeps a daemon on another machine from the same account. Not for the demo, whose account is its own.
pub fn say_other_machines(settings: &Resolved) {
    match (settings.cluster.mode, settings.purpose.gateway.is_live()) {
        (ClusterMode::Off, true) => tracing::info!(
            "nothing stops a daemon on another machine from trading this account, too; cluster.mode = \"guard\" does"
        ),
        (ClusterMode::Guard | ClusterMode::Shared, false) => {
            tracing::info!("the account is not claimed in etcd: a dry run sends no orders");
        }
        (_, _) => {}
    }
}

/// Warns about symbols whose orders would all be larger than allowed. Otherwise only the reason in each cycle's log line would
/// show it.
fn say_too_large(settings: &Resolved) {
    let max = settings.guards.volume_max;
    for instrument in settings.instruments().filter(|it| max > 0.0 && it.volume > max) {
        tracing::warn!(
            symbol = %instrument.symbol,
            "no order can be sent: the symbol's volume of {} lots is above guards.volume_max = {max}; change one of the two",
            instrument.volume
        );
    }
}

/// Logs variables that look as if they had an effect, but have none.
fn say_remarks(remarks: &Remarks) {
    for remark in &remarks.misspelt {
        tracing::warn!("{remark}");
    }
    if !remarks.proxies.is_empty() {
        tracing::info!(
            "{}: set but not used; Sentinel connects to all of its servers directly",
            remarks.proxies.join(", ")
        );
    }
}

/// Lists the orders of unknown outcome that the journal has at the start, and says how to settle them.
pub fn say_unresolved(orders: &[OrderRow], journal: &Path) {
    if orders.is_empty() {
        return;
    }
    let journal = absolute(journal);
    tracing::warn!(
        orders = orders.len(),
        "the journal has orders of unknown outcome, which block their symbols: {}. Check the account. `sentinel orders show ID \
         --journal {journal}` shows all that is known of one, and `sentinel orders resolve ID filled|rejected --note TEXT \
         --journal {journal}` settles it",
        named(orders.iter().map(order))
    );
}

fn order(order: &OrderRow) -> String {
    let since = chrono::DateTime::from_timestamp_millis(order.updated_at_ms);
    let since = since.map_or_else(String::new, |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    format!("{} {} {} since {since}", order.id, order.symbol, order.side)
}

fn symbols(settings: &Resolved) -> String {
    named(settings.instruments().map(|instrument| instrument.symbol.to_string()))
}

/// A relative path is useless in a log that is read elsewhere.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// `0.6`, or the lowest and the highest if symbols have their own.
fn thresholds(settings: &Resolved) -> String {
    // The bits of numbers that are not negative have the same order as the numbers.
    let all: BTreeSet<u64> = settings.instruments().map(|instrument| instrument.threshold.to_bits()).collect();
    match (all.first().copied().map(f64::from_bits), all.last().copied().map(f64::from_bits)) {
        (Some(lowest), Some(highest)) if lowest < highest => format!("{lowest} to {highest}"),
        (Some(only), _) => only.to_string(),
        (None, _) => settings.trading.threshold.to_string(),
    }
}

/// The URL without user, password, query and fragment, which may be secret.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let url = &url[..end];
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').map_or((rest, ""), |(authority, path)| (authority, path));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let slash = if path.is_empty() { "" } else { "/" };
    // The slash may be part of a password, and what follows it, too.
    if path.contains('@') { format!("{scheme}://...") } else { format!("{scheme}://{host}{slash}{path}") }
}

/// `a, b, c`, or the first ones and how many more there are.
fn named(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED_MAX);
    let text = items.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_logged() {
        for (url, shown) in [
            ("https://eodhd.com", "https://eodhd.com"),
            ("http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
            ("http://alice:PW@host:80/api", "http://host:80/api"),
            ("http://alice:P@W@host", "http://host"),
            ("http://alice:P/W@host/api", "http://..."),
            ("http://host/api?api_token=PW", "http://host/api"),
            ("http://host#PW", "http://host"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(named(["a", "b"].map(str::to_owned).into_iter()), "a, b");
        let many: Vec<_> = (0..12).map(|i| i.to_string()).collect();
        assert!(named(many.into_iter()).ends_with(", 9 and 2 more"));
    }
}
