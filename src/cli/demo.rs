//! `sentinel demo`: the daemon, live, against three servers inside this process.

use super::{
    refuse,
    run::{exit_code, on_system},
    scratch::Scratch,
};
use crate::{
    application::{Application, Ended, Plan},
    http::Protection,
    sandbox::{
        PriceBoard,
        baseline::{Accuracy, Baseline},
        gateway, market, model, recording,
    },
    settings::{Settings, SettingsError, Sources},
    signals, telemetry,
};
use anyhow::Context;
use sentinel_actors::{adapters::journal::Store, domain::schedule::Schedule};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

/// Lower than a daemon's: the demo's model is seldom sure.
const THRESHOLD: &str = "0.40";
/// Bars replayed without a pause, so that there is something to see at once.
const BACK_TO_BACK: u64 = 200;
/// 200 pips in five-digit EUR/USD; wide enough that positions live for a while.
const STOP_LOSS: &str = "0.02";
/// Settings of the environment that make sense here; the rest could only break the demo.
const HEEDED: [&str; 4] = ["METRICS_PORT", "SENTINEL__METRICS__", "SENTINEL__LOG__", "SENTINEL__GUARDS__"];
/// When the addresses are printed once more.
const REMINDER: Duration = Duration::from_secs(3);
/// A journal from further ahead than this, some seven hundred years of bars, is not gone on from.
const REPLAYED_BARS_MAX: usize = 5_000_000;
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Pause between cycles once the first 200 bars are through; fractions allowed
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = pace)]
    cycle_seconds: Duration,
    /// Port of /metrics and /health [env METRICS_PORT] [default 8000]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    metrics_port: Option<String>,
    /// No cycles after N; keep serving
    #[arg(long, value_name = "N")]
    cycles: Option<u64>,
    /// Keep decisions and orders in this file, and go on after the newest bar in it [default: a new temporary one]
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
    let stop = signals::stop()?;
    let prices = PriceBoard::default();
    let scratch = if args.journal.is_none() { Some(Scratch::new().context("the temporary journal")?) } else { None };
    let journal = match (&args.journal, &scratch) {
        (Some(path), _) => path.clone(),
        (None, Some(scratch)) => scratch.path().join("journal.db"),
        (None, None) => PathBuf::from("journal.db"),
    };
    let mut replay = market::Config::new(LOOPBACK, prices.clone());
    replay.history_bars = replay.history_bars.max(bars_until_new(&journal)?);
    let market = market::start(replay).context("the embedded market")?;
    let baseline = Baseline::fit();
    let accuracy = baseline.accuracy();
    let model = model::start(LOOPBACK, baseline).context("the embedded model server")?;
    let gateway =
        gateway::start(gateway::Config { addr: LOOPBACK, prices, price: None }).context("the embedded gateway")?;

    let settings = Settings::load(&sources(args, &journal, [market.addr(), model.addr(), gateway.addr()]))?;
    telemetry::init(&settings.log);
    let plan = Plan {
        schedule: Schedule::Every(args.cycle_seconds),
        cycles_max: args.cycles.unwrap_or(0),
        back_to_back: BACK_TO_BACK,
        once: false,
    };
    let application = Application::start(&settings, plan)?;
    // No cycle has run yet: this stands before the first of them in the terminal.
    let open = what_to_open(&settings, application.address());
    greet(args, &journal, &open, [market.addr(), model.addr(), gateway.addr()], &accuracy);
    actix_rt::spawn(async move {
        // The first 200 cycles have pushed the greeting out of sight by then.
        tokio::time::sleep(REMINDER).await;
        println!("{open}");
    });
    let ended = application.run_until_stopped(stop).await;
    drop(scratch);
    gateway.stop();
    model.stop();
    market.stop();
    ended
}

/// How many bars the market has to have shown for its newest to be newer than all the journal knows: what was ordered
/// once is not ordered again, so a replay from the start would have nothing to do.
fn bars_until_new(journal: &Path) -> anyhow::Result<usize> {
    if !journal.exists() {
        return Ok(0);
    }
    let Some(newest) = Store::open_existing(journal)?.newest_bar_close_time()? else { return Ok(0) };
    let seen = (0..REPLAYED_BARS_MAX)
        .take_while(|index| recording::replayed_bar(*index).close_time(recording::INTERVAL) <= newest);
    Ok(seen.count() + 1)
}

fn sources(args: &Args, journal: &Path, [market, model, gateway]: [SocketAddr; 3]) -> Sources {
    let heeded = |name: &str| HEEDED.iter().any(|prefix| name.starts_with(prefix));
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
        ("trading.stop_loss", STOP_LOSS.into()),
        ("guards.opposite", "close_then_open".into()),
        ("schedule.clock", "bars".into()),
        // The recording has the weekends of this calendar.
        ("market.calendar", "fx".into()),
        ("journal.path", journal.display().to_string()),
    ];
    flags.extend(args.metrics_port.iter().map(|port| ("metrics.port", port.clone())));
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| heeded(name))
        .collect();
    Sources { environment, flags, ..Sources::default() }
}

fn what_to_open(settings: &Settings, http: Option<SocketAddr>) -> String {
    let scheme = if settings.metrics.protection.as_ref().is_some_and(Protection::has_tls) { "https" } else { "http" };
    match http.map(|address| address.port()) {
        Some(port) => format!("Open   {scheme}://127.0.0.1:{port}/metrics   and   {scheme}://127.0.0.1:{port}/health"),
        None if !settings.metrics.enabled => "No port is open: metrics.enabled is false.".into(),
        None => format!(
            "Port {} cannot be bound, so there is nothing to open yet: free it, or start with --metrics-port N.",
            settings.metrics.port
        ),
    }
}

fn greet(args: &Args, journal: &Path, open: &str, [market, model, gateway]: [SocketAddr; 3], accuracy: &Accuracy) {
    let seconds = args.cycle_seconds.as_secs_f64();
    println!(
        "\
Sentinel demo: the whole daemon, live, against three servers on loopback. No network, no key, no real money.

  market   http://{market}  replays recorded EUR/USD hourly bars of 2017, one bar a cycle
  model    http://{model}  softmax regression, fitted just now on the first 3,000 of them
  gateway  tcp://{gateway}   a v43 gateway: fills at the bar's price and keeps positions
  journal  {}{}

On the {} bars it has not seen, the model is right in {:.1} % of cases; always saying HOLD would be in {:.1} %.
It shows how Sentinel works, not how to make money.

The first {BACK_TO_BACK} bars run back to back, then one every {seconds} s. Threshold {THRESHOLD}.
{open}
Ctrl-C stops it.
",
        journal.display(),
        if args.journal.is_none() { " (removed at the end)" } else { "" },
        accuracy.bars,
        100.0 * accuracy.model,
        100.0 * accuracy.always_hold,
    );
}
