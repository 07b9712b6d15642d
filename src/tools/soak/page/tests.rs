//! The page of one scrape and of ten thousand: nothing loaded, everything escaped.

use super::*;
use crate::tools::soak::{
    args::Args,
    findings::Ended,
    snapshot::{API_ERRORS, CYCLES, CYCLES_FAILED, NoSnapshot, Snapshot},
    verdict,
};
use chrono::DateTime;
use clap::Parser;
use std::collections::BTreeMap;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// A scrape with slowly rising values and a wave.
fn scrape(at: f64) -> Snapshot {
    let mut counters = BTreeMap::from([((CYCLES, Vec::new()), (at / 4.0).floor()), ((CYCLES_FAILED, Vec::new()), 0.0)]);
    counters.insert((API_ERRORS, vec!["<script>alert(1)</script>".into(), "500".into()]), at);
    let slow = (at / 90.0).floor();
    let buckets = || vec![(0.01, at - slow), (0.05, at - (slow / 2.0).floor()), (0.25, at), (f64::INFINITY, at)];
    Snapshot {
        process_started: Some(if at < 7_000.0 { 5.0 } else { 500.0 }),
        uptime_s: None,
        build: Some("0.1.0 (a&b)".into()),
        counters,
        timings: std::array::from_fn(|_| buckets()),
        memory_bytes: Some(2e7 + at * 40.0 + (at / 50.0).sin() * 1e5),
        open_files: Some(40.0 + (at % 7.0)),
        orders_unresolved: Some(0.0),
    }
}

fn page(scrapes: usize) -> String {
    let args = Cli::try_parse_from(["soak", "--minutes", "2500"]).unwrap().args;
    let mut record = Record::begin(scrape(0.0), 150_000.0, 15.0, 60.0);
    for at in 1..scrapes {
        let found = match at % 1_500 {
            0..100 if at > 1_000 => Err(NoSnapshot { kind: "connect".into(), what: "<b>refused</b>".into() }),
            _ => Ok(scrape(at as f64)),
        };
        record.push(at as f64 * 15.0, found);
    }
    report(&verdict::judged(&record, &args, DateTime::UNIX_EPOCH, Ended::Complete), &record)
}

#[test]
fn one_scrape_makes_a_page() {
    let page = page(1);
    assert_eq!(page.matches("<svg").count(), 12);
    assert!(page.contains("✗ NOT HEALTHY") && page.contains("none was due in this time"));
    assert!(page.contains("nothing observed") && !page.contains("NaN") && !page.contains("inf\""));
}

#[test]
fn ten_thousand_scrapes_make_a_page_that_loads_nothing() {
    let page = page(10_000);
    assert_eq!(page.matches("<svg").count(), 12);
    assert!(page.len() < 600_000, "{} bytes", page.len());
    assert!(page.contains("class=\"gap\"") && page.contains("class=\"restart\""));
    assert!(!page.contains("<script") && !page.contains("<b>refused") && page.contains("a&amp;b"));
    assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("url("));
    // To view it: SOAK_PAGE=/tmp/page.html cargo test ten_thousand_scrapes
    if let Some(path) = std::env::var_os("SOAK_PAGE") {
        std::fs::write(path, page).unwrap();
    }
}
