//! Whether the bars of a file are one series: of one interval, in places where bars of it can be, without a jump.

use super::rows::{BadFile, Rows};
use sentinel_actors::domain::{
    calendar::Calendar,
    interval::Interval,
    window::{BarFault, jump, misfit},
};
use std::collections::HashMap;

/// Distances in a row that are looked at for bars of another interval. If all of them are the same, longer one, they are.
const STRETCH: usize = 20;
/// And if so many of them are the length of another bar: four of five, because each fifth of daily bars comes after a weekend. With
/// fewer, a thin market in which every second bar is missing by chance would be refused, too.
const STRETCH_OF_ANOTHER: usize = 16;

/// What bars are held to.
#[derive(Debug, Clone, Copy)]
pub struct Checks<'a> {
    /// When the market is open.
    pub calendar: &'a Calendar,
    /// `data.jump_max`.
    pub jump_max: f64,
}

impl Rows {
    /// The interval that most of the bars are apart.
    ///
    /// # Errors
    /// Too few bars to tell, or a distance that no bars of Sentinel have.
    pub fn interval(&self) -> Result<Interval, BadFile> {
        let mut counts: HashMap<i64, (usize, usize)> = HashMap::new();
        for (index, pair) in self.bars.windows(2).enumerate() {
            counts.entry(pair[1].open_time - pair[0].open_time).or_insert((0, index + 1)).0 += 1;
        }
        // Of two that are as frequent the one that comes first, whatever the order of the map.
        let usual = counts.iter().max_by_key(|(_, (count, first))| (*count, usize::MAX - first));
        let Some((apart_s, (_, first))) = usual else {
            return Err(BadFile::whole(&self.path, format!("{} bars are too few", self.bars.len())));
        };
        let interval = Interval::ALL.into_iter().find(|interval| interval.nominal_s() == *apart_s);
        interval.ok_or_else(|| {
            let known = Interval::ALL.map(Interval::as_str).join(", ");
            self.bad_bar(*first, format!("bars are {apart_s} s apart, and Sentinel has bars of {known}"))
        })
    }

    /// Looks at the bars as a series of this interval, as the daemon looks at what EODHD answers.
    ///
    /// # Errors
    /// By its line, the first bar that cannot follow the one before.
    pub fn check(&self, interval: Interval, checks: &Checks<'_>) -> Result<(), BadFile> {
        self.places(interval, checks.calendar)?;
        self.mixed(interval)?;
        self.jumps(checks.jump_max)
    }

    fn places(&self, interval: Interval, calendar: &Calendar) -> Result<(), BadFile> {
        if let Some(edges) = interval.edges(calendar) {
            let is_astray = |time: i64| interval.span(time, calendar).start != time;
            let astray = self.bars.iter().position(|bar| is_astray(bar.open_time));
            return astray.map_or(Ok(()), |index| {
                let (time, name) = (self.bars[index].open_time, interval.as_str());
                Err(self.bad_bar(index, format!("timestamp {time}: bars of {name} begin and close {edges}")))
            });
        }
        match misfit(&self.bars, interval, calendar) {
            None => Ok(()),
            Some(fault @ BarFault::NotOfInterval { open_time, apart_s, interval_s, .. }) => {
                debug_assert!(fault.refuses_answer().is_some());
                let what =
                    format!("opens {apart_s} s after the bar before; bars of {interval_s} s are mixed with others");
                Err(self.bad_bar(self.index_of(open_time), what))
            }
            Some(fault) => Err(BadFile::whole(&self.path, fault)),
        }
    }

    fn mixed(&self, interval: Interval) -> Result<(), BadFile> {
        let usual_s = interval.nominal_s();
        let apart_s: Vec<i64> = self.bars.windows(2).map(|pair| pair[1].open_time - pair[0].open_time).collect();
        for (last, other_s) in apart_s.iter().enumerate().filter(|(_, apart_s)| **apart_s > usual_s) {
            let begin = (last + 1).saturating_sub(STRETCH);
            let stretch = &apart_s[begin..=last];
            let is_known = Interval::ALL.iter().any(|known| known.nominal_s() == *other_s);
            let most = if is_known { STRETCH_OF_ANOTHER } else { STRETCH };
            if stretch.iter().filter(|apart_s| *apart_s == other_s).count() < most {
                continue;
            }
            let first = begin + stretch.iter().position(|apart_s| apart_s == other_s).unwrap_or_default();
            let what = format!("from here on bars are {other_s} s apart, and most are {usual_s} s: mixed intervals");
            return Err(self.bad_bar(first + 1, what));
        }
        Ok(())
    }

    fn jumps(&self, jump_max: f64) -> Result<(), BadFile> {
        for (index, pair) in self.bars.windows(2).enumerate() {
            let Some(BarFault::Jump { close_before, price, limit, .. }) = jump(pair, jump_max) else { continue };
            let bar = &pair[1];
            let fields = [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
            let name = fields.iter().find(|(_, value)| *value == price).map_or("a price", |(name, _)| name);
            let share = limit * 100.0;
            let what = format!(
                "{name} {price:?} is more than {share:.0}% from the close before, {close_before:?}. If that is right (a \
                 split), raise data.jump_max, here and for the daemon"
            );
            return Err(self.bad_bar(index + 1, what));
        }
        Ok(())
    }

    /// Of the bar that opens then.
    fn index_of(&self, open_time: i64) -> usize {
        self.bars.partition_point(|bar| bar.open_time < open_time)
    }
}
