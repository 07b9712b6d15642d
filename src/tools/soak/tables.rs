//! The text and the tables of `soak.html`.

use super::{
    check::{MIB, Outcome, ThresholdCheck},
    findings::{Findings, Gauge, Quantiles},
    math::Quantile,
    record::Gap,
    snapshot::TIMINGS,
    text::{self, UNKNOWN, known, number},
};
use maud::{Markup, Render, html};

/// Most gaps and restarts that are listed.
const GAPS_SHOWN: usize = 20;

/// The verdict, and the daemon that was watched.
pub(super) fn head(found: &Findings) -> Markup {
    let (class, mark) = if found.is_healthy { ("good", "✓") } else { ("bad", "✗") };
    let failed: Vec<_> = found.checks.iter().filter(|check| check.outcome == Outcome::Failed).collect();
    let failed = match failed.len() {
        0 => format!("All thresholds hold. {}", text::not_judged(found)),
        _ => {
            format!("Failed: {}.", failed.iter().map(|check| check.what.to_lowercase()).collect::<Vec<_>>().join("; "))
        }
    };
    let build = match &found.builds {
        [Some(first), Some(last)] if first != last => format!("{first}, then {last}"),
        [_, Some(last)] => last.clone(),
        _ => format!("build {UNKNOWN}"),
    };
    html! {
        div.verdict.(class) { (mark) " " (text::headline(found)) small { (failed.trim_end()) } }
        p.soft {
            (found.url) ", Sentinel " (build) ". First scrape " (found.began_at) ", then one every "
            (number(found.period_seconds)) " s; a cycle is due every " (number(found.cycle_seconds)) " s."
        }
    }
}

