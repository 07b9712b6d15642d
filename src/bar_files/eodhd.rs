//! Bars as EODHD answers them, saved by a person: read by the daemon's own reader.

use super::{Fault, csv::check_offset, rows::Rows};
use chrono::DateTime;
use sentinel_actors::{
    adapters::eodhd::{AnswerError, parse},
    domain::window::BarRejection,
};
use serde::Deserialize;
use std::io::BufRead;

/// Reads all bars of an answer. Rows without prices are left out and counted, as the daemon does.
pub(super) fn read(input: &mut impl BufRead, rows: &mut Rows) -> Result<(), Fault> {
    let mut body = Vec::new();
    input.read_to_end(&mut body).map_err(Fault::whole)?;
    let answer = parse(&body).map_err(|error| match error {
        AnswerError::BadShape(_) => {
            Fault::whole(format!("{error}. Save the answer of /api/intraday with fmt=json as it comes"))
        }
        AnswerError::Empty => Fault::whole(error),
    })?;
    check_offsets(&body)?;
    drop(body);
    for (index, row) in answer.iter().enumerate() {
        match row.check() {
            Err(BarRejection::Null) => rows.without_prices += 1,
            Err(BarRejection::NotFinite) => {
                return Err(Fault::at(
                    index + 1,
                    format!("{}a number is missing: NaN, or too large", at(row.open_time)),
                ));
            }
            _ => rows.take(index + 1, row).map_err(|fault| fault.with(&at(row.open_time)))?,
        }
    }
    Ok(())
}

/// The rows of an answer stand on one line: their time finds them.
fn at(open_time: i64) -> String {
    let time = DateTime::from_timestamp(open_time, 0).filter(|_| open_time > 0);
    time.map_or_else(String::new, |at| format!("the bar that opens {}: ", at.format("%F %H:%M UTC")))
}

/// The part of a row that the daemon does not look at: EODHD sends 0.
#[derive(Deserialize)]
struct Offset {
    gmtoffset: Option<f64>,
}

fn check_offsets(body: &[u8]) -> Result<(), Fault> {
    // Answers with a bare NaN, or with an offset that is no number, are judged by their bars alone.
    let Ok(rows) = serde_json::from_slice::<Vec<Offset>>(body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body))
    else {
        return Ok(());
    };
    let offsets = rows.iter().enumerate().filter_map(|(index, row)| Some((index + 1, row.gmtoffset?)));
    let mut bad = offsets.filter_map(|(row, offset)| Some((row, check_offset(&offset.to_string()).err()?)));
    bad.next().map_or(Ok(()), |(row, what)| Err(Fault::at(row, what)))
}
