//! The allowed values of every setting. All problems are reported together, each with its key and what to do.

mod cluster;
mod console;
mod data;
mod live;
mod lookback;
mod study;
mod symbols;

use super::{
    Problem, Settings,
    address::host_fault,
    sections::{BreakerSettings, DeadmanSettings, GuardSettings, Journal, PaperSettings, TradingSettings},
};
pub(super) use cluster::{authority, certificate, member};
pub(super) use console::console;
use data::data;
pub(super) use data::token;
pub(super) use live::live;
use sentinel_actors::{
    adapters::{deadman::PingError, gateway::DialectKind},
    fetcher::MarketClock,
};
use std::{net::IpAddr, path::Path};
use symbols::{contract_size, digits, distance, threshold, volume};
pub(super) use symbols::{is_symbol, rates};

const SET_THE_DIALECT: &str = "--dialect place_order, v43, envelope or order_send";
/// More than any daemon will run, and within the range of TOML's numbers.
const CYCLES_MAX: u64 = 1_000_000_000_000;
/// Milliseconds; more than an hour would not be a deadline.
const DEADLINE_MS: std::ops::RangeInclusive<u64> = 10..=3_600_000;

/// The ranges, which are the same for every purpose.
pub(super) fn ranges(settings: &Settings, journal: &Journal, found: &mut Found) {
    let cycles = settings.schedule.cycles;
    found.unless(cycles <= CYCLES_MAX, "schedule.cycles", "must be 0 (no end) to 1000000000000");
    data(settings, found);
    model(settings, found);
    trading(&settings.trading, found);
    guards(&settings.guards, found);
    breaker(&settings.breaker, found);
    let share = settings.health.failed_share_max;
    found.unless((0.0..=1.0).contains(&share), "health.failed_share_max", "must be 0 to 1");
    gateway(settings, found);
    self::journal(settings, journal, found);
    archive(settings, journal, found);
    http(settings, found);
    deadman(&settings.deadman, found);
    cluster::cluster(settings, found);
    paper(&settings.paper, found);
    study::study(settings, found);
    symbols::symbols(settings, found);
}

/// The dialect, if it is required.
pub(super) fn dialect(settings: &Settings, found: &mut Found) -> Option<DialectKind> {
    let dialect = settings.gateway.dialect;
    found.unless(dialect.is_some(), "gateway.dialect", format!("verifying the gateway needs it: {SET_THE_DIALECT}"));
    dialect
}

/// The problems so far.
#[derive(Debug, Default)]
pub struct Found(pub(super) Vec<Problem>);

impl Found {
    pub(super) fn unless(&mut self, good: bool, key: impl Into<String>, message: impl Into<String>) {
        if !good {
            self.0.push(Problem::new(key, message));
        }
    }

    /// The parsed value, or one more problem.
    pub(super) fn good<T>(&mut self, key: &str, parsed: Result<T, impl Into<String>>) -> Option<T> {
        self.or_problem(parsed.map_err(|message| Problem::new(key, message)))
    }

    /// The value, or one more problem.
    pub(super) fn or_problem<T>(&mut self, found: Result<T, Problem>) -> Option<T> {
        self.or_problems(found.map_err(|problem| vec![problem]))
    }

    /// The value, or more problems.
    pub(super) fn or_problems<T>(&mut self, found: Result<T, Vec<Problem>>) -> Option<T> {
        found.map_err(|problems| self.0.extend(problems)).ok()
    }

    fn deadline(&mut self, value: u64, key: &str) {
        let text = format!("must be {} to {} milliseconds", DEADLINE_MS.start(), DEADLINE_MS.end());
        self.unless(DEADLINE_MS.contains(&value), key, text);
    }
}

fn model(settings: &Settings, found: &mut Found) {
    let model = &settings.model;
    host(&model.host, "model.host", found);
    found.unless(model.port > 0, "model.port", "must be 1 to 65535");
    found.unless(
        is_identity(&model.name),
        "model.name",
        "must not be empty, begin or end with a space, nor contain '|' or control characters",
    );
    found.unless((1..=10_000).contains(&model.rows_per_request), "model.rows_per_request", "must be 1 to 10000");
    found.deadline(model.deadline_ms, "model.deadline_ms");
    found.unless(
        (1_024..=1 << 28).contains(&model.body_bytes_max),
        "model.body_bytes_max",
        "must be 1024 to 268435456",
    );
}

fn trading(trading: &TradingSettings, found: &mut Found) {
    threshold(Some(trading.threshold), "trading.threshold", found);
    volume(Some(trading.volume), "trading.volume", found);
    digits(trading.digits, "trading.digits", found);
    distance(trading.stop_loss, trading.digits(), "trading.stop_loss", found);
    distance(trading.take_profit, trading.digits(), "trading.take_profit", found);
    contract_size(Some(trading.contract_size), "trading.contract_size", found);
}

fn guards(guards: &GuardSettings, found: &mut Found) {
    if let Some(path) = &guards.halt_file {
        // The daemon and `sentinel halt` must use the same file, wherever they were started.
        found.unless(path.is_absolute(), "guards.halt_file", "must be an absolute path");
        let directory = path.parent().is_some_and(Path::is_dir);
        found.unless(!path.is_absolute() || directory, "guards.halt_file", "must be in a directory that exists");
    }
    let limit = guards.volume_max;
    found.unless((0.0..=100.0).contains(&limit), "guards.volume_max", "must be 0 (no limit) to 100 lots");
    let loss = guards.loss_pct_per_day_max;
    found.unless((0.0..=100.0).contains(&loss), "guards.loss_pct_per_day_max", "must be 0 (no limit) to 100 percent");
    let cooldown = guards.cooldown_s;
    found.unless(cooldown <= 86_400, "guards.cooldown_s", "must be 0 (none) to 86400 seconds");
}

