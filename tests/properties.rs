//! The fuzz targets' functions with their seeds, damaged seeds, and random input; `tests/fuzz/run.sh` searches longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics
#![allow(missing_docs)]

#[path = "fuzz/entrances/mod.rs"]
mod entrances;

use entrances::{bars, gateway_reply, model_answer, settings};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{fs, path::Path};

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut seeds: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    seeds.sort();
    assert!(!seeds.is_empty());
    seeds
}

/// One change to a seed.
#[derive(Debug, Clone)]
enum Damage {
    Replace(u8),
    Remove(usize),
    Repeat(usize),
    Insert(&'static str),
    Cut,
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, Damage)> {
    let words =
        ["null", "NaN", "-0.0", "1e999", "9223372036854775808", "\"\"", "{", "}", "[", "]", ",", "\0", "\u{2028}"];
    let damage = prop_oneof![
        any::<u8>().prop_map(Damage::Replace),
        (1..40_usize).prop_map(Damage::Remove),
        (1..40_usize).prop_map(Damage::Repeat),
        prop::sample::select(words.to_vec()).prop_map(Damage::Insert),
        Just(Damage::Cut),
    ];
    (any::<prop::sample::Index>(), damage)
}

fn damaged(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Damage)]) -> Vec<u8> {
    for (index, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = index.index(bytes.len());
        let end = |length: &usize| (at + length).min(bytes.len());
        match change {
            Damage::Replace(byte) => bytes[at] = *byte,
            Damage::Remove(length) => drop(bytes.drain(at..end(length))),
            Damage::Repeat(length) => {
                let part = bytes[at..end(length)].to_vec();
                bytes.splice(at..at, part);
            }
            Damage::Insert(word) => drop(bytes.splice(at..at, word.bytes())),
            Damage::Cut => bytes.truncate(at),
        }
    }
    bytes
}

/// Seeds named good are accepted, so that the search begins with valid input; then damaged seeds and random input.
fn holds(target: &str, enter: fn(&[u8]) -> bool) {
    let seeds = seeds(target);
    for (name, bytes) in &seeds {
        assert!(enter(bytes) || !name.starts_with("good_"), "{target}/{name}");
    }
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let seed = prop::sample::select(seeds.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>());
    let input = prop_oneof![
        7 => (seed, prop::collection::vec(damage(), 1..6)).prop_map(|(seed, changes)| damaged(seed, &changes)),
        1 => prop::collection::vec(any::<u8>(), 0..500),
    ];
    let outcome = TestRunner::new(config).run(&input, |bytes| {
        enter(&bytes);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{target}: {error}");
    }
}

#[test]
fn no_market_answer_yields_an_invalid_bar() {
    holds("bars", bars::enter);
}

#[test]
fn no_model_answer_yields_invalid_odds() {
    holds("model_answer", model_answer::enter);
}

#[test]
fn no_gateway_reply_proves_more_than_it_contains() {
    holds("gateway_reply", gateway_reply::enter);
}

#[test]
fn accepted_settings_can_run_a_daemon() {
    holds("settings", settings::enter);
}
