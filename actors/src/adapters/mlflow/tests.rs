//! Requests to a model server, and its answers.

use super::*;
use proptest::prelude::*;

fn features(seed: f64) -> FeatureSet {
    let mut sequence = Box::new([[0.1f32; FEATURE_COUNT]; SEQUENCE_BARS]);
    sequence[59][22] = 1.5e-7;
    sequence[0][0] = -3.0;
    FeatureSet { tabular: std::array::from_fn(|i| seed + i as f64 / 10.0), sequence }
}

fn probabilities(rows: &[Result<Prediction, String>]) -> Vec<Option<[f64; 3]>> {
    rows.iter().map(|row| row.as_ref().ok().map(Prediction::probabilities)).collect()
}

#[test]
fn a_request_is_a_dataframe_split_with_a_row_per_symbol() {
    let (a, b) = (features(0.0), features(100.0));
    let body = write_request(&[&a, &b], Tabular::Flat);
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let split = &json["dataframe_split"];
    assert_eq!(split["columns"], serde_json::json!(["X_tabular", "X_sequential"]));
    assert_eq!(split["data"].as_array().unwrap().len(), 2);
    let row = &split["data"][1];
    assert_eq!(row.as_array().unwrap().len(), 2);
    assert_eq!(serde_json::from_value::<Vec<f64>>(row[0].clone()).unwrap(), b.tabular);
    let sequence: Vec<Vec<f32>> = serde_json::from_value(row[1].clone()).unwrap();
    assert_eq!(sequence.len(), SEQUENCE_BARS);
    assert!(sequence.iter().zip(b.sequence.iter()).all(|(read, sent)| read[..] == sent[..]));
}

#[test]
fn nested_tabular_is_one_by_23() {
    let row = features(0.0);
    let json: serde_json::Value = serde_json::from_slice(&write_request(&[&row], Tabular::Nested)).unwrap();
    let cell = &json["dataframe_split"]["data"][0][0];
    assert_eq!((cell.as_array().unwrap().len(), cell[0].as_array().unwrap().len()), (1, FEATURE_COUNT));
}

#[test]
fn float32_is_written_as_float32() {
    let text = String::from_utf8(write_request(&[&features(0.0)], Tabular::Flat)).unwrap();
    assert!(text.contains("[-3.0,0.1,0.1,"), "{}", &text[..400]);
    assert!(text.ends_with("0.1,1.5e-7]]]]}}"), "{}", &text[text.len() - 60..]);
}

#[test]
fn the_buffer_is_large_enough_from_the_start() {
    let row = features(0.123_456_789);
    let body = write_request(&[&row; 3], Tabular::Flat);
    assert!(body.capacity() <= 128 + 3 * FEATURE_COUNT * (SEQUENCE_BARS + 1) * NUMBER_BYTES, "it did not grow");
}

#[test]
fn all_documented_shapes_are_read() {
    for body in [
        r#"{"predictions": [[0.1, 0.2, 0.7], [1, 0, 0]]}"#,
        r#" [[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]] "#,
        r#"{"predictions": [{"class_0_prob":0.1,"class_1_prob":0.2,"class_2_prob":0.7},
            {"class_2_prob":0.0,"class_1_prob":0.0,"class_0_prob":1.0}]}"#,
        r#"[{"class_0_prob":0.1,"class_1_prob":0.2,"class_2_prob":0.7}, [1,0,0]]"#,
    ] {
        let rows = parse_answer(body.as_bytes(), 2).unwrap();
        assert_eq!(probabilities(&rows), [Some([0.1, 0.2, 0.7]), Some([1.0, 0.0, 0.0])], "{body}");
    }
}

