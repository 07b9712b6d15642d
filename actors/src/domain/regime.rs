//! The state of a market by its newest bars: trending, ranging, or unusually volatile. It does not affect decisions. It helps
//! users who wonder why the model performs badly.
//!
//! The trend is measured by P. Kaufman's efficiency ratio ("Trading Systems and Methods"): the net change of the price,
//! divided by the sum of its changes. Volatility is realised volatility, the root of the mean squared log return (T. Andersen
//! and T. Bollerslev, "Answering the Skeptics", 1998).

use super::bar::Bar;

/// Number of returns that describe the present: a day of hourly bars.
pub const RECENT_RETURNS: usize = 24;
/// Number of returns before them that describe the usual state: three days. Together they need fewer than the 120 bars of the
/// features.
pub const USUAL_RETURNS: usize = 72;
/// A random walk of 24 steps has an efficiency ratio of about 1 / sqrt(24) = 0.2; one of twenty exceeds this value.
pub const TREND_EFFICIENCY_MIN: f64 = 0.5;
/// For normal returns of constant volatility, fewer than one window in a hundred exceeds this by chance: a variance ratio of
/// 2.25 with 24 and 72 degrees of freedom.
pub const VOLATILE_RATIO_MIN: f64 = 1.5;

/// The values of `sentinel_market_regime{regime}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regime {
    /// The price moves in one direction.
    Trend,
    /// The price moves in no direction, with the usual volatility.
    Range,
    /// The price moves much more than before, in any direction.
    Volatile,
    /// There are too few bars.
    Unknown,
}

impl Regime {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trend, Self::Range, Self::Volatile, Self::Unknown];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trend => "trend",
            Self::Range => "range",
            Self::Volatile => "volatile",
            Self::Unknown => "unknown",
        }
    }

    /// The regime of these bars, oldest first. Volatile comes before trending: a crash is both, but the model was not trained
    /// on the volatility.
    pub fn of(bars: &[Bar]) -> Self {
        let Some(start) = bars.len().checked_sub(RECENT_RETURNS + USUAL_RETURNS + 1) else { return Self::Unknown };
        let usual = &bars[start..=start + USUAL_RETURNS];
        let recent = &bars[start + USUAL_RETURNS..];
        // Not a quotient: a market that did not move before has no usual volatility to divide by.
        if realised_volatility(recent) >= VOLATILE_RATIO_MIN * realised_volatility(usual).max(f64::MIN_POSITIVE) {
            return Self::Volatile;
        }
        if efficiency_ratio(recent) >= TREND_EFFICIENCY_MIN { Self::Trend } else { Self::Range }
    }
}

/// Net change of the close divided by the sum of its changes, 0 to 1; 0 if it did not change at all.
fn efficiency_ratio(bars: &[Bar]) -> f64 {
    let way: f64 = bars.windows(2).map(|pair| (pair[1].close - pair[0].close).abs()).sum();
    match bars {
        [first, .., last] if way > 0.0 => (last.close - first.close).abs() / way,
        _ => 0.0,
    }
}

/// Root of the mean squared log return of the closes, per bar; 0 for fewer than two bars.
fn realised_volatility(bars: &[Bar]) -> f64 {
    let squares: f64 = bars.windows(2).map(|pair| (pair[1].close / pair[0].close).ln().powi(2)).sum();
    (squares / bars.len().saturating_sub(1).max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_RETURNS: usize = USUAL_RETURNS + RECENT_RETURNS;

    /// Bars whose closes follow these log returns.
    fn bars(returns: impl IntoIterator<Item = f64>) -> Vec<Bar> {
        let closes = returns.into_iter().scan(0.0, |sum, step| {
            *sum += step;
            Some(f64::exp(*sum))
        });
        let closes = std::iter::once(1.0).chain(closes);
        closes.map(|close| Bar { open_time: 0, open: close, high: close, low: close, close, volume: 0.0 }).collect()
    }

    /// One step up, one step down, so the price stays the same.
    fn to_and_fro(step: f64) -> impl Iterator<Item = f64> {
        [step, -step].into_iter().cycle()
    }

    #[test]
    fn to_and_fro_is_a_range_and_straight_on_a_trend() {
        assert_eq!(Regime::of(&bars(to_and_fro(0.001).take(ALL_RETURNS))), Regime::Range);
        assert_eq!(Regime::of(&bars(std::iter::repeat_n(0.001, ALL_RETURNS))), Regime::Trend);
        assert_eq!(Regime::of(&bars(std::iter::repeat_n(-0.001, ALL_RETURNS))), Regime::Trend, "down, too");
    }

    #[test]
    fn a_trend_begins_at_half_the_way() {
        // Steps of one, in units of the price, so that the quotient is exact.
        let with = |downs: usize| {
            let usual = (0..USUAL_RETURNS).map(|index| 1024.0 - (index % 2) as f64);
            let recent = (0..=RECENT_RETURNS).map(|step| 1024.0 + step as f64 - 2.0 * step.min(downs) as f64);
            let bar = |close| Bar { open_time: 0, open: close, high: close, low: close, close, volume: 0.0 };
            Regime::of(&usual.chain(recent).map(bar).collect::<Vec<_>>())
        };
        assert_eq!(with(6), Regime::Trend, "18 up and 6 down go 12 of 24");
        assert_eq!(with(7), Regime::Range, "10 of 24");
    }

    #[test]
    fn volatile_begins_at_half_as_much_again() {
        let with = |ratio: f64| {
            let usual = to_and_fro(0.001).take(USUAL_RETURNS);
            Regime::of(&bars(usual.chain(to_and_fro(0.001 * ratio).take(RECENT_RETURNS))))
        };
        assert_eq!(with(1.499), Regime::Range);
        assert_eq!(with(1.501), Regime::Volatile);
        let crash = to_and_fro(0.001).take(USUAL_RETURNS).chain(std::iter::repeat_n(-0.01, RECENT_RETURNS));
        assert_eq!(Regime::of(&bars(crash)), Regime::Volatile, "a crash is a trend as well");
    }

    #[test]
    fn a_market_that_stands_still_is_a_range_until_it_moves() {
        assert_eq!(Regime::of(&bars(std::iter::repeat_n(0.0, ALL_RETURNS))), Regime::Range);
        let moves = std::iter::repeat_n(0.0, ALL_RETURNS - 1).chain([0.001]);
        assert_eq!(Regime::of(&bars(moves)), Regime::Volatile);
    }

    #[test]
    fn too_few_bars_say_nothing_and_older_ones_do_not_count() {
        assert_eq!(Regime::of(&[]), Regime::Unknown);
        assert_eq!(Regime::of(&bars(std::iter::repeat_n(0.001, ALL_RETURNS - 1))), Regime::Unknown);
        let older = to_and_fro(0.1).take(100).chain(std::iter::repeat_n(0.001, ALL_RETURNS));
        assert_eq!(Regime::of(&bars(older)), Regime::Trend);
    }
}
