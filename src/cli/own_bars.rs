//! `--bars FILE` of the demo and of its market: a person's own bars instead of the recorded ones.

use crate::{
    bar_files::{BadFile, Zone, symbol_of},
    sandbox::recording::Recording,
};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct OwnBars {
    /// Your own bars instead of the recorded EUR/USD ones: a file as for `sentinel dataset`, named after the symbol, with at
    /// least 500 bars of 1m, 5m or 1h. Those of 15m, 30m, 4h and 1d are refused: the market here has what EODHD has, and
    /// Sentinel makes them of finer ones
    #[arg(long, value_name = "FILE")]
    bars: Option<PathBuf>,
    /// Time zone of MetaTrader's export: America/New_York+7 is New York time plus 7 hours
    #[arg(long, value_name = "ZONE", requires = "bars", value_parser = str::parse::<Zone>)]
    time_zone: Option<Zone>,
}

/// Bars that were read, and how a person knows them.
#[derive(Debug, Clone)]
pub(super) struct Own {
    /// Of the file's name.
    pub symbol: String,
    /// As it was said.
    pub file: String,
    /// What is in it.
    pub recording: Recording,
}

impl OwnBars {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// What is wrong with it, by its line.
    pub(super) fn read(&self) -> Result<Option<Own>, BadFile> {
        let read = |path: &PathBuf| {
            let recording = Recording::of_file(path, self.time_zone.as_ref())?;
            Ok(Own { symbol: symbol_of(path), file: path.display().to_string(), recording })
        };
        self.bars.as_ref().map(read).transpose()
    }
}
