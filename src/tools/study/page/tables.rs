//! The table of months, and what advice needs.

use super::text::{self, NOT_DEFINED, count};
use crate::tools::study::result::{Condition, Month, Report};
use maud::{Markup, html};
use std::collections::BTreeMap;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the table of months is.
pub(super) fn months_note(report: &Report) -> Markup {
    html! {
        "Points of the trades that count, by the month in which they ended; below it how many trades."
        @if report.months.is_empty() { " There are none." }
    }
}

/// Years below each other, months beside each other.
pub(super) fn months(report: &Report) -> Markup {
    let mut years: BTreeMap<&str, [Option<&Month>; 12]> = BTreeMap::new();
    for month in &report.months {
        // A year may have a sign or five digits; the month is what follows the last dash.
        let Some((year, number)) = month.month.rsplit_once('-') else { continue };
        let Some(at) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) else { continue };
        if let Some(cell) = years.entry(year).or_default().get_mut(at) {
            *cell = Some(month);
        }
    }
    html! {
        @if !years.is_empty() {
            div.card tabindex="0" role="region" aria-label="months" {
                table.months {
                    thead { tr { th { "year" } @for name in MONTHS { th.n { (name) } } th.n { "all" } } }
                    tbody {
                        @for (year, months) in &years {
                            @let known = || months.iter().flatten();
                            tr {
                                th { (year) }
                                @for month in months { td.n { @if let Some(month) = month { (cell(month.net_points, month.trades)) } } }
                                td.n { b { (cell(known().map(|it| it.net_points).sum(), known().map(|it| it.trades).sum())) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(points: f64, trades: u64) -> Markup {
    html! {
        @if trades == 0 {
            span.soft { (NOT_DEFINED) }
        } @else {
            span class=[(points < 0.0).then_some("loss")] { (text::points(points)) }
            br;
            small { (count(trades)) }
        }
    }
}

/// What the conditions are.
pub(super) fn conditions_note() -> Markup {
    html! { "Advice is given only if all of these hold. A failed condition does not prove that the model is bad: there may be too few trades." }
}

/// Each condition, what was needed and what was found.
pub(super) fn conditions(report: &Report) -> Markup {
    html! {
        div.card tabindex="0" role="region" aria-label="what advice needs" {
            table.stacked {
                thead { tr { th {} th { "condition" } th { "needed" } th.n { "found" } } }
                tbody {
                    @for condition in &report.answer.conditions {
                        tr {
                            td {
                                @if condition.is_met {
                                    b.mark.passed { "✓ met" }
                                } @else if condition.is_checked {
                                    b.mark.failed { "✗ not met" }
                                } @else {
                                    b.mark.failed { "✗ not checked" }
                                }
                            }
                            td { (condition.what) @if let Some(meaning) = meaning(condition) { br; small.note { (meaning) } } }
                            td data-is="needed" { (condition.needed) }
                            td.n data-is="found" { (found(condition, report)) }
                        }
                    }
                }
            }
        }
    }
}

fn found(condition: &Condition, report: &Report) -> String {
    match (condition.name.as_str(), condition.found) {
        ("trained_until", _) => report.trained_until.map_or_else(|| "not set".to_owned(), text::minute),
        ("dsr" | "p_value", Some(value)) => text::ratio(value),
        ("net_points", Some(value)) => text::points(value),
        (_, Some(value)) if value.fract() == 0.0 && value >= 0.0 => count(value as u64),
        (_, Some(value)) => format!("{value:.3}"),
        ("costs", None) => if report.costs.is_frictionless { "none charged" } else { "charged" }.to_owned(),
        ("look_ahead", None) => "not checked".to_owned(),
        ("bars", None) => if condition.is_met { "there are" } else { "closes only" }.to_owned(),
        ("choice", None) => if condition.is_met { "there is" } else { "none" }.to_owned(),
        (_, None) => "not defined".to_owned(),
    }
}

/// A term, explained.
fn meaning(condition: &Condition) -> Option<&'static str> {
    match condition.name.as_str() {
        "net_points" => Some("the low end of the 95 % interval of the mean"),
        "dsr" => Some("how likely the true Sharpe is above the best that all trials would have by chance"),
        "p_value" => Some("how often the same signals at other times did as well"),
        "look_ahead" if condition.is_checked => Some("each decision was made again with noise for all later bars"),
        "look_ahead" if condition.found.is_some() => Some("whether those use later bars cannot be checked"),
        _ => None,
    }
}
