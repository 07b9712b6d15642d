//! Bars as MetaTrader 5 exports them: tabs between the columns, and times that the broker's clock shows.

use super::{
    Fault, Lines, Zone,
    csv::{number, refuse_twice},
    rows::Rows,
};
use chrono::{NaiveDate, NaiveTime};
use sentinel_actors::domain::window::RawBar;
use std::io::BufRead;

/// What an export must have.
const COLUMNS: [&str; 6] = ["<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>"];
/// Bars of a day have none.
const TIME: &str = "<TIME>";

/// Whether a file that begins so is one.
pub(super) fn is_header(begin: &[u8]) -> bool {
    begin.get(..COLUMNS[0].len()).is_some_and(|name| name.eq_ignore_ascii_case(COLUMNS[0].as_bytes()))
}

/// Reads all bars of an export.
pub(super) fn read(input: &mut impl BufRead, zone: &Zone, rows: &mut Rows) -> Result<(), Fault> {
    let mut lines = Lines::new(input);
    let Some((line, header)) = lines.next()? else { return Ok(()) };
    if let Some(mark) = header.chars().find(|letter| ",;".contains(*letter)).filter(|_| !header.contains('\t')) {
        let mark = if mark == ',' { "commas" } else { "semicolons" };
        return Err(Fault::at(
            line,
            format!("columns are separated by {mark}, not tabs: export from MetaTrader 5 as it is"),
        ));
    }
    let names: Vec<String> = header.split('\t').map(|name| name.trim().to_uppercase()).collect();
    refuse_twice(&names, &COLUMNS)
        .and_then(|()| refuse_twice(&names, &[TIME]))
        .map_err(|what| Fault::at(line, what))?;
    let place = |name: &str| names.iter().position(|it| it == name);
    let lacking: Vec<_> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
    if !lacking.is_empty() {
        let what = format!(
            "no column {}. Export the bars from MetaTrader 5 (Symbols, Bars, Export bars), with tabs between columns",
            lacking.join(", ")
        );
        return Err(Fault::at(line, what));
    }
    let places = COLUMNS.map(|name| place(name).unwrap_or_default());
    let (time, count) = (place(TIME), names.len());
    while let Some((line, text)) = lines.next()? {
        let row = row(text, places, time, count, zone, rows.newest()).map_err(|what| Fault::at(line, what))?;
        rows.take(line, &row)?;
    }
    Ok(())
}

fn row(
    line: &str,
    places: [usize; COLUMNS.len()],
    time: Option<usize>,
    count: usize,
    zone: &Zone,
    newest: Option<i64>,
) -> Result<RawBar, String> {
    let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
    if fields.len() != count {
        return Err(format!("{} fields, and the header has {count}", fields.len()));
    }
    let [date, open, high, low, close, volume] = places.map(|place| fields[place]);
    let day = NaiveDate::parse_from_str(date, "%Y.%m.%d").map_err(|_| format!("date '{date}' is not YYYY.MM.DD"))?;
    let time = match time.map(|place| fields[place]) {
        None => NaiveTime::MIN,
        Some(text) => NaiveTime::parse_from_str(text, "%H:%M:%S")
            .or_else(|_| NaiveTime::parse_from_str(text, "%H:%M"))
            .map_err(|_| format!("time '{text}' is not HH:MM:SS"))?,
    };
    Ok(RawBar {
        open_time: zone.utc(day.and_time(time), newest)?,
        open: Some(number("open", open)?),
        high: Some(number("high", high)?),
        low: Some(number("low", low)?),
        close: Some(number("close", close)?),
        volume: Some(number("volume", volume)?),
    })
}

/// What is wrong with the first line of a file that is to be an export and does not begin as one.
pub(super) fn no_header(line: &str) -> String {
    let first = line.split(['\t', ',', ';']).next().unwrap_or_default().trim();
    let what = if first.starts_with(|letter: char| letter.is_ascii_digit()) {
        "is a bar: the file has no header, as those of MetaTrader 4 have none"
    } else {
        "is not the header of an export, which begins with <DATE>"
    };
    format!("{what}. Export the bars from MetaTrader 5 (Symbols, Bars, Export bars)")
}
