//! Recorded features against those that were made again, bit for bit. A study of recorded odds compares by the same function.

use super::decision_inputs::{Difference, difference};
use crate::bar_files::hex;
use sentinel_actors::{
    adapters::journal::{ReplayRow, sequence_sha256},
    domain::features::{FEATURE_NAMES, FeatureError, FeatureSet, InvalidValues},
};

/// Compares the features of a decision, or why it has none.
pub(super) fn features(
    row: &ReplayRow,
    built: Result<(FeatureSet, InvalidValues), FeatureError>,
) -> Result<Option<Box<FeatureSet>>, Difference> {
    let (features, _) = match (built, &row.features) {
        (Ok(built), Some(_)) => built,
        (Ok(_), None) => match &row.failure {
            Some((stage, kind)) if stage == "features" => return Err(difference("features", kind, "built")),
            // A model that answered was asked with features.
            _ if row.odds.is_some() => return Err(difference("features", "none", "built")),
            // The stage before them was cut short by the end of the daemon, or by a panic.
            _ => return Ok(None),
        },
        (Err(error), None) => match &row.failure {
            Some((stage, kind)) if stage != "features" || kind == error.kind() => return Ok(None),
            other => {
                let recorded = other.as_ref().map_or("none", |(_, kind)| kind);
                return Err(difference("features", recorded, error.kind()));
            }
        },
        (Err(error), Some(_)) => return Err(difference("features", "built", error.kind())),
    };
    same(row.features.as_deref().unwrap_or_default(), row.sequence_sha256.as_deref(), &features)?;
    Ok(Some(Box::new(features)))
}

/// Whether recorded features (f64, little-endian) and the recorded digest of the sequence are those of `made`, bit for bit.
///
/// # Errors
/// The first that is not.
pub fn same(recorded: &[u8], digest: Option<&[u8]>, made: &FeatureSet) -> Result<(), Difference> {
    let recorded = recorded.as_chunks::<8>().0;
    if recorded.len() != FEATURE_NAMES.len() {
        return Err(difference("features", recorded.len(), FEATURE_NAMES.len()));
    }
    for ((name, recorded), replayed) in FEATURE_NAMES.iter().zip(recorded).zip(&made.tabular) {
        if *recorded != replayed.to_le_bytes() {
            return Err(difference(name, f64::from_le_bytes(*recorded), replayed));
        }
    }
    let replayed = sequence_sha256(&made.sequence);
    if digest != Some(&replayed) {
        return Err(difference("sequence_sha256", digest.map_or_else(String::new, hex), hex(&replayed)));
    }
    Ok(())
}
