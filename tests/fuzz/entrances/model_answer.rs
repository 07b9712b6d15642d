//! Model answers: the body of a 200, read as the answer to one row, to as many rows as it has, and to one more.

use sentinel_actors::{
    adapters::mlflow::{AnswerError, parse_answer},
    domain::decision::Prediction,
};

/// True if a prediction was accepted.
pub fn enter(bytes: &[u8]) -> bool {
    let rows = match parse_answer(bytes, usize::MAX) {
        Err(AnswerError::RowCount { got, .. }) => got,
        Err(AnswerError::NotReadable(reason)) => {
            assert!(!reason.contains(char::is_control), "one line: {reason:?}");
            return false;
        }
        Ok(_) => unreachable!("nothing holds that many rows"),
    };
    assert!(parse_answer(bytes, rows + 1).is_err(), "rows that are missing are never made up");
    let answer = parse_answer(bytes, rows).expect("the number of rows fits");
    assert_eq!(answer.len(), rows);
    for row in &answer {
        match row {
            Ok(prediction) => trusted(prediction),
            Err(reason) => assert!(!reason.contains(char::is_control), "one line: {reason:?}"),
        }
    }
    answer.iter().any(Result::is_ok)
}

fn trusted(prediction: &Prediction) {
    let probabilities = prediction.probabilities();
    assert!(probabilities.iter().all(|p| p.is_finite() && (0.0..=1.0).contains(p)), "{prediction:?}");
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() <= 1e-3, "{prediction:?}");
    assert!(probabilities.contains(&prediction.likeliest().1));
}
