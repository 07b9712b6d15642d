//! `study.html`: one self-contained file, without a script, that a person reads in a minute: the answer first, then what it rests on.
//! The same report makes the same bytes.

mod answer;
mod calibration;
mod closing;
mod folds;
mod frame;
mod over_time;
mod tables;
mod text;
mod thresholds;

use super::result::Report;
use crate::tools::plot;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub fn page(report: &Report) -> String {
    // With this policy a browser loads nothing, whatever is in a name.
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.symbol) ": Sentinel study" }
                style { (PreEscaped(plot::STYLE)) (PreEscaped(STYLE)) }
            }
            body { (sections(report)) }
        }
    };
    page.into_string()
}

fn sections(report: &Report) -> Markup {
    html! {
        (answer::head(report))
        (section("What it would have brought", over_time::equity_note(report), html! {
            div.plots { (over_time::equity(report)) (over_time::drawdown(report)) }
        }))
        (section("From which threshold on", thresholds::note(), html! {
            div.plots {
                (thresholds::chart(report))
                @for side in &report.sides { (thresholds::chart_of(side, report)) }
            }
            (thresholds::all("BUY and SELL", &report.both))
            @for side in &report.sides { (thresholds::all(&side.side, &side.thresholds)) }
        }))
        (section("Whether the odds mean what they say", calibration::note(), html! {
            div.plots.three { @for class in &report.calibration.classes { (calibration::chart(class, report)) } }
            (calibration::scores(&report.calibration))
            (calibration::confusion(&report.confusion))
        }))
        (section("Where the trades lie", over_time::price_note(report), over_time::price(report)))
        (section("Month by month", tables::months_note(report), tables::months(report)))
        (section("Chosen before, judged after", folds::note(report), folds::table(report)))
        (section("What advice needs", tables::conditions_note(), tables::conditions(report)))
        (closing::costs(report))
        (closing::trials(report))
        (closing::unseen())
        (closing::read(report))
    }
}

fn section(title: &str, note: Markup, content: Markup) -> Markup {
    html! {
        section {
            h2 { (title) }
            p.soft { (note) }
            (content)
        }
    }
}

#[cfg(test)]
mod tests;
