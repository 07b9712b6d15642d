//! What every setting may be. All problems are reported together, each with its key and the way out.

use super::{
    Distance, Problem, Settings, curve,
    sections::{
        BreakerSettings, ClockSource, GatewaySettings, GuardSettings, PlaintextSetting, Symbol, TradingSettings,
    },
};
use sentinel_actors::{
    adapters::gateway::DialectKind,
    domain::{position::Opposite, schedule::Schedule},
};
use std::{collections::HashSet, fs, net::IpAddr, path::Path};

/// The model sees 60 bars, the longest of them with 60 more before it.
const LOOKBACK_BARS: std::ops::RangeInclusive<usize> = 120..=5_000;
/// A symbol, its ticker, and the broker's name of it.
const SYMBOL_BYTES_MAX: usize = 64;
const ORDER_SEND_VOLUME_MIN: f64 = 0.01;
const SAY_THE_DIALECT: &str = "--dialect place_order, v43, envelope or order_send";
/// More than any daemon lives through, and fewer than TOML can write.
const CYCLES_MAX: u64 = 1_000_000_000_000;
/// Milliseconds; a deadline of an hour is no deadline.
const DEADLINE_MS: std::ops::RangeInclusive<u64> = 10..=3_600_000;

/// What settings are loaded for. Ranges always hold; what must be there depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The daemon: needs the market data token, and in live mode whatever an order needs.
    Daemon,
    /// Asking the gateway something harmless: needs the dialect.
    VerifyGateway,
    /// Asking the market data provider: needs the token.
    VerifyMarket,
    /// Asking the model server: needs nothing on top.
    VerifyModel,
}

pub(super) fn problems(settings: &Settings, purpose: Purpose) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    schedule(settings, &mut found);
    data(settings, &mut found);
    model(settings, &mut found);
    trading(&settings.trading, &mut found);
    guards(&settings.guards, &mut found);
    breaker(&settings.breaker, &mut found);
    let share = settings.health.failed_share_max;
    found.unless((0.0..=1.0).contains(&share), "health.failed_share_max", "must be 0 to 1");
    gateway(settings, &mut found);
    journal(settings, &mut found);
    http(settings, &mut found);
    symbols(settings, &mut found);
    match purpose {
        Purpose::Daemon => {
            token(settings, &mut found);
            if settings.trading.live {
                live(settings, &mut found);
            }
        }
        Purpose::VerifyGateway => {
            let named = settings.gateway.dialect.is_some();
            found.unless(named, "gateway.dialect", format!("verifying the gateway needs it: {SAY_THE_DIALECT}"));
        }
        Purpose::VerifyMarket => token(settings, &mut found),
        Purpose::VerifyModel => {}
    }
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn unless(&mut self, good: bool, key: impl Into<String>, message: impl Into<String>) {
        if !good {
            self.0.push(Problem::new(key, message));
        }
    }

    fn deadline(&mut self, value: u64, key: &str) {
        let text = format!("must be {} to {} milliseconds", DEADLINE_MS.start(), DEADLINE_MS.end());
        self.unless(DEADLINE_MS.contains(&value), key, text);
    }
}

fn schedule(settings: &Settings, found: &mut Found) {
    if let Err(message) = settings.schedule.cron.parse::<Schedule>() {
        found.unless(false, "schedule.cron", message);
    }
    let cycles = settings.schedule.cycles;
    found.unless(cycles <= CYCLES_MAX, "schedule.cycles", "must be 0 (no end) to 1000000000000");
}

fn data(settings: &Settings, found: &mut Found) {
    let data = &settings.data;
    let url = data.base_url.as_str();
    let has_host =
        ["http://", "https://"].iter().any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    found.unless(has_host, "data.base_url", "must be an http:// or https:// URL");
    found.unless(LOOKBACK_BARS.contains(&data.lookback_bars), "data.lookback_bars", "must be 120 to 5000");
    found.unless((1..=86_400).contains(&data.overdue_poll_s), "data.overdue_poll_s", "must be 1 to 86400 seconds");
    found.unless(data.max_bar_age_s.is_none_or(|age| age > 0), "data.max_bar_age_s", "must be above 0 seconds");
    found.deadline(data.deadline_ms, "data.deadline_ms");
    found.unless((1_024..=1 << 28).contains(&data.body_bytes_max), "data.body_bytes_max", "must be 1024 to 268435456");
    found.unless((1..=100).contains(&data.concurrency), "data.concurrency", "must be 1 to 100");
}

