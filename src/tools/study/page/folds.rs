//! The walk-forward: each fold's threshold, what it promised on the bars before it and what it brought on it; how the trades ended.

use super::text::{self, NOT_DEFINED, count, known};
use crate::tools::study::result::{ExitCounts, Figures, Fold, Range, Report, SideResult};
use maud::{Markup, html};

/// How it is done.
pub(super) fn note(report: &Report) -> Markup {
    let walk = &report.walk_forward;
    html! {
        "Five parts of the bars, one after the other. The threshold of a part, one for BUY and SELL as in trading.threshold, was chosen on all "
        "bars before it, less the last "
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
                        @for name in ["above", "promised", "brought", "trades", "earned"] { th.n { (name) } }
                    }
                }
                tbody {
                    @for fold in &walk.folds { (row(fold)) }
                    tr {
                        td { b { "all" } } td {} td.n { (known(walk.threshold_spread, spread)) } td {}
                        (result(&walk.outside))
                    }
                }
            }
        }
        p {
            "On all bars outside the training the same choice would now be: "
            @match walk.threshold_now {
                Some(threshold) => { b { "above " (text::odds(threshold)) } "." },
                None => "none, since no threshold has enough trades.",
            }
            @for side in &walk.sides_now { " " (of_side(side)) }
        }
        p { (ended(report)) }
    }
}

/// What a side brought at the threshold.
fn of_side(result: &SideResult) -> Markup {
    let SideResult { side, trades, net_points } = result;
    html! {
        @match net_points {
            Some(net) if *net < 0.0 => { b { (side) " lost money above it" } ": " (text::points(*net)) " points a trade in " (count(*trades)) " trades." },
            Some(net) => { (side) ": " (text::points(*net)) " points a trade in " (count(*trades)) " trades." },
            None => { (side) ": no trades." },
        }
    }
}

/// How the trades ended, and what to do about those that Sentinel would not have ended.
fn ended(report: &Report) -> Markup {
    let ExitCounts { stop_loss, take_profit, opposite, horizon } = report.walk_forward.exits;
    let bars = report.rules.horizon_bars;
    html! {
        "The trades that count ended: " (count(stop_loss)) " at the stop-loss, " (count(take_profit)) " at the take-profit, " (count(opposite))
        " by a signal of the other side, " (count(horizon)) " after " (bars) @if bars == 1 { " bar." } @else { " bars." }
        @if horizon > 0 {
            " " b { "Sentinel does not end a position after some bars" } ": live, these stay open until a stop, another signal or a person ends "
            "them. Set trading.stop_loss and trading.take_profit, or guards.opposite = \"close_then_open\", raise study.horizon_bars until few end "
            "that way, and study again; or close them yourself after " (bars) @if bars == 1 { " bar." } @else { " bars." }
        }
    }
}

fn spread(ends: [f64; 2]) -> String {
    if ends[0] == ends[1] { text::odds(ends[0]) } else { text::interval(ends, text::odds) }
}

fn days(range: Range) -> String {
    format!("{} to {}", text::date(range.from), text::date(range.to))
}

fn row(fold: &Fold) -> Markup {
    html! {
        tr {
            td { (days(fold.outside)) }
            td { (fold.inside.map_or_else(|| NOT_DEFINED.to_owned(), days)) }
            td.n { (known(fold.threshold, text::odds)) }
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
