//! Reads the distribution of confidences from the file that `model.confidence_reference` names.

use super::{ModelSettings, Problem};
use sentinel_actors::{adapters::json::without_bom, domain::drift::Reference};
use std::{fs::File, io::Read};

const KEY: &str = "model.confidence_reference";
/// A hundred bins need 4 kB.
const FILE_BYTES_MAX: u64 = 65_536;

/// Reads the reference; `None` if no file is named.
pub(super) fn reference(model: &ModelSettings) -> Result<Option<Reference>, Problem> {
    let Some(path) = &model.confidence_reference else { return Ok(None) };
    let problem = |fault: String| Problem::new(KEY, format!("{}: {fault}", path.display()));
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|error| problem(format!("cannot be read: {error}")))?;
    let parsed = serde_json::from_slice(without_bom(text.as_bytes())).map_err(|error| {
        problem(format!(
            "{error}; the format is {{\"bounds\": [0.5, 1], \"shares\": [0.4, 0.6]}}, see config/base.toml"
        ))
    });
    parsed.map(Some)
}

#[cfg(test)]
mod tests {
    use super::{super::Sources, *};
    use crate::settings::layers;
    use std::{fs, path::PathBuf};

    fn load(path: Option<PathBuf>) -> Result<Option<Reference>, Problem> {
        reference(&ModelSettings { confidence_reference: path, ..layers::merge(&Sources::default()).unwrap().model })
    }

    #[test]
    fn a_reference_is_optional() {
        assert_eq!(load(None), Ok(None));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confidences.json");
        fs::write(&path, r#"{"bounds": [0.5, 1], "shares": [0.4, 0.6]}"#).unwrap();
        let known = Reference::new(vec![0.5, 1.0], vec![0.4, 0.6]).unwrap();
        let marked = folder.path().join("marked.json");
        fs::write(&marked, "\u{feff}{\"bounds\": [0.5, 1], \"shares\": [0.4, 0.6]}").unwrap();
        assert_eq!(load(Some(marked)), Ok(Some(known.clone())));
        assert_eq!(load(Some(path)), Ok(Some(known)));
    }

    #[test]
    fn an_invalid_file_is_refused_with_its_name_and_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confidences.json");
        let missing = load(Some(path.clone())).unwrap_err();
        assert!(missing.key == KEY && missing.message.contains("confidences.json: cannot be read"), "{missing:?}");
        for (text, fault) in [
            ("", "EOF"),
            ("[0.5, 1]", "shares"),
            (r#"{"bounds": [0.5, 1], "shares": [0.4, 0.6], "bins": 2}"#, "unknown field `bins`"),
            (r#"{"bounds": [0.5, 0.9], "shares": [0.4, 0.6]}"#, "the last of the bounds must be 1"),
            (r#"{"bounds": [0.5, 1], "shares": ["a", 0.6]}"#, "line 1 column"),
        ] {
            fs::write(&path, text).unwrap();
            let Problem { key, message } = load(Some(path.clone())).unwrap_err();
            assert!(key == KEY && message.contains("confidences.json") && message.contains(fault), "{message}");
        }
    }
}
