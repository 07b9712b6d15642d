//! The direction of imports, held: a stage that knew its neighbour could not be replaced or tested alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use std::{
    fs,
    path::{Path, PathBuf},
};

const STAGES: [&str; 7] = ["fetcher", "feature_builder", "predictor", "signal_sender", "journal", "metrics", "deadman"];
const DOMAIN_CRATES: [&str; 9] =
    ["std", "core", "serde", "thiserror", "uuid", "chrono", "chrono_tz", "croner", "crate"];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// A file's code without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    product.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that a file names, `crate::domain::bar` as `domain`.
fn modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a::.., b::{..}}`: the names at the group's own level.
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    _ if depth == 0 => name.push(c),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.to_owned());
        }
    }
    let first = |path: String| path.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    found.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

/// Which stage, if any, a file belongs to: `fetcher.rs` or a file under `fetcher/`.
fn stage_of(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy().into_owned();
    STAGES
        .into_iter()
        .find(|stage| text.ends_with(&format!("src/{stage}.rs")) || text.contains(&format!("src/{stage}/")))
}

fn is_test_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "tests.rs") || path.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn imports_run_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in rust_files(&source).into_iter().filter(|path| !is_test_file(path)) {
        let relative = path.strip_prefix(&source).unwrap().to_string_lossy().into_owned();
        let allowed: Vec<&str> = if relative.starts_with("domain") {
            vec!["domain"]
        } else if relative.starts_with("adapters") {
            vec!["domain", "adapters"]
        } else if relative.starts_with("messages") {
            vec!["domain", "messages"]
        } else if let Some(stage) = stage_of(&path) {
            vec!["domain", "adapters", "messages", stage]
        } else if relative.starts_with("cycle") {
            vec!["domain", "messages", "cycle"]
        } else if relative == "scheduler.rs" || relative == "lib.rs" {
            vec!["domain", "messages", "cycle", "scheduler"]
        } else {
            panic!("{relative} belongs to no layer: say here what it may import");
        };
        for module in modules(&code(&path)) {
            seen += 1;
            if !allowed.contains(&module.as_str()) {
                wrong.push(format!("{relative} imports {module}"));
            }
        }
    }
    assert!(seen > 30, "the imports were not found any more: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_domain_knows_no_outside() {
    let domain = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src/domain");
    for path in rust_files(&domain).into_iter().filter(|path| !is_test_file(path)) {
        for line in code(&path).lines().filter_map(|line| line.trim().strip_prefix("use ").map(str::to_owned)) {
            let root: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let own = root == "self" || root == "super" || DOMAIN_CRATES.contains(&root.as_str());
            let local = path.parent().unwrap().join(format!("{root}.rs")).exists()
                || path.with_extension("").join(format!("{root}.rs")).exists();
            assert!(own || local, "{}: use {line}", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_owns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "actors/src", "actors/benches", "tests"] {
        for path in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} opens without a //! line", path.display());
        }
    }
}

#[test]
fn few_files_are_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = ["src", "actors/src"].iter().flat_map(|folder| rust_files(&root.join(folder))).collect();
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<_> = files.iter().map(|path| (lines(path), path)).filter(|(count, _)| *count > 300).collect();
    assert!(long.len() * 10 <= files.len(), "more than a tenth of {} files is over 300 lines: {long:#?}", files.len());
    assert!(long.iter().all(|(count, _)| *count <= 500), "{long:#?}");
    assert!(lines(&root.join("src/main.rs")) < 50);
}
