//! The three files of a dataset, written from begin to end and hashed on the way.

use super::blocks::Block;
use crate::bar_files::hex;
use anyhow::Context;
use sentinel_actors::domain::features::{FEATURE_COUNT, FEATURE_NAMES, SEQUENCE_BARS};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

/// numpy wants its header to end at a multiple of this.
const NPY_ALIGN: usize = 64;

/// The open files.
pub(super) struct Files {
    tabular: Hashed,
    sequence: Option<Hashed>,
    index: Hashed,
}

impl Files {
    /// Makes the folder and the files, which will have so many rows.
    pub(super) fn begin(folder: &Path, rows: usize, has_sequence: bool) -> anyhow::Result<Self> {
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut files = Self {
            tabular: Hashed::create(folder, "tabular.csv")?,
            sequence: if has_sequence { Some(Hashed::create(folder, "sequence.npy")?) } else { None },
            index: Hashed::create(folder, "index.csv")?,
        };
        files.tabular.write(format!("{}\n", FEATURE_NAMES.join(",")).as_bytes())?;
        files.index.write(b"symbol,bar_close_time,close\n")?;
        if let Some(sequence) = &mut files.sequence {
            sequence.write(&npy_header(rows))?;
        }
        Ok(files)
    }

    pub(super) fn write(&mut self, block: &Block) -> anyhow::Result<()> {
        self.tabular.write(&block.tabular)?;
        self.index.write(&block.index)?;
        self.sequence.as_mut().map_or(Ok(()), |sequence| sequence.write(&block.sequence))
    }

    /// The SHA-256 of each, as hex digits.
    pub(super) fn finish(self) -> anyhow::Result<BTreeMap<&'static str, String>> {
        let files = [Some(self.tabular), self.sequence, Some(self.index)].into_iter().flatten();
        files.map(Hashed::finish).collect()
    }
}

struct Hashed {
    name: &'static str,
    path: PathBuf,
    file: File,
    digest: Sha256,
}

impl Hashed {
    fn create(folder: &Path, name: &'static str) -> anyhow::Result<Self> {
        let path = folder.join(name);
        let file = File::create_new(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { name, path, file, digest: Sha256::new() })
    }

    /// Blocks are large: nothing is gained by a buffer.
    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes).with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(self) -> anyhow::Result<(&'static str, String)> {
        self.file.sync_all().with_context(|| format!("cannot write {}", self.path.display()))?;
        Ok((self.name, hex(&self.digest.finalize())))
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
