//! Two spellings of one expression, and expressions that differ.

use super::*;

fn read(text: &str) -> Expression {
    Expression::read(text).unwrap()
}

#[test]
fn prometheus_spelling_is_the_same_expression() {
    let spellings = [
        ("x > 209715200", "x > 2.097152e+08"),
        ("x{b='q\"u\\\\', a=~`r\\d`,}", "x{a=~\"r\\\\d\",b=\"q\\\"u\\\\\"}"),
        ("rate(x{}[90m])", "rate(x[1h30m])"),
        ("sum(x) BY (z, y) > BOOL 0x10", "sum by (y, z) (x) > bool 16"),
        ("a and on(b , c) d", "a and on (b, c) d"),
        ("a * on (b) group_left c", "a * on (b) group_left () c"),
        ("a OR ignoring () b # why", "a or b"),
        ("count(x) by ()", "count(x)"),
        ("topk(3, x) without()", "topk without () (3, x)"),
        ("x[7d:60s] offset -300s @ end()", "x[1w:1m] @ end() offset -5m"),
        ("y offset 5m @ 1603774568", "y @ 1603774568.000 offset 5m"),
        ("1e3 + 1_000 + .5 + 5e-3", "1000 + 1000 + 0.5 + 0.005"),
        (
            "label_replace(x, 'a', '\\x41\\u00e4\\101\\t', 'b', '')",
            "label_replace(x, \"a\", \"A\u{e4}A\t\", \"b\", \"\")",
        ),
    ];
    for (written, reported) in spellings {
        assert_eq!(read(written), read(reported), "{written}");
    }
}

#[test]
fn other_expressions_differ() {
    let differing = [
        ("x > 5.5", "x > 50"),
        ("x > 5", "x >= 5"),
        ("x{a=\"1\"}", "x{a!=\"1\"}"),
        ("x{a=\"1\"}", "x"),
        ("x{a=\"by\"}", "x{a=\"BY\"}"),
        ("rate(x[5m])", "rate(x[15m])"),
        ("a and on (b, c) d", "a and on (b) d"),
        ("a and on (b) d", "a and d"),
        ("a and on () d", "a and d"),
        ("a - b", "b - a"),
        ("(a or b) and c", "a or b and c"),
        ("sum by (a) (x)", "sum without (a) (x)"),
        ("x offset 5m", "x offset -5m"),
    ];
    for (one, other) in differing {
        assert_ne!(read(one), read(other), "{one}");
    }
}

#[test]
fn invalid_promql_is_not_read() {
    for text in ["(a", "a)", "{a=\"1\"", "a{b=\"1}", "a ? b", "(a]", "a[5m"] {
        assert_eq!(Expression::read(text), None, "{text}");
    }
}

#[test]
fn families_are_found_with_their_job_and_instance() {
    let text = "sum by (by_what) (rate(a_total{job=\"j\", instance=\"i\", error=~\"x|y\"}[5m])) / ignoring (c) group_left (d) \
                (f:recorded > bool 3) unless on (e) {__name__=\"g\", job=\"k\"} or time() - h offset 5m";
    let found = read(text).selected();
    let selected = |name: &str, job: Option<&str>, instance: Option<&str>| Selected {
        name: name.into(),
        job: job.map(str::to_owned),
        instance: instance.map(str::to_owned),
    };
    let wanted = [
        selected("a_total", Some("j"), Some("i")),
        selected("f:recorded", None, None),
        selected("g", Some("k"), None),
        selected("h", None, None),
    ];
    assert_eq!(found, BTreeSet::from(wanted));
}
