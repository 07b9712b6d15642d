//! `soak.html`: one self-contained file with the verdict, the thresholds, the plots and the tables.

use super::{
    check::MIB,
    findings::{self, Findings},
    math::{Quantile, Slope},
    plot::{self, Curve, Frame, Plot},
    record::{Record, ScrapeRow},
    snapshot::TIMINGS,
    tables,
};
use crate::tools::plot::{Points, STYLE};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// The least span of a plot's vertical axis.
const SECONDS_SPAN_MIN: f64 = 0.000_1;
const MIB_SPAN_MIN: f64 = 1.0;
const COUNT_SPAN_MIN: f64 = 4.0;

/// The whole page.
pub(super) fn report(found: &Findings, record: &Record) -> String {
    let frame = Frame { elapsed_s: record.elapsed_s(), gaps: &found.scrapes.gaps, restarts_s: &found.restarts_s };
    // With this policy a browser loads nothing, whatever is in a label.
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (found.verdict) ": Sentinel soak" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Sentinel soak" }
                (tables::head(found))
                h2 { "Thresholds" }
                (tables::thresholds(found))
                h2 { "Over time" }
                (tables::marks(found))
                div.plots {
                    @for plot in plots(found, record) { (figure(&plot, &frame)) }
                }
                (tables::rest(found))
            }
        }
    };
    page.into_string()
}

fn figure(plot: &Plot, frame: &Frame<'_>) -> Markup {
    html! {
        figure {
            h3 { (plot.title) }
            (plot::svg(plot, frame))
            figcaption {
                @for curve in &plot.curves { span.key.(curve.class) { (curve.name) } }
            }
        }
    }
}

fn plots(found: &Findings, record: &Record) -> Vec<Plot> {
    let curve = |name, class, of: fn(&ScrapeRow) -> Option<f64>| Curve { name, class, points: record.values(of) };
    let due = |period: f64| -> Points {
        // By the clock alone, so that this line continues through gaps.
        let due = |at: f64| super::math::due_cycles(at, period);
        record.scrapes.iter().map(|(at, _)| (*at, Some(due(*at)))).collect()
    };
    let counts = |title, curves| Plot { title, unit: "count", curves, from_zero: true, span_min: COUNT_SPAN_MIN };
    let mut plots = vec![
        counts(
            "Cycles done against due",
            vec![
                Curve { name: "due by the clock", class: "c3", points: due(found.cycle_seconds) },
                curve("done", "c1", |line| line.cycles),
            ],
        ),
        counts(
            "Missed ticks, failed cycles, API errors",
            vec![
                curve("missed ticks", "c1", |line| line.missed),
                curve("failed cycles", "c3", |line| line.failed),
                curve("API errors", "c2", |line| line.api_errors),
            ],
        ),
    ];
    plots.extend((0..TIMINGS.len()).map(|index| timing(record, index)));
    let mib = |line: &ScrapeRow| line.memory_bytes.map(|bytes| bytes / MIB);
    let fit = |line: Option<Slope>, unit: f64| Curve {
        name: "growth after the warm-up",
        class: "fit",
        points: fitted(line, unit),
    };
    plots.push(Plot {
        title: "Resident memory",
        unit: "MiB",
        curves: vec![curve("resident", "c1", mib), fit(found.memory_bytes.slope, MIB)],
        from_zero: false,
        span_min: MIB_SPAN_MIN,
    });
    plots.push(Plot {
        title: "Open files",
        unit: "count",
        curves: vec![curve("open", "c1", |line| line.open_files), fit(found.open_files.slope, 1.0)],
        from_zero: false,
        span_min: COUNT_SPAN_MIN,
    });
    plots.push(counts("Unresolved orders", vec![curve("unresolved", "c1", |line| line.orders_unresolved)]));
    plots
}

/// Quantiles of each window, at its middle, in a unit that suits the highest.
fn timing(record: &Record, index: usize) -> Plot {
    let windows = record.windows.iter().enumerate();
    let quantiles: Vec<_> = windows
        .map(|(at, window)| {
            let (from, to) = (at as f64 * record.window_s, (at + 1) as f64 * record.window_s);
            let all = findings::quantiles(&window.timings);
            ((from + to.min(record.elapsed_s())) / 2.0, all.into_iter().nth(index))
        })
        .collect();
    let max = quantiles.iter().filter_map(|(_, one)| Some(one.as_ref()?.p99?.value)).fold(0.0, f64::max);
    let (unit, per_second) = match max {
        ..0.001 => ("µs", 1e6),
        ..1.0 => ("ms", 1e3),
        _ => ("s", 1.0),
    };
    let curve = |name, class, of: fn(&findings::Quantiles) -> Option<Quantile>| {
        let value = |one: &Option<findings::Quantiles>| Some(of(one.as_ref()?)?.value * per_second);
        Curve { name, class, points: quantiles.iter().map(|(at, one)| (*at, value(one))).collect() }
    };
    Plot {
        title: TIMINGS[index].title,
        unit,
        curves: vec![
            curve("p50", "c2", |one| one.p50),
            curve("p90", "c1", |one| one.p90),
            curve("p99", "c3", |one| one.p99),
        ],
        from_zero: true,
        span_min: SECONDS_SPAN_MIN * per_second,
    }
}

fn fitted(line: Option<Slope>, unit: f64) -> Points {
    let Some(line) = line else { return Vec::new() };
    let grown = line.per_hour * (line.to_s - line.from_s) / 3_600.0;
    vec![(line.from_s, Some(line.value_at_from / unit)), (line.to_s, Some((line.value_at_from + grown) / unit))]
}

#[cfg(test)]
mod tests;
