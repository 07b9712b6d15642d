//! `sentinel demo`: the daemon, live, against three servers inside this process.

mod greeting;

use super::{
    own_bars::{Own, OwnBars},
    run::exit_code,
    temporary_folder::TemporaryFolder,
};
use crate::{
    bar_files::{DECIMAL_PLACES_MAX, decimal_places},
    daemon::{
        application::{Application, Plan},
        shutdown::Ended,
        telemetry::{self, Quiet},
    },
    process::{environment, exit::refuse, on_system, output::say, unix_signals},
    sandbox::{
        PriceBoard,
        baseline::{Accuracy, Baseline},
        gateway::{self, Gateway},
        market, model,
        recording::{INTERVAL, Recording},
        server::Server,
    },
    settings::{Resolved, Settings, SettingsError, Sources, Symbol},
};
use anyhow::Context;
use greeting::Greeting;
use sentinel_actors::{
    adapters::journal::Store,
    domain::{bar::Bar, schedule::Schedule},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

/// Lower than a daemon's: the demo's model is rarely sure.
const THRESHOLD: &str = "0.40";
/// Bars replayed without a pause, so that there is something to see at once.
const BACK_TO_BACK: u64 = 200;
/// 200 pips in five-digit EUR/USD; wide enough that positions live for a while.
const STOP_LOSS: &str = "0.02";
/// The same for bars of any price: a share of the newest close.
const STOP_LOSS_SHARE: f64 = 0.02;
/// Settings of the environment that the demo uses; the others could only break it.
const USED: [&str; 5] =
    ["METRICS_PORT", "SENTINEL__METRICS__", "SENTINEL__CONSOLE__", "SENTINEL__LOG__", "SENTINEL__GUARDS__"];
/// The kill switch of the demo, if the environment names one.
const HALT_FILE: &str = "SENTINEL__GUARDS__HALT_FILE";
/// How long the greeting remains the last text on the screen.
const READING: Duration = Duration::from_secs(5);
/// The address on which an image listens: it has a network of its own, of which only published ports can be reached.
const BIND: &str = "SENTINEL_DEMO_BIND";
const LOG_LEVEL: &str = "SENTINEL__LOG__LEVEL";
const SETTINGS_BIND: &str = "SENTINEL__METRICS__BIND";
/// The demo does not continue a journal that is further ahead than this, about seven hundred years of bars.
const REPLAYED_BARS_MAX: usize = 5_000_000;
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pause between cycles after the first 200 bars; fractions allowed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = pace)]
    cycle_seconds: Duration,
    /// Port of /metrics and /health [env METRICS_PORT] [default 8000]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    metrics_port: Option<String>,
    /// Address to listen on for /metrics and /health; 0.0.0.0 for all [env SENTINEL_DEMO_BIND] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<std::net::IpAddr>,
    #[command(flatten)]
    own: OwnBars,
    /// No cycles after N, but keep serving
    #[arg(long, value_name = "N")]
    cycles: Option<u64>,
    /// Keep decisions and orders in this file, and continue after the newest bar in it [default: a new temporary file]
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,
}

fn pace(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("must be 0.001 to 3600 seconds".into()),
    }
}

pub(super) fn main(args: &Args) -> ExitCode {
    match on_system(run(args)) {
        Ok(ended) => exit_code(Ok(ended)),
        Err(error) => match error.downcast_ref::<SettingsError>() {
            Some(error) => refuse(error),
            None => exit_code(Err(error)),
        },
    }
}

async fn run(args: &Args) -> anyhow::Result<Ended> {
    let stop = unix_signals::stop()?;
    let folder =
        if args.journal.is_none() { Some(TemporaryFolder::new().context("the temporary journal")?) } else { None };
    let journal = match (&args.journal, &folder) {
        (Some(path), _) => path.clone(),
        (None, Some(folder)) => folder.path().join("journal.db"),
        (None, None) => PathBuf::from("journal.db"),
    };
    let own = args.own.read()?;
    let servers = Servers::start(&journal, own.as_ref())?;
    let settings = Settings::load(&sources(args, &journal, servers.addresses(), own.as_ref()))?;
    let loud = quiet(&settings);
    let loud_at_the_end = loud.clone();
    let stop = async move {
        stop.await;
        loud_at_the_end();
    };
    let plan = Plan {
        schedule: Schedule::Every(args.cycle_seconds),
        cycles_max: args.cycles.unwrap_or(0),
        back_to_back: BACK_TO_BACK,
        once: false,
    };
    let whose = if own.is_some() { "of your" } else { "recorded" };
    say(&format!("Sentinel demo: the first {} {whose} bars run without a pause ...", first_bars(args)));
    let greeting = Greeting::new(args, &settings, &journal, servers.addresses(), servers.accuracy, own);
    let began = Instant::now();
    let mut application = Application::start(&settings, plan, None, None)?;
    application.when_caught_up(move |listening| {
        greeting.say(began.elapsed(), listening);
        actix_rt::spawn(async move {
            tokio::time::sleep(READING).await;
            loud();
        });
    });
    let ended = application.run_until_stopped(stop).await;
    drop(folder);
    servers.stop();
    ended
}

