//! Odds in a file: `symbol,bar_close_time,p_sell,p_hold,p_buy`, in any order of columns and of rows.

use super::Odds;
use crate::{
    bar_files::{
        BadFile,
        csv::{fields, lacks, refuse_twice},
        hex,
    },
    tools::study::result::Input,
};
use sentinel_actors::domain::decision::Prediction;
use sha2::{Digest, Sha256};
use std::{collections::HashMap, fs, path::Path};

const COLUMNS: [&str; 5] = ["symbol", "bar_close_time", "p_sell", "p_hold", "p_buy"];

/// Odds by the close of their bar, oldest first.
#[derive(Debug)]
pub struct OddsFile {
    /// Of the wanted symbol.
    pub odds: Vec<Odds>,
    /// For the report.
    pub input: Input,
    /// Rows of other symbols.
    pub others: u64,
    /// Of each of `odds`, from 1.
    lines: HashMap<i64, usize>,
}

impl OddsFile {
    /// What is wrong with the odds of this bar, by their line.
    pub fn bad(&self, path: &Path, bar_close_time: i64, what: &str) -> BadFile {
        match self.lines.get(&bar_close_time) {
            Some(line) => BadFile::whole(path, format!("line {line}: {what}")),
            None => BadFile::whole(path, what),
        }
    }
}

/// Reads a file.
///
/// # Errors
/// What cannot be, by its line; no row of the symbol.
pub fn read(path: &Path, symbol: &str) -> Result<OddsFile, BadFile> {
    let text = fs::read_to_string(path).map_err(|error| BadFile::whole(path, error))?;
    let at = |line: usize, what: String| BadFile::whole(path, format!("line {line}: {what}"));
    let mut rows = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let mut rows = rows.by_ref().filter(|(_, line)| !line.is_empty());
    let (line, header) = rows.next().ok_or_else(|| at(1, lacks(&COLUMNS, &COLUMNS)))?;
    let names: Vec<String> = fields(header.trim_start_matches('\u{feff}')).map(str::to_lowercase).collect();
    refuse_twice(&names, &COLUMNS).map_err(|what| at(line, what))?;
    let place = |name: &&str| names.iter().position(|it| it == *name);
    let lacking: Vec<&str> = COLUMNS.into_iter().filter(|name| place(name).is_none()).collect();
    if !lacking.is_empty() {
        return Err(at(line, lacks(&lacking, &COLUMNS)));
    }
    let places = COLUMNS.map(|name| place(&name).unwrap_or_default());
    let (mut odds, mut lines, mut others) = (Vec::new(), HashMap::new(), 0);
    for (line, text) in rows {
        let values: Vec<&str> = fields(text).collect();
        if values.len() != names.len() {
            return Err(at(line, format!("{} fields, and the header has {}", values.len(), names.len())));
        }
        let [its_symbol, time, ps @ ..] = places.map(|place| values[place]);
        if its_symbol != symbol {
            others += 1;
            continue;
        }
        let bar_close_time: i64 = time
            .parse()
            .map_err(|_| at(line, format!("bar_close_time '{time}' is not a whole number of unix seconds (UTC)")))?;
        let mut probabilities = [0.0; 3];
        for ((probability, text), name) in probabilities.iter_mut().zip(ps).zip(&COLUMNS[2..]) {
            *probability = text.parse().map_err(|_| at(line, format!("{name} '{text}' is not a number")))?;
        }
        let prediction = Prediction::parse(probabilities)
            .map_err(|what| at(line, format!("{what}: {}", probabilities.map(|p| p.to_string()).join(", "))))?;
        if let Some(before) = lines.insert(bar_close_time, line) {
            return Err(at(line, format!("bar_close_time {bar_close_time} is that of line {before}, too")));
        }
        odds.push(Odds { bar_close_time, close: None, prediction });
    }
    if odds.is_empty() {
        return Err(BadFile::whole(path, format!("no row of {symbol}, and {others} of other symbols")));
    }
    odds.sort_by_key(|odds| odds.bar_close_time);
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let sha256 = hex(&Sha256::digest(text.as_bytes()));
    let input = Input { kind: "odds".into(), name, sha256, rows: odds.len() as u64 };
    Ok(OddsFile { odds, input, others, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<OddsFile, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(file.path(), "EURUSD").map_err(|error| error.to_string().split_once(": ").unwrap().1.to_owned())
    }

    #[test]
    fn rows_are_read_in_any_order() {
        let read = of("p_buy,note,symbol,bar_close_time,p_sell,p_hold\n0.5,\"x, too\",EURUSD,7200,0.2,0.3\n\n\
                       0.1,x,USDJPY,7200,0.2,0.7\n0.25,\"\",\"EURUSD\",3600,0.25,0.5\n")
        .unwrap();
        let found: Vec<_> =
            read.odds.iter().map(|odds| (odds.bar_close_time, odds.prediction.probabilities())).collect();
        assert_eq!(found, [(3_600, [0.25, 0.5, 0.25]), (7_200, [0.2, 0.3, 0.5])]);
        assert_eq!((read.others, read.input.rows), (1, 2));
    }

    #[test]
    fn what_cannot_be_is_named_by_its_line() {
        let header = "symbol,bar_close_time,p_sell,p_hold,p_buy\n";
        for (rows, wanted) in [
            ("EURUSD,1,0.5,0.6,0.2", "line 2: the probabilities do not sum to 1: 0.5, 0.6, 0.2"),
            ("EURUSD,1,nan,0.6,0.2", "line 2: a probability is not a finite number: NaN, 0.6, 0.2"),
            ("EURUSD,1,0.2,0.6,0.2\nEURUSD,noon,0.2,0.6,0.2", "line 3: bar_close_time 'noon' is not a whole number"),
            ("EURUSD,1,0.2,0.6,high", "line 2: p_buy 'high' is not a number"),
            ("EURUSD,1,0.2,0.6", "line 2: 4 fields, and the header has 5"),
            ("EURUSD,1,0.2,0.6,0.2\nEURUSD,1,0.2,0.6,0.2", "line 3: bar_close_time 1 is that of line 2, too"),
            ("\"a, b\",1,0.2,0.6,0.2", "no row of EURUSD, and 1 of other symbols"),
            ("USDJPY,1,0.2,0.6,0.2", "no row of EURUSD, and 1 of other symbols"),
        ] {
            let error = of(&format!("{header}{rows}\n")).unwrap_err();
            assert!(error.starts_with(wanted), "{error}");
        }
        assert!(of("symbol,bar_close_time,p_sell\n").unwrap_err().starts_with("line 1: no column p_hold, p_buy."));
        assert!(of("").unwrap_err().starts_with("line 1: no column symbol"));
        // Which of both is meant, the file does not say.
        let twice = of("symbol,bar_close_time,p_sell,p_hold,p_buy,P_BUY\nEURUSD,1,0.2,0.6,0.2,0.9\n").unwrap_err();
        assert_eq!(twice, "line 1: two columns are called p_buy: keep one of them");
        let other = of("note,symbol,bar_close_time,p_sell,p_hold,p_buy,note\na,EURUSD,1,0.2,0.6,0.2,b\n").unwrap();
        assert_eq!(other.odds.len(), 1, "of a column that nobody reads there may be two");
    }
}
