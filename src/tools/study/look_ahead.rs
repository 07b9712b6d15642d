//! Whether anything between the bars of a file and the features of a decision uses the future. Each decision is made again from
//! bars of which all later ones are noise, and again with a bar appended that is still forming. Both have to be identical.
//!
//! The noise is put in place of the bars of the file, and passes through the same steps: bars are made of it, their close is
//! looked up, the window is cut, features are computed. So a fault in any of these is found, too. `noise` has the bars.

mod noise;
#[cfg(test)]
mod tests;

use super::{
    files::time,
    inputs::{
        Recipe,
        functions::{Functions, Neighbours},
    },
    result::LookAhead,
};
use crate::tools::progress::Progress;
use noise::Noise;
use sentinel_actors::domain::{
    bar::Bar,
    features::{FEATURE_NAMES, FeatureError, FeatureSet},
    interval::Interval,
};
use std::{
    borrow::Cow,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Bars of noise that follow the last bar of the file.
const AFTER_BARS: usize = 64;
/// Of bars that are made of finer ones only a piece is made again: it ends so many finer bars after the decision. What would come
/// later is gone there, and not noise.
const LATER_BARS: usize = 128;
/// Decisions that a core takes at a time.
const BLOCK: usize = 4_096;

/// Bars that decisions are made on.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    /// Oldest first.
    pub bars: &'a [Bar],
    /// When each closed, unix seconds.
    pub times: &'a [i64],
    /// What they are made of: bars of a finer interval; `None` if they are those of the file.
    pub finer: Option<&'a [Bar]>,
}

/// Makes the decisions at these places of the bars again. `done` gets how many are ready.
pub fn check(
    series: Series<'_>,
    places: &[usize],
    recipe: &Recipe<'_>,
    functions: &Functions,
    done: impl Fn(usize) + Sync,
) -> LookAhead {
    let blocks: Vec<&[usize]> = places.chunks(BLOCK).collect();
    let (next, ready) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        let mut found = Vec::new();
        let mut again = Again::new(series, recipe, functions);
        while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let of_block = || Neighbours::new(series.bars, block, recipe.lookback_bars, recipe.time_columns);
            let mut neighbours = functions.has_neighbours.then(of_block).flatten();
            for at in *block {
                found.extend(again.decision(*at, neighbours.as_mut()).map(|what| (*at, what)));
            }
            done(ready.fetch_add(block.len(), Ordering::Relaxed) + block.len());
        }
        found
    };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(blocks.len());
    let mut found: Vec<(usize, String)> = thread::scope(|scope| {
        let others: Vec<_> = (1..cores).map(|_| scope.spawn(work)).collect();
        let mut found = work();
        for other in others {
            // A panic there is a defect and is passed on.
            found.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    });
    found.sort_unstable();
    let first = found.first().map(|(at, what)| format!("bar {}, {what}", time(series.times[*at])));
    LookAhead {
        is_checked: true,
        checked: places.len() as u64,
        unequal: found.len() as u64,
        first,
        ..LookAhead::default()
    }
}

/// The same with the daemon's functions; a person sees how far it is.
pub fn check_shown(series: Series<'_>, places: &[usize], recipe: &Recipe<'_>, progress: &mut Progress) -> LookAhead {
    let shown = Mutex::new(progress);
    check(series, places, recipe, &Functions::OF_THE_DAEMON, |ready| {
        // Another thread is already writing the line.
        if let Ok(mut shown) = shown.try_lock() {
            shown.show(|| format!("look-ahead check: {ready} of {} decisions", places.len()));
        }
    })
}

/// Decisions made again, the oldest first.
struct Again<'a> {
    series: Series<'a>,
    recipe: &'a Recipe<'a>,
    functions: &'a Functions,
    /// The bars of the file, and their interval.
    source: &'a [Bar],
    interval: Interval,
    /// The first `known` bars of the file, then noise.
    hidden: Vec<Bar>,
    known: usize,
}

impl<'a> Again<'a> {
    fn new(series: Series<'a>, recipe: &'a Recipe<'a>, functions: &'a Functions) -> Self {
        let source = series.finer.unwrap_or(series.bars);
        let interval = if series.finer.is_some() { recipe.interval.source() } else { recipe.interval };
        let hidden = Noise::of(source, interval).bars(AFTER_BARS);
        Self { series, recipe, functions, source, interval, hidden, known: 0 }
    }