fn breaker(breaker: &BreakerSettings, found: &mut Found) {
    found.unless(breaker.failures <= 1_000, "breaker.failures", "must be 0 (off) to 1000");
    found.unless((1..=3_600).contains(&breaker.pause_s), "breaker.pause_s", "must be 1 to 3600 seconds");
}

fn gateway(settings: &Settings, found: &mut Found) {
    let gateway = &settings.gateway;
    host(&gateway.host, "gateway.host", found);
    found.unless(gateway.port > 0, "gateway.port", "must be 1 to 65535");
    found.deadline(gateway.deadline_ms, "gateway.deadline_ms");
    found.unless(gateway.account_poll_s <= 86_400, "gateway.account_poll_s", "must be 0 to 86400");
    let account = gateway.account.as_deref();
    found.unless(
        account.is_none_or(is_identity),
        "gateway.account",
        "must not be empty, begin or end with a space, nor contain '|' or control characters",
    );
    let comment_fits = gateway.comment.len() <= 31 && gateway.comment.chars().all(|c| c.is_ascii() && !c.is_control());
    found.unless(comment_fits, "gateway.comment", "must be at most 31 ASCII characters");
}

fn journal(settings: &Settings, journal: &Journal, found: &mut Found) {
    let path = &journal.path;
    found.unless(path.file_name().is_some() && !path.is_dir(), "journal.path", "must be a file's path");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    found.unless(
        // The default folder is created when the daemon starts.
        folder.is_dir() || journal.is_default,
        "journal.path",
        format!("must be in a folder that exists: {} does not", folder.display()),
    );
    found.unless((1..=36_500).contains(&settings.journal.keep_days), "journal.keep_days", "must be 1 to 36500 days");
    found.unless(
        !journal.waits_for_new_bar || settings.schedule.clock == MarketClock::System,
        "journal.new",
        "\"wait\" uses the machine's clock: with --clock bars every bar would count as ordered; set it to \"trade\"",
    );
}

fn archive(settings: &Settings, journal: &Journal, found: &mut Found) {
    let days = settings.archive.keep_days;
    found.unless(days <= 36_500, "archive.keep_days", "must be 0 (all are kept) to 36500 days");
    let Some(archive) = settings.archive.located(journal) else { return };
    let path = &archive.path;
    found.unless(path.file_name().is_some() && !path.is_dir(), "archive.path", "must be a file's path");
    found.unless(*path != journal.path, "archive.path", "must not be the journal's: they are two files");
}

fn http(settings: &Settings, found: &mut Found) {
    let metrics = &settings.metrics;
    found.unless(metrics.bind.parse::<IpAddr>().is_ok(), "metrics.bind", "must be an IP address, such as 0.0.0.0");
    found.unless((1..=100_000).contains(&metrics.connections_max), "metrics.connections_max", "must be 1 to 100000");
    found.deadline(metrics.header_deadline_ms, "metrics.header_deadline_ms");
    found.deadline(metrics.connection_deadline_ms, "metrics.connection_deadline_ms");
    found.unless(
        metrics.connection_deadline_ms >= metrics.header_deadline_ms,
        "metrics.connection_deadline_ms",
        "must not be below metrics.header_deadline_ms: the head is a part of it",
    );
    let (set, missing) = match metrics.client_cert_file {
        Some(_) => ("metrics.client_cert_file", "metrics.client_key_file"),
        None => ("metrics.client_key_file", "metrics.client_cert_file"),
    };
    found.unless(
        metrics.client_cert_file.is_some() == metrics.client_key_file.is_some(),
        set,
        format!("needs {missing}: set both or none"),
    );
    found.deadline(metrics.ask_deadline_ms, "metrics.ask_deadline_ms");
    found.deadline(metrics.bind_retry_ms, "metrics.bind_retry_ms");
}

fn deadman(deadman: &DeadmanSettings, found: &mut Found) {
    let is_single = deadman.url.is_none() || deadman.url_file.is_none();
    found.unless(is_single, "deadman.url", "is set, and so is deadman.url_file: keep only one of them");
    if let Some(source) = deadman.source().filter(|_| is_single) {
        let key = if deadman.url.is_some() { "deadman.url" } else { "deadman.url_file" };
        match source.read() {
            Ok(_) => {}
            Err(PingError::Unreadable { path, cause }) => {
                // Somebody may have set the URL itself instead of a path. It must not reach the terminal, so only what looks like
                // a path is shown.
                let name = path.to_str().filter(|text| text.starts_with('/')).unwrap_or("the file");
                found.unless(false, key, format!("{name} cannot be read: {cause}"));
            }
            Err(error) => found.unless(false, key, error.to_string()),
        }
    }
    found.unless((1..=3_600).contains(&deadman.every_s), "deadman.every_s", "must be 1 to 3600 seconds");
    found.unless(
        (10..=60_000).contains(&deadman.deadline_ms),
        "deadman.deadline_ms",
        "must be 10 to 60000 milliseconds",
    );
}

fn paper(paper: &PaperSettings, found: &mut Found) {
    found.unless((1.0..=1e12).contains(&paper.balance), "paper.balance", "must be 1 to 1000000000000");
    found.unless(paper.horizon_bars <= 10_000, "paper.horizon_bars", "must be 0 (none) to 10000 bars");
}

fn host(host: &str, key: &str, found: &mut Found) {
    if let Some(fault) = host_fault(host) {
        found.unless(false, key, fault);
    }
}

fn is_identity(text: &str) -> bool {
    // '|' separates the parts of an order's identity. A space at an end is hard to see and would make another identity.
    !text.is_empty() && text.trim() == text && !text.chars().any(|c| c == '|' || c.is_control())
}
