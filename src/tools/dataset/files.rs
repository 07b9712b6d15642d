//! The three files of a dataset, written from begin to end and hashed on the way, each on a thread of its own: the sequences of a
//! million bars are 5.5 GB, and neither the disk nor the digest is to wait for the other.

use super::blocks::Block;
use crate::bar_files::hex;
use anyhow::{Context, anyhow};
use sentinel_actors::domain::features::{FEATURE_COUNT, FEATURE_NAMES, SEQUENCE_BARS};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// numpy wants its header to end at a multiple of this.
const NPY_ALIGN: usize = 64;
/// Blocks that a file may be ahead of its digest.
const AHEAD: usize = 2;

/// The open files.
pub(super) struct Files {
    tabular: Output,
    sequence: Option<Output>,
    index: Output,
}

impl Files {
    /// Makes the folder and the files, which will have so many rows.
    pub(super) fn begin(folder: &Path, rows: usize, has_sequence: bool) -> anyhow::Result<Self> {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut files = Self {
            tabular: Output::create(folder, "tabular.csv")?,
            sequence: if has_sequence { Some(Output::create(folder, "sequence.npy")?) } else { None },
            index: Output::create(folder, "index.csv")?,
        };
        files.tabular.write(format!("{}\n", FEATURE_NAMES.join(",")).into_bytes())?;
        files.index.write(b"symbol,bar_close_time,close,place\n".to_vec())?;
        if let Some(sequence) = &mut files.sequence {
            sequence.write(npy_header(rows))?;
        }
        Ok(files)
    }

    pub(super) fn write(&mut self, block: Block) -> anyhow::Result<()> {
        self.tabular.write(block.tabular)?;
        self.index.write(block.index)?;
        self.sequence.as_mut().map_or(Ok(()), |sequence| sequence.write(block.sequence))
    }

    /// The SHA-256 of each, as hex digits.
    pub(super) fn finish(self) -> anyhow::Result<BTreeMap<&'static str, String>> {
        let files = [Some(self.tabular), self.sequence, Some(self.index)].into_iter().flatten();
        files.map(Output::finish).collect()
    }
}

struct Output {
    name: &'static str,
    path: PathBuf,
    file: File,
    digest: Digester,
}

impl Output {
    fn create(folder: &Path, name: &'static str) -> anyhow::Result<Self> {
        let path = folder.join(name);
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { name, path, file, digest: Digester::start()? })
    }

    /// Blocks are large: nothing is gained by a buffer.
    fn write(&mut self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let bytes = Arc::new(bytes);
        self.digest.take(bytes.clone())?;
        self.file.write_all(&bytes).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(self) -> anyhow::Result<(&'static str, String)> {
        self.file.sync_all().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok((self.name, self.digest.finish()?))
    }
}

/// The SHA-256 of what it is given, made beside whoever writes the same bytes.
struct Digester {
    parts: SyncSender<Arc<Vec<u8>>>,
    thread: JoinHandle<Sha256>,
}

impl Digester {
    fn start() -> anyhow::Result<Self> {
        let (parts, given) = sync_channel::<Arc<Vec<u8>>>(AHEAD);
        let make = move || given.iter().fold(Sha256::new(), |digest, part| digest.chain_update(&*part));
        let thread = thread::Builder::new().name("digest".into()).spawn(make).context("no thread for a digest")?;
        Ok(Self { parts, thread })
    }

    fn take(&self, part: Arc<Vec<u8>>) -> anyhow::Result<()> {
        self.parts.send(part).map_err(|_| anyhow!("the thread of a digest has ended: a defect"))
    }

    /// As hex digits.
    fn finish(self) -> anyhow::Result<String> {
        drop(self.parts);
        let digest = self.thread.join().map_err(|_| anyhow!("the thread of a digest panicked: a defect"))?;
        Ok(hex(&digest.finalize()))
    }
}

/// The header of a file of numpy's (format 1.0): rows x 60 x 23 of little-endian float32.
fn npy_header(rows: usize) -> Vec<u8> {
    let shape = format!("({rows}, {SEQUENCE_BARS}, {FEATURE_COUNT})");
    let mut words = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    let before = b"\x93NUMPY\x01\x00".len() + 2;
    let spaces = NPY_ALIGN - (before + words.len() + 1) % NPY_ALIGN;
    words.extend(std::iter::repeat_n(' ', spaces % NPY_ALIGN));
    words.push('\n');
    let length = u16::try_from(words.len()).unwrap_or(u16::MAX);
    [b"\x93NUMPY\x01\x00", &length.to_le_bytes()[..], words.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = Output::create(folder.path(), "x").unwrap();
        let mut whole = Vec::new();
        for part in 0..100_u8 {
            let bytes = vec![part; 1_000 * usize::from(part)];
            whole.extend_from_slice(&bytes);
            output.write(bytes).unwrap();
        }
        assert_eq!(output.finish().unwrap(), ("x", hex(&Sha256::digest(&whole))));
        assert_eq!(fs::read(folder.path().join("x")).unwrap(), whole);
    }

    #[test]
    fn the_header_is_numpys() {
        for rows in [0, 1, 4_801, 1_000_000, usize::MAX] {
            let header = npy_header(rows);
            assert_eq!(header.len() % NPY_ALIGN, 0);
            assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
            assert_eq!(usize::from(header[8]) + 256 * usize::from(header[9]), header.len() - 10);
            assert!(header.ends_with(b"\n") && header.starts_with(b"\x93NUMPY"));
            assert!(String::from_utf8_lossy(&header).contains(&format!("'shape': ({rows}, 60, 23), }}")));
        }
    }
}
