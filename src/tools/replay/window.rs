//! The window of a recorded decision: found in the archive by its digest, and checked for what the Fetcher would have refused.

use super::decision_inputs::{Asked, Functions, Terms};
use sentinel_actors::{
    adapters::{archive::Archive, journal::bars_sha256},
    domain::{
        bar::Bar,
        calendar::Calendar,
        features::SEQUENCE_BARS,
        window::{gaps, jump, misfit},
    },
    fetcher::OnGap,
};

/// Later cycles that are looked at for a window that was not archived with its own: the first that writes writes it all.
const LATER_MAX: usize = 3;

/// The bars of a window that the archive has.
pub enum Found {
    /// The same bars, bit for bit.
    Window {
        /// Oldest first.
        bars: Vec<Bar>,
        /// Whether the archive got them with a later cycle.
        is_late: bool,
    },
    /// The same number of bars up to the same close, but with other values.
    Other(Vec<Bar>),
    /// The archive begins after the window's first bar.
    Older,
    /// The archive reaches back further, and has not these bars.
    Missing,
}

/// Looks for the window of a cycle. The archive may have got it with a later cycle, if its queue was full or the daemon was
/// killed in between: the digest says whether it is the one.
///
/// # Errors
/// The archive cannot be read.
pub fn find_window(
    (functions, archive): (&Functions, &Archive),
    (series, bar_close_time, cycle_id, count): Asked<'_>,
    (digest, calendar): (&[u8], &Calendar),
) -> anyhow::Result<Found> {
    // Bars that opened before the newest one closed: none other had closed by then.
    let newest = bar_close_time.saturating_sub(1);
    let as_of = |cycle_id| (functions.window)(archive, (series, newest, cycle_id, count));
    let first = as_of(cycle_id)?;
    if bars_sha256(&first) == digest {
        return Ok(Found::Window { bars: first, is_late: false });
    }
    let from = first.first().map_or(i64::MIN, |bar| bar.open_time);
    let mut later = cycle_id;
    for _ in 0..LATER_MAX {
        let Some(next) = archive.next_cycle(series, (from, newest), later)? else { break };
        let bars = as_of(next)?;
        if bars_sha256(&bars) == digest {
            return Ok(Found::Window { bars, is_late: true });
        }
        later = next;
    }
    // Whether the archive had such a window in that cycle, whatever a function makes of it: if it had not, the bars are lost.
    let had = archive.window(series, newest, cycle_id, count)?;
    let is_newest = had.last().is_some_and(|bar| bar.close_time(series.1, calendar) == bar_close_time);
    if is_newest && had.len() == count {
        return Ok(Found::Other(first));
    }
    let reaches_back = archive.window(series, newest, i64::MAX, count)?.len() == count;
    Ok(if reaches_back { Found::Missing } else { Found::Older })
}

/// What the Fetcher would have refused the window for. Of bars that are made of finer ones it looks at those, which the archive
/// does not have: there a price may jump further than its parts.
pub(super) fn fault(bars: &[Bar], terms: &Terms) -> Option<String> {
    let Terms { interval, calendar, recorded, .. } = terms;
    if interval.is_made() {
        return None;
    }
    let gap = || {
        let from = bars[bars.len().saturating_sub(SEQUENCE_BARS)..].first()?.open_time;
        let is_seen = gaps(bars, *interval, calendar).any(|gap| interval.is_due(gap.from.max(from), gap.to, calendar));
        (recorded.on_gap == OnGap::Stop && is_seen).then(|| "a gap".to_owned())
    };
    let fault = misfit(bars, *interval, calendar).or_else(|| jump(bars, recorded.jump_max));
    fault.map(|fault| fault.to_string()).or_else(gap)
}
