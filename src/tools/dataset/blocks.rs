//! The features of a source, block by block: made on all cores, handed on in order.

use super::{Recipe, source::Source};
use crate::bar_files::BadFile;
use sentinel_actors::domain::features::{FEATURE_COUNT, FeatureError, FeatureSet, SEQUENCE_BARS, Windows};
use std::{
    io::Write,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

/// Rows of a block: 2.8 MB of sequences.
const BLOCK_ROWS: usize = 512;
/// Blocks that each core may be ahead of the disk.
const AHEAD: usize = 2;

/// A row of `sequence.npy`, float32.
const SEQUENCE_BYTES: usize = SEQUENCE_BARS * FEATURE_COUNT * size_of::<f32>();
/// About a line of `tabular.csv`, with its 23 numbers.
const LINE_BYTES: usize = 440;
/// About a line of `index.csv`.
const INDEX_BYTES: usize = 40;

/// Rows as they are written.
pub(super) struct Block {
    /// How many.
    pub rows: usize,
    /// Lines of `tabular.csv`.
    pub tabular: Vec<u8>,
    /// Numbers of `sequence.npy`; empty if there is none.
    pub sequence: Vec<u8>,
    /// Lines of `index.csv`.
    pub index: Vec<u8>,
}

/// Makes all blocks and hands them to `write`, the oldest first.
///
/// # Errors
/// A bar whose features the model must not see, by its line; those of `write`.
pub(super) fn of(
    source: &Source,
    recipe: &Recipe,
    mut write: impl FnMut(Block) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let blocks: Vec<&[usize]> = source.ends.chunks(BLOCK_ROWS).collect();
    let cores = thread::available_parallelism().map_or(1, usize::from).min(blocks.len());
    thread::scope(|scope| {
        let mut lines = Vec::with_capacity(cores);
        for core in 0..cores {
            let (send, receive) = sync_channel(AHEAD);
            let mine: Vec<_> = blocks.iter().skip(core).step_by(cores).copied().collect();
            scope.spawn(move || make(&mine, source, recipe, &send));
            lines.push(receive);
        }
        // Each core makes every n-th block, so that they come in order by asking the cores in turn. Whoever is left when
        // this ends early finds that its blocks are no longer taken, and ends, too.
        for number in 0..blocks.len() {
            let made = lines[number % cores].recv();
            write(made.map_err(|_| anyhow::anyhow!("the features of a block were not made: a defect"))??)?;
        }
        Ok(())
    })
}

fn make(blocks: &[&[usize]], source: &Source, recipe: &Recipe, send: &SyncSender<Result<Block, BadFile>>) {
    for ends in blocks {
        if send.send(block(ends, source, recipe)).is_err() {
            return;
        }
    }
}

fn block(ends: &[usize], source: &Source, recipe: &Recipe) -> Result<Block, BadFile> {
    let rows = ends.len();
    let sequence_bytes = if recipe.has_sequence { rows * SEQUENCE_BYTES } else { 0 };
    let mut block = Block {
        rows,
        tabular: Vec::with_capacity(rows * LINE_BYTES),
        sequence: vec![0; sequence_bytes],
        index: Vec::with_capacity(rows * INDEX_BYTES),
    };
    let newest = ends.first().map_or(0..0, |first| *first..ends.last().unwrap_or(first) + 1);
    let windows = Windows::new(&source.bars, newest, recipe.time_columns);
    let mut features = FeatureSet::default();
    let mut sequences = block.sequence.chunks_exact_mut(SEQUENCE_BYTES);
    for end in ends {
        windows.build(source.window(*end), &mut features).map_err(|error| {
            source.bad_bar(
                *end,
                match error {
                    FeatureError::InvalidValues(_) => {
                        "a feature of this bar is beyond float32: can its prices and its volume be true?"
                    }
                    FeatureError::TooFewBars { .. } => "the window has too few bars",
                },
            )
        })?;
        for (column, value) in features.tabular.iter().enumerate() {
            let comma = if column == 0 { "" } else { "," };
            // Writing to memory cannot fail, here and below.
            let _ = write!(block.tabular, "{comma}{value}");
        }
        block.tabular.push(b'\n');
        if let Some(sequence) = sequences.next() {
            let places = sequence.as_chunks_mut::<4>().0;
            for (place, value) in places.iter_mut().zip(features.sequence.as_flattened()) {
                *place = value.to_le_bytes();
            }
        }
        let bar = &source.bars[*end];
        let close_time = bar.close_time(recipe.interval, &recipe.calendar);
        let _ = writeln!(block.index, "{},{close_time},{},{end}", source.symbol, bar.close);
    }
    Ok(block)
}
