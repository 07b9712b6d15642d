//! The command-line flags that are settings, and the keys that they set.

use super::Sources;
use clap::Args;
use std::path::PathBuf;

/// Flags of every command that loads settings. They override the environment, which overrides --config.
#[derive(Debug, Default, Args)]
pub struct SettingsArgs {
    /// Settings file (TOML) [env SENTINEL_CONFIG] [default: /etc/sentinel/production.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Port of /metrics and /health [env METRICS_PORT] [default 8000]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    metrics_port: Option<String>,
    /// Open no port
    #[arg(long)]
    no_metrics: bool,
    /// Host of the model server [env HUB_HOST] [default 172.19.141.254]
    #[arg(long, value_name = "HOST")]
    hub_host: Option<String>,
    /// Port of the model server [env HUB_PORT] [default 5001]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    hub_port: Option<String>,
    /// Host of the MetaTrader gateway [env GTW_HOST] [default 172.19.141.255]
    #[arg(long, value_name = "HOST")]
    gtw_host: Option<String>,
    /// Port of the MetaTrader gateway [env GTW_PORT] [default 5555]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    gtw_port: Option<String>,
    /// Symbols to trade; repeatable or comma-separated [default EURUSD]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    symbol: Vec<String>,
    /// BUY and SELL need odds above this [default 0.6]
    #[arg(long, value_name = "RATIO", allow_hyphen_values = true)]
    threshold: Option<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h or 1d [default 1h]
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    /// Number of bars for the features, at least 120 [default 200]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    lookback_bars: Option<String>,
    /// Build and log orders, send none (the default)
    #[arg(long, conflicts_with = "live")]
    dry_run: bool,
    /// Send orders; needs --dialect, --account and --stop-loss
    #[arg(long)]
    live: bool,
    /// Market data server; only EODHD_API_TOKEN or EODHD_API_TOKEN_FILE sets its key [default https://eodhd.com]
    #[arg(long, value_name = "URL")]
    eodhd_base_url: Option<String>,
    /// Size of an order in lots [default 0.01]
    #[arg(long, value_name = "LOTS", allow_hyphen_values = true)]
    volume: Option<String>,
    /// Stop-loss: a distance from the newest close, in units of the price, or none
    #[arg(long, value_name = "PRICE|none", allow_hyphen_values = true)]
    stop_loss: Option<String>,
    /// Take-profit: a distance from the newest close, in units of the price, or none
    #[arg(long, value_name = "PRICE|none", allow_hyphen_values = true)]
    take_profit: Option<String>,
    /// Message format of the gateway: place_order, v43, envelope or order_send
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<String>,
    /// Trading account, part of every order's identity
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Kill switch: no order while this file exists; an absolute path
    #[arg(long, value_name = "FILE")]
    halt_file: Option<String>,
    /// File for decisions and orders [default: journal.db in the state directory of the user or the service]
    #[arg(long, value_name = "PATH")]
    journal: Option<String>,
    /// When cycles run: six cron fields, seconds first, UTC [default "58 * * * * *"]
    #[arg(long, value_name = "CRON", help_heading = "Measuring and replaying")]
    schedule: Option<String>,
    /// No cycles after N, but keep serving; 0 for no end [default 0]
    #[arg(long, value_name = "N", help_heading = "Measuring and replaying", allow_hyphen_values = true)]
    cycles: Option<String>,
    /// Start the next cycle as soon as one ends; live only with a gateway on loopback
    #[arg(long, help_heading = "Measuring and replaying")]
    back_to_back: bool,
    /// Clock for the age of bars; with `bars` it is the newest close received; live only with a gateway on loopback
    /// [default system]
    #[arg(long, value_name = "CLOCK", help_heading = "Measuring and replaying", value_parser = ["system", "bars"])]
    clock: Option<String>,
}

/// The flags of commands that take bars only: `bars` and `dataset`. The other settings come from the environment and the file.
#[derive(Debug, Args)]
pub struct BarsArgs {
    /// Settings file (TOML) [env SENTINEL_CONFIG] [default: /etc/sentinel/production.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Symbols; repeatable or comma-separated; `dataset` takes them from the names of the files [default EURUSD]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    symbol: Vec<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h or 1d [default 1h]
    #[arg(long, value_name = "INTERVAL")]
    interval: Option<String>,
    /// Number of bars for the features, at least 120 [default 200]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    lookback_bars: Option<String>,
    /// Market data server; only EODHD_API_TOKEN or EODHD_API_TOKEN_FILE sets its key [default https://eodhd.com]
    #[arg(long, value_name = "URL")]
    eodhd_base_url: Option<String>,
}

impl BarsArgs {
    /// As [`SettingsArgs::beside`].
    pub fn beside(&self) -> Sources {
        let Self { config, symbol, interval, lookback_bars, eodhd_base_url } = self;
        let all = SettingsArgs {
            config: config.clone(),
            symbol: symbol.clone(),
            interval: interval.clone(),
            lookback_bars: lookback_bars.clone(),
            eodhd_base_url: eodhd_base_url.clone(),
            ..SettingsArgs::default()
        };
        all.beside()
    }
}

impl SettingsArgs {
    /// The layers of a daemon: these flags, the environment, the file.
    pub fn sources(&self) -> Sources {
        self.over(Sources::from_process(self.config.as_deref()))
    }

    /// The layers of a command on the daemon's machine: these flags over those of the daemon's last start.
    pub fn beside(&self) -> Sources {
        self.over(Sources::beside_daemon(self.config.as_deref()))
    }

    /// The same, even if the last start was refused.
    pub fn of_last_start(&self) -> Sources {
        self.over(Sources::of_last_start(self.config.as_deref()))
    }

    fn over(&self, sources: Sources) -> Sources {
        let symbols = (!self.symbol.is_empty())
            .then(|| self.symbol.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect());
        Sources { flags: self.flags(), symbols, ..sources }
    }

    fn flags(&self) -> Vec<(&'static str, String)> {
        let values = [
            ("metrics.port", &self.metrics_port),
            ("model.host", &self.hub_host),
            ("model.port", &self.hub_port),
            ("gateway.host", &self.gtw_host),
            ("gateway.port", &self.gtw_port),
            ("trading.threshold", &self.threshold),
            ("data.interval", &self.interval),
            ("data.lookback_bars", &self.lookback_bars),
            ("data.base_url", &self.eodhd_base_url),
            ("trading.volume", &self.volume),
            ("trading.stop_loss", &self.stop_loss),
            ("trading.take_profit", &self.take_profit),
            ("gateway.dialect", &self.dialect),
            ("gateway.account", &self.account),
            ("guards.halt_file", &self.halt_file),
            ("journal.path", &self.journal),
            ("schedule.cron", &self.schedule),
            ("schedule.cycles", &self.cycles),
            ("schedule.clock", &self.clock),
        ];
        let mut flags: Vec<_> =
            values.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.clone()))).collect();
        let switches = [
            (self.no_metrics, "metrics.enabled", "false"),
            (self.no_metrics, "console.enabled", "false"),
            (self.dry_run, "trading.live", "false"),
            (self.live, "trading.live", "true"),
            (self.back_to_back, "schedule.back_to_back", "true"),
        ];
        flags.extend(switches.into_iter().filter(|(on, ..)| *on).map(|(_, key, value)| (key, value.to_owned())));
        flags
    }
}