#[test]
fn a_bad_row_costs_its_symbol_only() {
    for bad in [
        "null",
        "NaN",
        "[NaN, 0.5, 0.5]",
        "[Infinity, 0, 0]",
        "[-Infinity, 0, 1]",
        "[0.2, 0.2, 0.2, 0.4]",
        "[0.5, 0.5]",
        "[1e999, 0, 0]",
        "[1.1, -0.1, 0]",
        "[0.3, 0.3, 0.3]",
        r#"["0.1", "0.2", "0.7"]"#,
        "[[0.1, 0.2, 0.7]]",
        "[null, 0.5, 0.5]",
        "[true, 0, 0]",
        "0.7",
        r#"{"class_0_prob": 0.5, "class_1_prob": 0.5}"#,
        r#"{"class_0_prob": 0.1, "class_1_prob": 0.2, "class_2_prob": 0.7, "class_3_prob": 0}"#,
        r#"{"class_0_prob": NaN, "class_1_prob": 0.5, "class_2_prob": 0.5}"#,
        r#"{"class_0_prob": 0.1, "class_0_prob": 0.1, "class_1_prob": 0.2, "class_2_prob": 0.7}"#,
    ] {
        let body = format!(r#"{{"predictions": [[0.1, 0.2, 0.7], {bad}, [0, 0, 1]], "note": "NaN \" NaN"}}"#);
        let rows = parse_answer(body.as_bytes(), 3).unwrap();
        assert_eq!(probabilities(&rows), [Some([0.1, 0.2, 0.7]), None, Some([0.0, 0.0, 1.0])], "{bad}");
    }
}

#[test]
fn an_answer_whose_rows_cannot_be_assigned_is_refused_whole() {
    assert_eq!(parse_answer(b"[[0.1,0.2,0.7]]", 2), Err(AnswerError::RowCount { asked: 2, got: 1 }));
    assert_eq!(parse_answer(b"[]", 1), Err(AnswerError::RowCount { asked: 1, got: 0 }));
    for body in [
        "",
        "{}",
        "<html>",
        "null",
        "7",
        "NaN",
        r#"{"predictions": {"0": [1,0,0]}}"#,
        r#"{"predictions": null}"#,
        r#"{"error_code": "BAD_REQUEST", "message": "no"}"#,
        r#"{"predictions": [[0.1,0.2,0.7]]"#,
        r#"{"predictions": [[0.1,0.2,0.7]]} x"#,
        r#"{"predictions": [[1,0,0]], "predictions": [[0,0,1]]}"#,
        "[[0.1,0.2,0.7],]",
        "[NaNNaN]",
    ] {
        assert!(matches!(parse_answer(body.as_bytes(), 1), Err(AnswerError::NotReadable(_))), "{body}");
    }
    let deep = "[".repeat(100_000);
    assert!(parse_answer(deep.as_bytes(), 1).is_err(), "nesting is no way to overflow the stack");
    let deep = format!("[{}1{}]", "[".repeat(50_000), "]".repeat(50_000));
    assert!(parse_answer(deep.as_bytes(), 1).unwrap()[0].is_err());
}

#[test]
fn a_number_that_no_double_holds_costs_only_its_row() {
    let body = "\u{feff}{\"predictions\": [[1.0000000000000002, 0, 0], [-1e-17, 0, 1], [1e999, 0, 0], [1.01, 0, 0]]}";
    let rows = parse_answer(body.as_bytes(), 4).unwrap();
    assert_eq!(probabilities(&rows), [Some([1.0, 0.0, 0.0]), Some([0.0, 0.0, 1.0]), None, None]);
    assert!(parse_answer("\u{feff}[[0.2, 0.3, 0.5]]".as_bytes(), 1).unwrap()[0].is_ok());
}

#[test]
fn tokens_inside_strings_stay() {
    let text = br#"{"a\"NaN": "Infinity \\", "b": -Infinity, "c": [NaN,Infinity]}"#;
    let repaired = String::from_utf8(without_bare_tokens(text)).unwrap();
    assert_eq!(repaired, r#"{"a\"NaN": "Infinity \\", "b": null, "c": [null,null]}"#);
}

fn check(body: &[u8], rows: usize) {
    if let Ok(answers) = parse_answer(body, rows) {
        assert_eq!(answers.len(), rows);
        for prediction in answers.into_iter().flatten() {
            let p = prediction.probabilities();
            assert!(p.iter().all(|p| p.is_finite() && (0.0..=1.0).contains(p)), "{p:?}");
            assert!((p.iter().sum::<f64>() - 1.0).abs() <= 1e-3, "{p:?}");
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200), rows in 0usize..4) {
        check(&body, rows);
    }

    #[test]
    fn mutated_answers_never_break_the_rules(
        numbers in proptest::collection::vec([0.0..0.6f64, 0.0..0.5, 0.0..0.5], 1..4),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![
            any::<u8>(), prop::sample::select(br#"[]{},:"-+.0123456789eEnNaI\ "#.to_vec())]), 0..6),
        records in any::<bool>(),
    ) {
        let rows = numbers.iter().map(|n| {
            let [a, b] = [n[0], n[1]];
            let c = (1.0 - a - b).max(n[2] - 0.5);
            if records {
                format!(r#"{{"class_0_prob": {a}, "class_1_prob": {b}, "class_2_prob": {c}}}"#)
            } else {
                format!("[{a}, {b}, {c}]")
            }
        });
        let mut body = format!(r#"{{"predictions": [{}]}}"#, rows.collect::<Vec<_>>().join(", ")).into_bytes();
        for (index, byte) in edits {
            let at = index.index(body.len());
            body[at] = byte;
        }
        check(&body, numbers.len());
    }
}
