//! The limits of `data.lookback_bars`: bars that are made of finer ones need many of these, in one answer.

use super::Found;
use crate::settings::sections::DataSettings;
use sentinel_actors::adapters::eodhd::{ROW_BYTES, first_range_s, first_rows_max, range_s_max};

const KEY: &str = "data.lookback_bars";
/// The model gets 60 bars, and the features of the first need 60 more before it.
const LOOKBACK_BARS: std::ops::RangeInclusive<usize> = 120..=5_000;

/// Checks `data.lookback_bars`.
pub(super) fn lookback(data: &DataSettings, found: &mut Found) {
    let (bars, interval) = (data.lookback_bars, data.interval);
    if !LOOKBACK_BARS.contains(&bars) {
        found.unless(false, KEY, "must be 120 to 5000");
    } else if interval.is_made() {
        let problem = beyond_range(data).or_else(|| beyond_answer(data));
        found.unless(problem.is_none(), KEY, problem.unwrap_or_default());
    }
}

/// The problem if more days are needed than EODHD sends at once.
fn beyond_range(data: &DataSettings) -> Option<String> {
    let (bars, interval) = (data.lookback_bars, data.interval);
    let fits = |bars: usize| first_range_s(bars, interval) <= range_s_max(interval);
    let most = LOOKBACK_BARS.rev().find(|bars| fits(*bars)).filter(|most| *most < bars)?;
    let (made, finer) = (interval.as_str(), interval.source().as_str());
    let (days, days_max) = (days(first_range_s(bars, interval)), days(range_s_max(interval)));
    Some(format!(
        "{bars} bars of {made} are made of {days} days of {finer} bars, and EODHD sends {days_max} days at once: set it to at \
         most {most}"
    ))
}

/// The problem if the answer may exceed `data.body_bytes_max`. A market that closes sends less, but how much less is unknown.
fn beyond_answer(data: &DataSettings) -> Option<String> {
    let (bars, interval, bytes_max) = (data.lookback_bars, data.interval, data.body_bytes_max);
    let bytes = |bars: usize| first_rows_max(bars, interval).saturating_mul(ROW_BYTES);
    let fits = |bars: usize| usize::try_from(bytes(bars)).is_ok_and(|bytes| bytes <= bytes_max);
    if fits(bars) {
        return None;
    }
    let most = LOOKBACK_BARS.rev().find(|bars| fits(*bars));
    let or = most.map_or_else(String::new, |most| format!(", or this to at most {most}"));
    let (made, finer, rows, needed) =
        (interval.as_str(), interval.source().as_str(), first_rows_max(bars, interval), bytes(bars));
    Some(format!(
        "{bars} bars of {made} are made of up to {rows} bars of {finer}, one answer of {needed} bytes, and \
         data.body_bytes_max is {bytes_max}: set that to {needed}{or}"
    ))
}

/// Whole days, rounded up.
const fn days(seconds: i64) -> i64 {
    (seconds + 86_399) / 86_400
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, Sources};
    use sentinel_actors::domain::interval::Interval;

    /// The problem with this number of bars, interval and limit of bytes.
    fn problem(interval: Interval, lookback_bars: usize, body_bytes_max: usize) -> Option<String> {
        let data = Settings::load_unchecked(&Sources::default()).unwrap().data;
        let mut found = Found::default();
        lookback(&DataSettings { interval, lookback_bars, body_bytes_max, ..data }, &mut found);
        found.0.pop().map(|problem| problem.message)
    }

    #[test]
    fn the_default_lookback_is_allowed_for_every_interval() {
        for interval in Interval::ALL {
            for bars in [120, 200, 750] {
                assert_eq!(problem(interval, bars, 4 << 20), None, "{interval:?} {bars}");
            }
            assert_eq!(problem(interval, 119, 4 << 20).as_deref(), Some("must be 120 to 5000"));
        }
        for interval in Interval::ALL.into_iter().filter(|interval| !interval.is_made()) {
            assert_eq!(problem(interval, 5_000, 1_024), None, "no limit for the provider's own bars");
        }
    }

    #[test]
    fn a_lookback_beyond_the_limits_is_refused_with_advice() {
        let long = problem(Interval::OneDay, 5_000, 1 << 28).unwrap();
        assert!(
            long.contains("7354 days of 1h bars, and EODHD sends 7200 days at once: set it to at most 4895"),
            "{long}"
        );
        assert_eq!(problem(Interval::OneDay, 4_895, 1 << 28), None);
        let large = problem(Interval::OneDay, 1_000, 4 << 20).unwrap();
        assert!(large.contains("up to 35376 bars of 1h, one answer of 5306400 bytes"), "{large}");
        assert!(large.contains("is 4194304: set that to 5306400, or this to at most 789"), "{large}");
        assert_eq!(
            (problem(Interval::OneDay, 1_000, 5_306_400), problem(Interval::OneDay, 789, 4 << 20)),
            (None, None)
        );
        let small = problem(Interval::FourHours, 120, 1_024).unwrap();
        assert!(small.ends_with("set that to 120150"), "{small}");
    }
}
