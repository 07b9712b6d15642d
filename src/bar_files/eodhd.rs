//! Bars as EODHD answers them, saved by a person: read by the daemon's own reader.

use super::{Fault, rows::Rows};
use sentinel_actors::{
    adapters::eodhd::{AnswerError, parse},
    domain::window::BarRejection,
};
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
    drop(body);
    for (index, row) in answer.iter().enumerate() {
        if row.check() == Err(BarRejection::Null) {
            rows.without_prices += 1;
        } else {
            rows.take(index + 1, row)?;
        }
    }
    Ok(())
}