/// Limits the log to warnings, because 200 lines in a few seconds would push everything else off the screen. Returns what
/// ends that. If the environment sets a log level, the level applies at once.
fn quiet(settings: &Resolved) -> impl Fn() + Clone + 'static {
    let quiet = if std::env::var_os(LOG_LEVEL).is_none() {
        Some(telemetry::init_quiet(&settings.log))
    } else {
        telemetry::init(&settings.log);
        None
    };
    move || quiet.iter().for_each(Quiet::end)
}

/// The three systems that the daemon trades against.
struct Servers {
    market: Server,
    model: Server,
    /// The model's accuracy on bars that it was not fitted on.
    accuracy: Accuracy,
    gateway: Gateway,
}

impl Servers {
    /// Starts them. The market begins with bars that are new to this journal.
    fn start(journal: &Path, own: Option<&Own>) -> anyhow::Result<Self> {
        let prices = PriceBoard::default();
        let recording = own.map_or_else(Recording::eurusd, |own| own.recording.clone());
        let mut replay = market::Config::new(LOOPBACK, recording, prices.clone());
        replay.history_bars = replay.history_bars.max(bars_until_new(journal, &replay.recording)?);
        let market = market::start(replay).context("the embedded market")?;
        let baseline = Baseline::fitted();
        let accuracy = baseline.accuracy();
        let model = model::start(LOOPBACK, baseline).context("the embedded model server")?;
        let gateway =
            gateway::start(gateway::Config { addr: LOOPBACK, prices, price: None }).context("the embedded gateway")?;
        Ok(Self { market, model, accuracy, gateway })
    }

    /// The addresses of market, model and gateway.
    fn addresses(&self) -> [SocketAddr; 3] {
        [self.market.addr(), self.model.addr(), self.gateway.addr()]
    }

    fn stop(self) {
        self.gateway.stop();
        self.model.stop();
        self.market.stop();
    }
}

/// How many bars the market must already have shown so that its next one is newer than the journal: a bar is ordered only
/// once, so a replay from the start would send no orders.
fn bars_until_new(journal: &Path, recording: &Recording) -> anyhow::Result<usize> {
    if !journal.exists() {
        return Ok(0);
    }
    let Some(newest) = Store::open_read_only(journal)?.newest_bar_close_time()? else { return Ok(0) };
    let closed_at = |index: usize| recording.closed_at(&recording.replayed_bar(index));
    let seen = (0..REPLAYED_BARS_MAX).take_while(|index| closed_at(*index) <= newest);
    Ok(seen.count() + 1)
}

fn sources(args: &Args, journal: &Path, [market, model, gateway]: [SocketAddr; 3], own: Option<&Own>) -> Sources {
    let is_used = |name: &str| USED.iter().any(|prefix| name.starts_with(prefix));
    let mut flags = vec![
        ("data.base_url", format!("http://{market}")),
        ("data.api_token", "demo".into()),
        ("model.host", model.ip().to_string()),
        ("model.port", model.port().to_string()),
        ("gateway.host", gateway.ip().to_string()),
        ("gateway.port", gateway.port().to_string()),
        ("gateway.dialect", "v43".into()),
        ("gateway.account", "demo".into()),
        ("trading.live", "true".into()),
        ("trading.threshold", THRESHOLD.into()),
        ("guards.opposite", "close_then_open".into()),
        ("schedule.clock", "bars".into()),
        // Live and paper begin with the same sum, and what they earn is seen at once.
        ("paper.balance", "100000".into()),
        ("gateway.account_poll_s", "1".into()),
        ("journal.path", journal.display().to_string()),
    ];
    // The console's two buttons work here, too.
    let environment: Vec<_> = environment().into_iter().filter(|(name, _)| is_used(name)).collect();
    if !environment.iter().any(|(name, _)| name == HALT_FILE) {
        let beside = std::path::absolute(journal).unwrap_or_else(|_| journal.to_owned()).with_extension("halt");
        flags.push(("guards.halt_file", beside.display().to_string()));
    }
    flags.extend(of_bars(own));
    flags.extend(bind(args, |name| std::env::var(name).ok()).map(|address| ("metrics.bind", address)));
    flags.extend(args.metrics_port.iter().map(|port| ("metrics.port", port.clone())));
    let environment = environment.into_iter().collect();
    Sources { environment, flags, symbols: own.map(|own| vec![own.symbol.clone()]), ..Sources::default() }
}

