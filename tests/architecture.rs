//! Checks the direction of imports, so that each stage can be replaced or tested alone, and the layout of files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

#[path = "architecture/imports.rs"]
mod imports;

use imports::{Crate, circles, code, is_test_file, rust_files};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const STAGES: [&str; 9] = [
    "fetcher",
    "feature_builder",
    "predictor",
    "signal_sender",
    "journal",
    "archive",
    "metrics",
    "deadman",
    "guardian",
];
/// sha2 is arithmetic: the shard of a symbol is a part of its digest.
const DOMAIN_CRATES: [&str; 10] =
    ["std", "core", "serde", "thiserror", "uuid", "chrono", "chrono_tz", "croner", "sha2", "crate"];

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
    assert!(seen > 30, "too few imports were found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Adapters that use another one, and which. What is used is shared by all, and no system of its own.
const SHARED_BY_ADAPTERS: [(&str, &[&str]); 8] = [
    ("eodhd", &["json"]),
    ("mlflow", &["json"]),
    ("gateway", &["json"]),
    ("journal", &["fail_points"]),
    ("prometheus", &["endpoint"]),
    ("deadman", &["http", "json"]),
    ("etcd", &["http", "json", "patient_file"]),
    // The certificate and key of a client are files.
    ("http", &["patient_file"]),
];

#[test]
fn no_adapter_uses_another_system() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("actors/src");
    let uses = Crate::read(&source);
    let adapter_of = |file: &str| {
        let name = file.strip_prefix("adapters/")?.split(['/', '.']).next()?;
        Some(name.to_owned())
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (file, used) in uses.uses() {
        let Some(adapter) = adapter_of(file) else { continue };
        for (used, other) in used.iter().filter_map(|used| Some((used, adapter_of(used)?))) {
            seen += 1;
            let is_shared =
                SHARED_BY_ADAPTERS.iter().any(|(it, with)| *it == adapter && with.contains(&other.as_str()));
            if other != adapter && !is_shared {
                wrong.push(format!("{file} uses {used}"));
            }
        }
    }
    assert!(seen >= SHARED_BY_ADAPTERS.len(), "too few imports were found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each room of `src` and those that it may use. All of them use `sentinel_actors`.
const ROOMS: [(&str, &[&str]); 8] = [
    ("cli", &["tools", "daemon", "sandbox", "bar_files", "settings", "process", "net"]),
    // `verify model` uses the recorded bars.
    ("tools", &["sandbox", "bar_files", "settings", "process", "net"]),
    ("daemon", &["settings", "process", "net"]),
    ("sandbox", &["bar_files", "settings", "process"]),
    ("bar_files", &[]),
    ("settings", &["process", "net"]),
    ("process", &[]),
    ("net", &[]),
];

#[test]
fn rooms_are_used_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let uses = Crate::read(&source);
    let room_of = |file: &str| file.split(['/', '.']).next().unwrap().to_owned();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (file, used) in uses.uses() {
        // main.rs, lib.rs and the build script are above the rooms.
        if ["main.rs", "lib.rs", "build_script.rs"].contains(&file) {
            continue;
        }
        let room = room_of(file);
        let (_, allowed) =
            ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("{file} belongs to no room"));
        for used in used {
            let other = room_of(used);
            assert!(ROOMS.iter().any(|(name, _)| *name == other), "{file} uses {used}, which is above the rooms");
            seen += 1;
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{file} uses {used}"));
            }
        }
    }
    assert!(seen > 200, "too few imports were found: {seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for source in ["src", "actors/src"] {
        let files = Crate::read(&root.join(source));
        let found: BTreeSet<_> = circles(&files.uses());
        assert!(found.is_empty(), "{source}: {found:#?}");
    }
}

#[test]
fn the_domain_imports_nothing_from_outside() {
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
fn every_file_begins_with_its_purpose() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "actors/src", "actors/benches", "tests"] {
        for path in rust_files(&root.join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("//!"), "{} begins without a //! line", path.display());
        }
    }
}

/// Public types whose name stood for several things, or for nothing that the trade knows, and the word to use.
const STRUCK_TYPES: [(&str, &str); 12] = [
    ("Debts", "Unwritten"),
    ("Desk", "OrderManager, or Broker"),
    ("Fate", "Outcome"),
    ("Line", "GatewaySession, LogRecord, or what the line is"),
    ("PayOff", "FlushUnwritten"),
    ("Said", "the state that is logged"),
    ("Stock", "Standing"),
    ("Supervisor", "ServiceManager"),
    ("TakeStock", "ReadStanding"),
    ("ToldAccount", "ReportedAccount"),
    ("ToldGauge", "ReportedGauge"),
    ("ToldOf", "AccountReports"),
];
/// Public types of which there is one in both crates: a second meaning needs a second word.
const DEFINED_ONCE: [&str; 4] = ["BarOutcome", "Outcome", "PaperAccount", "PaperTotals"];
/// Files whose name said nothing of what is in them, and what to call them.
const STRUCK_FILES: [(&str, &str); 25] = [
    ("ask", "the request that it sends"),
    ("build", "build_info, or build_script"),
    ("core", "what it does"),
    ("debts", "unwritten"),
    ("desk", "order_manager, or broker"),
    ("earlier", "earlier_orders"),
    ("fate", "outcome"),
    ("gate", "handshake_gate, or password_gate"),
    ("given", "whose inputs they are"),
    ("keep_up", "reconcile"),
    ("line", "gateway_session, or sample_line"),
    ("look", "what it looks at"),
    ("owed", "unwritten_outcomes"),
    ("parts", "what they are parts of, or what is done with them"),
    ("proof", "reconcile"),
    ("question", "what it asks for"),
    ("reference", "what it refers to"),
    ("scratch", "what it holds"),
    ("signals", "unix_signals, or trading signals by their stage"),
    ("stock", "standing"),
    ("supervisor", "systemd"),
    ("told", "reported, or who reports what"),
    ("values", "what they are values of"),
    ("when", "the moment that it finds"),
    ("words", "the text that it makes"),
];

