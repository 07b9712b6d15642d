//! The plots of a soak: curves over the time of the run, with its gaps and restarts.

use super::record::Gap;
use crate::tools::plot::{Area, Axis, Points, line, number, tenth, thinned};
use maud::{Markup, html};

const AREA: Area = Area { width: 600.0, height: 220.0, left: 52.0, right: 588.0, top: 24.0, bottom: 178.0 };
/// Wanted distances between marks of an axis.
const TICKS_Y: f64 = 4.0;
const TICKS_X: f64 = 6.0;

/// One line of a plot.
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Class in the page's style, for its colour and dashes.
    pub(super) class: &'static str,
    /// By seconds since the first scrape.
    pub(super) points: Points,
}

/// Curves over the time of the run.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// Unit of the vertical axis.
    pub(super) unit: &'static str,
    pub(super) curves: Vec<Curve>,
    /// Whether the vertical axis begins at 0: for counts and durations; memory would be a flat line.
    pub(super) from_zero: bool,
    /// Least span of the vertical axis, so that small changes do not look large.
    pub(super) span_min: f64,
}

/// Shared by all plots of a page.
pub(super) struct Frame<'a> {
    pub(super) elapsed_s: f64,
    pub(super) gaps: &'a [Gap],
    pub(super) restarts_s: &'a [f64],
}

/// Draws it.
pub(super) fn svg(plot: &Plot, frame: &Frame<'_>) -> Markup {
    let across = AREA.across(0.0, frame.elapsed_s.max(1e-3));
    let curves: Vec<_> = plot.curves.iter().map(|curve| (curve.class, thinned(&curve.points))).collect();
    let values = || curves.iter().flat_map(|(_, points)| points).filter_map(|(_, value)| *value);
    let range = values().reduce(f64::min).zip(values().reduce(f64::max));
    html! {
        svg viewBox=(AREA.view_box()) role="img" aria-label=(plot.title) {
            @for (x, width) in hairlines(frame.gaps, &across) {
                rect.gap x=(tenth(x)) y=(AREA.top) width=(tenth(width)) height=(tenth(AREA.bottom - AREA.top)) {}
            }
            (time_axis(&across))
            @if let Some((min, max)) = range {
                @let (up, marks) = of_values(plot, min, max);
                (AREA.marks_up(&up, &numbered(&marks), plot.unit))
                @for (class, points) in &curves { (line(class, points, &across, &up)) }
            } @else {
                (AREA.empty("nothing observed"))
            }
            @for restart in frame.restarts_s {
                path.restart d=(format!("M{:.1} {}V{}", across.at(*restart), AREA.top, AREA.bottom)) {}
            }
        }
    }
}

/// Left edge and width of each gap. The shortest is a hairline; gaps that would overlap it are left out.
fn hairlines(gaps: &[Gap], across: &Axis) -> Vec<(f64, f64)> {
    let mut drawn_to = f64::NEG_INFINITY;
    let mut drawn = Vec::new();
    for gap in gaps {
        let (x, end) = (across.at(gap.from_s), across.at(gap.to_s));
        if end > drawn_to {
            let width = (end - x).max(1.5);
            drawn.push((x, width));
            drawn_to = x + width;
        }
    }
    drawn
}

/// The vertical axis for values of this range, and its marks, including both ends.
fn of_values(plot: &Plot, min: f64, max: f64) -> (Axis, Vec<f64>) {
    let (mut from, mut to) = (if plot.from_zero { 0.0 } else { min }, max);
    let missing = (plot.span_min - (to - from)).max(0.0);
    if !plot.from_zero {
        from = (from - missing / 2.0).max(0.0);
    }
    to += plot.span_min - (to - from).min(plot.span_min);
    Axis { from, to, low: AREA.bottom, high: AREA.top }.rounded(TICKS_Y)
}

fn numbered(marks: &[f64]) -> Vec<(f64, String)> {
    marks.iter().map(|mark| (*mark, number(*mark))).collect()
}

fn time_axis(across: &Axis) -> Markup {
    let (unit, unit_s) = match across.to {
        ..=180.0 => ("seconds", 1.0),
        ..=10_800.0 => ("minutes", 60.0),
        ..=259_200.0 => ("hours", 3_600.0),
        _ => ("days", 86_400.0),
    };
    let scaled = Axis { from: 0.0, to: across.to / unit_s, ..*across };
    AREA.marks_across(&scaled, &numbered(&scaled.ticks(TICKS_X)), &format!("{unit} since the first scrape"))
}

#[cfg(test)]
mod tests;
