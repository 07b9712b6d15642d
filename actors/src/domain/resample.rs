//! Makes bars of intervals that the provider does not have from finer ones.

use super::{bar::Bar, calendar::Calendar, interval::Interval};

/// The complete bars of `interval`, oldest first, made from `finer`: bars of its [source](Interval::source), in order. Open
/// of the first, highest high, lowest low, close of the last, sum of the volumes. A bar opens at its own edge, even if its
/// first finer bar is later. Without finer bars there is no bar.
///
/// A bar is complete if its end has passed (`now` in unix seconds) and no more of its finer bars can arrive: there is a finer
/// bar of a later bar, or the calendar expects none between the newest finer bar and the end. Missing finer bars in the
/// middle are a gap, and the bar is made without them. The oldest bar is left out if it seems to begin before the finer ones
/// do.
pub fn resample(finer: &[Bar], interval: Interval, calendar: &Calendar, now: i64) -> Vec<Bar> {
    let source_s = interval.source_s();
    let (Some(oldest), Some(newest)) = (finer.first(), finer.last()) else { return Vec::new() };
    let newest_close = newest.open_time.saturating_add(source_s);
    let (mut bars, mut rest) = (Vec::new(), finer);
    while let Some(first) = rest.first() {
        let span = interval.span(first.open_time, calendar);
        // At the end of the range of dates a bar has no length, so the loop would never end.
        let (parts, later) = rest.split_at(rest.partition_point(|bar| bar.open_time < span.end).max(1));
        let has_begin =
            first.open_time > oldest.open_time || !calendar.expects_bar(span.start, oldest.open_time, source_s);
        let has_end = !later.is_empty() || !calendar.expects_bar(newest_close, span.end, source_s);
        if span.end <= now && has_begin && has_end {
            bars.extend(joined(span.start, parts));
        }
        rest = later;
    }
    bars
}

/// One bar made from these.
fn joined(open_time: i64, parts: &[Bar]) -> Option<Bar> {
    let (first, last) = (parts.first()?, parts.last()?);
    Some(Bar {
        open_time,
        open: first.open,
        high: parts.iter().map(|bar| bar.high).fold(first.high, f64::max),
        low: parts.iter().map(|bar| bar.low).fold(first.low, f64::min),
        close: last.close,
        // A volume that is too large for a number has no meaning, but must stay finite.
        volume: parts.iter().map(|bar| bar.volume).sum::<f64>().min(f64::MAX),
    })
}

#[cfg(test)]
mod tests;
