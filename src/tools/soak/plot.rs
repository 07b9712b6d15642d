//! Plots as inline SVG. Own code, because `plotters` writes fixed colours and sizes, and these follow the page's style,
//! light or dark, and its width.

use super::{record::Gap, text};
use std::fmt::Write;

/// Drawing area; the page scales it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 588.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 178.0;
/// More columns than this would not be told apart; each keeps its lowest and its highest point.
const COLUMNS: usize = 400;
/// Wanted distances between marks of an axis.
const TICKS_Y: f64 = 4.0;
const TICKS_X: f64 = 6.0;

/// Seconds since the first look, and the value; `None` breaks the line.
pub(super) type Points = Vec<(f64, Option<f64>)>;

/// One line of a plot.
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Class of the page's style: its colour and its dashes.
    pub(super) class: &'static str,
    pub(super) points: Points,
}

/// What is drawn over one stretch of time.
pub(super) struct Plot {
    pub(super) title: &'static str,
    /// Of the vertical axis.
    pub(super) unit: &'static str,
    pub(super) curves: Vec<Curve>,
    /// Counts and durations begin at 0; memory would be a flat line then.
    pub(super) from_zero: bool,
    /// The vertical axis spans this much at least: what is less is no news.
    pub(super) span_min: f64,
}

/// What all plots of a page share.
pub(super) struct Frame<'a> {
    pub(super) elapsed_s: f64,
    pub(super) gaps: &'a [Gap],
    pub(super) restarts_s: &'a [f64],
}

/// Draws it.
pub(super) fn svg(plot: &Plot, frame: &Frame<'_>) -> String {
    let title = text::escaped(plot.title);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    let across = Axis { from: 0.0, to: frame.elapsed_s.max(1e-3), low: LEFT, high: RIGHT };
    let mut drawn_to = f64::NEG_INFINITY;
    for gap in frame.gaps {
        // A hairline is drawn for the shortest; what would fall onto it is left out.
        let (x, end) = (across.at(gap.from_s), across.at(gap.to_s));
        if end > drawn_to {
            let width = (end - x).max(1.5);
            push(
                &mut out,
                format_args!(
                    "<rect class=\"gap\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
                    BOTTOM - TOP
                ),
            );
            drawn_to = x + width;
        }
    }
    time_axis(&mut out, &across);
    let curves: Vec<_> = plot.curves.iter().map(|curve| (curve.class, thinned(&curve.points))).collect();
    let values = || curves.iter().flat_map(|(_, points)| points).filter_map(|(_, value)| *value);
    match values().reduce(f64::min).zip(values().reduce(f64::max)) {
        None => push(
            &mut out,
            format_args!(
                "<text class=\"empty\" x=\"{:.1}\" y=\"{:.1}\">nothing observed</text>",
                (LEFT + RIGHT) / 2.0,
                (TOP + BOTTOM) / 2.0
            ),
        ),
        Some((min, max)) => {
            let up = value_axis(&mut out, plot, min, max);
            for (class, points) in &curves {
                line(&mut out, class, points, &across, &up);
            }
        }
    }
    for restart in frame.restarts_s {
        let x = across.at(*restart);
        push(&mut out, format_args!("<path class=\"restart\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>"));
    }
    out.push_str("</svg>");
    out
}

/// Writing to a string cannot fail.
fn push(out: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(what);
}

struct Axis {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        self.low + (self.high - self.low) * (value - self.from) / (self.to - self.from)
    }

    /// Round values between the ends, 1, 2 or 5 times a power of ten apart.
    fn ticks(&self, wanted: f64) -> Vec<f64> {
        let step = round_step((self.to - self.from) / wanted);
        let (first, last) = ((self.from / step - 1e-9).ceil(), (self.to / step + 1e-9).floor());
        (0..=(last - first) as usize).map(|index| (first + index as f64) * step).collect()
    }
}

fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

fn time_axis(out: &mut String, across: &Axis) {
    let (unit, unit_s) = match across.to {
        ..=180.0 => ("seconds", 1.0),
        ..=10_800.0 => ("minutes", 60.0),
        ..=259_200.0 => ("hours", 3_600.0),
        _ => ("days", 86_400.0),
    };
    let scaled = Axis { from: 0.0, to: across.to / unit_s, ..*across };
    for tick in scaled.ticks(TICKS_X) {
        let (x, label) = (scaled.at(tick), text::number(tick));
        push(out, format_args!("<path class=\"tick\" d=\"M{x:.1} {BOTTOM}v4\"/>"));
        push(out, format_args!("<text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>", BOTTOM + 17.0));
    }
    let y = BOTTOM + 34.0;
    push(
        out,
        format_args!(
            "<text class=\"x\" x=\"{:.1}\" y=\"{y}\">{unit} since the first look</text>",
            (LEFT + RIGHT) / 2.0
        ),
    );
    push(out, format_args!("<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>"));
}

fn value_axis(out: &mut String, plot: &Plot, min: f64, max: f64) -> Axis {
    let (mut low, mut high) = (if plot.from_zero { 0.0 } else { min }, max);
    let missing = (plot.span_min - (high - low)).max(0.0);
    if !plot.from_zero {
        low = (low - missing / 2.0).max(0.0);
    }
    high += plot.span_min - (high - low).min(plot.span_min);
    let step = round_step((high - low) / TICKS_Y);
    let from = (low / step + 1e-9).floor() * step;
    let to = (high / step - 1e-9).ceil() * step;
    let up = Axis { from, to, low: BOTTOM, high: TOP };
    for tick in up.ticks((to - from) / step) {
        let (y, label) = (up.at(tick), text::number(tick));
        push(out, format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>"));
        push(out, format_args!("<text class=\"y\" x=\"{}\" y=\"{:.1}\">{label}</text>", LEFT - 7.0, y + 4.0));
    }
    push(out, format_args!("<text class=\"unit\" x=\"4\" y=\"12\">{}</text>", text::escaped(plot.unit)));
    up
}

/// A line, broken where there is no value; a point without neighbours is a dot.
fn line(out: &mut String, class: &str, points: &Points, across: &Axis, up: &Axis) {
    let mut path = String::new();
    for run in points.split(|(_, value)| value.is_none()) {
        let mut known = run.iter().filter_map(|(at, value)| Some((across.at(*at), up.at((*value)?))));
        match (run.len(), known.next()) {
            (1, Some((x, y))) => {
                push(out, format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"))
            }
            (_, Some((x, y))) => {
                push(&mut path, format_args!("M{x:.1} {y:.1}"));
                known.for_each(|(x, y)| push(&mut path, format_args!("L{x:.1} {y:.1}")));
            }
            (_, None) => {}
        }
    }
    if !path.is_empty() {
        push(out, format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
    }
}

/// Of many points the lowest and the highest of each column, and every break.
fn thinned(points: &Points) -> Points {
    if points.len() <= 2 * COLUMNS {
        return points.clone();
    }
    let mut kept = Vec::with_capacity(3 * COLUMNS);
    for column in points.chunks(points.len().div_ceil(COLUMNS)) {
        let known = || column.iter().filter_map(|(at, value)| Some((*at, (*value)?)));
        let low = known().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = known().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut ends: Vec<_> = [low, high].into_iter().flatten().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends.dedup();
        kept.extend(ends.into_iter().map(|(at, value)| (at, Some(value))));
        kept.extend(column.iter().find(|(_, value)| value.is_none()));
    }
    kept
}

#[cfg(test)]
mod tests;
