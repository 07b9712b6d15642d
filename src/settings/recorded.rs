//! What the journal keeps of the settings with each decision, so that it can be made again as it was made then: all that a
//! decision depends on, and no secret.

use super::{CalendarSource, ClusterMode, Problem, Resolved};
use sentinel_actors::{
    domain::{
        calendar::Calendar,
        features::TimeColumns,
        guard::Limits,
        instrument::{Instrument, Symbol},
        interval::Interval,
        journal::Version,
        position::Opposite,
    },
    fetcher::{MarketClock, OnGap},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// The settings of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // As in config/base.toml.
pub struct Recorded {
    pub interval: String,
    pub lookback_bars: usize,
    pub max_bar_age_s: i64,
    pub on_gap: OnGap,
    pub jump_max: f64,
    pub clock: MarketClock,
    pub calendar: CalendarSource,
    pub time_columns: TimeColumns,
    pub live: bool,
    pub account: String,
    pub model: String,
    /// The model server's address.
    pub model_url: String,
    /// `journal.new`: whether bars from before the account's first order count as ordered.
    pub waits_for_new_bar: bool,
    pub volume_max: f64,
    pub orders_per_hour_max: u32,
    pub orders_per_day_max: u32,
    pub cooldown_s: u64,
    pub positions_max: u32,
    pub opposite: Opposite,
    pub loss_pct_per_day_max: f64,
    pub failures_in_a_row_max: u32,
    /// Whether earlier orders were counted in etcd, for the whole account.
    #[serde(default)]
    pub is_shared: bool,
    /// In the order of the settings.
    pub symbols: Vec<RecordedSymbol>,
}

/// A symbol's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RecordedSymbol {
    pub name: String,
    pub ticker: String,
    pub gateway_name: String,
    pub threshold: f64,
    pub volume: f64,
    pub digits: u32,
    pub stop_loss: Option<f64>,
    pub take_profit: Option<f64>,
}

impl Recorded {
    /// Those in effect.
    pub fn of(settings: &Resolved) -> Self {
        let (data, guards) = (&settings.data, &settings.guards);
        let symbol = |instrument: &Instrument| RecordedSymbol {
            name: instrument.symbol.as_str().into(),
            ticker: instrument.ticker.clone(),
            gateway_name: instrument.gateway_name.clone(),
            threshold: instrument.threshold,
            volume: instrument.volume,
            digits: instrument.digits,
            stop_loss: instrument.stop_loss,
            take_profit: instrument.take_profit,
        };
        Self {
            interval: data.interval.as_str().into(),
            lookback_bars: data.lookback_bars,
            max_bar_age_s: settings.max_bar_age_s,
            on_gap: data.on_gap,
            jump_max: data.jump_max,
            clock: settings.market_clock,
            calendar: settings.calendar_source.clone(),
            time_columns: settings.time_columns,
            live: settings.purpose.gateway.is_live(),
            account: settings.purpose.gateway.account().into(),
            model: settings.model.name.clone(),
            model_url: settings.model.base_url(),
            waits_for_new_bar: settings.journal.waits_for_new_bar,
            volume_max: guards.volume_max,
            orders_per_hour_max: guards.orders_per_hour_max,
            orders_per_day_max: guards.orders_per_day_max,
            cooldown_s: guards.cooldown_s.into(),
            positions_max: guards.positions_max,
            opposite: guards.opposite,
            loss_pct_per_day_max: guards.loss_pct_per_day_max,
            failures_in_a_row_max: guards.failures_in_a_row_max,
            is_shared: settings.cluster.mode == ClusterMode::Shared,
            symbols: settings.instruments().map(symbol).collect(),
        }
    }

    /// With what else a decision is made with. The model's fingerprint is its name and address: the server is asked nothing, so
    /// another model that takes this one's place under the same name has the same.
    ///
    /// # Errors
    /// The settings cannot be written as JSON; no setting is known to do that.
    pub fn version(settings: &Resolved, app_version: String) -> serde_json::Result<Version> {
        let recorded = Self::of(settings);
        Ok(Version {
            config_hash: settings.hash,
            model_fingerprint: format!("{}@{}", recorded.model, recorded.model_url),
            app_version,
            settings: serde_json::to_string(&recorded)?,
        })
    }

    /// Of what all members of a cluster must have in common: the account's limits, symbols with the broker's names, interval and model.
    /// Not its address, because each may ask a server of its own, and not what a symbol's owner decides with alone.
    ///
    /// # Errors
    /// The settings cannot be written as JSON; no setting is known to do that.
    pub fn fingerprint_of_members(&self) -> serde_json::Result<String> {
        let symbols: BTreeMap<_, _> = self.symbols.iter().map(|it| (&it.name, &it.gateway_name)).collect();
        let limits = (self.orders_per_hour_max, self.orders_per_day_max, self.cooldown_s, self.failures_in_a_row_max);
        let sizes = (self.positions_max, self.volume_max, self.opposite, self.loss_pct_per_day_max);
        let text = serde_json::to_string(&(limits, sizes, symbols, &self.interval, &self.model))?;
        Ok(Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Length of a bar.
    ///
    /// # Errors
    /// A text that is none.
    pub fn interval(&self) -> Result<Interval, &'static str> {
        self.interval.parse()
    }

    /// When the market was open.
    ///
    /// # Errors
    /// A text that makes none.
    pub fn calendar(&self) -> Result<Calendar, Problem> {
        self.calendar.calendar()
    }

    /// Limits on orders.
    pub const fn limits(&self) -> Limits {
        Limits {
            orders_per_hour_max: self.orders_per_hour_max,
            orders_per_day_max: self.orders_per_day_max,
            cooldown: Duration::from_secs(self.cooldown_s),
            positions_max: self.positions_max,
            loss_pct_per_day_max: self.loss_pct_per_day_max,
            failures_in_a_row_max: self.failures_in_a_row_max,
            opposite: self.opposite,
        }
    }

    /// What was traded, by name.
    pub fn instruments(&self) -> HashMap<String, Instrument> {
        let instrument = |symbol: &RecordedSymbol| Instrument {
            symbol: Symbol::new(&symbol.name),
            ticker: symbol.ticker.clone(),
            gateway_name: symbol.gateway_name.clone(),
            threshold: symbol.threshold,
            volume: symbol.volume,
            digits: symbol.digits,
            stop_loss: symbol.stop_loss,
            take_profit: symbol.take_profit,
        };
        self.symbols.iter().map(|symbol| (symbol.name.clone(), instrument(symbol))).collect()
    }
}
