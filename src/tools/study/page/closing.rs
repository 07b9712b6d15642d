//! The end of the page: costs and rules, how often these bars were tried, what no check can see, and what was read.

use super::text::{self, count, known};
use crate::tools::study::result::{Costs, Null, Report, Trials};
use maud::{Markup, html};

/// What trading costs, and how a position begins and ends.
pub(super) fn costs(report: &Report) -> Markup {
    let costs = &report.costs;
    let rules = &report.rules;
    html! {
        section {
            h2 { "Costs and rules" }
            @if costs.is_frictionless {
                p { b { "None: --frictionless." } " The figures of this page do not count as results." }
            } @else {
                (charged(costs))
            }
            ul {
                @for sentence in &rules.sentences { li { (sentence) } }
                @if let Some(share) = rules.bars_ambiguous_share {
                    li {
                        (count(rules.bars_ambiguous)) " bars (" (text::share(share)) " of those at whose stops a position ended) held the stop-loss and "
                        "the take-profit. Nothing says which came first, so they count as stop-loss."
                    }
                }
            }
        }
    }
}

fn charged(costs: &Costs) -> Markup {
    let row = |name: &str, value: f64, note: String| html! { tr { td { (name) } td.n data-is="points" { (plain(value)) } td { small.note { (note) } } } };
    html! {
        div.card tabindex="0" role="region" aria-label="costs" {
            table.stacked {
                thead { tr { th { "cost" } th.n { "points" } th {} } }
                tbody {
                    (row("Spread", costs.spread, "as set; half of it at entry, half at exit".into()))
                    (row("Slippage", costs.slippage, "at entry and at exit: how much worse the price is than the one that was seen".into()))
                    (row("Commission", costs.commission_side, format!("at entry and at exit; {} per lot", plain(costs.commission_per_lot_side))))
                    (row("Swap, BUY", costs.swap_long, format!("a night, three times on {}; below 0 it is paid", day(&costs.swap_triple_day))))
                    (row("Swap, SELL", costs.swap_short, "a night".into()))
                    (row("In and out", costs.round_trip, "what a trade without a night costs".into()))
                }
            }
        }
    }
}

/// `wed` as `Wednesday`.
fn day(short: &str) -> &str {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    DAYS.into_iter().find(|day| day.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case(short))).unwrap_or(short)
}

/// At most four decimals, without zeros at the end.
fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_owned() } else { short.replace('-', "−") }
}

/// How often these bars were tried, and what chance does.
pub(super) fn trials(report: &Report) -> Markup {
    html! {
        section {
            h2 { "How often these bars were tried" }
            (tried(&report.trials))
            (chance(&report.null))
        }
    }
}

fn tried(trials: &Trials) -> Markup {
    let studies =
        if trials.studies == 1 { "one study".to_owned() } else { format!("{} studies", count(trials.studies)) };
    html! {
        p {
            b { (count(trials.total)) " trials" } " in " (studies) " of these bars, " (count(trials.now)) " of them in this one: every threshold, "
            "horizon, model, end of training and range of bars counts. "
            @if let Some(best) = trials.sharpe_expected_max {
                "The best of so many would have a Sharpe of " (text::ratio(best)) " a trade by chance alone, and a result has to be better than that."
            } @else {
                "What the best of them has by chance is not defined here."
            }
        }
    }
}

fn chance(null: &Null) -> Markup {
    html! {
        p {
            @match (null.net_points, null.quantiles, null.p_value) {
                (Some(found), Some([low, middle, high]), Some(p_value)) => {
                    "Against chance: the signals were moved along the prices " (count(null.shifts)) " times, so that they keep their rhythm but know "
                    "nothing. Such signals brought " (text::points(low)) " to " (text::points(high)) " points a trade in nine of ten cases, "
                    (text::points(middle)) " in the middle; the real ones " b { (text::points(found)) } ". "
                    "The p-value, the share of them that did as well or better, is " b { (text::ratio(p_value)) } "."
                }
                (Some(_), ..) => {
                    "Nothing was compared with chance: a fold is too short to move its signals further than a position may last "
                    "(study.horizon_bars)."
                }
                _ => "Against chance: without trades there is nothing to compare.",
            }
        }
    }
}

/// What remains for the reader to know.
pub(super) fn unseen() -> Markup {
    html! {
        section {
            h2 { "What no check can see" }
            ul {
                li { "Whether the model was really trained on nothing after model.trained_until, and chosen without these bars." }
                li { "What was tried elsewhere: in a notebook, on another file of the same prices, with another studies.db." }
                li { "Prices that the broker would have given: spreads widen at night and at news, orders are filled later or not at all." }
                li { "Bars that the provider has repaired since: the model may see better bars here than it would have live." }
                li { "Swapped classes: a model that calls SELL what is BUY looks like one that is always wrong." }
                li { "The future. This is one symbol in one period, and markets change." }
            }
        }
    }
}

/// Files, what was left out, and the look ahead.
pub(super) fn read(report: &Report) -> Markup {
    let counts = &report.counts;
    html! {
        section {
            h2 { "What was read" }
            div.card tabindex="0" role="region" aria-label="inputs" {
                table {
                    thead { tr { th { "kind" } th { "name" } th.n { "rows" } th { "SHA-256" } } }
                    tbody {
                        @for input in &report.inputs {
                            tr { td { (input.kind) } td.long { (input.name) } td.n { (count(input.rows)) } td.long { code { (input.sha256) } } }
                        }
                    }
                }
            }
            ul {
                li { (count(counts.decisions)) " decisions, " (count(counts.decisions_in_sample)) " of them on bars that the model was trained on" }
                li { "places where bars are missing although the market was open: " (count(counts.gaps)) }
                @for dropped in &counts.dropped { li { "left out: " (count(dropped.count)) " " (dropped.why) } }
                @for note in &counts.notes { li { (note) } }
                li { (label(report)) }
                @for sentence in look_ahead(report) { li { (sentence) } }
            }
            p.soft { "Made by " (report.made_by) ", seed " (report.seed) ". All figures are in study.json, too. The same input makes the same page." }
        }
    }
}

fn label(report: &Report) -> String {
    let label = &report.label;
    let bars = label.horizon_bars;
    match label.kind.as_str() {
        "triple_barrier" => format!(
            "what was right: the side whose take-profit ({}) came before its stop-loss ({}) within {bars} bars",
            known(label.take_profit, plain),
            known(label.stop_loss, plain),
        ),
        _ => format!(
            "what was right: the direction of the close {bars} bars later; HOLD if it moved by less than {}",
            known(label.hold_move, |share| format!("{:.3} %", share * 100.0)),
        ),
    }
}

fn look_ahead(report: &Report) -> Vec<String> {
    let found = &report.look_ahead;
    let checked = || {
        let first = found.first.as_ref().map(|first| format!(", first {first}")).unwrap_or_default();
        format!(
            "{} decisions were made again with noise for all later bars and with a bar that is still forming: {} came out \
             differently{first}",
            count(found.checked),
            count(found.unequal),
        )
    };
    let unchecked = || "whether features use the future was not checked: they were not made here".to_owned();
    let mut said = vec![if found.is_checked { checked() } else { unchecked() }];
    if let Some(recorded) = &found.recorded {
        let (equal, all) = (count(recorded.equal), count(recorded.decisions));
        said.push(format!("{equal} of {all} recorded decisions have the features that these bars give"));
    }
    said.extend(found.extent.iter().map(|sentence| format!("look-ahead check: {sentence}")));
    said
}
