//! `OUT.part`: what has come so far. A line that says for which question, then the provider's bars of each request and a
//! line that says up to when they are complete. Whatever stands behind the last such line was cut off, and is asked for
//! again.

use super::date_range::Question;
use crate::bar_files::{
    csv::{Columns, write_bar},
    make_folder_of,
};
use anyhow::{Context, bail};
use sentinel_actors::domain::bar::Bar;
use std::{
    collections::{HashMap, HashSet},
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const HEAD: &str = "# sentinel bars ";
const DONE: &str = "# done ";
const FOREIGN: &str = "is no part of a file of bars: remove it, or name another --out";

/// The open file.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    /// By symbol, up to when its bars are here, unix seconds.
    done: HashMap<String, i64>,
    has_bars: bool,
}

impl Part {
    /// Opens the one beside this file, or begins it.
    ///
    /// # Errors
    /// When it is of another question, is no such file, or another run writes it.
    pub(super) fn open(out: &Path, question: &Question) -> anyhow::Result<Self> {
        let path = Self::path_of(out)?;
        make_folder_of(&path)?;
        let shown = path.display().to_string();
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.with_context(|| format!("cannot write {shown}"))?;
        if file.try_lock().is_err() {
            bail!("{shown} is being written by another run: let it end, or name another --out");
        }
        let mut part = Self { path, file, done: HashMap::new(), has_bars: false };
        let mut with_bars = HashSet::new();
        let end = part.read(question, |symbol, bars| {
            if !bars.is_empty() {
                with_bars.insert(symbol.to_owned());
            }
        });
        let end = end.with_context(|| shown.clone())?;
        // A symbol without a single bar may have had a wrong name with the provider, or come later: it is asked for again.
        part.done.retain(|symbol, _| with_bars.contains(symbol));
        part.has_bars = !with_bars.is_empty();
        if !part.has_bars {
            part.file.seek(SeekFrom::Start(0))?;
            part.file.set_len(0)?;
            let head = serde_json::to_string(question)?;
            writeln!(part.file, "{HEAD}{head}").with_context(|| format!("cannot write {shown}"))?;
        } else {
            part.file.set_len(end)?;
            part.file.seek(SeekFrom::End(0))?;
        }
        Ok(part)
    }

    /// Where the one of this file is.
    ///
    /// # Errors
    /// A path that ends without a name.
    pub(super) fn path_of(out: &Path) -> anyhow::Result<PathBuf> {
        let mut name = out.file_name().context("--out is the name of a file")?.to_owned();
        name.push(".part");
        Ok(out.with_file_name(name))
    }

    /// What it is good for after a run that ended early, for a person. Without bars it is good for nothing, and goes.
    pub(super) fn left(path: &Path) -> String {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.lines().any(|line| !line.starts_with('#')) && text.contains(DONE) {
            return format!("{} keeps what came: the same command goes on after it", path.display());
        }
        // What cannot be removed is begun again by the next run.
        let _ = fs::remove_file(path);
        "nothing came, and nothing is left".into()
    }

    /// The line of the bar of this symbol that opens then, from 1.
    pub(super) fn line_of(&self, symbol: &str, open_time: i64) -> Option<usize> {
        let text = fs::read_to_string(&self.path).ok()?;
        let (begin, mut found) = (format!("{open_time},"), None);
        for (index, line) in text.lines().enumerate() {
            if line.starts_with(&begin) {
                found = Some(index + 1);
            } else if let Some(done) = line.strip_prefix(DONE) {
                // The symbol stands behind its bars.
                if found.is_some() && done.split(' ').next() == Some(symbol) {
                    return found;
                }
                found = None;
            }
        }
        None
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its path, for a person.
    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether it goes on from an earlier run.
    pub(super) const fn has_bars(&self) -> bool {
        self.has_bars
    }

    /// Up to when this symbol's bars are here, unix seconds.
    pub(super) fn done(&self, symbol: &str) -> Option<i64> {
        self.done.get(symbol).copied()
    }

    /// Adds the bars of a request that reached up to `to`.
    pub(super) fn add(&mut self, symbol: &str, to: i64, bars: &[Bar]) -> anyhow::Result<()> {
        let mut text = Vec::new();
        for bar in bars {
            write_bar(&mut text, bar)?;
        }
        writeln!(text, "{DONE}{symbol} {to}")?;
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("cannot write {}", self.path.display()))?;
        self.done.insert(symbol.to_owned(), to);
        Ok(())
    }

    /// All bars, by symbol, oldest first.
    pub(super) fn bars(&mut self, question: &Question) -> anyhow::Result<HashMap<String, Vec<Bar>>> {
        let mut all: HashMap<String, Vec<Bar>> = HashMap::new();
        self.file.seek(SeekFrom::Start(0))?;
        let shown = self.shown();
        self.read(question, |symbol, bars| all.entry(symbol.to_owned()).or_default().append(bars)).context(shown)?;
        Ok(all)
    }

