//! What a model has answered so far, beside the study's folder: if a model fails in the middle, the next try continues there.
//! Rows go by the hash of what was asked, so that they are never used for another model.name, other bars or other settings.

use anyhow::{Context, bail};
use sentinel_actors::domain::{decision::Prediction, features::FeatureSet};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const HEADER: &str = "question_sha256,p_sell,p_hold,p_buy,is_late";
/// From before it said which answers were late. Lines of both kinds may follow it.
const HEADER_BEFORE: &str = "question_sha256,p_sell,p_hold,p_buy";
/// Bytes of the hash that are kept: enough to be different for each of a million.
const KEY_BYTES: usize = 16;

/// Of what was asked.
pub type Key = [u8; KEY_BYTES];

/// What a model answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reply {
    /// The odds.
    pub prediction: Prediction,
    /// Whether it took longer than the daemon waits.
    pub is_late: bool,
}

/// The file, open to be added to.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    file: File,
    answers: HashMap<Key, Reply>,
}

/// The hash of a question: the model's name and address, and the features as they are sent.
pub fn key(model: &str, url: &str, features: &FeatureSet) -> Key {
    let mut digest = Sha256::new();
    for text in [model, url] {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    digest.update(features.tabular.map(f64::to_le_bytes).as_flattened());
    for row in features.sequence.iter() {
        digest.update(row.map(f32::to_le_bytes).as_flattened());
    }
    let mut key = Key::default();
    key.copy_from_slice(&digest.finalize()[..KEY_BYTES]);
    key
}

impl Kept {
    /// Opens it, or makes it. A last line that was cut off by a kill is asked again.
    ///
    /// # Errors
    /// A file of another kind, by its line; those of the disk.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("{}, which keeps what the model answers", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).with_context(named)?;
        let (mut answers, mut end, mut text) = (HashMap::new(), 0_u64, String::new());
        let mut lines = BufReader::new(&file);
        for number in 1.. {
            text.clear();
            let count = lines.read_line(&mut text).with_context(named)?;
            if !text.ends_with('\n') {
                // Cut off, and of no account; but a first line that no header begins with is somebody else's.
                if number == 1 && !HEADER.starts_with(text.as_str()) {
                    bail!(foreign(path, number));
                }
                break;
            }
            end += count as u64;
            let line = text.trim_end();
            if number == 1 && [HEADER, HEADER_BEFORE].contains(&line) {
                continue;
            }
            let Some((key, reply)) = (number > 1).then(|| row(line)).flatten() else {
                bail!(foreign(path, number));
            };
            answers.insert(key, reply);
        }
        file.set_len(end).with_context(named)?;
        file.seek(SeekFrom::End(0)).with_context(named)?;
        if end == 0 {
            writeln!(file, "{HEADER}").with_context(named)?;
        }
        Ok(Self { path: path.to_owned(), file, answers })
    }

    /// What was answered to it.
    pub fn get(&self, key: &Key) -> Option<Reply> {
        self.answers.get(key).copied()
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn add(&mut self, key: Key, reply: Reply) -> anyhow::Result<()> {
        let [sell, hold, buy] = reply.prediction.probabilities();
        let (key_hex, late) = (crate::bar_files::hex(&key), u8::from(reply.is_late));
        let line = format!("{key_hex},{sell:?},{hold:?},{buy:?},{late}\n");
        self.file.write_all(line.as_bytes()).with_context(|| format!("{}", self.path.display()))?;
        self.answers.insert(key, reply);
        Ok(())
    }
}

fn foreign(path: &Path, number: usize) -> String {
    format!("{} line {number} is not one of its lines: move it away", path.display())
}

fn row(line: &str) -> Option<(Key, Reply)> {
    let mut fields = line.split(',');
    let digits = fields.next().filter(|text| text.len() == 2 * KEY_BYTES && text.is_ascii())?;
    let mut key = Key::default();
    for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()?;
    }
    let mut number = || fields.next()?.parse::<f64>().ok();
    let prediction = Prediction::parse([number()?, number()?, number()?]).ok()?;
    let is_late = match fields.next() {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return None,
    };
    fields.next().is_none().then_some((key, Reply { prediction, is_late }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn reply(buy: f64) -> Reply {
        Reply { prediction: Prediction::parse([0.1, 0.9 - buy, buy]).unwrap(), is_late: false }
    }

    #[test]
    fn answers_are_there_again_bit_by_bit() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("kept.csv");
        let (in_time, late) = (reply(0.1 + 0.2), Reply { is_late: true, ..reply(0.7) });
        let mut kept = Kept::open(&path).unwrap();
        kept.add([7; KEY_BYTES], in_time).unwrap();
        kept.add([9; KEY_BYTES], late).unwrap();
        let bits = |reply: Reply| (reply.prediction.probabilities().map(f64::to_bits), reply.is_late);
        let kept = Kept::open(&path).unwrap();
        assert_eq!(kept.get(&[7; KEY_BYTES]).map(bits), Some(bits(in_time)));
        assert_eq!(kept.get(&[9; KEY_BYTES]).map(bits), Some(bits(late)));
        assert_eq!(kept.get(&[8; KEY_BYTES]), None);
    }

    #[test]
    fn a_file_from_before_late_answers_were_kept_goes_on() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("kept.csv");
        fs::write(&path, format!("{HEADER_BEFORE}\n{},0.1,0.5,0.4\n", "01".repeat(KEY_BYTES))).unwrap();
        let late = Reply { is_late: true, ..reply(0.7) };
        Kept::open(&path).unwrap().add([2; KEY_BYTES], late).unwrap();
        let kept = Kept::open(&path).unwrap();
        assert_eq!((kept.get(&[1; KEY_BYTES]), kept.get(&[2; KEY_BYTES])), (Some(reply(0.4)), Some(late)));
        fs::write(&path, format!("{HEADER}\n{},0.1,0.5,0.4,2\n", "01".repeat(KEY_BYTES))).unwrap();
        assert!(Kept::open(&path).unwrap_err().to_string().contains("line 2 is not one of its lines"));
    }

    #[test]
    fn a_line_that_was_cut_off_is_forgotten() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("kept.csv");
        let mut kept = Kept::open(&path).unwrap();
        kept.add([1; KEY_BYTES], reply(0.3)).unwrap();
        kept.add([2; KEY_BYTES], reply(0.4)).unwrap();
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let mut kept = Kept::open(&path).unwrap();
        assert_eq!((kept.get(&[1; KEY_BYTES]), kept.get(&[2; KEY_BYTES])), (Some(reply(0.3)), None));
        kept.add([2; KEY_BYTES], reply(0.4)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn another_file_is_left_as_it_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("kept.csv");
        for text in
            ["timestamp,open\n1,2\n", "one line of my own, without its end", "question_sha256,p_sell,p_hold,p_buy "]
        {
            fs::write(&path, text).unwrap();
            assert!(Kept::open(&path).unwrap_err().to_string().contains("line 1 is not one of its lines"), "{text}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_header_that_was_cut_off_is_no_answer_yet() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("kept.csv");
        for cut_off in ["", "question_sha", HEADER] {
            fs::write(&path, cut_off).unwrap();
            Kept::open(&path).unwrap().add([1; KEY_BYTES], reply(0.3)).unwrap();
            assert_eq!(Kept::open(&path).unwrap().get(&[1; KEY_BYTES]), Some(reply(0.3)), "{cut_off}");
        }
    }
}
