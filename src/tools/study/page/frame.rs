//! What all plots of the page share: their size, their frame, the shade of bars that do not count, and the mark of a study without costs.

use super::text;
use crate::tools::{
    plot::{Area, Axis, dates, fixed, tenth},
    study::result::Report,
};
use maud::{Markup, html};

/// Two beside each other on a wide screen, one on a narrow one.
pub(super) const WIDE: Area = Area { width: 480.0, height: 232.0, left: 70.0, right: 456.0, top: 30.0, bottom: 190.0 };
/// With a second line of numbers below.
pub(super) const WIDE_TALL: Area = Area { height: 256.0, ..WIDE };
/// All of a wide screen.
pub(super) const FULL: Area = Area { width: 960.0, height: 330.0, left: 64.0, right: 936.0, top: 30.0, bottom: 288.0 };
/// Three beside each other.
pub(super) const SMALL: Area = Area { width: 360.0, height: 290.0, left: 46.0, right: 340.0, top: 30.0, bottom: 248.0 };
/// Wanted distances between marks of the vertical axis.
const TICKS: f64 = 4.0;
/// A shade is at least as wide as can be seen.
const SHADE_MIN: f64 = 2.0;

/// A plot with its title and what its lines are.
pub(super) fn figure(title: &str, plot: Markup, keys: Markup) -> Markup {
    html! {
        figure {
            h3 { (title) }
            (plot)
            figcaption { (keys) }
        }
    }
}

/// A key of a line, an area or a mark.
pub(super) fn key(class: &str, name: &str) -> Markup {
    html! { span.key.(class) { (name) } }
}

/// A plot over the time of the study: `up` is the range of its values, `None` if there is nothing to draw.
pub(super) fn over_time(
    area: &Area,
    report: &Report,
    label: &str,
    unit: &str,
    up: Result<(f64, f64), &str>,
    draw: impl Fn(&Axis, &Axis) -> Markup,
) -> Markup {
    let (from, to) = (report.range.from, report.range.to.max(report.range.from + 1));
    let across = area.across(from as f64, to as f64);
    html! {
        svg viewBox=(area.view_box()) role="img" aria-label=(label) {
            @if let Some(range) = report.in_sample {
                (shade(area, &across, "gap", range.from as f64, range.to as f64))
            }
            (area.marks_across(&across, &dates(from, to), &format!("{} to {}, UTC", text::date(from), text::date(to))))
            @match up {
                Ok((low, high)) => {
                    @let (up, marks) = rounded(area, low, high);
                    (area.marks_up(&up, &fixed(&marks), unit))
                    (draw(&across, &up))
                }
                Err(why) => (area.empty(why)),
            }
            (watermark(area, report))
        }
    }
}

/// The vertical axis for values of this range.
pub(super) fn rounded(area: &Area, low: f64, high: f64) -> (Axis, Vec<f64>) {
    // All the same value would leave no room for a scale.
    let room = if high > low { 0.0 } else { low.abs().max(1.0) * 0.01 };
    Axis { from: low - room, to: high + room, low: area.bottom, high: area.top }.rounded(TICKS)
}

/// The least and the greatest of these.
pub(super) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |found, value| match found {
        Some((low, high)) => Some((value.min(low), value.max(high))),
        None => Some((value, value)),
    })
}

/// An area from top to bottom.
pub(super) fn shade(area: &Area, across: &Axis, class: &str, from: f64, to: f64) -> Markup {
    let (left, right) = (across.within(from), across.within(to));
    html! {
        @if right > left || from == to {
            @let width = (right - left).max(SHADE_MIN);
            rect.(class) x=(tenth(left.min(area.right - width))) y=(area.top) width=(tenth(width)) height=(tenth(area.bottom - area.top)) {}
        }
    }
}

/// A line across at 0.
pub(super) fn zero(area: &Area, up: &Axis) -> Markup {
    html! { path.zero d=(format!("M{} {:.1}H{}", area.left, up.within(0.0), area.right)) {} }
}

/// Without costs no result is one, and every plot says so.
pub(super) fn watermark(area: &Area, report: &Report) -> Markup {
    let (x, y) = ((area.left + area.right) / 2.0, (area.top + area.bottom) / 2.0);
    html! {
        @if report.costs.is_frictionless {
            text.watermark x=(tenth(x)) y=(tenth(y)) transform=(format!("rotate(-14 {x:.1} {y:.1})")) { "frictionless" }
        }
    }
}
