//! The README's table of metrics is made from the catalogue in the code. This test holds them together;
//! `SENTINEL_WRITE_README=1 cargo test --test readme` writes the table anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failing test panics

use sentinel_actors::adapters::prometheus::{FAMILIES, Family, Kind};
use std::{env, fs, path::Path};

const BEGIN: &str = "<!-- families: tests/readme.rs writes them -->\n";
const END: &str = "<!-- end of families -->";

fn row(family: &Family) -> String {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let labels = family.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>().join(", ");
    format!("| `{}` | {kind} | {labels} | {} |\n", family.name, family.help)
}

#[test]
fn the_readme_has_the_families_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the README marks where the table begins");
    let (table, after) = rest.split_once(END).expect("the README marks where the table ends");
    let rows: String = FAMILIES.iter().map(row).collect();
    let wanted = format!("| family | type | labels | meaning |\n|-|-|-|-|\n{rows}");
    if env::var_os("SENTINEL_WRITE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{wanted}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(table, wanted, "write it anew: SENTINEL_WRITE_README=1 cargo test --test readme");
}