    /// What differs first about the decision at this place; `None` if nothing does.
    fn decision(&mut self, at: usize, neighbours: Option<&mut Neighbours<'_>>) -> Option<String> {
        let closed = *self.series.times.get(at)?;
        self.show_until(closed);
        let alone;
        let made = match neighbours {
            Some(neighbours) => neighbours.features(at).map_err(Fault::Features),
            None => {
                alone = self.features(self.series.bars, at);
                alone.as_ref().map_err(|fault| *fault)
            }
        };
        let noisy = self.again(&self.hidden, closed, at);
        if let Some(what) = difference(&made, &noisy) {
            return Some(format!("with noise in place of the later bars: {what}"));
        }
        let next = self.hidden[self.known];
        let forming = noise::forming(&next, self.source.get(self.known.saturating_sub(1)));
        self.hidden[self.known] = forming;
        let formed = self.again(&self.hidden[..=self.known], closed, at);
        self.hidden[self.known] = next;
        difference(&made, &formed).map(|what| format!("with a bar that is still forming: {what}"))
    }

    /// Puts the bars of the file that have closed by then in place of the noise. Decisions come in the order of time, so each bar is
    /// copied once.
    fn show_until(&mut self, closed: i64) {
        let calendar = self.recipe.calendar;
        while let Some(bar) =
            self.source.get(self.known).filter(|bar| bar.close_time(self.interval, calendar) <= closed)
        {
            self.hidden[self.known] = *bar;
            self.known += 1;
        }
    }

    fn features(&self, bars: &[Bar], at: usize) -> Made {
        (self.functions.features)(bars, at, self.recipe.lookback_bars, self.recipe.time_columns)
            .map_err(Fault::Features)
    }

    /// The decision of the bar that closed then, from these bars of a file.
    fn again(&self, source: &[Bar], closed: i64, at: usize) -> Made {
        let Recipe { interval, calendar, .. } = *self.recipe;
        let bars = if self.series.finer.is_some() {
            let piece = self.piece(source, at);
            let made = (self.functions.resample)(piece, interval, calendar, i64::MAX);
            self.unclosed(piece, &made, closed)?;
            Cow::Owned(made)
        } else {
            Cow::Borrowed(source)
        };
        // A bar that closes then opened before; a wrong close would find the one beside it.
        let end = bars.partition_point(|bar| bar.open_time <= closed);
        let place = (end.saturating_sub(3)..end)
            .rev()
            .find(|place| (self.functions.close_time)(&bars[*place], interval, calendar) == closed);
        self.features(&bars, place.ok_or(Fault::NoBar)?)
    }

    /// As much of the finer bars as the window of this place is made of, with one bar more at its begin, since the oldest that can
    /// be made may lack its first part.
    fn piece<'b>(&self, source: &'b [Bar], at: usize) -> &'b [Bar] {
        let oldest = at.checked_sub(self.recipe.lookback_bars).and_then(|before| self.series.bars.get(before));
        let from =
            oldest.map_or(0, |oldest| source[..self.known].partition_point(|bar| bar.open_time < oldest.open_time));
        &source[from..source.len().min(self.known + LATER_BARS)]
    }

    /// Whether the newest bar that was made of this piece lacks parts that are still due.
    fn unclosed(&self, piece: &[Bar], made: &[Bar], closed: i64) -> Result<(), Fault> {
        let (calendar, interval) = (self.recipe.calendar, self.recipe.interval);
        let Some((newest, last)) = made.last().zip(piece.last()) else { return Ok(()) };
        let (end, known_to) = (newest.close_time(interval, calendar), last.close_time(self.interval, calendar));
        let is_due = end > closed && calendar.expects_bar(known_to, end, interval.source_s());
        if is_due { Err(Fault::Unclosed) } else { Ok(()) }
    }
}

/// Features, or why there are none.
type Made = Result<FeatureSet, Fault>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Features(FeatureError),
    NoBar,
    Unclosed,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Features(error) => write!(out, "no features ({error})"),
            Self::NoBar => out.write_str("no bar closes then"),
            Self::Unclosed => out.write_str("a bar was made that has not closed"),
        }
    }
}

/// The first feature that is not the same, bit by bit.
fn difference(made: &Result<&FeatureSet, Fault>, again: &Made) -> Option<String> {
    let (made, again) = match (made, again) {
        (Ok(made), Ok(again)) => (made, again),
        (Err(made), Err(again)) if made == again => return None,
        (Err(_), Ok(_)) => return Some("features, and none without".into()),
        (_, Err(again)) => return Some(again.to_string()),
    };
    let tabular = made.tabular.iter().zip(&again.tabular).position(|(one, other)| one.to_bits() != other.to_bits());
    if let Some(column) = tabular {
        return Some(FEATURE_NAMES[column].to_owned());
    }
    made.sequence.iter().zip(again.sequence.iter()).enumerate().find_map(|(row, (one, other))| {
        let column = one.iter().zip(other).position(|(one, other)| one.to_bits() != other.to_bits())?;
        Some(format!("{} of row {row} of the sequence", FEATURE_NAMES[column]))
    })
}
