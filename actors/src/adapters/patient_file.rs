//! Small files that may hang: a FIFO that nobody writes to, a network mount whose server is away. Each is read on a thread of its own,
//! which is left behind if it hangs, so that neither a start nor the claim on an account waits for it.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// How long a start waits for a file.
const START_DEADLINE: Duration = Duration::from_secs(5);

type Content = Result<Vec<u8>, String>;

/// Reads a file at the start: all of it, or this many bytes.
///
/// # Errors
/// Why not, as the end of a sentence about the file.
pub fn read(path: &Path, bytes_max: u64) -> Content {
    let (told, content) = mpsc::channel();
    // Nobody may wait for it any more.
    on_own_thread(path.to_owned(), bytes_max, move |content| drop(told.send(content)))?;
    content.recv_timeout(START_DEADLINE).unwrap_or_else(|_| Err(too_slow(START_DEADLINE)))
}

/// A file that is read again and again while the daemon runs; at most one thread waits for it.
#[derive(Debug)]
pub struct PatientFile {
    path: PathBuf,
    bytes_max: u64,
    reading: Option<oneshot::Receiver<Content>>,
}

impl PatientFile {
    /// Reads nothing yet.
    pub fn new(path: &Path, bytes_max: u64) -> Self {
        Self { path: path.to_owned(), bytes_max, reading: None }
    }

    /// Its content. A reading that took too long is not begun again but waited for the next time.
    ///
    /// # Errors
    /// As those of [`read`].
    pub async fn read_within(&mut self, deadline: Duration) -> Content {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            none => {
                let (told, content) = oneshot::channel();
                on_own_thread(self.path.clone(), self.bytes_max, move |content| drop(told.send(content)))?;
                none.insert(content)
            }
        };
        let read = tokio::time::timeout(deadline, reading).await.map_err(|_| too_slow(deadline))?;
        self.reading = None;
        read.unwrap_or_else(|_| Err("cannot be read".into()))
    }
}

fn on_own_thread(path: PathBuf, bytes_max: u64, then: impl FnOnce(Content) + Send + 'static) -> Result<(), String> {
    let reading = move || then(content(&path, bytes_max).map_err(|error| format!("cannot be read: {error}")));
    let started = thread::Builder::new().name("file".into()).spawn(reading);
    started.map(drop).map_err(|error| format!("cannot be read: {error}"))
}

fn content(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_slow(deadline: Duration) -> String {
    format!("cannot be read: no answer of its file system within {} ms", deadline.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{process::Command, time::Instant};

    #[actix::test]
    async fn only_a_regular_file_is_read_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (file, pipe) = (folder.path().join("file"), folder.path().join("pipe"));
        fs::write(&file, "0123456789").unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let began = Instant::now();
        for (path, content) in [
            (&file, Ok(b"0123".to_vec())),
            (&pipe, Err("cannot be read: it is not a regular file".to_owned())),
            (&folder.path().to_owned(), Err("cannot be read: it is not a regular file".to_owned())),
        ] {
            assert_eq!(read(path, 4), content, "{}", path.display());
            let mut again = PatientFile::new(path, 4);
            for _ in 0..2 {
                assert_eq!(again.read_within(Duration::from_secs(5)).await, content, "{}", path.display());
            }
        }
        assert!(read(Path::new("/none"), 4).unwrap_err().starts_with("cannot be read: No such file"));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }

    #[actix::test]
    async fn a_file_that_hangs_holds_one_thread() {
        let mut file = PatientFile::new(Path::new("/none"), 4);
        // As if a reading had begun and its file system did not answer.
        let (answers, reading) = oneshot::channel();
        file.reading = Some(reading);
        for _ in 0..2 {
            let fault = file.read_within(Duration::from_millis(20)).await.unwrap_err();
            assert!(fault.ends_with("no answer of its file system within 20 ms"), "{fault}");
        }
        answers.send(Ok(b"late".to_vec())).unwrap();
        assert_eq!(file.read_within(Duration::from_secs(5)).await, Ok(b"late".to_vec()));
        assert!(file.read_within(Duration::from_secs(5)).await.is_err(), "and then from the beginning");
    }
}
