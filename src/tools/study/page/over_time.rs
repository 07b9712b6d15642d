//! The plots over time: the sum of all trades, how far it has fallen, and the trades on the price.

use super::{
    frame::{self, FULL, WIDE, figure, key},
    text,
};
use crate::tools::{
    plot::{Area, Axis, Points, line},
    study::result::{EquityPoint, Report, TradeMark},
};
use maud::{Markup, html};

const NO_TRADES: &str = "no trades";
/// More would cover each other.
const MARKS_DRAWN_MAX: usize = 160;

/// What the next two plots are.
pub(super) fn equity_note(report: &Report) -> Markup {
    html! {
        "Each threshold was chosen on earlier bars and then traded on later ones that had no part in the choice. "
        @if let Some(range) = report.in_sample {
            "Shaded: the model was trained on bars until " (text::minute(range.to)) " UTC and knows them, so they never count."
        } @else if report.trained_until.is_none() {
            "Until when the model was trained is not said (model.trained_until), so that it may know some of these bars, and nothing here "
            "excludes that."
        }
    }
}

fn curve(points: &[EquityPoint], value: impl Fn(&EquityPoint) -> f64) -> Points {
    points.iter().map(|point| (point.time as f64, Some(value(point)))).collect()
}

fn in_sample_key(report: &Report) -> Markup {
    html! { @if report.in_sample.is_some() { (key("gap", "trained on, not counted")) } }
}

/// The sum of all trades.
pub(super) fn equity(report: &Report) -> Markup {
    let all = || report.equity.iter().chain(&report.equity_inside);
    let range = frame::range(all().map(|point| point.points)).map(|(low, high)| (low.min(0.0), high.max(0.0)));
    let plot = frame::over_time(
        &WIDE,
        report,
        "sum of the results over time",
        "points",
        range.ok_or(NO_TRADES),
        |across, up| {
            html! {
                (frame::zero(&WIDE, up))
                (line("inside", &curve(&report.equity_inside, |point| point.points), across, up))
                (line("c1", &curve(&report.equity, |point| point.points), across, up))
            }
        },
    );
    figure("Sum of all trades", plot, html! { (key("c1", "counted")) (inside_key(report)) (in_sample_key(report)) })
}

fn inside_key(report: &Report) -> Markup {
    html! { @if !report.equity_inside.is_empty() { (key("inside", "before the first choice, not counted")) } }
}

/// How far the sum is below its highest point.
pub(super) fn drawdown(report: &Report) -> Markup {
    let all = || report.equity.iter().chain(&report.equity_inside);
    let range = frame::range(all().map(|point| -point.drawdown)).map(|(low, _)| (low.min(-1.0), 0.0));
    let plot =
        frame::over_time(&WIDE, report, "fall of the sum over time", "points", range.ok_or(NO_TRADES), |across, up| {
            let fall = |points| curve(points, |point: &EquityPoint| 0.0 - point.drawdown);
            html! {
                (line("inside", &fall(&report.equity_inside), across, up))
                (under(&fall(&report.equity), across, up))
                (line("c3", &fall(&report.equity), across, up))
            }
        });
    figure(
        "Drawdown: how far the sum is below its highest point",
        plot,
        html! { (key("c3", "counted")) (inside_key(report)) (in_sample_key(report)) },
    )
}

/// The area between a line and 0.
fn under(points: &Points, across: &Axis, up: &Axis) -> Markup {
    let known: Vec<_> = points.iter().filter_map(|(at, value)| Some((across.at(*at), up.at((*value)?)))).collect();
    let zero = up.at(0.0);
    html! {
        @if let (Some((first, _)), Some((last, _))) = (known.first(), known.last()) {
            @let path: String = known.iter().map(|(x, y)| format!("L{x:.1} {y:.1}")).collect();
            path.band.c3 d=(format!("M{first:.1} {zero:.1}{path}L{last:.1} {zero:.1}Z")) {}
        }
    }
}

/// What the marks on the price are.
pub(super) fn price_note(report: &Report) -> Markup {
    let drawn = marks(report).count() as u64;
    let all = report.walk_forward.outside.count;
    html! {
        "Only trades that count. "
        @if drawn < all { "To keep them readable, " (text::count(drawn)) " of " (text::count(all)) " are shown, evenly chosen." }
    }
}

/// Those that are drawn.
fn marks(report: &Report) -> impl Iterator<Item = &TradeMark> {
    report.marks.iter().step_by(report.marks.len().div_ceil(MARKS_DRAWN_MAX).max(1))
}

/// The trades on the price.
pub(super) fn price(report: &Report) -> Markup {
    let entries = report.marks.iter().map(|mark| mark.price);
    let range = frame::range(report.prices.iter().map(|point| point.close).chain(entries));
    let closes: Points = report.prices.iter().map(|point| (point.time as f64, Some(point.close))).collect();
    let draw = |area: &Area| {
        frame::over_time(
            area,
            report,
            "price, and where trades were entered",
            "price",
            range.ok_or("no bars"),
            |across, up| {
                html! {
                    (line("price", &closes, across, up))
                    @for mark in marks(report) {
                        @let (side, x, y) = (&mark.side, across.at(mark.time as f64), up.at(mark.price));
                        path.mark.(class(side, mark.net_points)) d=(shape(side, x, y)) {}
                    }
                }
            },
        )
    };
    let glyph = |side, net_points, name: &str| {
        let mark = html! { path.mark.(class(side, net_points)) d=(shape(side, 7.0, 7.0)) {} };
        html! { span.glyph { svg viewBox="0 0 14 14" aria-hidden="true" { (mark) } (name) } }
    };
    figure(
        "Price, and where trades were entered",
        html! { div.wide { (draw(&FULL)) } div.narrow { (draw(&WIDE)) } },
        html! {
            (glyph("BUY", 1.0, "BUY that earned"))
            (glyph("BUY", -1.0, "BUY that lost"))
            (glyph("SELL", 1.0, "SELL that earned"))
            (glyph("SELL", -1.0, "SELL that lost"))
            (in_sample_key(report))
        },
    )
}

/// Filled: earned. Hollow: lost.
fn class(side: &str, net_points: f64) -> &'static str {
    match (side == "BUY", net_points > 0.0) {
        (true, true) => "buy won",
        (true, false) => "buy lost",
        (false, true) => "sell won",
        (false, false) => "sell lost",
    }
}

/// A triangle: up for BUY, down for SELL.
fn shape(side: &str, x: f64, y: f64) -> String {
    let (tip, base) = if side == "BUY" { (y - 4.0, "7") } else { (y + 4.0, "-7") };
    format!("M{x:.1} {tip:.1}l4 {base}h-8z")
}
