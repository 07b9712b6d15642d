//! What is read from a file of bars, row by row, and how a bad row is named.

use super::Format;
use sentinel_actors::domain::{
    bar::{Bar, RANGE_SLACK},
    calendar::Calendar,
    interval::Interval,
    window::{BarRejection, RawBar, is_of_session},
};
use std::{fmt::Display, path::Path};

/// Times that are not seconds: 100,000,000,000 is the year 5138.
const OPEN_TIME_MAX: i64 = 100_000_000_000;

/// Why a file is refused: `bars.csv line 9: high 1.06 is below low 1.07`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFile(String);

impl BadFile {
    /// What concerns no line.
    pub fn whole(path: &Path, what: impl Display) -> Self {
        Self(format!("{}: {what}", path.display()))
    }
}

/// The same before the file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1; `None` for the whole file.
    line: Option<usize>,
    what: String,
}

impl Fault {
    pub(super) fn at(line: usize, what: impl Display) -> Self {
        Self { line: Some(line), what: what.to_string() }
    }

    /// With this before it.
    pub(super) fn with(self, before: &str) -> Self {
        Self { line: self.line, what: format!("{before}{}", self.what) }
    }

    pub(super) fn whole(what: impl Display) -> Self {
        Self { line: None, what: what.to_string() }
    }

    /// Where and what, for a reader that has no file.
    pub fn text(&self) -> String {
        self.line.map_or_else(|| self.what.clone(), |line| format!("line {line}: {}", self.what))
    }
}

/// Bars of a file, each of which can be one, and later than the one before.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The file.
    pub path: std::path::PathBuf,
    /// What it is written as.
    pub format: Format,
    /// Oldest first.
    pub bars: Vec<Bar>,
    /// Of the whole file, as 64 hex digits.
    pub sha256: String,
    /// Rows without prices that EODHD sends for hours without trades: left out, as the daemon leaves them out.
    pub without_prices: u64,
    /// Of each bar, from 1.
    lines: Vec<u32>,
}

impl Rows {
    pub(super) fn new(path: &Path, format: Format) -> Self {
        let (path, sha256) = (path.to_owned(), String::new());
        Self { path, format, bars: Vec::new(), sha256, without_prices: 0, lines: Vec::new() }
    }

    /// Takes the row of this line.
    pub(super) fn take(&mut self, line: usize, row: &RawBar) -> Result<(), Fault> {
        let bar = row.check().map_err(|reason| Fault::at(line, words(row, reason)))?;
        check_time(bar.open_time).map_err(|what| Fault::at(line, what))?;
        if let Some(before) = self.bars.last().map(|bar| bar.open_time).filter(|before| bar.open_time <= *before) {
            let time = bar.open_time;
            return Err(Fault::at(
                line,
                if time == before {
                    format!("timestamp {time} is that of the bar before: keep one of the two")
                } else {
                    format!("timestamp {time} is before {before}: oldest first")
                },
            ));
        }
        self.bars.push(bar);
        self.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Leaves out the bars of closed hours before coarser ones are made of them, as the daemon does with what EODHD answers.
    /// Returns how many.
    pub fn keep_sessions(&mut self, interval: Interval, calendar: &Calendar) -> usize {
        let all = self.bars.len();
        let is_kept = |bar: &Bar| is_of_session(bar.open_time, interval, calendar);
        let mut kept = self.bars.iter().map(is_kept).collect::<Vec<_>>().into_iter();
        self.lines.retain(|_| kept.next().unwrap_or(true));
        self.bars.retain(is_kept);
        all - self.bars.len()
    }

    /// Open time of the newest bar so far, unix seconds.
    pub(super) fn newest(&self) -> Option<i64> {
        self.bars.last().map(|bar| bar.open_time)
    }

    pub(super) fn bad(&self, fault: Fault) -> BadFile {
        let word = if self.format == Format::EodhdJson { "row" } else { "line" };
        let at = fault.line.map_or_else(String::new, |line| format!(" {word} {line}"));
        BadFile(format!("{}{at}: {}", self.path.display(), fault.what))
    }

    /// What is wrong with this bar, by its place among [`Rows::bars`].
    pub fn bad_bar(&self, index: usize, what: impl Display) -> BadFile {
        self.bad(Fault { line: self.lines.get(index).map(|line| *line as usize), what: what.to_string() })
    }
}

/// A time is in seconds.
pub(super) fn check_time(open_time: i64) -> Result<(), String> {
    let is_time = (0..OPEN_TIME_MAX).contains(&open_time);
    if is_time { Ok(()) } else { Err(format!("timestamp {open_time} is not unix seconds; milliseconds?")) }
}

/// The same as the reason, with the numbers.
fn words(row: &RawBar, reason: BarRejection) -> String {
    let fields =
        [("open", row.open), ("high", row.high), ("low", row.low), ("close", row.close), ("volume", row.volume)];
    let first = |is_bad: &dyn Fn(&str, f64) -> bool| {
        let bad = fields.iter().find(|(name, value)| value.is_some_and(|value| is_bad(name, value)));
        bad.map_or(("a price", 0.0), |(name, value)| (*name, value.unwrap_or_default()))
    };
    let (high, low) = (row.high.unwrap_or_default(), row.low.unwrap_or_default());
    match reason {
        BarRejection::Null => "a price is missing".into(),
        BarRejection::NotFinite => {
            let (name, value) = first(&|_, value| !value.is_finite());
            format!("{name} {} is not finite", format!("{value:?}").to_lowercase())
        }
        BarRejection::NotPositive => {
            let (name, value) = first(&|name, value| value < 0.0 || name != "volume" && value == 0.0);
            format!("{name} {value:?} cannot be")
        }
        BarRejection::HighBelowLow => format!("high {high:?} is below low {low:?}"),
        BarRejection::OutsideRange => {
            let is_outside = |price: f64| price < low * (1.0 - RANGE_SLACK) || price > high * (1.0 + RANGE_SLACK);
            let (name, value) = first(&|name, value| (name == "open" || name == "close") && is_outside(value));
            format!("{name} {value:?} is outside low {low:?} to high {high:?}")
        }
        other => other.as_str().into(),
    }
}
