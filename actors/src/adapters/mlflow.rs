//! MLflow's scoring protocol: the `dataframe_split` request, written directly from the feature arrays, and the answer, in
//! which a bad row affects only its symbol. Used by the Predictor.

mod error_text;

pub use error_text::error_text;

use crate::{
    adapters::json::{without_bare_tokens, without_bom},
    domain::{
        decision::Prediction,
        features::{FEATURE_COUNT, FeatureSet, SEQUENCE_BARS},
        sanitize::one_line,
    },
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::str::FromStr;

/// The shape of a symbol's tabular row; `model.tabular`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tabular {
    /// A flat row of 23 numbers.
    Flat,
    /// A 1x23 matrix, as the replaced daemon sent it.
    Nested,
}

impl Tabular {
    /// The name in the settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Nested => "nested",
        }
    }
}

impl FromStr for Tabular {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "flat" => Ok(Self::Flat),
            "nested" => Ok(Self::Nested),
            _ => Err("must be flat or nested"),
        }
    }
}

/// Why none of an answer's rows can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not JSON, or neither a list nor an object with a list of `predictions`.
    #[error("the answer is not a list of predictions: {0}")]
    NotReadable(String),
    /// The number of rows differs, so rows cannot be assigned to symbols.
    #[error("{got} predictions for {asked} rows")]
    RowCount {
        /// Rows in the request.
        asked: usize,
        /// Rows in the answer.
        got: usize,
    },
}

/// Bytes for one number and its comma. The shortest form of a float32 is rarely longer, and a `Vec` grows if necessary.
const NUMBER_BYTES: usize = 14;

/// The body of the request for these rows, in their order. Each number is written in its shortest form; a float32 as a
/// float32.
pub fn write_request(rows: &[&FeatureSet], tabular: Tabular) -> Vec<u8> {
    let numbers = rows.len() * FEATURE_COUNT * (SEQUENCE_BARS + 1);
    let mut body = Vec::with_capacity(128 + numbers * NUMBER_BYTES);
    let data = Rows { rows, tabular };
    let request = Request { dataframe_split: Split { columns: ["X_tabular", "X_sequential"], data } };
    if serde_json::to_writer(&mut body, &request).is_err() {
        // Writing numbers to memory cannot fail. If it did, the server would refuse an empty body.
        body.clear();
    }
    body
}

#[derive(Serialize)]
struct Request<'a> {
    dataframe_split: Split<'a>,
}

#[derive(Serialize)]
struct Split<'a> {
    columns: [&'static str; 2],
    data: Rows<'a>,
}

struct Rows<'a> {
    rows: &'a [&'a FeatureSet],
    tabular: Tabular,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.tabular {
            Tabular::Flat => serializer.collect_seq(self.rows.iter().map(|r| (&r.tabular, r.sequence.as_slice()))),
            Tabular::Nested => serializer.collect_seq(self.rows.iter().map(|r| ([&r.tabular], r.sequence.as_slice()))),
        }
    }
}

/// Reads the answer to a request of `rows` rows: one entry per row, in their order. Each is a prediction or the error of that
/// row.
///
/// # Errors
/// No row can be used: the answer cannot be parsed, or has a different number of rows.
pub fn parse_answer(body: &[u8], rows: usize) -> Result<Vec<Result<Prediction, String>>, AnswerError> {
    let body = without_bom(body);
    match raw_rows(body) {
        Ok(raw) => parse_rows(&raw, rows),
        Err(error) => {
            // Python writes bare NaN and Infinity, which is not JSON. They must only affect their own rows.
            let repaired = without_bare_tokens(body);
            let raw = raw_rows(&repaired).map_err(|_| AnswerError::NotReadable(one_line(&error.to_string())))?;
            parse_rows(&raw, rows)
        }
    }
}

fn raw_rows(body: &[u8]) -> serde_json::Result<Vec<&RawValue>> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        predictions: Vec<&'a RawValue>,
    }
    if body.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(body);
    }
    serde_json::from_slice::<Answer<'_>>(body).map(|answer| answer.predictions)
}

fn parse_rows(raw: &[&RawValue], asked: usize) -> Result<Vec<Result<Prediction, String>>, AnswerError> {
    if raw.len() != asked {
        return Err(AnswerError::RowCount { asked, got: raw.len() });
    }
    Ok(raw.iter().map(|row| parse_row(row.get())).collect())
}

fn parse_row(row: &str) -> Result<Prediction, String> {
    // Other names are refused: a fourth class would mean that the classes differ from what we assume.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Record {
        class_0_prob: f64,
        class_1_prob: f64,
        class_2_prob: f64,
    }
    let probabilities = if row.starts_with('{') {
        serde_json::from_str(row).map(|r: Record| [r.class_0_prob, r.class_1_prob, r.class_2_prob])
    } else {
        serde_json::from_str::<[f64; 3]>(row)
    };
    let probabilities =
        probabilities.map_err(|error| one_line(&format!("the row is not three probabilities: {error}")))?;
    Prediction::parse(probabilities).map_err(str::to_owned)
}

#[cfg(test)]
mod tests;
