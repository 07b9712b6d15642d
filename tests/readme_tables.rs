//! Checks tables of the documents that the code knows: the dialects (`SENTINEL_WRITE_README=1 cargo test --test readme_tables`
//! writes them), the states of an order, the settings of `[study]`, `[paper]` and `[cluster]`, and the names of the features.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use sentinel_actors::{
    adapters::gateway::{DialectKind, DialectParams, dialect},
    domain::{features::FEATURE_NAMES, order_state::OrderState},
};
use std::{collections::BTreeSet, env, fs, path::PathBuf};

const BASE: &str = include_str!("../config/base.toml");
const BEGIN: &str = "<!-- dialects: tests/readme_tables.rs writes the table -->\n";
const END: &str = "<!-- end of dialects -->";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The cells of the rows of the table that begins with this line.
fn rows(document: &str, head: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(file(document)).unwrap();
    let (_, table) = text.split_once(head).unwrap_or_else(|| panic!("{document} has no table {head}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What is between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_dialects_can_what_the_page_says() {
    let kinds = [DialectKind::V43, DialectKind::Envelope, DialectKind::OrderSend, DialectKind::PlaceOrder];
    assert_eq!(
        BTreeSet::from(kinds.map(|kind| kind.as_str())),
        DialectKind::ALL.iter().map(|kind| kind.as_str()).collect()
    );
    let row = |what: &str, otherwise: &str, can: fn(DialectKind) -> bool| {
        let cells: Vec<_> = kinds.iter().map(|kind| if can(*kind) { "yes" } else { otherwise }).collect();
        format!("| {what} | {} |\n", cells.join(" | "))
    };
    let head = format!("| | {} |\n|-|-|-|-|-|\n", kinds.map(|kind| format!("`{kind}`")).join(" | "));
    let wanted = [
        head,
        row("reply must repeat the order's id", "no", |kind| dialect(kind, DialectParams::default()).echoes_id()),
        row("order has volume and stops", "no: the gateway has its own", DialectKind::says_terms),
        row("handshake", "no: `gateway.i_checked_it_by_hand` instead", DialectKind::has_handshake),
        row("reports account and positions, can close", "no", DialectKind::has_account),
        row("proof of unknown orders", "no", DialectKind::has_proof),
    ]
    .concat();
    let page = file("actors/README.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page marks where the table begins");
    let (table, after) = rest.split_once(END).expect("the page marks where the table ends");
    if env::var_os("SENTINEL_WRITE_README").is_some() {
        fs::write(page, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "write it: SENTINEL_WRITE_README=1 cargo test --test readme_tables");
}

#[test]
fn an_order_takes_the_steps_of_the_page() {
    let rows = rows("actors/README.md", "| state | meaning | next state |");
    let states: Vec<_> = rows.iter().map(|row| quoted(&row[0])[0]).collect();
    assert_eq!(states, OrderState::ALL.map(OrderState::as_str));
    for (row, state) in rows.iter().zip(OrderState::ALL) {
        let next = OrderState::ALL.into_iter().filter(|next| state.may_become(*next)).map(OrderState::as_str);
        assert_eq!(row.get(2).map(|cell| quoted(cell)).unwrap_or_default(), next.collect::<Vec<_>>(), "{state}");
    }
}

/// The keys of a section of base.toml, in its order.
fn keys_of(section: &str) -> Vec<String> {
    let (_, text) = BASE.split_once(&format!("\n[{section}]\n")).unwrap();
    let keys = text.lines().take_while(|line| !line.starts_with('[')).filter_map(|line| {
        let (key, _) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
        (!key.contains(' ')).then(|| format!("{section}.{key}"))
    });
    keys.collect()
}

#[test]
fn paper_and_cluster_have_the_settings_of_the_page() {
    let page = fs::read_to_string(file("config/README.md")).unwrap();
    for (title, name) in [("Paper", "paper"), ("Cluster", "cluster")] {
        let (_, section) = page.split_once(&format!("\n## {title}\n")).unwrap();
        let rows = section.lines().take_while(|line| !line.starts_with("## ")).filter(|line| line.starts_with("| `"));
        let prefix = format!("{name}.");
        assert_eq!(rows.flat_map(quoted).filter(|key| key.starts_with(&prefix)).collect::<Vec<_>>(), keys_of(name));
    }
}

#[test]
fn the_study_has_the_settings_of_the_page() {
    let page = fs::read_to_string(file("config/README.md")).unwrap();
    let (_, example) = page.split_once("```toml\n[study]\n").expect("the page has an example of [study]");
    let (study, rest) = example.split_once("[model]\n").expect("and of [model]");
    let own: Vec<_> =
        study.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| format!("study.{key}")).collect();
    assert_eq!(own, keys_of("study"));
    assert!(rest.starts_with("trained_until = "));
    let (text, _) = example.split_once("```").unwrap();
    format!("[study]\n{text}").parse::<toml::Table>().expect("the example is TOML");
}

#[test]
fn the_features_of_the_page_are_those_of_the_code_in_their_order() {
    let page = fs::read_to_string(file("config/model/README.md")).unwrap();
    let numbered = page.lines().filter_map(|line| {
        let (number, rest) = line.strip_prefix("| ")?.split_once(" | `")?;
        Some((number.parse::<usize>().ok()?, rest.split('`').next()?.to_owned()))
    });
    let features: Vec<_> = FEATURE_NAMES.iter().map(|name| (*name).to_owned()).enumerate().collect();
    assert_eq!(numbered.collect::<Vec<_>>(), features);
}
