//! The walk-forward: each fold's thresholds, what they promised on the bars before it and what they brought on it.

use super::text::{self, NOT_DEFINED, count, known};
use crate::tools::study::result::{Figures, Fold, Range, Report};
use maud::{Markup, html};

/// How it is done.
pub(super) fn note(report: &Report) -> Markup {
    let walk = &report.walk_forward;
    html! {
        "Five parts of the bars, one after the other. The thresholds of a part were chosen on all bars before it, less the last "
        (walk.purge_bars) " (their trades reach into the part) and " (walk.embargo_bars)
        " more (what lingers). If the parts choose far apart, or bring much less than was promised, there is nothing to choose."
    }
}

/// All folds, and the spread of what they chose.
pub(super) fn table(report: &Report) -> Markup {
    let walk = &report.walk_forward;
    html! {
        div.card tabindex="0" role="region" aria-label="folds" {
            table {
                thead {
                    tr {
                        th { "judged on" } th { "chosen on" }
                        @for name in ["BUY above", "SELL above", "promised", "brought", "trades", "earned"] { th.n { (name) } }
                    }
                }
                tbody {
                    @for fold in &walk.folds { (row(fold)) }
                    tr {
                        td { b { "all" } } td {} td.n { (known(walk.buy_spread, spread)) } td.n { (known(walk.sell_spread, spread)) } td {}
                        (result(&walk.outside))
                    }
                }
            }
        }
        p {
            "On all bars outside the training the same choice would now be: " (side("BUY", walk.buy_now)) ", " (side("SELL", walk.sell_now)) "."
        }
    }
}

fn spread(ends: [f64; 2]) -> String {
    if ends[0] == ends[1] { text::odds(ends[0]) } else { text::interval(ends, text::odds) }
}

fn side(name: &str, threshold: Option<f64>) -> String {
    threshold.map_or_else(|| format!("no {name}"), |threshold| format!("{name} above {threshold:.2}"))
}

fn days(range: Range) -> String {
    format!("{} to {}", text::date(range.from), text::date(range.to))
}

fn row(fold: &Fold) -> Markup {
    html! {
        tr {
            td { (days(fold.outside)) }
            td { (fold.inside.map_or_else(|| NOT_DEFINED.to_owned(), days)) }
            td.n { (fold.buy.map_or_else(|| "no BUY".to_owned(), text::odds)) }
            td.n { (fold.sell.map_or_else(|| "no SELL".to_owned(), text::odds)) }
            td.n { (known(fold.promised_net_points, text::points)) }
            (result(&fold.result))
        }
    }
}

fn result(found: &Figures) -> Markup {
    html! {
        td.n {
            (known(found.net_points, text::points))
            @if let Some(ends) = found.net_points_interval { br; small { (text::interval(ends, text::points)) } }
        }
        td.n { (count(found.count)) }
        td.n { (known(found.hit_ratio, text::share)) }
    }
}