/// The name of the public type that a line defines.
fn public_type(line: &str) -> Option<&str> {
    let item = line.trim_start().strip_prefix("pub ")?;
    let rest = ["struct ", "enum ", "trait ", "type "].iter().find_map(|keyword| item.strip_prefix(keyword))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[test]
fn one_word_stands_for_one_thing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let instead = |struck: &[(&str, &str)], name: &str| {
        struck.iter().find(|(word, _)| *word == name).map(|(_, instead)| (*instead).to_owned())
    };
    let (mut wrong, mut types) = (Vec::new(), 0);
    let mut defined = BTreeMap::from(DEFINED_ONCE.map(|name| (name.to_owned(), 0)));
    for path in ["src", "actors/src"].iter().flat_map(|source| rust_files(&root.join(source))) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if let Some(instead) = instead(&STRUCK_FILES, &stem) {
            wrong.push(format!("{}: {instead}", path.display()));
        }
        for name in fs::read_to_string(&path).unwrap().lines().filter_map(public_type) {
            types += 1;
            defined.entry(name.to_owned()).and_modify(|count| *count += 1);
            if let Some(instead) = instead(&STRUCK_TYPES, name) {
                wrong.push(format!("{}: {name}: {instead}", path.display()));
            }
        }
    }
    assert!(types > 300, "too few public types were found: {types}");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(defined.values().all(|count| *count == 1), "public types of this name: {defined:?}");
    assert_eq!(public_type("pub struct Desk<'a> {"), Some("Desk"));
    assert_eq!(public_type("    pub(super) struct Desk;"), None);
}

/// A module `x` is `x.rs` with its parts in `x/`, and long tests are in `x/tests.rs`.
#[test]
fn modules_and_tests_are_named_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "actors/src"].iter().flat_map(|source| rust_files(&root.join(source))) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(name != "mod.rs" && !name.ends_with("_tests.rs"), "{}", path.display());
        assert!(!fs::read_to_string(&path).unwrap().contains("#[path"), "{}", path.display());
    }
}

#[test]
fn few_files_are_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<PathBuf> = ["src", "actors/src"].iter().flat_map(|folder| rust_files(&root.join(folder))).collect();
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<_> = files.iter().map(|path| (lines(path), path)).filter(|(count, _)| *count > 300).collect();
    assert!(
        long.len() * 10 <= files.len(),
        "more than a tenth of {} files have over 300 lines: {long:#?}",
        files.len()
    );
    assert!(long.iter().all(|(count, _)| *count <= 500), "{long:#?}");
    assert!(lines(&root.join("src/main.rs")) < 50);
}

/// The names of the tests in a file: what is a function right after a `#[test]` of any kind.
fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        is_test |= ["#[test]", "#[actix::test", "#[actix_rt::test"].iter().any(|it| line.starts_with(it));
        let code = ["pub ", "async "].iter().fold(line, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        if let Some(rest) = code.strip_prefix("fn ") {
            names.extend(std::mem::take(&mut is_test).then(|| rest.split('(').next().unwrap()));
        }
    }
    names
}

/// tests/README.md asks for ten words. These limits may only fall.
#[test]
fn names_of_tests_are_short() {
    const WORDS_MAX: usize = 14;
    const OVER_TEN_MAX: usize = 329;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "actors/src", "actors/tests", "tests"];
    let texts: Vec<_> = folders.iter().flat_map(|folder| rust_files(&root.join(folder))).collect();
    let texts: Vec<_> = texts.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let names: Vec<_> = texts.iter().flat_map(|text| test_names(text)).collect();
    let words = |name: &str| name.split('_').count();
    assert!(names.len() > 1_000, "too few tests were found: {}", names.len());
    let long: Vec<_> = names.iter().filter(|name| words(name) > WORDS_MAX).collect();
    assert!(long.is_empty(), "{long:#?}");
    let over_ten = names.iter().filter(|name| words(name) > 10).count();
    assert!(over_ten <= OVER_TEN_MAX, "{over_ten} names of {} have more than ten words", names.len());
}

#[test]
fn names_of_python_tests_have_ten_words_at_most() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let is_test = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("test_"));
    let folder = fs::read_dir(root.join("tests/system")).unwrap().map(|entry| entry.unwrap().path());
    let texts: Vec<_> = folder.filter(is_test).map(|path| fs::read_to_string(path).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim_start);
    let names: Vec<_> = lines.filter_map(|line| line.strip_prefix("def test_")?.split('(').next()).collect();
    assert!(names.len() > 400, "too few tests were found: {}", names.len());
    let long: Vec<_> = names.iter().filter(|name| name.split('_').count() > 10).collect();
    assert!(long.is_empty(), "{long:#?}");
}
