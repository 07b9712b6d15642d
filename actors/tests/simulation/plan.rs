//! What a seed decides before its run begins: the settings of its daemons and how often what goes wrong.

use crate::rng::Rng;
use sentinel_actors::domain::{
    breaker::BreakerPolicy,
    guard::Limits,
    instrument::{Instrument, Symbol},
    order_manager::Rules,
    position::{AccountMode, Opposite},
};
use std::time::Duration;

/// How a gateway is spoken to, as far as the core can tell one from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Positions are the truth, an order signed more than 5 s ago is refused.
    V43,
    /// Positions are told, an empty list proves nothing; an order may be looked at hours later.
    Envelope,
    /// Nothing can be asked and nothing closed.
    Plain,
}

impl Dialect {
    /// As the journal keeps it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V43 => "v43",
            Self::Envelope => "envelope",
            Self::Plain => "order_send",
        }
    }
}

/// How the gateway spells the names of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    AsOrdered,
    Lower,
    /// With another suffix, `EURUSD.raw`.
    Suffixed,
    /// A word that no name is part of.
    Foreign,
}

impl Spelling {
    pub fn of(self, name: &str) -> String {
        match self {
            Self::AsOrdered => name.to_owned(),
            Self::Lower => name.to_lowercase(),
            Self::Suffixed => format!("{}.raw", name.trim_end_matches('m')),
            Self::Foreign => name.bytes().map(|byte| char::from(b'z' - (byte.to_ascii_lowercase() - b'a'))).collect(),
        }
    }
}

/// A seed's settings.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the lives of the daemon speak, one or several.
    pub dialects: Vec<Dialect>,
    pub spelling: Spelling,
    /// Which name of an instrument people change between two lives: ours, or else the broker's.
    pub renames_ours: bool,
    pub rules: Rules,
    pub instruments: Vec<Instrument>,
    /// Length of a bar, seconds.
    pub bar_s: u64,
    pub cycle_ms: u64,
    /// Longest time for one exchange with the gateway.
    pub deadline_ms: u64,
    pub volume_max: f64,
    pub breaker: BreakerPolicy,
    /// Lives of daemons before the last, calm one.
    pub lives: u64,
    /// Chance of a kill at each step.
    pub crash: f64,
    /// Chance of a failure of each use of the journal.
    pub disk: f64,
    /// Chance of a fault in each exchange with the gateway.
    pub gateway: f64,
    /// Chance that a person does something, at each step.
    pub person: f64,
    /// Chance that the process, or the machine, stands still for a while, at each step.
    pub pause: f64,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        let dialect = *rng.pick(&[Dialect::V43, Dialect::V43, Dialect::V43, Dialect::Envelope, Dialect::Plain]);
        let bar_s = *rng.pick(&[60, 300, 3_600, 14_400]);
        let mut limit = |max: u64| if rng.chance(0.25) { u32::try_from(rng.between(1, max)).unwrap() } else { 0 };
        let (orders_per_hour_max, orders_per_day_max, failures_in_a_row_max) = (limit(6), limit(20), limit(5));
        let positions_max = limit(2);
        let limits = Limits {
            orders_per_hour_max,
            orders_per_day_max,
            failures_in_a_row_max,
            positions_max,
            cooldown: Duration::from_secs(if rng.chance(0.3) { rng.between(1, 3 * bar_s) } else { 0 }),
            loss_pct_per_day_max: if rng.chance(0.25) { 5.0 } else { 0.0 },
            opposite: *rng.pick(&[Opposite::Open, Opposite::CloseThenOpen, Opposite::CloseThenOpen, Opposite::Skip]),
        };
        let account_mode = *rng.pick(&[AccountMode::Netting, AccountMode::Hedging]);
        let rules = Rules {
            limits,
            account_mode,
            // Set with each life's dialect.
            proving_dialect: None,
            decision_age_max: Duration::from_secs(16),
            waits_for_new_bar: rng.chance(0.3),
        };
        let spelling = *rng.pick(&[
            Spelling::AsOrdered,
            Spelling::AsOrdered,
            Spelling::Lower,
            Spelling::Suffixed,
            Spelling::Foreign,
        ]);
        // Somebody changes the setting between two lives.
        let dialects = match dialect {
            Dialect::Envelope if rng.chance(0.5) => vec![Dialect::Envelope, Dialect::V43],
            dialect => vec![dialect],
        };
        let renames_ours = rng.chance(0.5);
        let mut rate = |max: f64| if rng.chance(0.25) { 0.0 } else { rng.unit() * max };
        Self {
            dialects,
            spelling,
            renames_ours,
            rules,
            crash: rate(0.03),
            disk: rate(0.15),
            gateway: rate(0.5),
            person: rate(0.1),
            pause: rate(0.01),
            instruments: ["EURUSD", "GBPUSD", "USDJPY"].map(|name| instrument(name, rng)).into(),
            bar_s,
            cycle_ms: 1_000 * bar_s / rng.between(1, 3),
            deadline_ms: rng.between(500, 6_000),
            volume_max: if rng.chance(0.1) { 0.15 } else { 0.0 },
            breaker: BreakerPolicy {
                failures: u32::try_from(rng.between(1, 5)).unwrap(),
                pause: Duration::from_secs(2 * bar_s),
            },
            lives: rng.between(2, 6),
        }
    }
}

fn instrument(name: &str, rng: &mut Rng) -> Instrument {
    Instrument {
        symbol: Symbol::new(name),
        ticker: format!("{name}.FOREX"),
        gateway_name: format!("{name}m"),
        threshold: 0.5,
        volume: *rng.pick(&[0.1, 0.1, 0.2]),
        digits: 5,
        stop_loss: rng.chance(0.5).then_some(0.002),
        take_profit: None,
    }
}
