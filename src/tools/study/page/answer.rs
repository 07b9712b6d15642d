//! The head of the page: the answer in a sentence, what it is about, and the few figures that it rests on.

use super::text::{self, count, known};
use crate::tools::study::result::Report;
use maud::{Markup, html};

/// All of it.
pub(super) fn head(report: &Report) -> Markup {
    let answer = &report.answer;
    let (class, mark) = if answer.is_advice { ("good", "✓") } else { ("none", "○") };
    // What follows the colon is why.
    let (what, why) = answer.sentence.split_once(": ").unwrap_or((&answer.sentence, ""));
    html! {
        h1 { "Study of " (report.symbol) ", " (report.interval) }
        div.verdict.(class) { (mark) " " (what) @if !why.is_empty() { small { (why) } } }
        @if report.costs.is_frictionless {
            div.verdict.bad {
                "Frictionless: nothing was charged"
                small { "No one trades like this. With --frictionless no advice is given, and every plot is marked." }
            }
        }
        p.soft {
            "Model " (report.model) ", " (odds_from(report)) ", " (text::date(report.range.from)) " to " (text::date(report.range.to)) ", "
            (count(report.counts.decisions)) " decisions on " (count(report.counts.bars)) " bars. A point is " (point(report.digits))
            " of the price. All results are after costs" @if report.costs.is_frictionless { ", which are 0 here" } "."
        }
        (figures(report))
    }
}

fn odds_from(report: &Report) -> &str {
    match report.odds_from.as_str() {
        "recorded" => "odds as recorded while it traded",
        "model" => "odds asked from it now",
        "file" => "odds from a file",
        other => other,
    }
}

/// `0.00001`
fn point(digits: u32) -> String {
    let digits = digits.min(12) as usize;
    format!("{:.digits$}", 10f64.powi(-(digits as i32)))
}

/// The figures of the trades that count.
fn figures(report: &Report) -> Markup {
    let outside = &report.walk_forward.outside;
    let points = |ends| text::interval(ends, text::points);
    let tile = |name: &str, value: String, note: String| html! { div.tile { dt { (name) } dd { b { (value) } small { (note) } } } };
    let annual = outside.days_per_year.map(|days| format!("{} days, {days:.0} a year", count(outside.days)));
    html! {
        dl.tiles {
            (tile("Trades that count", count(outside.count), "on bars that no choice had seen".into()))
            (tile("Points a trade", known(outside.net_points, text::points),
                outside.net_points_interval.map(points).unwrap_or_default()))
            (tile("Points in all", text::points(outside.net_points_total), String::new()))
            (tile("Trades that earned", known(outside.hit_ratio, text::share),
                outside.hit_ratio_interval.map(|ends| text::interval(ends, text::share)).unwrap_or_default()))
            (tile("Sharpe of a year", known(outside.sharpe_year, text::odds), annual.unwrap_or_default()))
            (tile("Largest drawdown", format!("{} points", plain(outside.drawdown)), String::new()))
        }
        p.soft {
            "The range below a value holds the true one with 95 % confidence. Sharpe is the mean result of a day by how much the days differ, "
            "times the root of the days of a year."
        }
    }
}

/// Points that have no sign.
fn plain(points: f64) -> String {
    text::points(points).trim_start_matches('+').to_owned()
}
