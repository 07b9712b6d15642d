//! Settings that were checked and parsed, in the types that the actors use.

use super::{
    Archive, ClusterSettings, ConsoleSettings, DataSettings, DeadmanSettings, GatewaySettings, GuardSettings, Journal,
    Log, MetricsSettings, ModelSettings, PaperSettings, Problem, Settings, SettingsError, Sources, StudySettings,
    Symbol, Symbols, TradingSettings, WEB_CONFIG, confidence_reference, curve,
    market::{self, CalendarSource},
    origins::{self, Remarks},
    protection::Protection,
    purpose::{Daemon, Purpose},
    validate::{self, Found},
};
use sentinel_actors::{
    adapters::{
        etcd::{self, Ca},
        gateway::{self, CurveKeys, Peer},
        http::Identity,
    },
    domain::{
        breaker::BreakerPolicy, calendar::Calendar, drift::Reference, features::TimeColumns, guard::Limits,
        instrument::Instrument, money::Money, schedule::Schedule,
    },
    fetcher::{MarketClock, Poll},
};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};

/// The console's port in base.toml.
const CONSOLE_PORT: u16 = 8001;

/// All settings in effect. A section that appears here unchanged needs no further resolving.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // Sections: config/base.toml documents every key.
pub struct Resolved<P = Daemon> {
    /// The values that only this purpose has.
    pub purpose: P,
    /// When cycles are due.
    pub schedule: Schedule,
    /// How many to run; 0 for no limit.
    pub cycles_max: u64,
    /// Whether the next one starts when one ends.
    pub back_to_back: bool,
    /// The clock for the age of bars.
    pub market_clock: MarketClock,
    pub data: DataSettings,
    /// When bars of a symbol are requested.
    pub poll: Poll,
    /// Highest age of a bar's close at which it may be traded, in seconds: three intervals unless set.
    pub max_bar_age_s: i64,
    /// `fx`, `always` or a file; never `auto`.
    pub calendar_name: String,
    /// When the market is open.
    pub calendar: Arc<Calendar>,
    /// The texts that it was made of.
    pub calendar_source: CalendarSource,
    /// What the hour and weekday columns hold.
    pub time_columns: TimeColumns,
    pub model: ModelSettings,
    /// The usual distribution of confidences, if it is set.
    pub reference: Option<Reference>,
    pub trading: TradingSettings,
    pub guards: GuardSettings,
    /// When the circuit breaker of an endpoint opens.
    pub breaker: BreakerPolicy,
    /// Share of failed symbols above which a cycle has failed.
    pub failed_share_max: f64,
    pub gateway: GatewaySettings,
    /// The keys of the connection to the gateway; `None` for plaintext.
    pub curve: Option<CurveKeys>,
    /// Where decisions and orders are kept.
    pub journal: Journal,
    /// Where the bars that they were made from are kept; `None` if nowhere.
    pub archive: Option<Archive>,
    pub metrics: MetricsSettings,
    /// TLS and passwords of the port, if there are any.
    pub protection: Option<Protection>,
    pub console: ConsoleSettings,
    /// TLS and passwords of the console, if there are any.
    pub console_protection: Option<Protection>,
    pub deadman: DeadmanSettings,
    pub cluster: ClusterSettings,
    /// The certificate authority of etcd, if it has one of its own.
    pub etcd_ca: Option<Ca>,
    /// The certificate that etcd wants from this side, if it wants one.
    pub etcd_identity: Option<Identity>,
    pub paper: PaperSettings,
    pub study: StudySettings,
    /// What is logged, and how.
    pub log: Log,
    /// What is traded, in the order of the settings.
    pub symbols: Arc<[ResolvedSymbol]>,
    /// The calendar that `auto` selects for these symbols.
    pub auto_calendar: &'static str,
    /// How their points become money.
    pub money: Arc<Money>,
    /// What a person should know about the environment.
    pub remarks: Remarks,
    /// Everything as a settings file with the same meaning, with secrets redacted.
    pub toml: String,
    /// `sentinel_config_hash`, of `toml`.
    pub hash: u64,
}

