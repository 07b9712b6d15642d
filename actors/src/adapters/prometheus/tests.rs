//! The exposition compared with the contract, which the system tests hold as a table.

use super::*;
use crate::adapters::prometheus::Format;
use std::collections::{BTreeMap, BTreeSet};

/// A family that HUB has known from the beginning.
struct Original {
    name: &'static str,
    kind: &'static str,
    labels: Vec<&'static str>,
    help: &'static str,
    /// The `le` values of its buckets, as Prometheus stores them.
    bounds: Vec<String>,
}

/// The rows with a bold name, and of their buckets the bold ones, in the order of the table.
fn contract() -> Vec<Original> {
    let table = include_str!("../../../../tests/system/data/catalogue.md");
    let original = |row: &'static str| {
        let [_, name, kind, labels, _, bounds, help, _] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let bold = bounds.split(' ').filter_map(|bound| bound.strip_prefix("**")?.strip_suffix("**"));
        Original {
            name: name.trim_matches('*'),
            kind,
            labels: labels.split("; ").filter_map(|label| Some(label.split_once('=')?.0)).collect(),
            help,
            bounds: bold.map(|bound| format!("{:?}", bound.parse::<f64>().unwrap())).collect(),
        }
    };
    table.lines().filter(|row| row.starts_with("| **")).map(original).collect()
}

fn given() -> Given {
    let build = BuildInfo { version: "0.1.0".into(), revision: "abc1234".into(), rustc: "1.85.0".into() };
    let now = std::time::Duration::from_millis(1_500_000_000_250);
    Given { symbols: vec![Symbol::new("EURUSD"), Symbol::new("USDJPY")], build, now }
}

/// The families with samples from the start.
fn there() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().filter(|family| !family.is_absent_at_first)
}

fn text() -> String {
    encoded(Format::Text)
}

fn encoded(format: Format) -> String {
    String::from_utf8(Metrics::new(&given()).unwrap().encode(format).to_vec()).unwrap()
}

/// The names in the order of their `# TYPE` lines, and every sample by series.
fn parse(text: &str) -> (Vec<(&str, &str)>, BTreeMap<&str, &str>) {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap());
    (types, samples.collect())
}

#[test]
fn the_eighteen_come_first_exactly_as_agreed() {
    let text = text();
    let (types, samples) = parse(&text);
    let contract = contract();
    assert_eq!(contract.len(), 18);
    for (Original { name, kind, labels, help, bounds }, (shown_name, shown_kind)) in contract.iter().zip(types) {
        assert_eq!((*name, *kind), (shown_name, shown_kind));
        assert!(text.contains(&format!("# HELP {name} {help}\n")), "{name}");
        let family = FAMILIES.iter().find(|family| family.name == *name).unwrap();
        assert_eq!(family.labels.iter().map(|(label, _)| *label).collect::<Vec<_>>(), *labels);
        assert_eq!(bounds.is_empty(), *kind != "histogram", "{name}");
        let beyond = (*kind == "histogram").then_some("+Inf");
        for bound in bounds.iter().map(String::as_str).chain(beyond) {
            let series = format!("{name}_bucket{{le=\"{bound}\"}}");
            assert_eq!(samples.get(series.as_str()), Some(&"0"), "{series}");
        }
    }
    assert_eq!(samples["sentinel_api_errors_total{endpoint=\"hub\",error_code=\"exception\"}"], "0");
    assert_eq!(samples["sentinel_trading_signals_total{action=\"HOLD\"}"], "0");
}

#[test]
fn every_family_of_the_catalogue_is_there_once_with_all_its_series_at_zero() {
    let text = text();
    let (types, samples) = parse(&text);
    let catalogue = there().map(|family| {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        (family.name, kind)
    });
    assert_eq!(types, catalogue.collect::<Vec<_>>(), "the order is the catalogue's, without what nobody has told");

    let mut expected = BTreeSet::new();
    for family in there() {
        assert_eq!(text.matches(&format!("# HELP {} {}\n", family.name, family.help)).count(), 1, "{}", family.name);
        for values in family.children(&given()) {
            // The registry sorts a child's labels by name.
            let pairs = family.labels.iter().zip(&values).map(|((label, _), value)| format!("{label}=\"{value}\""));
            let pairs = pairs.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(",");
            let series = if pairs.is_empty() { family.name.to_owned() } else { format!("{}{{{pairs}}}", family.name) };
            if family.kind == Kind::Histogram {
                // Go, and thus Prometheus, writes exponents with two digits.
                let spelled = |bound: &f64| format!("{bound:?}").replace("e-5", "e-05");
                for bound in family.buckets.iter().map(spelled).chain(["+Inf".to_owned()]) {
                    expected.insert(format!("{series}_bucket{{le=\"{bound}\"}}"));
                }
                // Observations below zero would make a sum fall.
                if family.buckets[0] >= 0.0 {
                    expected.extend([format!("{series}_sum"), format!("{series}_count")]);
                }
            } else {
                expected.insert(series);
            }
        }
    }
    assert_eq!(samples.keys().map(|series| (*series).to_owned()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), expected.len(), "no series twice");
    for (series, value) in samples {
        assert_eq!(value, "0", "{series}");
    }
}

