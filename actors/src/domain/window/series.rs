//! Whether bars can form a series: when they open, and how much their prices move from one to the next.

use super::BarFault;
use crate::domain::{bar::Bar, calendar::Calendar, interval::Interval};

/// Largest total number of minutes in which session openings are searched for, per series. A break whose opening is not found
/// counts as unexplained. A bar after a break is nearly always the first of its session, which is found at once.
const MINUTES_SEARCHED_MAX: usize = 50_000;
const MINUTE_S: i64 = 60;

/// Number of newest bars in which prices are checked. Features use at most the 26 rows before the 60 that the model sees,
/// except the slow average of MACD, which loses 2/27 of its weight with each bar: a price 100 times too high that is 240 bars
/// before the oldest row still moves it by 100 x 2/27 x (25/27)^240, or 7e-8, which is nothing in float32.
pub const JUMP_BARS: usize = 300;

/// The first bar that cannot belong to this series, which is sorted and has no time twice. Bars of one interval
///
/// - never open closer to each other than the interval;
/// - open a whole number of intervals apart, at any minute of the hour: all at :15 is as good as all at :00, and missing bars
///   do not matter;
/// - or else the market was closed in between, and the later one opens a whole number of intervals after the opening: an
///   exchange with hours of 9:00 to 11:30 and 12:30 to 15:30 has hourly bars at 9:00, 10:00, 11:00, 12:30, 13:30, 14:30. The
///   calendar must contain these hours. Clock changes move an opening, and the bars with it.
///
/// If bars of `interval` are made from finer ones, `bars` are the finer ones, and none may cross an edge.
pub fn misfit(bars: &[Bar], interval: Interval, calendar: &Calendar) -> Option<BarFault> {
    let interval_s = interval.source_s();
    let mut minutes = MINUTES_SEARCHED_MAX;
    let is_explained = |before: i64, open_time: i64, minutes: &mut usize| {
        let opening = opening(calendar, before, open_time, minutes);
        opening.is_some_and(|opening| (open_time - opening) % interval_s == 0)
    };
    let misplaced = bars.windows(2).find_map(|pair| {
        let (before, open_time) = (pair[0].open_time, pair[1].open_time);
        let (apart_s, step_s) = (open_time.abs_diff(before), interval_s.unsigned_abs());
        let fits = apart_s % step_s == 0 || apart_s > step_s && is_explained(before, open_time, &mut minutes);
        (!fits).then_some(BarFault::NotOfInterval { before, open_time, apart_s, interval_s })
    });
    misplaced.or_else(|| across_edge(bars, interval, calendar))
}

/// The first bar that crosses an edge of the bars that are made from finer ones: half of it would belong to each of two bars.
fn across_edge(bars: &[Bar], interval: Interval, calendar: &Calendar) -> Option<BarFault> {
    let mut edge = i64::MIN;
    bars.iter().filter(|_| interval.is_made()).find_map(|bar| {
        if bar.open_time >= edge {
            edge = interval.span(bar.open_time, calendar).end;
        }
        let is_across = bar.open_time.saturating_add(interval.source_s()) > edge;
        is_across.then_some(BarFault::AcrossEdge { open_time: bar.open_time, edge, interval })
    })
}

/// The begin of the session that contains `time`, if it is later than `after`; unix seconds. Calendars have a precision of
/// minutes.
fn opening(calendar: &Calendar, after: i64, time: i64, minutes: &mut usize) -> Option<i64> {
    if !calendar.is_open(time) {
        return None;
    }
    let mut open = time - time.rem_euclid(MINUTE_S);
    while open > after && *minutes > 0 {
        if !calendar.is_open(open - 1) {
            return Some(open);
        }
        open -= MINUTE_S;
        *minutes -= 1;
    }
    None
}

/// The newest jump among the [`JUMP_BARS`] newest of these bars: a bar with a price (open, high, low or close) that differs
/// from the previous close by more than `limit`, a share of that close (0.2 is 20 %). With a limit of 0 there is no jump, and
/// from 1 on no fall is a jump. All four prices are checked, because features also use high and low. All bars that affect
/// features are checked, because a wrong price affects them as long as it is among these.
pub fn jump(bars: &[Bar], limit: f64) -> Option<BarFault> {
    any_jump(&bars[bars.len().saturating_sub(JUMP_BARS)..], limit)
}

/// The newest jump among all of these bars.
pub(super) fn any_jump(bars: &[Bar], limit: f64) -> Option<BarFault> {
    if limit <= 0.0 {
        return None;
    }
    bars.windows(2).rev().find_map(|pair| {
        let (before, bar) = (&pair[0], &pair[1]);
        let moved = |price: f64| (price / before.close - 1.0).abs();
        let prices = [bar.close, bar.open, bar.high, bar.low];
        let price = prices.into_iter().max_by(|a, b| moved(*a).total_cmp(&moved(*b)))?;
        (moved(price) > limit).then_some(BarFault::Jump {
            before: before.open_time,
            close_before: before.close,
            open_time: bar.open_time,
            price,
            limit,
        })
    })
}

#[cfg(test)]
mod tests;
