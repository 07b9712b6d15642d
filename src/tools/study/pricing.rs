//! What a fill costs, in points of the symbol: how many decimal places its prices have, which spread and commission.

use super::engine::market::Terms;
use crate::{
    bar_files::{DECIMAL_PLACES_MAX, decimal_places},
    settings::{Problem, SettingsError, StudySettings, Symbol},
};
use sentinel_actors::domain::{
    bar::Bar,
    fill::{Costs, Exits},
    instrument::Instrument,
};

/// No spread is smaller, points: less is none, by another name.
const SPREAD_MIN: f64 = 0.1;

/// What terms are made of.
#[derive(Debug, Clone)]
pub struct Pricing {
    /// With its own costs and its `contract_size`.
    pub symbol: Symbol,
    /// Whether a person has said how many decimal places there are.
    pub are_digits_set: bool,
    /// Whether the bars have highs and lows, so that stops can be looked for.
    pub has_bars: bool,
    /// `--frictionless`
    pub is_frictionless: bool,
}

impl Pricing {
    /// How fills of this instrument are made.
    ///
    /// # Errors
    /// A spread that is missing, or that is none.
    pub fn terms(&self, study: &StudySettings, instrument: &Instrument) -> Result<Terms, SettingsError> {
        let [stop_loss, take_profit] =
            [instrument.stop_loss, instrument.take_profit].map(|distance| distance.filter(|_| self.has_bars));
        let exits = Exits { stop_loss, take_profit, horizon_bars: study.horizon_bars, digits: instrument.digits };
        let triple_day = study.triple_swap_day;
        if self.is_frictionless {
            return Ok(Terms { costs: Costs::default(), triple_day, exits });
        }
        let costs = study.costs(&self.symbol, instrument.digits).ok_or_else(|| {
            problem(
                "study.spread_points",
                "is missing: your broker's usual spread in points (0.00001 in EURUSD, 0.001 in USDJPY), here or by \
                 --spread-points. --frictionless charges nothing, and gives no advice",
            )
        })?;
        if costs.spread < SPREAD_MIN {
            let what = format!(
                "is below {SPREAD_MIN} points: trading is never free. --frictionless charges nothing, and gives no advice"
            );
            return Err(problem("study.spread_points", what));
        }
        Ok(Terms { costs, triple_day, exits })
    }
}

/// How fills are made on these bars: takes the decimal places of the prices where none are set. Returns what a reader has to know
/// about them, too, if anything.
///
/// # Errors
/// Places that were set and that no price uses; and, where none are set, prices that do not tell them.
pub fn price(
    pricing: &Pricing,
    study: &StudySettings,
    instrument: &mut Instrument,
    bars: &[Bar],
) -> Result<(Terms, Option<String>), SettingsError> {
    let symbol = &pricing.symbol;
    let key = format!("symbols.{}.digits", symbol.name);
    let set = instrument.digits;
    let seen = decimal_places(bars);
    let note = match seen {
        Some(seen) if pricing.are_digits_set && set > seen => {
            let what = format!(
                "{set} are set (or trading.digits), and the prices have at most {seen}: a point would be {} times too small, and \
                 so would be the costs. Set {seen}, or leave it out",
                10_u64.pow(set - seen)
            );
            return Err(problem(&key, what));
        }
        Some(seen) if pricing.are_digits_set => (set < seen).then(|| {
            format!("prices have {seen} decimal places, and {set} are set: a point is one of the last of the {set}")
        }),
        Some(seen) => {
            instrument.digits = seen;
            None
        }
        None if pricing.are_digits_set || symbol.has_five_digits() => Some(format!(
            "prices have more than {DECIMAL_PLACES_MAX} decimal places: {set} are taken, and not compared with them"
        )),
        None => {
            let what = format!(
                "is missing, and the prices do not tell: they have more than {DECIMAL_PLACES_MAX} decimal places"
            );
            return Err(problem(&key, what));
        }
    };
    Ok((pricing.terms(study, instrument)?, note))
}

fn problem(key: &str, message: impl Into<String>) -> SettingsError {
    Problem { key: key.into(), message: message.into() }.into()
}
