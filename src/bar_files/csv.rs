//! Bars with commas between their numbers: `timestamp,open,high,low,close,volume`. The time is that at which the bar
//! opens, in unix seconds UTC.

use super::{
    Fault, Lines,
    rows::{Rows, check_time},
};
use chrono::{DateTime, NaiveDateTime};
use sentinel_actors::domain::{bar::Bar, window::RawBar};
use std::io::{self, BufRead, Write};

/// What a file must have, in any order.
pub const COLUMNS: [&str; 6] = ["timestamp", "open", "high", "low", "close", "volume"];
/// Beside the timestamp the same as text.
const DATETIME: &str = "datetime";
/// Seconds that the timestamp is ahead of UTC: 0, or it is no unix time.
const OFFSET: &str = "gmtoffset";
const DATETIME_FORMATS: [&str; 4] = ["%F %T", "%FT%T", "%F %H:%M", "%FT%H:%M"];

/// Writes the header.
///
/// # Errors
/// Those of the disk.
pub fn write_header(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))
}

/// Writes a bar; each number with the fewest digits that read back as the same.
///
/// # Errors
/// Those of the disk.
pub fn write_bar(out: &mut impl Write, bar: &Bar) -> io::Result<()> {
    let Bar { open_time, open, high, low, close, volume } = bar;
    writeln!(out, "{open_time},{open},{high},{low},{close},{volume}")
}

/// Reads all bars of a text.
pub(super) fn read(input: &mut impl BufRead, rows: &mut Rows) -> Result<(), Fault> {
    let mut lines = Lines::new(input);
    let columns = match lines.next()? {
        Some((line, header)) => Columns::of(header).map_err(|what| Fault::at(line, what))?,
        None => return Err(Fault::at(1, lacks(&COLUMNS, &COLUMNS))),
    };
    while let Some((line, text)) = lines.next()? {
        let row = columns.row(text).map_err(|what| Fault::at(line, what))?;
        rows.take(line, &row)?;
    }
    Ok(())
}

/// The bars of a text that has no file.
///
/// # Errors
/// By its line, the first thing that cannot be.
pub fn bars(text: &str) -> Result<Vec<Bar>, String> {
    let mut rows = Rows::new(std::path::Path::new(""), super::Format::Csv);
    read(&mut text.as_bytes(), &mut rows).map_err(|fault| fault.text())?;
    Ok(rows.bars)
}

/// Where the columns are.
#[derive(Debug, Clone)]
pub struct Columns {
    places: [usize; COLUMNS.len()],
    datetime: Option<usize>,
    offset: Option<usize>,
    count: usize,
}

impl Columns {
    /// Those of [`write_bar`].
    pub const WRITTEN: Self = Self { places: [0, 1, 2, 3, 4, 5], datetime: None, offset: None, count: COLUMNS.len() };

    fn of(header: &str) -> Result<Self, String> {
        let names: Vec<String> = fields(header).map(str::to_lowercase).collect();
        refuse_twice(&names, &COLUMNS)?;
        refuse_twice(&names, &[DATETIME, OFFSET])?;
        let place = |name: &str| names.iter().position(|it| it == name);
        let lacking: Vec<_> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
        if !lacking.is_empty() {
            return Err(lacks(&lacking, &COLUMNS));
        }
        let places = COLUMNS.map(|name| place(name).unwrap_or_default());
        Ok(Self { places, datetime: place(DATETIME), offset: place(OFFSET), count: names.len() })
    }

    /// The row of a line.
    ///
    /// # Errors
    /// What is not a number, or not a time.
    pub fn row(&self, line: &str) -> Result<RawBar, String> {
        let fields: Vec<&str> = fields(line).collect();
        if fields.len() != self.count {
            return Err(format!("{} fields, and the header has {}", fields.len(), self.count));
        }
        let [time, open, high, low, close, volume] = self.places.map(|place| fields[place]);
        let open_time: i64 =
            time.parse().map_err(|_| format!("timestamp '{time}' is not a whole number of unix seconds (UTC)"))?;
        check_time(open_time)?;
        if let Some(datetime) = self.datetime.map(|place| fields[place]) {
            check_zone(open_time, datetime)?;
        }
        if let Some(offset) = self.offset.map(|place| fields[place]) {
            check_offset(offset)?;
        }
        Ok(RawBar {
            open_time,
            open: Some(number("open", open)?),
            high: Some(number("high", high)?),
            low: Some(number("low", low)?),
            close: Some(number("close", close)?),
            // FX has no traded volume, and some providers leave it empty.
            volume: if volume.is_empty() { None } else { Some(number("volume", volume)?) },
        })
    }
}

/// Fields of a line. Commas between quotes separate nothing.
pub fn fields(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let separates = move |letter: char| {
        is_quoted ^= letter == '"';
        letter == ',' && !is_quoted
    };
    line.split(separates).map(|field| field.trim().trim_matches('"'))
}

/// Refuses a header with two columns of one name, as nothing says which is meant.
///
/// # Errors
/// The first of the known names that is there twice.
pub fn refuse_twice(names: &[String], known: &[&str]) -> Result<(), String> {
    let is_twice = |known: &&&str| names.iter().filter(|name| name == known).count() > 1;
    known.iter().find(is_twice).map_or(Ok(()), |name| Err(format!("two columns are called {name}: keep one of them")))
}

/// Whether the header is one of these files, whatever else it lacks.
pub(super) fn has_timestamp(header: &str) -> bool {
    fields(header).any(|name| name.eq_ignore_ascii_case(COLUMNS[0]))
}

/// EODHD's `gmtoffset`, as a file or an answer has it.
pub(super) fn check_offset(text: &str) -> Result<(), String> {
    let is_utc = text.is_empty() || text.parse().is_ok_and(|offset: f64| offset == 0.0);
    if is_utc { Ok(()) } else { Err(format!("gmtoffset '{text}' is not 0: are the times another zone's?")) }
}

/// What is wrong with a header that lacks some of all columns.
pub fn lacks(columns: &[&str], all: &[&str]) -> String {
    format!("no column {}. The header is to have {}, separated by commas", columns.join(", "), all.join(","))
}

/// A number in a field.
pub(super) fn number(name: &str, text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("{name} '{text}' is not a number"))
}

/// A column `datetime` beside the timestamp is the same instant in UTC.
fn check_zone(open_time: i64, text: &str) -> Result<(), String> {
    let plain = DATETIME_FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    let said = plain.map(|time| time.and_utc().timestamp());
    let said = said.or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp()));
    let said = said.ok_or_else(|| format!("datetime '{text}' is not YYYY-MM-DD HH:MM:SS"))?;
    if said == open_time {
        return Ok(());
    }
    let utc = DateTime::from_timestamp(open_time, 0).map_or_else(String::new, |at| at.format("%F %T").to_string());
    Err(format!("datetime {text} is not timestamp {open_time}, which is {utc} UTC: another time zone?"))
}