fn token(settings: &Settings, found: &mut Found) {
    let way_out = "set EODHD_API_TOKEN, or EODHD_API_TOKEN_FILE to a file that holds it";
    match (&settings.data.api_token, &settings.data.api_token_file) {
        (Some(_), Some(_)) => {
            found.unless(false, "data.api_token", "is set beside data.api_token_file: keep one of them")
        }
        (Some(token), None) => {
            let redacted = token.expose() == "<redacted>";
            found.unless(!redacted, "data.api_token", format!("is what `sentinel check` prints for one: {way_out}"));
            let printable = token.expose().bytes().all(|byte| byte.is_ascii_graphic());
            found.unless(!token.expose().is_empty(), "data.api_token", format!("is empty: {way_out}"));
            found.unless(printable, "data.api_token", "must be printable ASCII without spaces");
        }
        (None, Some(path)) => match fs::read_to_string(path) {
            Ok(text) => {
                found.unless(!text.trim().is_empty(), "data.api_token_file", format!("{} is empty", path.display()))
            }
            Err(error) => {
                // A token in the wrong variable must not reach the terminal: only what looks like a path is shown.
                let name = path.to_str().filter(|text| text.contains('/')).unwrap_or("the file");
                found.unless(false, "data.api_token_file", format!("{name} cannot be read: {error}"));
            }
        },
        (None, None) => found.unless(false, "data.api_token", format!("is missing: {way_out}")),
    }
}

fn model(settings: &Settings, found: &mut Found) {
    let model = &settings.model;
    host(&model.host, "model.host", found);
    found.unless(model.port > 0, "model.port", "must be 1 to 65535");
    found.unless(is_identity(&model.name), "model.name", "must not be empty nor contain '|' or control characters");
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
    digits(Some(trading.digits), "trading.digits", found);
    distance(trading.stop_loss, trading.digits, "trading.stop_loss", found);
    distance(trading.take_profit, trading.digits, "trading.take_profit", found);
}