/// What follows from the bars that are replayed.
fn of_bars(own: Option<&Own>) -> Vec<(&'static str, String)> {
    let Some(own @ Own { recording, .. }) = own else {
        // The recording has the weekends of this calendar.
        return vec![
            ("trading.stop_loss", STOP_LOSS.into()),
            ("market.calendar", "fx".into()),
            ("data.interval", INTERVAL.as_str().into()),
            // Profit on paper in dollars, as the gateway's account has it, and after the spread, which the gateway does not charge.
            ("trading.contract_size", "100000".into()),
            ("trading.profit_rate", "1".into()),
            ("study.spread_points", "2".into()),
        ];
    };
    let newest = recording.bars().last().map_or(1.0, |bar| bar.close);
    let digits = digits_of(recording.bars(), newest, &own.symbol);
    let stop = (newest * STOP_LOSS_SHARE).max(10_f64.powi(-(digits as i32)));
    let calendar = if recording.is_of_every_day() { "always" } else { "fx" };
    vec![
        ("trading.digits", digits.to_string()),
        ("trading.stop_loss", format!("{stop:.places$}", places = digits as usize)),
        ("market.calendar", calendar.into()),
        ("data.interval", recording.interval.as_str().into()),
    ]
}

/// Decimal places of a person's own prices. If they have more than a price can have, as adjusted prices have, those that leave
/// six significant figures of the newest one, such as the five of 1.12345.
fn digits_of(bars: &[Bar], newest: f64, symbol: &str) -> u32 {
    let of_six_figures = || (5.0 - newest.log10().floor()).clamp(0.0, DECIMAL_PLACES_MAX as f64) as u32;
    let digits = decimal_places(bars).unwrap_or_else(of_six_figures);
    Symbol::named(symbol).coarse().map_or(digits, |(_, most)| digits.min(most))
}

/// How many bars run without a pause.
fn first_bars(args: &Args) -> u64 {
    args.cycles.filter(|cycles| (1..BACK_TO_BACK).contains(cycles)).unwrap_or(BACK_TO_BACK)
}

/// The address to listen on: loopback unless set otherwise; `None` if a setting of the environment has it.
fn bind(args: &Args, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    match args.bind {
        Some(address) => Some(address.to_string()),
        None if variable(SETTINGS_BIND).is_some() => None,
        None => Some(variable(BIND).unwrap_or_else(|| LOOPBACK.ip().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn it_listens_on_loopback_unless_set_otherwise() {
        let asked = |flags: &[&str], set: &[&str]| {
            let line = CommandLine::try_parse_from([&["demo"], flags].concat()).unwrap();
            bind(&line.args, |name| set.contains(&name).then(|| "10.0.0.1".into()))
        };
        assert_eq!(asked(&[], &[]).as_deref(), Some("127.0.0.1"));
        assert_eq!(asked(&["--bind", "0.0.0.0"], &[BIND, SETTINGS_BIND]).as_deref(), Some("0.0.0.0"));
        assert_eq!(asked(&["--bind", "::1"], &[]).as_deref(), Some("::1"));
        assert_eq!(asked(&[], &[BIND]).as_deref(), Some("10.0.0.1"));
        assert_eq!(asked(&[], &[BIND, SETTINGS_BIND]), None, "the setting itself wins");
        assert!(CommandLine::try_parse_from(["demo", "--bind", "somewhere"]).is_err());
    }

    #[test]
    fn decimal_places_are_what_a_broker_of_these_prices_takes() {
        let digits = |price: f64, symbol: &str| {
            let bar = Bar { open_time: 0, open: price, high: price, low: price, close: price, volume: 0.0 };
            digits_of(&[bar], price, symbol)
        };
        assert_eq!(digits(1.12345, "EURUSD"), 5);
        assert_eq!(digits(143.63701, "USDJPY"), 3, "no broker's yen has five");
        assert_eq!(digits(143.636_993_408_203_13, "USDJPY"), 3, "a float32");
        assert_eq!(digits(65_432.101_562_512_34, "BTCUSD"), 1);
        assert_eq!(digits(0.00001, "SHIBUSD"), 5);
        assert_eq!(digits(0.000_012_345_678_9, "SHIBUSD"), 8);
        assert_eq!(digits(30.0, "GOLD"), 0);
    }

    #[test]
    fn a_limit_on_cycles_limits_the_first_bars_too() {
        let first =
            |flags: &[&str]| first_bars(&CommandLine::try_parse_from([&["demo"], flags].concat()).unwrap().args);
        assert_eq!([first(&[]), first(&["--cycles", "5"]), first(&["--cycles", "0"])], [200, 5, 200]);
        assert_eq!(first(&["--cycles", "203"]), 200);
    }
}
