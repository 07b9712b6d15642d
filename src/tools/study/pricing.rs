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

/// Decimal places of a pair that has as many wherever it is traded: a point is one of the last.
const DIGITS_OF_MOST_PAIRS: u32 = 5;
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
/// Places that were set and that no price uses; and, where none are set, prices that do not tell them, or that have more than the
/// pair has anywhere, as means of bid and ask have: a point would be too small, and so would be the costs.
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
            let usual = usual_digits(symbol);
            if let Some(usual) = usual.filter(|usual| seen > *usual) {
                return Err(problem(&key, too_many(seen, usual)));
            }
            instrument.digits = seen;
            usual.filter(|usual| seen < *usual).map(|usual| {
                format!(
                    "prices have {seen} decimal places, and brokers' prices of this pair have {usual}: a point is one of the last of \
                     the {seen} here, so that costs in a broker's points are {} times too high",
                    10_u64.pow(usual - seen)
                )
            })
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

/// How many decimal places prices of this symbol have at brokers; `None` if its name does not tell.
fn usual_digits(symbol: &Symbol) -> Option<u32> {
    let coarse = symbol.coarse().map(|(_, digits_max)| digits_max);
    coarse.or_else(|| symbol.has_five_digits().then_some(DIGITS_OF_MOST_PAIRS))
}

fn too_many(seen: u32, usual: u32) -> String {
    format!(
        "is missing, and the prices have {seen} decimal places, but those of brokers {usual}: a point would be {} times too small, and \
         so would be the costs. Set {usual}, if your spread is in points of {usual} places",
        10_u64.pow(seen - usual)
    )
}

fn problem(key: &str, message: impl Into<String>) -> SettingsError {
    Problem { key: key.into(), message: message.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Resolved, Settings, Sources, VerifyModel};

    const EUR: f64 = 1.123_456_7;

    /// Decimal places that a point is of, and the note, for prices rounded to so many.
    fn priced(name: &str, price: f64, places: i32, set: Option<u32>) -> Result<(u32, Option<String>), String> {
        let sources = Sources { symbols: Some(vec![name.to_owned()]), ..Sources::default() };
        let settings: Resolved<VerifyModel> = Settings::load_for(&sources).unwrap();
        let mut instrument = settings.symbols[0].instrument.clone();
        instrument.digits = set.unwrap_or(instrument.digits);
        let study = StudySettings { spread_points: Some(8.0), ..settings.study.clone() };
        let symbol = Symbol::named(name);
        let pricing = Pricing { symbol, are_digits_set: set.is_some(), has_bars: true, is_frictionless: false };
        let scale = 10_f64.powi(places);
        let bar = |at: i32| {
            let close = ((price + f64::from(at) / scale) * scale).round() / scale;
            Bar { open_time: 0, open: close, high: close, low: close, close, volume: 0.0 }
        };
        let bars: Vec<Bar> = (0..50).map(bar).collect();
        let made = super::price(&pricing, &study, &mut instrument, &bars);
        made.map(|(terms, note)| (terms.exits.digits, note)).map_err(|error| error.to_string())
    }

    #[test]
    fn more_places_than_a_pair_has_are_refused() {
        for (name, price, usual) in [("EURUSD", EUR, 5), ("USDJPY", 150.123_456, 3), ("EURUSD.a", EUR, 5)] {
            assert_eq!(priced(name, price, usual, None), Ok((usual as u32, None)), "{name}");
            let refused = priced(name, price, usual + 1, None).unwrap_err();
            assert!(refused.contains(&format!("symbols.{name}.digits")), "{refused}");
            assert!(refused.contains("a point would be 10 times too small"), "{refused}");
            // Someone who knows better says so.
            let digits = usual as u32 + 1;
            assert_eq!(priced(name, price, usual + 1, Some(digits)), Ok((digits, None)), "{name}");
            let (digits, note) = priced(name, price, usual - 1, None).unwrap();
            assert_eq!(digits, usual as u32 - 1);
            assert!(note.unwrap().contains("10 times too high"));
        }
        assert_eq!(priced("XAUUSD", 2_650.123_456, 4, None), Ok((4, None)), "its name tells nothing");
    }
}
