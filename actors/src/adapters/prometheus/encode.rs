//! The exposition as text, format 0.0.4 or OpenMetrics 1.0.0. The encoder of the `prometheus` crate writes `le="1"`, but
//! HUB's history has `le="1.0"`, and Prometheus 2.x would store that as another series. It also sorts by name, while the
//! contract comes first here, and it does not support OpenMetrics. Both formats have the same samples, so the same series are
//! stored. In addition, OpenMetrics contains when each counter and histogram was created, from which Prometheus 3 can count.

use super::Format;
use super::{FAMILIES, Family, Metrics};
use bytes::Bytes;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};
use std::fmt::Write;

/// With more symbols, families with a child per symbol do not contain their creation time. It would add 8 lines to the 14
/// lines of each symbol, and Prometheus 2 stores each of them as a separate series.
const SYMBOLS_WITH_BIRTH_MAX: usize = 100;

impl Metrics {
    /// Every family with every child, as text in the order of the catalogue; the same values give the same text.
    pub fn encode(&self, format: Format) -> Bytes {
        let rank = |family: &MetricFamily| self.ranks.get(family.name()).copied().unwrap_or(usize::MAX);
        let mut families = self.registry.gather();
        families.sort_by_cached_key(rank);
        let mut text = String::with_capacity(32 * 1024);
        for family in &families {
            let described = FAMILIES.get(rank(family));
            let says_birth = format == Format::OpenMetrics
                && (self.symbols <= SYMBOLS_WITH_BIRTH_MAX || !described.is_some_and(Family::is_by_symbol));
            let created = says_birth.then_some(self.created.as_str());
            write_head(&mut text, family, described, format);
            write_samples(&mut text, family, created);
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text.into()
    }
}

fn write_head(text: &mut String, family: &MetricFamily, described: Option<&Family>, format: Format) {
    let name = family.name();
    let kind = match family.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    };
    match format {
        Format::Text => {
            text.extend(["# HELP ", name, " "]);
            write_escaped(text, family.help(), false);
            text.extend(["\n# TYPE ", name, " ", kind, "\n"]);
        }
        Format::OpenMetrics => {
            // In this format a counter's name has no `_total`; only its sample has it.
            let name = name.strip_suffix("_total").unwrap_or(name);
            text.extend(["# TYPE ", name, " ", kind, "\n"]);
            if let Some(unit) = described.map(|family| family.unit).filter(|unit| is_unit_of(name, unit)) {
                text.extend(["# UNIT ", name, " ", unit, "\n"]);
            }
            text.extend(["# HELP ", name, " "]);
            write_escaped(text, family.help(), true);
            text.push('\n');
        }
    }
}

/// All children; the lines of a child are together.
fn write_samples(text: &mut String, family: &MetricFamily, created: Option<&str>) {
    let name = family.name();
    for metric in family.get_metric() {
        let labels = metric.get_label();
        match family.get_field_type() {
            MetricType::COUNTER => {
                write_sample(text, name, "", labels, None, metric.get_counter().get_value());
                write_created(text, name, labels, created);
            }
            MetricType::GAUGE => write_sample(text, name, "", labels, None, metric.get_gauge().get_value()),
            MetricType::HISTOGRAM => {
                write_histogram(text, name, metric);
                write_created(text, name, labels, created);
            }
            // The catalogue contains neither.
            MetricType::SUMMARY | MetricType::UNTYPED => {}
        }
    }
}

/// In OpenMetrics a name must end with its unit. If it does not, no unit is written.
fn is_unit_of(name: &str, unit: &str) -> bool {
    name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'))
}

fn write_histogram(text: &mut String, name: &str, metric: &Metric) {
    let (labels, histogram) = (metric.get_label(), metric.get_histogram());
    for bucket in histogram.get_bucket() {
        let count = bucket.cumulative_count() as f64;
        write_sample(text, name, "_bucket", labels, Some(bucket.upper_bound()), count);
    }
    let count = histogram.get_sample_count() as f64;
    write_sample(text, name, "_bucket", labels, Some(f64::INFINITY), count);
    // OpenMetrics allows no sum beside bounds below zero, because it could fall, and no count without a sum: that is the last
    // bucket's.
    if histogram.get_bucket().first().is_none_or(|least| least.upper_bound() >= 0.0) {
        write_sample(text, name, "_sum", labels, None, histogram.get_sample_sum());
        write_sample(text, name, "_count", labels, None, count);
    }
}

/// When this child was created, if the format contains it.
fn write_created(text: &mut String, name: &str, labels: &[LabelPair], created: Option<&str>) {
    if let Some(created) = created {
        write_series(text, name.strip_suffix("_total").unwrap_or(name), "_created", labels, None);
        text.extend([created, "\n"]);
    }
}

