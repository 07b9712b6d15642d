//! What the demo prints once there is something to see: what runs where, and what to type next.

use super::{Args, Own, THRESHOLD};
use crate::{
    daemon::application::Listening,
    net::as_seen_here,
    process::{output::say, shell::quoted},
    sandbox::baseline::Accuracy,
    settings::{Protection, Resolved},
};
use chrono::DateTime;
use sentinel_actors::{adapters::journal::Store, domain::bar::Bar};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Everything in the text that is known before the first cycle.
#[derive(Debug)]
pub(super) struct Greeting {
    cycle_seconds: f64,
    first_bars: u64,
    has_own_journal: bool,
    /// Absolute, because a second terminal may be in another folder.
    journal: PathBuf,
    program: String,
    servers: [SocketAddr; 3],
    accuracy: Accuracy,
    scheme: &'static str,
    port: Option<u16>,
    console_scheme: &'static str,
    console_port: Option<u16>,
    own: Option<Own>,
}

impl Greeting {
    pub(super) fn new(
        args: &Args,
        settings: &Resolved,
        journal: &Path,
        servers: [SocketAddr; 3],
        accuracy: Accuracy,
        own: Option<Own>,
    ) -> Self {
        let scheme = |protection: &Option<Protection>| {
            if protection.as_ref().is_some_and(Protection::has_tls) { "https" } else { "http" }
        };
        Self {
            cycle_seconds: args.cycle_seconds.as_secs_f64(),
            first_bars: super::first_bars(args),
            has_own_journal: args.journal.is_none(),
            journal: std::path::absolute(journal).unwrap_or_else(|_| journal.to_owned()),
            program: program(std::env::args_os().next().map(PathBuf::from), std::env::current_exe().ok()),
            servers,
            accuracy,
            scheme: scheme(&settings.protection),
            console_scheme: scheme(&settings.console_protection),
            port: settings.metrics.enabled.then_some(settings.metrics.port),
            console_port: settings.console.enabled.then_some(settings.console.port),
            own,
        }
    }

    /// Prints it. `took` is the time of the bars without a pause.
    pub(super) fn say(&self, took: Duration, listening: Listening) {
        say(&self.text(took, listening));
    }

    fn text(&self, took: Duration, Listening { http, console }: Listening) -> String {
        let Self { cycle_seconds, first_bars, servers: [market, model, gateway], .. } = self;
        let journal = self.journal.display();
        let removed = if self.has_own_journal { "   (removed at the end)" } else { "" };
        let (program, quoted) = (&self.program, quoted(&journal.to_string()));
        let (took, orders, open) = (took.as_secs_f64(), self.orders(), self.what_to_open(http));
        let console = self.console(console, http);
        let (bars, fitted_on, worth) = (self.bars(), self.fitted_on(), self.worth());
        format!(
            "\
{first_bars} cycles in {took:.1} s{orders}. From now on there is one bar every {cycle_seconds} s, with a log line for each.

{console}

Sentinel demo: the whole daemon, live, with three servers on loopback. No network, no key, no real money.

  market   http://{market}  replays {bars}, one bar a cycle
  model    http://{model}  softmax regression, fitted to {fitted_on}
  gateway  tcp://{gateway}   a v43 gateway: fills orders at the bar's price and keeps positions
  journal  {journal}{removed}

{worth}
The demo shows how Sentinel works, not how to make money. BUY and SELL need odds above {THRESHOLD}.

{open}
Type   in a second terminal, to see why it traded and what happened to the orders:

  {program} explain --journal {quoted}
  {program} orders --journal {quoted}

Ctrl-C stops it.
"
        )
    }

    fn bars(&self) -> String {
        let Some(Own { file, symbol, recording }) = &self.own else {
            return "recorded EUR/USD hourly bars of 2017".into();
        };
        let day = |bar: Option<&Bar>| {
            let time = bar.and_then(|bar| DateTime::from_timestamp(bar.open_time, 0));
            time.map_or_else(String::new, |time| time.format("%F").to_string())
        };
        let (bars, interval) = (recording.bars(), recording.interval.as_str());
        let (count, first, last) = (bars.len(), day(bars.first()), day(bars.last()));
        format!("{file}: {count} {interval} bars of {symbol}, {first} to {last}")
    }