/// A table with `numbers` columns of numbers after the first column.
fn table(head: &[&str], rows: &[Vec<Markup>], numbers: usize) -> Markup {
    let class = |column: usize| (1..=numbers).contains(&column).then_some("n");
    html! {
        div.card {
            table {
                thead {
                    tr {
                        @for (at, cell) in head.iter().enumerate() { th class=[class(at)] { (cell) } }
                    }
                }
                tbody {
                    @for row in rows {
                        tr {
                            @for (at, cell) in row.iter().enumerate() { td class=[class(at)] { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn cell(text: impl Render) -> Markup {
    text.render()
}

/// The thresholds and the measured values.
pub(super) fn thresholds(found: &Findings) -> Markup {
    let row = |check: &ThresholdCheck| {
        let (class, mark) = match check.outcome {
            Outcome::Passed => ("passed", "✓ passed"),
            Outcome::Failed => ("failed", "✗ failed"),
            Outcome::NotJudged => ("not_judged", "– not judged"),
        };
        vec![
            html! { b.mark.(class) { (mark) } },
            cell(check.what),
            cell(text::measured(check)),
            cell(text::limit(check)),
            html! { small { (check.note) } },
        ]
    };
    let rows: Vec<_> = found.checks.iter().map(row).collect();
    table(&["", "What", "Measured", "Needed", ""], &rows, 0)
}

/// The meaning of the plots' marks, if there are any.
pub(super) fn marks(found: &Findings) -> Markup {
    html! {
        p.soft {
            @if !found.scrapes.gaps.is_empty() {
                span.key.gap { "no answer: a gap, not a zero" }
                " \u{a0} "
            }
            @if !found.restarts_s.is_empty() { span.key.restart { "another process answers" } }
        }
    }
}

/// Latencies, errors, and the scrapes.
pub(super) fn rest(found: &Findings) -> Markup {
    html! {
        div.plots {
            section { h2 { "Cycles and failures" } (failures(found)) }
            section {
                h2 { "Latency over the whole run" }
                (latencies(found))
                h2 { "API errors by code" }
                (api_errors(found))
            }
        }
        div.plots {
            section { h2 { "Memory and open files" } (gauges(found)) }
            section { h2 { "Scrapes" } (scrapes(found)) }
        }
    }
}

fn latencies(found: &Findings) -> Markup {
    let value = |quantile: Option<Quantile>| match quantile {
        None => cell("none"),
        Some(Quantile { value, is_above: true }) => cell(format!("more than {}", text::seconds(value))),
        Some(Quantile { value, is_above: false }) => cell(text::seconds(value)),
    };
    let row = |one: &Quantiles| {
        let title = TIMINGS.iter().find(|timing| timing.name == one.name).map_or(one.name, |timing| timing.title);
        vec![cell(title), cell(known(one.count)), value(one.p50), value(one.p90), value(one.p99)]
    };
    let rows: Vec<_> = found.timings.iter().map(row).collect();
    table(&["", "Observed", "p50", "p90", "p99"], &rows, 4)
}

fn failures(found: &Findings) -> Markup {
    let (cycles, errors) = (&found.cycles, &found.errors);
    let mut rows = vec![
        ("Cycles due", Some(cycles.due)),
        ("Cycles done", cycles.done),
        ("Cycles failed", cycles.failed),
        ("Ticks missed", cycles.missed_ticks),
    ];
    let title = |name: &str| match name {
        "fetches" => "Fetches failed",
        "predictions" => "Predictions failed",
        "sends" => "Sends failed",
        "feature_values" => "Feature values refused or replaced",
        "actor_restarts" => "Actor restarts",
        _ => "Clock steps",
    };
    rows.extend(errors.failures.iter().map(|(name, count)| (title(name), *count)));
    rows.push(("Failed journal writes", errors.journal_write_failures));
    rows.push(("Most unresolved orders", errors.orders_unresolved_max));
    rows.push(("Process restarts", Some(found.restarts_s.len() as f64)));
    let rows: Vec<_> = rows.into_iter().map(|(name, count)| vec![cell(name), cell(known(count))]).collect();
    table(&["", "Count"], &rows, 1)
}

fn api_errors(found: &Findings) -> Markup {
    let errors = &found.errors;
    let row = |(endpoint, codes): (&String, &std::collections::BTreeMap<String, f64>)| {
        let happened = codes.iter().filter(|(_, count)| **count > 0.0);
        let listed: Vec<_> = happened.map(|(code, count)| format!("{code}: {}", number(*count))).collect();
        let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
        let calls = known(errors.api_calls.get(endpoint).copied());
        vec![cell(endpoint), cell(calls), cell(number(codes.values().sum())), cell(listed)]
    };
    let rows: Vec<_> = errors.api_errors.iter().map(row).collect();
    if rows.is_empty() {
        html! { p { (UNKNOWN) } }
    } else {
        table(&["Endpoint", "Calls", "Errors", "By code"], &rows, 2)
    }
}

fn gauges(found: &Findings) -> Markup {
    let row = |name: &str, gauge: &Gauge, unit: f64| {
        let value = |value: Option<f64>| cell(known(value.map(|value| value / unit)));
        let slope = gauge.slope.map(|line| line.per_hour);
        vec![cell(name), value(gauge.first), value(gauge.last), value(gauge.max), value(slope)]
    };
    let rows = [row("Resident memory in MiB", &found.memory_bytes, MIB), row("Open files", &found.open_files, 1.0)];
    table(&["", "First", "Last", "Highest", "Per hour"], &rows, 4)
}

fn scrapes(found: &Findings) -> Markup {
    let scrapes = &found.scrapes;
    let kinds: Vec<_> = scrapes.failures.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let minutes = |seconds: f64| format!("{:.2}", seconds / 60.0);
    let restarts: Vec<_> = found.restarts_s.iter().take(GAPS_SHOWN).map(|at| minutes(*at)).collect();
    let row = |gap: &Gap| vec![cell(minutes(gap.from_s)), cell(minutes(gap.to_s)), cell(gap.failed), cell(&gap.why)];
    let gaps: Vec<_> = scrapes.gaps.iter().take(GAPS_SHOWN).map(row).collect();
    html! {
        p { (scrapes.made) " made, " (scrapes.failed) " failed" (kinds) "." }
        @if !restarts.is_empty() {
            p {
                "Another process answered for the first time at minute " (restarts.join(", "))
                @if found.restarts_s.len() > GAPS_SHOWN { " and more" }
                "."
            }
        }
        @if !gaps.is_empty() {
            (table(&["Last answer at minute", "Next at minute", "Scrapes", "Why"], &gaps, 2))
            @if scrapes.gaps.len() > GAPS_SHOWN {
                p.soft { "and " (scrapes.gaps.len() - GAPS_SHOWN) " more, in soak.json" }
            }
        }
    }
}