#[test]
fn openmetrics_has_the_same_samples_and_the_metadata_it_wants() {
    let (text, open) = (text(), encoded(Format::OpenMetrics));
    let samples =
        |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let shared = samples(&open).into_iter().filter(|line| !line.contains("_created")).collect::<Vec<_>>();
    assert_eq!(samples(&text), shared, "in the same order, too");
    let described = open.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let mut expected = Vec::new();
    for Family { name, help, kind, unit, .. } in there() {
        let name = name.trim_end_matches("_total");
        expected.push(format!("# TYPE {name} {}", format!("{kind:?}").to_lowercase()));
        if ["seconds", "bytes", "points"].contains(unit) {
            expected.push(format!("# UNIT {name} {unit}"));
        }
        expected.push(format!("# HELP {name} {help}"));
    }
    expected.push("# EOF".into());
    assert_eq!(described, expected);
    assert!(open.ends_with("\n# EOF\n"));
}

#[test]
fn created_lines_follow_their_family_and_only_in_openmetrics() {
    let (text, open) = (text(), encoded(Format::OpenMetrics));
    assert!(!text.contains("_created"));
    let born = given().now.as_secs_f64();
    let lines = open.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let mut seen = 0;
    for pair in lines.windows(2) {
        let Some((series, time)) = pair[1].rsplit_once(' ').filter(|(series, _)| series.contains("_created")) else {
            continue;
        };
        let before = pair[0].rsplit_once(' ').unwrap().0;
        let own = ["_total", "_count", "_bucket{le=\"+Inf\"}"].map(|suffix| series.replace("_created", suffix));
        assert!(own.contains(&before.to_owned()), "{series} comes after {before}");
        assert_eq!(time.parse::<f64>(), Ok(born), "{series}");
        seen += 1;
    }
    let children = |family: &Family| family.children(&given()).len();
    let wanted: usize = FAMILIES.iter().filter(|family| family.kind != Kind::Gauge).map(children).sum();
    assert_eq!(seen, wanted);
}

#[test]
fn with_many_symbols_families_by_symbol_have_no_created_lines() {
    let of = |symbols: usize| {
        let symbols = (0..symbols).map(|i| Symbol::new(&format!("SYM{i}"))).collect();
        let text = Metrics::new(&Given { symbols, ..given() }).unwrap().encode(Format::OpenMetrics);
        let text = String::from_utf8(text.to_vec()).unwrap();
        let began = text.lines().filter(|line| !line.starts_with('#') && line.contains("_created"));
        began.map(str::to_owned).partition::<Vec<_>, _>(|line| line.contains("symbol="))
    };
    let (by_symbol, other) = of(100);
    assert_eq!(by_symbol.len(), 900);
    assert_eq!(of(101), (vec![], other));
}

#[test]
fn no_family_has_the_name_of_another_in_openmetrics() {
    // In OpenMetrics a counter's name has no `_total`, and a histogram has three suffixes.
    let mut taken = BTreeSet::new();
    for family in FAMILIES {
        let suffixes: &[&str] = match family.kind {
            Kind::Counter => &["", "_total", "_created"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        };
        for suffix in suffixes {
            let name = format!("{}{suffix}", family.name.trim_end_matches("_total"));
            assert!(taken.insert(name.clone()), "{name} is taken");
        }
    }
}

#[test]
fn bounds_grow_and_only_histograms_have_them() {
    for family in FAMILIES {
        assert_eq!(family.kind == Kind::Histogram, !family.buckets.is_empty(), "{}", family.name);
        assert!(family.buckets.is_sorted(), "{}", family.name);
        assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        assert!(!family.help.starts_with(' ') && !family.help.is_empty());
    }
}

#[test]
fn no_label_collides_with_those_of_the_scraper() {
    let labels = FAMILIES.iter().flat_map(|family| family.labels.iter().map(|(label, _)| *label));
    let taken = ["job", "instance", "component", "node", "region", "le"];
    assert_eq!(labels.filter(|label| taken.contains(label)).count(), 0);
}

#[test]
fn what_nobody_has_told_has_no_line_at_all() {
    let metrics = Metrics::new(&given()).unwrap();
    let lines = || {
        let text = String::from_utf8(metrics.encode(Format::Text).to_vec()).unwrap();
        text.lines().filter(|line| line.contains("sentinel_account_equity")).map(str::to_owned).collect::<Vec<_>>()
    };
    let absent: [&str; 0] = [];
    assert_eq!(lines(), absent);
    metrics.account_equity.set(None);
    assert_eq!(lines(), absent);
    metrics.account_equity.set(Some(0.0));
    assert_eq!(lines().last().map(String::as_str), Some("sentinel_account_equity 0"), "0 is a value");
    metrics.account_equity.set(Some(1_000.5));
    assert_eq!(lines()[1..], ["# TYPE sentinel_account_equity gauge", "sentinel_account_equity 1000.5"]);
    metrics.account_equity.set(None);
    assert_eq!(lines(), absent);
}

#[test]
fn the_same_values_give_the_same_text() {
    assert_eq!(text(), text());
}

#[test]
fn the_process_is_described_with_fractions_of_a_second() {
    let metrics = Metrics::new(&given()).unwrap();
    let mut reader = ProcessReader::default();
    reader.refresh(&metrics);
    assert!(metrics.process_resident_memory_bytes.get() > 1e6);
    assert!(metrics.process_virtual_memory_bytes.get() >= metrics.process_resident_memory_bytes.get());
    assert!(metrics.process_threads.get() >= 1.0 && metrics.process_open_fds.get() >= 3.0);
    assert!(metrics.process_max_fds.get() > metrics.process_open_fds.get());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - metrics.process_start_time_seconds.get();
    assert!((-2.0..3_600.0).contains(&age), "{age}");

    metrics.process_threads.set(0.0);
    reader.refresh(&metrics);
    assert_eq!(metrics.process_threads.get(), 0.0, "not read again within a second");
}