    /// Removes it, when its file has its name.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))
    }

    /// Reads it from where it stands; hands out each request's bars with their symbol. Answers where what is complete ends; 0
    /// if there is nothing.
    fn read(&mut self, question: &Question, mut take: impl FnMut(&str, &mut Vec<Bar>)) -> anyhow::Result<u64> {
        let mut input = BufReader::new(&self.file);
        let (mut line, mut at, mut number) = (String::new(), 0, 0);
        let (mut complete_to, mut bars, mut bad) = (0, Vec::new(), None::<String>);
        loop {
            line.clear();
            number += 1;
            at += input.read_line(&mut line)? as u64;
            // A line without its end is one that was cut off.
            let Some(text) = line.strip_suffix('\n') else {
                // A file that begins otherwise is somebody else's, and would be emptied.
                if number == 1 && !HEAD.starts_with(&line) && !line.starts_with(HEAD) {
                    bail!(FOREIGN);
                }
                return Ok(complete_to);
            };
            if number == 1 {
                let head = text.strip_prefix(HEAD).and_then(|head| serde_json::from_str::<Question>(head).ok());
                let head = head.context(FOREIGN)?;
                if let Some(difference) = question.difference(&head) {
                    bail!("is of another question: {difference}. Ask as before, remove it, or name another --out");
                }
                complete_to = at;
            } else if let Some(done) = text.strip_prefix(DONE) {
                let done = done.rsplit_once(' ').and_then(|(symbol, to)| Some((symbol, to.parse().ok()?)));
                let (symbol, to) = done.with_context(|| format!("line {number} cannot be read: remove the file"))?;
                if let Some(what) = bad {
                    bail!(what);
                }
                take(symbol, &mut bars);
                bars.clear();
                self.done.insert(symbol.to_owned(), to);
                complete_to = at;
            } else {
                match Columns::WRITTEN.row(text).and_then(|row| row.check().map_err(|reason| reason.as_str().into())) {
                    Ok(bar) => bars.push(bar),
                    // Of no account if it was cut off there, too.
                    Err(what) => bad = bad.or(Some(format!("line {number}: {what}: correct it, or remove the file"))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::date_range::tests::question, *};

    fn bar(open_time: i64) -> Bar {
        Bar { open_time, open: 1.1, high: 1.3, low: 0.1 + 0.2, close: 1.25, volume: 7.0 }
    }

    #[test]
    fn what_was_cut_off_is_asked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("eurusd.csv");
        let question = question(0, 36_000, 7_200);
        let mut part = Part::open(&out, &question).unwrap();
        assert!(!part.has_bars());
        part.add("EURUSD", 7_200, &[bar(0), bar(3_600)]).unwrap();
        drop(part);
        let path = folder.path().join("eurusd.csv.part");
        for cut_off in
            ["", "7200,1.1,1.3,0.3", "7200,1.1,1.3,0.3,1.2,7\n", "7200,1.1,1.3,0.3,1.2,7\n# done EURUSD 14400"]
        {
            let whole = fs::read_to_string(&path).unwrap();
            fs::write(&path, format!("{whole}{cut_off}")).unwrap();
            let mut part = Part::open(&out, &question).unwrap();
            assert_eq!((part.done("EURUSD"), part.has_bars()), (Some(7_200), true), "{cut_off}");
            assert_eq!(part.bars(&question).unwrap()["EURUSD"], [bar(0), bar(3_600)], "{cut_off}");
            drop(part);
            assert_eq!(fs::read_to_string(&path).unwrap(), whole, "{cut_off}");
        }
        let mut part = Part::open(&out, &question).unwrap();
        part.add("EURUSD", 14_400, &[bar(7_200)]).unwrap();
        assert_eq!(part.bars(&question).unwrap()["EURUSD"].len(), 3);
    }

    #[test]
    fn a_part_without_bars_is_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("a/eurusd.csv");
        let question = question(0, 36_000, 7_200);
        let mut part = Part::open(&out, &question).unwrap();
        part.add("EURUSD", 7_200, &[]).unwrap();
        drop(part);
        let mut part = Part::open(&out, &question).unwrap();
        assert_eq!((part.done("EURUSD"), part.has_bars()), (None, false));
        // One symbol's bars do not say that another has none.
        part.add("EURUSD", 7_200, &[bar(0)]).unwrap();
        part.add("GBPUSD", 7_200, &[]).unwrap();
        drop(part);
        let part = Part::open(&out, &question).unwrap();
        assert_eq!((part.done("EURUSD"), part.done("GBPUSD"), part.has_bars()), (Some(7_200), None, true));
        drop(part);
        let path = Part::path_of(&out).unwrap();
        assert!(Part::left(&path).contains("keeps what came") && path.exists());
        fs::write(&path, "# sentinel bars {}\n# done EURUSD 7200\n").unwrap();
        assert!(Part::left(&path).contains("nothing came") && !path.exists());
    }

    #[test]
    fn a_bar_is_found_by_its_symbol_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut part = Part::open(&folder.path().join("all"), &question(0, 36_000, 7_200)).unwrap();
        part.add("EURUSD", 7_200, &[bar(0), bar(3_600)]).unwrap();
        part.add("GBPUSD", 7_200, &[bar(0), bar(3_600)]).unwrap();
        assert_eq!((part.line_of("EURUSD", 3_600), part.line_of("GBPUSD", 3_600)), (Some(3), Some(6)));
        assert_eq!((part.line_of("GBPUSD", 360), part.line_of("USDJPY", 0)), (None, None));
    }

    #[test]
    fn a_head_that_was_cut_off_is_no_file_yet() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("eurusd.csv");
        fs::write(folder.path().join("eurusd.csv.part"), "# sentinel bars {\"vers").unwrap();
        assert!(!Part::open(&out, &question(0, 36_000, 7_200)).unwrap().has_bars());
    }

    #[test]
    fn a_part_of_another_question_or_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("eurusd.csv");
        let part = Part::open(&out, &question(0, 86_400, 7_200)).unwrap();
        let said = |days: i64| format!("{:#}", Part::open(&out, &question(0, days * 86_400, 7_200)).unwrap_err());
        assert!(said(1).contains("another run"));
        drop(part);
        assert!(said(2).contains("another question: --to is 1970-01-02 there and 1970-01-03 here"), "{}", said(2));
        let path = folder.path().join("eurusd.csv.part");
        for text in ["timestamp,open\n", "one line of my own, without its end", "# sentinel barrier"] {
            fs::write(&path, text).unwrap();
            assert!(said(1).contains("no part of a file"), "{}", said(1));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