fn write_sample(text: &mut String, name: &str, suffix: &str, labels: &[LabelPair], le: Option<f64>, value: f64) {
    write_series(text, name, suffix, labels, le);
    write_value(text, value);
    text.push('\n');
}

/// Name and labels, and a space before the value.
fn write_series(text: &mut String, name: &str, suffix: &str, labels: &[LabelPair], le: Option<f64>) {
    text.extend([name, suffix]);
    let mut separator = "{";
    for label in labels {
        text.extend([separator, label.name(), "=\""]);
        write_escaped(text, label.value(), true);
        text.push('"');
        separator = ",";
    }
    if let Some(le) = le {
        text.extend([separator, "le=\""]);
        write_bound(text, le);
        text.push('"');
        separator = ",";
    }
    text.push_str(if separator == "," { "} " } else { " " });
}

/// A bound always has a decimal or an exponent, as in OpenMetrics; Prometheus 3 converts every bound to this form: `1.0`,
/// `0.005`, `2.5e-05`, `+Inf`.
fn write_bound(text: &mut String, bound: f64) {
    const PLAIN_MIN: f64 = 1e-4;
    if bound.is_infinite() {
        return text.push_str("+Inf");
    }
    // Writing to a String cannot fail.
    let _ = match bound {
        // Rust writes an exponent with one digit, Go with two.
        1e-9..PLAIN_MIN => write!(text, "{}", format!("{bound:e}").replace("e-", "e-0")),
        _ => write!(text, "{bound:?}"),
    };
}

fn write_value(text: &mut String, value: f64) {
    const INTEGERS_MAX: f64 = 9_007_199_254_740_992.0;
    let _ = match value {
        f64::INFINITY => text.write_str("+Inf"),
        f64::NEG_INFINITY => text.write_str("-Inf"),
        // Most values are counts, and writing an integer is several times faster than writing a float.
        _ if value.fract() == 0.0 && value.abs() < INTEGERS_MAX => write!(text, "{}", value as i64),
        _ => write!(text, "{value}"),
    };
}

/// Backslash and line feed are always escaped, quotes in label values and, with OpenMetrics, in help texts.
fn write_escaped(text: &mut String, raw: &str, quotes: bool) {
    for c in raw.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quotes => text.push_str("\\\""),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut text = String::new();
        write(&mut text);
        text
    }

    #[test]
    fn a_bound_is_spelled_as_prometheus_spells_it() {
        let bound = |bound| written(|text| write_bound(text, bound));
        let bounds = [0.00001, 0.000025, 0.0001, 0.00025, 0.005, 0.5, 1.0, 10.0, f64::INFINITY];
        let spelled = ["1e-05", "2.5e-05", "0.0001", "0.00025", "0.005", "0.5", "1.0", "10.0", "+Inf"];
        assert_eq!(bounds.map(bound), spelled);
    }

    #[test]
    fn a_value_is_what_prometheus_reads_back() {
        let value = |value| written(|text| write_value(text, value));
        let values = [0.0, -3.0, 0.1, 1_500_000_000.25, 9e15, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let read_back = ["0", "-3", "0.1", "1500000000.25", "9000000000000000", "+Inf", "-Inf", "NaN"];
        assert_eq!(values.map(value), read_back);
        assert_eq!(value(1e16).parse::<f64>(), Ok(1e16));
    }

    #[test]
    fn outside_text_cannot_leave_its_label() {
        let mut label = LabelPair::default();
        label.set_name("symbol".into());
        label.set_value("a\\b\"c\nd".into());
        let sample = written(|text| write_sample(text, "x", "_bucket", &[label], Some(2.0), 1.0));
        assert_eq!(sample, "x_bucket{symbol=\"a\\\\b\\\"c\\nd\",le=\"2.0\"} 1\n");
        assert_eq!(written(|text| write_escaped(text, "say \"1\"\n", false)), "say \"1\"\\n");
    }

    #[test]
    fn a_unit_is_the_end_of_a_name() {
        assert!(is_unit_of("sentinel_daemon_uptime_seconds", "seconds"));
        assert!(!is_unit_of("sentinel_last_cycle_timestamp_unix", "unix seconds"));
        assert!(!is_unit_of("sentinel_orders_milliseconds", "seconds") && !is_unit_of("seconds", "seconds"));
    }

    #[test]
    fn a_sample_without_labels_has_no_braces() {
        assert_eq!(written(|text| write_sample(text, "x", "_total", &[], None, 2.5)), "x_total 2.5\n");
    }
}
