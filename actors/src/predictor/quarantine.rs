//! Symbols in quarantine: groups in which at least one symbol made the model refuse a whole request. Each group is requested
//! separately, after all other rows, until the model accepts it. Pure.

use super::PredictError;
use crate::domain::{features::FeatureSet, instrument::Symbol};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Rows of a cycle, by their index in it, that are requested together, and the model's last error for them.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub rows: Vec<usize>,
    pub error: PredictError,
}

/// The data that is kept between two cycles.
#[derive(Debug, Default)]
pub(super) struct Quarantine {
    groups: Vec<(Vec<Symbol>, PredictError)>,
    /// The symbols of the current cycle, in the order of its rows.
    symbols: Vec<Symbol>,
}

impl Quarantine {
    /// Begins a cycle. Returns the ordinary rows, and the groups in quarantine.
    pub(super) fn split(&mut self, rows: &[(Symbol, Arc<FeatureSet>)]) -> (Vec<usize>, Vec<Group>) {
        self.symbols = rows.iter().map(|(symbol, _)| symbol.clone()).collect();
        let places: HashMap<_, _> = self.symbols.iter().zip(0..).collect();
        let group = |(symbols, error): &(Vec<Symbol>, PredictError)| {
            let rows: Vec<usize> = symbols.iter().filter_map(|symbol| places.get(symbol).copied()).collect();
            (!rows.is_empty()).then(|| Group { rows, error: error.clone() })
        };
        let groups: Vec<_> = self.groups.iter().filter_map(group).collect();
        let quarantined: HashSet<usize> = groups.iter().flat_map(|group| &group.rows).copied().collect();
        ((0..rows.len()).filter(|row| !quarantined.contains(row)).collect(), groups)
    }

    /// Ends a cycle. From now on these groups are in quarantine, in this order, and those that had no row in the cycle.
    pub(super) fn remember(&mut self, groups: Vec<Group>) {
        let present: HashSet<_> = self.symbols.iter().collect();
        self.groups.retain(|(symbols, _)| !symbols.iter().any(|symbol| present.contains(symbol)));
        let symbols = |group: Group| (group.rows.iter().map(|&row| self.symbols[row].clone()).collect(), group.error);
        self.groups.extend(groups.into_iter().map(symbols));
    }
}
