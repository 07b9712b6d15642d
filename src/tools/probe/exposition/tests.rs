//! What is read, and what is refused.

use super::*;

const TEXT: &str = "\
# HELP a_total Things \\\\ so far
# TYPE a_total counter
a_total{kind=\"x,\\\"y\\\"}\",other=\"\"} 3
a_total{kind=\"z\",other=\"1\"} 0.5
# a comment

# HELP b_seconds Time
# TYPE b_seconds histogram
b_seconds_bucket{le=\"0.5\"} 1
b_seconds_bucket{le=\"1.0\"} 1
b_seconds_bucket{le=\"+Inf\"} 4
b_seconds_sum 12.25
b_seconds_count 4
# HELP c Now
# TYPE c gauge
c -2e3
";

#[test]
fn a_text_is_read_completely() {
    let exposition = Exposition::parse(TEXT).unwrap();
    let kinds = exposition.families.iter().map(|family| (family.name.as_str(), family.kind)).collect::<Vec<_>>();
    assert_eq!(kinds, [("a_total", Kind::Counter), ("b_seconds", Kind::Histogram), ("c", Kind::Gauge)]);
    assert_eq!(exposition.family("a_total").unwrap().help, "Things \\ so far");
    assert_eq!(exposition.value("a_total", &[("kind", "x,\"y\"}"), ("other", "")]), Some(3.0));
    assert_eq!(exposition.value("a_total", &[("kind", "z")]), None, "all labels are required");
    assert_eq!(exposition.sum("a_total"), Some(3.5));
    assert_eq!(exposition.sum("d_total"), None);
    assert_eq!(exposition.value("c", &[]), Some(-2000.0));
    assert_eq!(exposition.buckets("b_seconds"), [(0.5, 1.0), (1.0, 1.0), (f64::INFINITY, 4.0)]);
    assert_eq!((exposition.value("b_seconds_sum", &[]), exposition.series()), (Some(12.25), 8));
}

#[test]
fn faults_that_prometheus_accepts_are_refused_with_their_line() {
    let faults = [
        ("c -2e3", "c -2e3\nc 1", 17, "the series c{} is a duplicate"),
        ("c -2e3\n", "c -2e3", 16, "the last line has no line break: the text is cut off"),
        ("} 3", "} -3", 3, "the counter a_total is -3"),
        ("} 3", "} NaN", 3, "the counter a_total is NaN"),
        ("\"1.0\"} 1", "\"1.0\"} 0", 10, "the buckets of b_seconds fall at le=1"),
        ("\"1.0\"", "\"0.5\"", 10, "the series b_seconds_bucket{\"le\": \"0.5\"} is a duplicate"),
        ("\"1.0\"", "\"0.50\"", 10, "the bounds of b_seconds do not rise at 0.5"),
        ("count 4", "count 5", 13, "b_seconds has 4 in +Inf and counts 5"),
        ("b_seconds_bucket{le=\"+Inf\"} 4\n", "", 9, "b_seconds lacks its +Inf bucket, its sum or its count"),
        ("b_seconds_sum 12.25\n", "", 9, "b_seconds lacks its +Inf bucket, its sum or its count"),
        ("bucket{le=\"0.5\"}", "bucket{}", 9, "a bucket of b_seconds has no le"),
        ("le=\"0.5\"", "le=\"half\"", 9, "le=\"half\" is not a bound"),
        ("# TYPE c gauge\n", "", 15, "c has HELP and no TYPE"),
        ("# HELP c Now\n", "", 14, "c has TYPE and no HELP right before it"),
        ("TYPE c gauge", "TYPE c summary", 15, "c has the type \"summary\""),
        ("c -2e3", "a_total 1", 16, "a_total does not belong to the family declared above it"),
        ("c -2e3", "c -2e3 1500000000000", 16, "\"-2e3 1500000000000\" is not a value for c"),
        ("c -2e3", "c inf", 16, "\"inf\" is not a value for c"),
        ("c -2e3", "c", 16, "\"c\" is not a sample"),
        ("c -2e3", "c{x=\"1\",x=\"2\"} 1", 16, "the label x is a duplicate"),
        ("c -2e3", "c{x=\"1} 1", 16, "the value of the label x has no closing quote"),
        ("c -2e3", "c{x=\"1\"y=\"2\"} 1", 16, "the label x is not followed by a comma or a brace"),
        ("c -2e3", "c{0x=\"1\"} 1", 16, "\"0x\" is not a label name"),
        ("c -2e3", "c{x=\"\\t\"} 1", 16, "\"\\\\t\" is not an escape"),
        ("c -2e3", "c-d 1", 16, "\"c-d\" is not a metric name"),
        ("c -2e3\n", "c 1\n# HELP a_total x\n# TYPE a_total counter\n", 18, "the family a_total is declared twice"),
    ];
    for (from, to, line, what) in faults {
        assert_eq!(TEXT.matches(from).count(), 1, "{from}");
        let fault = Exposition::parse(&TEXT.replace(from, to)).unwrap_err();
        assert_eq!(fault, Fault { line, what: what.into() });
    }
}

#[test]
fn an_empty_text_has_no_families() {
    assert_eq!(Exposition::parse(""), Ok(Exposition::default()));
}