fn guards(guards: &GuardSettings, found: &mut Found) {
    if let Some(path) = &guards.halt_file {
        // The daemon and `sentinel halt` have to mean the same file, wherever each was started.
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
    let account = gateway.account.as_deref();
    found.unless(
        account.is_none_or(is_identity),
        "gateway.account",
        "must not be empty nor contain '|' or control characters",
    );
    let comment_fits = gateway.comment.len() <= 31 && gateway.comment.chars().all(|c| c.is_ascii() && !c.is_control());
    found.unless(comment_fits, "gateway.comment", "must be at most 31 ASCII characters");
}

fn journal(settings: &Settings, found: &mut Found) {
    let path = &settings.journal.path;
    found.unless(path.file_name().is_some() && !path.is_dir(), "journal.path", "must be a file's path");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    found.unless(
        folder.is_dir(),
        "journal.path",
        format!("must be in a folder that exists: {} does not", folder.display()),
    );
    found.unless((1..=36_500).contains(&settings.journal.keep_days), "journal.keep_days", "must be 1 to 36500 days");
}

fn http(settings: &Settings, found: &mut Found) {
    let metrics = &settings.metrics;
    found.unless(metrics.bind.parse::<IpAddr>().is_ok(), "metrics.bind", "must be an IP address, such as 0.0.0.0");
    found.unless((1..=100_000).contains(&metrics.connections_max), "metrics.connections_max", "must be 1 to 100000");
    found.deadline(metrics.header_deadline_ms, "metrics.header_deadline_ms");
    found.deadline(metrics.ask_deadline_ms, "metrics.ask_deadline_ms");
    found.deadline(metrics.bind_retry_ms, "metrics.bind_retry_ms");
    let filter = settings.log.level.parse::<tracing_subscriber::filter::Targets>();
    // A bare word that is no level would be taken for a target, and silence everything else.
    let is_level = |text: &str| text.trim().parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let is_plain = |part: &str| part.split_once('=').map_or_else(|| is_level(part), |(_, level)| is_level(level));
    let is_said = settings.log.level.split(',').all(is_plain);
    found.unless(
        filter.is_ok() && is_said,
        "log.level",
        "must be error, warn, info, debug, trace or a filter of these",
    );
}

fn symbols(settings: &Settings, found: &mut Found) {
    found.unless(!settings.symbols.0.is_empty(), "symbols", "must name at least one symbol");
    let mut seen = HashSet::new();
    let mut names_at_gateway = HashSet::new();
    for symbol in &settings.symbols.0 {
        let Symbol { name, ticker, gateway_name, threshold: own, volume: lots, digits: places, stop_loss, take_profit } =
            symbol;
        let key = |field: &str| format!("symbols.{name}.{field}");
        let plain = |text: &str| {
            !text.is_empty()
                && text.len() <= SYMBOL_BYTES_MAX
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-#".contains(c))
        };
        let rule = "must be 1 to 64 letters, digits, '.', '_', '-' or '#'";
        found.unless(plain(name), "symbols.name", format!("{name:?} {rule}"));
        let is_new = seen.insert(name);
        found.unless(is_new, "symbols.name", format!("{name:?} is there twice"));
        // The ticker that is derived from a name has to be one, too: `sentinel check` writes it out.
        let derived = symbol.ticker();
        let fits = ticker.is_some() || derived.len() <= SYMBOL_BYTES_MAX;
        found.unless(fits, "symbols.name", format!("{name:?} is too long for the ticker {derived:?}: name its ticker"));
        found.unless(ticker.as_deref().is_none_or(plain), key("ticker"), rule);
        let at_gateway = symbol.gateway_name();
        let message = format!("{at_gateway:?} is another symbol's, too: their positions could not be told apart");
        // Without case, as brokers read them: EURUSDm and EURUSDM are one.
        found.unless(names_at_gateway.insert(at_gateway.to_lowercase()) || !is_new, key("gateway_name"), message);
        found.unless(gateway_name.as_deref().is_none_or(plain), key("gateway_name"), rule);
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

/// What live mode asks for on top; every missing piece is named with its flag.
fn live(settings: &Settings, found: &mut Found) {
    let gateway = &settings.gateway;
    let dialect = gateway.dialect;
    found.unless(dialect.is_some(), "gateway.dialect", format!("live mode needs it: {SAY_THE_DIALECT}"));
    found.unless(
        gateway.i_checked_it_by_hand || dialect.is_none_or(DialectKind::has_handshake),
        "gateway.i_checked_it_by_hand",
        "live mode needs it to be true: this dialect has no harmless request by which Sentinel could check the gateway",
    );
    found.unless(
        gateway.account.is_some(),
        "gateway.account",
        "live mode needs it: --account with the trading account",
    );
    let smallest = settings.symbols.0.iter().filter_map(|symbol| symbol.volume).fold(settings.trading.volume, f64::min);
    found.unless(
        dialect != Some(DialectKind::OrderSend) || smallest >= ORDER_SEND_VOLUME_MIN,
        "trading.volume",
        "order_send takes 0.01 to 100 lots",
    );
    let has_account = dialect.is_none_or(DialectKind::has_account);
    let only_with = "needs a dialect that tells positions and account: v43 or envelope";
    found.unless(
        has_account || settings.guards.loss_pct_per_day_max <= 0.0,
        "guards.loss_pct_per_day_max",
        format!("{only_with}; or set it to 0"),
    );
    found.unless(
        has_account || settings.guards.opposite != Opposite::CloseThenOpen,
        "guards.opposite",
        format!("close_then_open {only_with}; or set it to open or skip"),
    );
    let trading = &settings.trading;
    for symbol in &settings.symbols.0 {
        let said = symbol.stop_loss.or(trading.stop_loss).is_some();
        let message = format!("live mode needs it for {}: --stop-loss with a distance in price, or none", symbol.name);
        found.unless(said, "trading.stop_loss", message);
    }
    let is_loopback = is_loopback(&gateway.host);
    found.unless(
        is_loopback || names_a_key(gateway) || gateway.plaintext == PlaintextSetting::Accepted,
        "gateway.plaintext",
        format!(
            "live mode towards another machine needs CURVE ({}), or this key set to \"accepted\" if everyone on the \
             network may read, change and send orders",
            curve::KEYS.join(", ")
        ),
    );
    let unless_loopback = "is refused in live mode unless the gateway is on loopback";
    found.unless(
        is_loopback || settings.schedule.clock == ClockSource::System,
        "schedule.clock",
        format!("bars {unless_loopback}"),
    );
    found.unless(is_loopback || !settings.schedule.back_to_back, "schedule.back_to_back", unless_loopback);
}

/// One is enough to say what is wanted; the others are asked for by name.
fn names_a_key(gateway: &GatewaySettings) -> bool {
    [&gateway.curve_server_key_file, &gateway.curve_public_key_file, &gateway.curve_secret_key_file]
        .iter()
        .any(|file| file.is_some())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host(host: &str, key: &str, found: &mut Found) {
    let plain = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c));
    found.unless(plain, key, "must be a host name or an IP address");
}

fn is_identity(text: &str) -> bool {
    // '|' separates the parts of an order's identity.
    !text.is_empty() && !text.chars().any(|c| c == '|' || c.is_control())
}

fn threshold(value: Option<f64>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| (0.0..1.0).contains(&v)), key, "must be at least 0 and below 1");
}

fn volume(value: Option<f64>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| (0.001..=100.0).contains(&v)), key, "must be 0.001 to 100 lots");
}

fn digits(value: Option<u32>, key: &str, found: &mut Found) {
    found.unless(value.is_none_or(|v| v <= 10), key, "must be 0 to 10 decimal places");
}

fn distance(value: Option<Distance>, digits: u32, key: &str, found: &mut Found) {
    // Less than the last decimal place may round to the close itself.
    let least = 1.0 / 10f64.powi(i32::try_from(digits).unwrap_or(0));
    let good = value.and_then(Distance::price).is_none_or(|price| price.is_finite() && price >= least);
    found.unless(good, key, format!("must be a distance in price of at least one of {digits} decimal places, or none"));
}