/// A symbol with all derived and inherited values.
#[derive(Debug, Clone)]
pub struct ResolvedSymbol {
    /// In the type of the stages.
    pub instrument: Instrument,
    /// As a table of the settings, with its own costs; [`StudySettings::costs`] adds those of all.
    pub table: Symbol,
    /// Whether its decimal places were set, and are not those of most currency pairs.
    pub are_digits_set: bool,
}

/// The values that have to be parsed or read from files.
struct Parsed<P> {
    purpose: P,
    schedule: Schedule,
    log: Log,
    calendar: Calendar,
    calendar_source: CalendarSource,
    curve: Option<CurveKeys>,
    reference: Option<Reference>,
    protection: Option<Protection>,
    console_protection: Option<Protection>,
    etcd_ca: Option<Ca>,
    etcd_identity: Option<Identity>,
}

impl Settings {
    /// Checks everything and resolves it for this purpose. Reads the files that the settings name.
    ///
    /// # Errors
    /// All problems together: keys that are out of range, or missing for this purpose.
    pub fn resolve<P: Purpose>(mut self, sources: &Sources) -> Result<Resolved<P>, SettingsError> {
        let mut found = Found::default();
        let journal = self.journal.located(&sources.environment);
        if self.market.calendar == market::AUTO {
            self.market.calendar = self.symbols.auto_calendar().into();
        }
        if self.metrics.enabled && self.metrics.port == CONSOLE_PORT && self.console.port == CONSOLE_PORT {
            // Settings of before there was a console: the metrics keep their port.
            self.console.enabled = false;
        }
        let parsed = self.parse::<P>(&journal, sources, &mut found);
        let digits = self.trading.digits;
        let are_digits_set: Vec<_> = self.symbols.0.iter().map(|symbol| symbol.digits.or(digits).is_some()).collect();
        let written_out = self.symbols.written_out(&self.trading);
        self.symbols = Symbols(written_out.iter().cloned().map(Into::into).collect());
        self.journal.path = Some(journal.path.clone());
        let toml = found.good("settings", toml::to_string(&self).map_err(|error| error.to_string()));
        let (true, Some((parsed, toml))) = (found.0.is_empty(), parsed.zip(toml)) else {
            let origins = origins::Origins::of(sources);
            return Err(SettingsError(found.0.into_iter().map(|problem| origins.without_values(problem)).collect()));
        };
        let money = Money::new(written_out.iter().cloned().map(Into::into).collect());
        let symbols = written_out.into_iter().zip(are_digits_set).map(|(symbol, are_digits_set)| ResolvedSymbol {
            instrument: symbol.clone().into(),
            table: symbol.into(),
            are_digits_set,
        });
        let symbols = symbols.collect();
        Ok(self.with(parsed, journal, (symbols, money), toml, origins::remarks(&sources.environment)))
    }

    /// Checks and reads everything, even if some of it is wrong, so that all problems are reported together.
    fn parse<P: Purpose>(&self, journal: &Journal, sources: &Sources, found: &mut Found) -> Option<Parsed<P>> {
        let schedule = found.good("schedule.cron", self.schedule.cron.parse::<Schedule>());
        validate::ranges(self, journal, found);
        let log = found.good("log.level", self.log.resolved());
        let purpose = P::of(self, sources.is_live_asked(), found);
        let calendar = found.or_problem(market::calendar(&self.market));
        let curve = found.or_problems(curve::keys(&self.gateway, gateway::curve::is_available()));
        let reference = found.or_problem(confidence_reference::reference(&self.model));
        let protection = self.metrics.web_config_file.as_deref().map(Protection::load).transpose();
        let named = |faults: Vec<String>| faults.into_iter().map(|fault| Problem::new(WEB_CONFIG, fault)).collect();
        let protection = found.or_problems(protection.map_err(named));
        let console_protection = validate::console(self, found);
        let etcd_ca = found.or_problem(validate::authority(&self.cluster));
        let etcd_identity = found.or_problem(validate::certificate(&self.cluster));
        let calendar = calendar?;
        Some(Parsed {
            purpose: purpose?,
            schedule: schedule?,
            log: log?,
            calendar: calendar.0,
            calendar_source: calendar.1,
            curve: curve?,
            reference: reference?,
            protection: protection?,
            console_protection: console_protection?,
            etcd_ca: etcd_ca?,
            etcd_identity: etcd_identity?,
        })
    }

