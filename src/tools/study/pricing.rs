//! What a fill costs, in points of the symbol: how many decimal places its prices have, which spread and commission.

use super::engine::market::Terms;
use crate::settings::{Problem, SettingsError, StudySettings, Symbol};
use sentinel_actors::domain::{
    bar::Bar,
    fill::{Costs, Exits},
    instrument::Instrument,
};

/// No spread is smaller, points: less is none, by another name.
const SPREAD_MIN: f64 = 0.1;
/// Most decimal places that are looked for.
const DIGITS_MAX: usize = 8;
/// A decimal place is one that prices have if this share of them uses it: single prices may be means of others.
const USED: f64 = 0.05;

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
    let seen = digits(bars);
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
            "prices have more than {DIGITS_MAX} decimal places: {set} are taken, and not compared with them"
        )),
        None => {
            let what =
                format!("is missing, and the prices do not tell: they have more than {DIGITS_MAX} decimal places");
            return Err(problem(&key, what));
        }
    };
    Ok((pricing.terms(study, instrument)?, note))
}

fn problem(key: &str, message: impl Into<String>) -> SettingsError {
    Problem { key: key.into(), message: message.into() }.into()
}

/// How many decimal places these prices have; `None` if they have more than a price can have, or there are none.
fn digits(bars: &[Bar]) -> Option<u32> {
    let mut counts = [0_u64; DIGITS_MAX + 2];
    for price in bars.iter().flat_map(|bar| [bar.open, bar.high, bar.low, bar.close]) {
        counts[places(price)] += 1;
    }
    let all: u64 = counts.iter().sum();
    let mut with = 0;
    let used = (0..counts.len()).rev().find(|place| {
        with += counts[*place];
        all > 0 && with as f64 >= USED * all as f64
    })?;
    u32::try_from(used).ok().filter(|_| used <= DIGITS_MAX)
}

/// Decimal places of a price; one more than [`DIGITS_MAX`] if those are not enough.
fn places(price: f64) -> usize {
    let mut scaled = price;
    for place in 0..=DIGITS_MAX {
        // What float64 adds to a decimal fraction, and no more.
        if (scaled - scaled.round()).abs() <= 1e-8 + scaled.abs() * 1e-14 {
            return place;
        }
        scaled = price * 10_f64.powi(i32::try_from(place).unwrap_or(0) + 1);
    }
    DIGITS_MAX + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(closes: &[f64]) -> Vec<Bar> {
        let bar =
            |close: &f64| Bar { open_time: 0, open: *close, high: *close, low: *close, close: *close, volume: 0.0 };
        closes.iter().map(bar).collect()
    }

    #[test]
    fn decimal_places_are_those_that_prices_use() {
        for (closes, wanted) in [
            (&[1.12345, 1.1, 1.12, 1.0][..], Some(5)),
            (&[156.123, 156.1, 156.0], Some(3)),
            (&[2_650.25, 2_651.0], Some(2)),
            (&[0.1 + 0.2, 0.3], Some(1)),
            (&[65_432.123_456_78], Some(8)),
            (&[1.123_45_f32.into()], None),
            (&[1.0 / 3.0], None),
            (&[], None),
        ] {
            assert_eq!(digits(&bars(closes)), wanted, "{closes:?}");
        }
        let mut most = vec![156.12; 99];
        most.push(156.123_456_7);
        assert_eq!(digits(&bars(&most)), Some(2), "one of a hundred is no decimal place");
    }
}
