//! What came of a decision: how far the close was some bars later, and which action would have been right. The Journal keeps it
//! for the first decision on each bar; what was ordered plays no part.

use super::{
    bar::Bar,
    decision::Action,
    label::{move_between, of_move},
};

/// What came of the decision on a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarOutcome {
    /// The close at the end of the horizon.
    pub exit_price: f64,
    /// The sign of the move; HOLD only if the close is the same.
    pub label: Action,
    /// The move, in units of the last decimal place of a price: 0.0012 is 120 with five places.
    pub ret_points: f64,
}

impl BarOutcome {
    /// Of a decision at `close`, when the horizon ended at `exit_price`. `digits`: decimal places of a price.
    pub fn between(close: f64, exit_price: f64, digits: u32) -> Self {
        let points = 10_f64.powi(i32::try_from(digits).unwrap_or(i32::MAX));
        Self {
            exit_price,
            label: of_move(move_between(close, exit_price), 0.0),
            ret_points: (exit_price - close) * points,
        }
    }
}

/// The pairs of a bar and the bar `horizon` bars later, both in `bars`, of which the later one opened after `known_to` (unix
/// seconds; `None` for all). A horizon is bars that the market had: a weekend in between makes it no shorter, and a bar that
/// is missing is not counted.
pub fn ended(bars: &[Bar], horizon: usize, known_to: Option<i64>) -> impl Iterator<Item = (&Bar, &Bar)> {
    let later = bars.get(horizon..).filter(|_| horizon > 0).unwrap_or_default();
    bars.iter().zip(later).filter(move |(_, exit)| known_to.is_none_or(|known| exit.open_time > known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{calendar::Calendar, interval::Interval};

    fn bars(open_times: &[i64]) -> Vec<Bar> {
        let bar = |(index, open_time): (usize, &i64)| {
            let price = 1.0 + index as f64 / 1_000.0;
            Bar { open_time: *open_time, open: price, high: price, low: price, close: price, volume: 0.0 }
        };
        open_times.iter().enumerate().map(bar).collect()
    }

    #[test]
    fn a_move_is_counted_in_points_and_has_its_sign() {
        let up = BarOutcome::between(1.1, 1.1012, 5);
        assert!((up.ret_points - 120.0).abs() < 1e-6 && up.label == Action::Buy, "{up:?}");
        let down = BarOutcome::between(150.0, 149.5, 3);
        assert!((down.ret_points + 500.0).abs() < 1e-6 && down.label == Action::Sell, "{down:?}");
        assert_eq!(BarOutcome::between(1.1, 1.1, 5).label, Action::Hold);
    }

    #[test]
    fn a_horizon_passes_over_a_weekend_and_a_missing_bar() {
        const HOUR: i64 = 3_600;
        // Friday 2026-01-09 20:00 and 21:00 UTC are the week's last; Sunday's first is 22:00. 23:00 is missing.
        let friday = 1_767_988_800;
        let bars = bars(&[friday, friday + HOUR, friday + 50 * HOUR, friday + 52 * HOUR, friday + 53 * HOUR]);
        let times =
            |known| ended(&bars, 2, known).map(|(bar, exit)| (bar.open_time, exit.open_time)).collect::<Vec<_>>();
        let all = [
            (friday, friday + 50 * HOUR),
            (friday + HOUR, friday + 52 * HOUR),
            (friday + 50 * HOUR, friday + 53 * HOUR),
        ];
        assert_eq!(times(None), all);
        assert_eq!(times(Some(friday + 50 * HOUR)), all[1..], "what ended before is not told again");
        assert_eq!(times(Some(friday + 53 * HOUR)), []);
        assert_eq!(ended(&bars, 5, None).count() + ended(&bars, 0, None).count(), 0, "too long, and none");
    }

    #[test]
    fn a_day_whose_clocks_change_is_one_bar_of_a_horizon() {
        let calendar = Calendar::fx();
        // New York's clocks are set forward on 2026-03-08: the bars of 4h from Friday to Monday.
        let mut open_time = 1_772_744_400;
        let mut times = Vec::new();
        while times.len() < 9 {
            let span = Interval::FourHours.span(open_time, &calendar);
            if calendar.expects_bar(span.start, span.end, 3_600) {
                times.push(span.start);
            }
            open_time = span.end;
        }
        let bars = bars(&times);
        let closes: Vec<i64> = bars.iter().map(|bar| bar.close_time(Interval::FourHours, &calendar)).collect();
        assert!(closes.windows(2).any(|pair| pair[1] - pair[0] > 86_400), "a weekend is in between: {closes:?}");
        for (bar, exit) in ended(&bars, 4, None) {
            let at = times.iter().position(|time| *time == bar.open_time).unwrap();
            assert_eq!(times[at + 4], exit.open_time);
        }
        assert_eq!(ended(&bars, 4, None).count(), 5);
    }
}