    fn with<P>(
        self,
        parsed: Parsed<P>,
        journal: Journal,
        (symbols, money): (Arc<[ResolvedSymbol]>, Money),
        toml: String,
        remarks: Remarks,
    ) -> Resolved<P> {
        Resolved {
            purpose: parsed.purpose,
            schedule: parsed.schedule,
            cycles_max: self.schedule.cycles,
            back_to_back: self.schedule.back_to_back,
            market_clock: self.schedule.clock,
            poll: self.data.poll.resolved(self.symbols.0.len()),
            max_bar_age_s: self.data.max_bar_age_s.unwrap_or_else(|| 3 * self.data.interval.nominal_s()),
            data: self.data,
            calendar_name: self.market.calendar,
            calendar: parsed.calendar.into(),
            calendar_source: parsed.calendar_source,
            time_columns: self.features.hour_and_weekday,
            model: self.model,
            reference: parsed.reference,
            trading: self.trading,
            guards: self.guards,
            breaker: BreakerPolicy {
                failures: self.breaker.failures,
                pause: Duration::from_secs(self.breaker.pause_s),
            },
            failed_share_max: self.health.failed_share_max,
            gateway: self.gateway,
            curve: parsed.curve,
            archive: self.archive.located(&journal),
            journal,
            metrics: self.metrics,
            protection: parsed.protection,
            console: self.console,
            console_protection: parsed.console_protection,
            deadman: self.deadman,
            cluster: self.cluster,
            etcd_ca: parsed.etcd_ca,
            etcd_identity: parsed.etcd_identity,
            paper: self.paper,
            study: self.study,
            log: parsed.log,
            symbols,
            auto_calendar: self.symbols.auto_calendar(),
            money: money.into(),
            remarks,
            hash: hash(&toml),
            toml,
        }
    }
}

/// The first 48 bits of the SHA-256, which a float represents exactly. The text has no secrets, so a rotated secret does not
/// change the hash, and the hash cannot be used to guess one.
fn hash(toml: &str) -> u64 {
    let digest = Sha256::digest(toml);
    digest.iter().take(6).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

impl<P> Resolved<P> {
    /// What is traded, in the type of the stages and in the order of the settings.
    pub fn instruments(&self) -> impl ExactSizeIterator<Item = &Instrument> + Clone {
        self.symbols.iter().map(|symbol| &symbol.instrument)
    }

    /// Limits on orders.
    pub const fn limits(&self) -> Limits {
        let guards = &self.guards;
        Limits {
            orders_per_hour_max: guards.orders_per_hour_max,
            orders_per_day_max: guards.orders_per_day_max,
            cooldown: Duration::from_secs(guards.cooldown_s as u64),
            positions_max: guards.positions_max,
            loss_pct_per_day_max: guards.loss_pct_per_day_max,
            failures_in_a_row_max: guards.failures_in_a_row_max,
            opposite: guards.opposite,
        }
    }

    /// The name of a claim on this account in etcd, without that of its keys.
    pub fn claim_of(&self, account: &str) -> String {
        format!("{}/{account}", self.cluster.prefix)
    }

    /// Where etcd is, for the claim on this account.
    pub fn etcd(&self, account: &str) -> etcd::Config {
        let cluster = &self.cluster;
        etcd::Config {
            endpoints: cluster.endpoints.iter().map(|url| url.trim_end_matches('/').to_owned()).collect(),
            ca: self.etcd_ca.clone(),
            identity: self.etcd_identity.clone(),
            patience: cluster.terms().patience(cluster.endpoints.len()),
            login: cluster.user.clone().zip(cluster.password_file.clone()),
            prefix: cluster.prefix.clone(),
            account: account.to_owned(),
        }
    }

    /// The gateway's address and keys.
    pub fn peer(&self) -> Peer {
        Peer { address: self.gateway.address(), curve: self.curve.clone() }
    }
}