    const fn fitted_on(&self) -> &'static str {
        if self.own.is_some() { "the recorded EUR/USD hourly bars of 2017" } else { "the first 3,000 of them" }
    }

    /// What the model's odds are worth on these bars.
    fn worth(&self) -> String {
        let Accuracy { model, always_hold, bars } = self.accuracy;
        match &self.own {
            Some(Own { symbol, .. }) => {
                format!("The model was fitted to EUR/USD, not to your bars: its odds for {symbol} are worth nothing.")
            }
            None => {
                let (right, holding) = (100.0 * model, 100.0 * always_hold);
                format!(
                    "On the {bars} bars that it was not fitted to, the model is right in {right:.1} % of cases; HOLD every time \
                     would be right in {holding:.1} %."
                )
            }
        }
    }

    /// `, 12 orders`; empty if the journal cannot be read, which is in the log.
    fn orders(&self) -> String {
        let orders = Store::open_read_only(&self.journal).ok().and_then(|store| store.orders(false).ok());
        orders.map_or_else(String::new, |orders| format!(", {} orders", orders.len()))
    }

    /// The first thing to open: the page with everything that the demo does. In a container the metrics are on every address
    /// and the console is on loopback, where only the container itself can open it.
    fn console(&self, listening: Option<SocketAddr>, http: Option<SocketAddr>) -> String {
        match (listening, self.console_port) {
            (Some(address), _) => {
                let at = SocketAddr::new(as_seen_here(address.ip()), address.port());
                let scheme = self.console_scheme;
                let is_only_here = address.ip().is_loopback() && http.is_some_and(|http| !http.ip().is_loopback());
                let limit = if is_only_here {
                    "\n       on this machine only: if it is a container, nothing outside reaches it"
                } else {
                    ""
                };
                format!(
                    "Open   {scheme}://{at}/console/   to watch it: the market, each decision and its reason, orders, money{limit}"
                )
            }
            (None, None) => "There is no console: console.enabled is false.".into(),
            (None, Some(port)) => {
                format!("Port {port} is in use, so there is no console yet: free it, or set SENTINEL__CONSOLE__PORT.")
            }
        }
    }

    fn what_to_open(&self, http: Option<SocketAddr>) -> String {
        match (http, self.port) {
            (Some(address), _) => {
                let at = SocketAddr::new(as_seen_here(address.ip()), address.port());
                let scheme = self.scheme;
                format!("Also   {scheme}://{at}/metrics   and   {scheme}://{at}/health")
            }
            (None, None) => "No port is open: metrics.enabled is false.".into(),
            (None, Some(port)) => format!(
                "Port {port} is in use, so there is nothing to open yet: free it, or start with --metrics-port N."
            ),
        }
    }
}

/// The program as a second terminal finds it: by the name it was called by if it came from the search path, else by its
/// path.
fn program(called: Option<PathBuf>, executable: Option<PathBuf>) -> String {
    let from_search_path = called.filter(|name| name.components().count() == 1 && !name.as_os_str().is_empty());
    let program = from_search_path.or(executable).unwrap_or_else(|| "sentinel".into());
    quoted(&program.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_to_type_work_in_every_folder() {
        let here = || Some(PathBuf::from("/home/ann/sentinel/target/release/sentinel"));
        assert_eq!(
            program(Some("target/release/sentinel".into()), here()),
            "/home/ann/sentinel/target/release/sentinel"
        );
        assert_eq!(program(Some("sentinel".into()), here()), "sentinel", "the search path has it");
        assert_eq!(program(None, Some("/home/ann b/it's".into())), r"'/home/ann b/it'\''s'");
        assert_eq!(program(None, None), "sentinel");
    }

    #[test]
    fn the_addresses_can_be_opened() {
        let mut greeting = Greeting {
            cycle_seconds: 2.0,
            first_bars: 200,
            has_own_journal: true,
            journal: "/nowhere/journal.db".into(),
            program: "sentinel".into(),
            servers: [([127, 0, 0, 1], 1).into(); 3],
            accuracy: Accuracy { bars: 1_900, model: 0.5, always_hold: 0.4 },
            scheme: "http",
            port: Some(8000),
            console_scheme: "http",
            console_port: Some(8001),
            own: None,
        };
        let open = |greeting: &Greeting, at: &str| greeting.what_to_open(Some(at.parse().unwrap()));
        assert!(open(&greeting, "0.0.0.0:8001").starts_with("Also   http://127.0.0.1:8001/metrics "));
        assert!(open(&greeting, "10.1.2.3:80").contains("http://10.1.2.3:80/health"));
        assert!(open(&greeting, "[::1]:80").contains("http://[::1]:80/health"));
        assert!(greeting.what_to_open(None).contains("Port 8000 is in use"));
        let listening =
            |console: Option<&str>| Listening { http: None, console: console.map(|it| it.parse().unwrap()) };
        let text = greeting.text(Duration::from_millis(3_140), listening(Some("0.0.0.0:8001")));
        let console = text.find("Open   http://127.0.0.1:8001/console/").unwrap();
        assert!(console < text.find("Sentinel demo:").unwrap(), "the console comes first");
        assert!(greeting.text(Duration::ZERO, listening(None)).contains("Port 8001 is in use"));
        assert!(text.starts_with("200 cycles in 3.1 s. From now on there is one bar every 2 s"), "{text}");
        assert!(text.contains(
            "\n  sentinel explain --journal /nowhere/journal.db\n  sentinel orders --journal /nowhere/journal.db\n"
        ));
        greeting.console_port = None;
        assert!(greeting.console(None, None).contains("console.enabled"));
        let (loopback, all) = ("127.0.0.1:8001".parse().ok(), "0.0.0.0:8000".parse().ok());
        assert!(greeting.console(loopback, all).contains("nothing outside reaches it"));
        for (console, http) in [(loopback, loopback), (loopback, None), (all, all)] {
            assert!(!greeting.console(console, http).contains("outside"), "{console:?} {http:?}");
        }
        greeting.port = None;
        assert!(greeting.what_to_open(None).contains("metrics.enabled"));
    }
}
