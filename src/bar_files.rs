//! Files of bars, as people, EODHD and MetaTrader have them: read with a line for whatever cannot be true, and written
//! so that every number reads back as it was. `csv`, `eodhd` and `meta_trader` read, `rows` holds what is read, `series`
//! says whether it can be one, `decimal_places` tells those of its prices, `atomic_output` gives files their names when they are whole, `lock` lets one run write at a time.

mod atomic_output;
pub mod csv;
mod decimal_places;
mod eodhd;
mod lock;
mod meta_trader;
mod rows;
mod series;
mod zone;

pub use atomic_output::{NewPlace, Replacement, make_folder_of};
pub use decimal_places::{DECIMAL_PLACES_MAX, decimal_places};
pub use lock::{Lock, abandon};
pub use rows::{BadFile, Rows};
pub use series::Checks;
pub use zone::Zone;

use rows::Fault;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// The name that a symbol has by its file's: `EURUSD` for `eurusd_h1.csv` and for `EURUSD.FOREX.json`.
pub fn symbol_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_uppercase();
    let name = stem.split('_').next().unwrap_or_default();
    name.strip_suffix(".FOREX").unwrap_or(name).to_owned()
}

/// What a file is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `timestamp,open,high,low,close,volume`, in any order and with others between them.
    Csv,
    /// An answer of EODHD.
    EodhdJson,
    /// What MetaTrader 5 exports: tabs between the columns, and the broker's time.
    MetaTrader,
}

impl Format {
    /// The name in a dataset's manifest.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::EodhdJson => "eodhd_json",
            Self::MetaTrader => "metatrader",
        }
    }
}

/// Reads a file, and looks at each bar and at the order of times; [`Rows::check`] looks at them as a series. `zone` is
/// where the times of MetaTrader are from.
///
/// # Errors
/// By its line, the first thing that cannot be.
pub fn read(path: &Path, zone: Option<&Zone>) -> Result<Rows, BadFile> {
    let opened = File::open(path).map_err(|error| BadFile::whole(path, error))?;
    let mut input = BufReader::with_capacity(1 << 16, Hashed { inner: opened, digest: Sha256::new() });
    if is_utf_16(&mut input).map_err(|error| BadFile::whole(path, error))? {
        return Err(BadFile::whole(path, "the text is UTF-16: save it as UTF-8"));
    }
    let format = format(&mut input).map_err(|error| BadFile::whole(path, error))?;
    let mut rows = Rows::new(path, format);
    let read = match (format, zone) {
        (Format::MetaTrader, Some(zone)) => meta_trader::read(&mut input, zone, &mut rows),
        (Format::MetaTrader, None) => Err(Fault::at(
            1,
            "MetaTrader writes the broker's time: --time-zone says which, America/New_York+7 for a server whose day begins \
             at 17:00 in New York",
        )),
        (_, Some(_)) => Err(match first_line(&mut input) {
            Some(line) if format == Format::Csv && !csv::has_timestamp(&line) => {
                Fault::at(1, meta_trader::no_header(&line))
            }
            _ => Fault::whole(
                "--time-zone is for what MetaTrader exports; the times of this file are unix seconds, which have none",
            ),
        }),
        (Format::Csv, None) => csv::read(&mut input, &mut rows),
        (Format::EodhdJson, None) => eodhd::read(&mut input, &mut rows),
    };
    read.map_err(|fault| rows.bad(fault))?;
    // What a reader has left, such as white space, is a part of the file as well.
    io::copy(&mut input, &mut io::sink()).map_err(|error| BadFile::whole(path, error))?;
    let digest = input.into_inner().digest.finalize();
    rows.sha256 = hex(&digest);
    Ok(rows)
}

/// By how the file begins.
fn format(input: &mut impl BufRead) -> io::Result<Format> {
    let begin = input.fill_buf()?;
    let begin = begin.strip_prefix("\u{feff}".as_bytes()).unwrap_or(begin).trim_ascii_start();
    Ok(match begin {
        [b'[' | b'{', ..] => Format::EodhdJson,
        _ if meta_trader::is_header(begin) => Format::MetaTrader,
        _ => Format::Csv,
    })
}

/// Whether a text has two bytes for a letter, as Windows saves it. The first bytes of the others have no 0.
fn is_utf_16(input: &mut impl BufRead) -> io::Result<bool> {
    Ok(matches!(input.fill_buf()?, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..]))
}

/// The first line, as far as the buffer has it; nothing is taken out of it.
fn first_line(input: &mut impl BufRead) -> Option<String> {
    let begin = input.fill_buf().ok()?;
    let text = String::from_utf8_lossy(begin);
    let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty())?;
    Some(line.to_owned())
}

/// As 64 hex digits.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes whatever is read through it.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

/// Lines of a text with their numbers, without white space at their ends; empty ones are left out.
struct Lines<R> {
    input: R,
    line: String,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    const fn new(input: R) -> Self {
        Self { input, line: String::new(), number: 0 }
    }

    /// The next one that is not empty.
    fn next(&mut self) -> Result<Option<(usize, &str)>, Fault> {
        loop {
            self.line.clear();
            self.number += 1;
            let count = self.input.read_line(&mut self.line).map_err(|error| Fault::at(self.number, error))?;
            if count == 0 {
                return Ok(None);
            }
            if !self.line.trim().is_empty() {
                let text = self.line.trim_matches(|c: char| c == '\u{feff}' || c == '\r' || c == '\n');
                return Ok(Some((self.number, text)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
