//! Plots as inline SVG. `plotters` writes fixed colours and sizes; these follow the page's style, light or dark, and its width.

use super::{record::Gap, text};
use maud::{Markup, html};

/// Drawing area; the page scales it.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 588.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 178.0;
/// More columns could not be distinguished; each keeps its lowest and its highest point.
const COLUMNS: usize = 400;
/// Wanted distances between marks of an axis.
const TICKS_Y: f64 = 4.0;
const TICKS_X: f64 = 6.0;

/// Seconds since the first scrape, and the value; `None` breaks the line.
pub(super) type Points = Vec<(f64, Option<f64>)>;

/// One line of a plot.
pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Class in the page's style, for its colour and dashes.
    pub(super) class: &'static str,
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
    let across = Axis { from: 0.0, to: frame.elapsed_s.max(1e-3), low: LEFT, high: RIGHT };
    let curves: Vec<_> = plot.curves.iter().map(|curve| (curve.class, thinned(&curve.points))).collect();
    let values = || curves.iter().flat_map(|(_, points)| points).filter_map(|(_, value)| *value);
    let range = values().reduce(f64::min).zip(values().reduce(f64::max));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(plot.title) {
            @for (x, width) in hairlines(frame.gaps, &across) {
                rect.gap x=(tenth(x)) y=(TOP) width=(tenth(width)) height=(tenth(BOTTOM - TOP)) {}
            }
            (time_axis(&across))
            @if let Some((min, max)) = range {
                @let (up, marks) = Axis::of_values(plot, min, max);
                (value_axis(&up, &marks, plot.unit))
                @for (class, points) in &curves { (line(class, points, &across, &up)) }
            } @else {
                text.empty x=(tenth((LEFT + RIGHT) / 2.0)) y=(tenth((TOP + BOTTOM) / 2.0)) { "nothing observed" }
            }
            @for restart in frame.restarts_s {
                path.restart d=(format!("M{:.1} {TOP}V{BOTTOM}", across.at(*restart))) {}
            }
        }
    }
}

/// A coordinate; tenths are finer than a screen.
fn tenth(coordinate: f64) -> String {
    format!("{coordinate:.1}")
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

struct Axis {
    from: f64,
    to: f64,
    low: f64,
    high: f64,
}

impl Axis {
    /// The vertical axis for values of this range, and its marks, including both ends.
    fn of_values(plot: &Plot, min: f64, max: f64) -> (Self, Vec<f64>) {
        let (mut low, mut high) = (if plot.from_zero { 0.0 } else { min }, max);
        let missing = (plot.span_min - (high - low)).max(0.0);
        if !plot.from_zero {
            low = (low - missing / 2.0).max(0.0);
        }
        high += plot.span_min - (high - low).min(plot.span_min);
        let step = round_step((high - low) / TICKS_Y);
        let from = (low / step + 1e-9).floor() * step;
        let to = (high / step - 1e-9).ceil() * step;
        let axis = Self { from, to, low: BOTTOM, high: TOP };
        let marks = axis.ticks((to - from) / step);
        (axis, marks)
    }

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

fn time_axis(across: &Axis) -> Markup {
    let (unit, unit_s) = match across.to {
        ..=180.0 => ("seconds", 1.0),
        ..=10_800.0 => ("minutes", 60.0),
        ..=259_200.0 => ("hours", 3_600.0),
        _ => ("days", 86_400.0),
    };
    let scaled = Axis { from: 0.0, to: across.to / unit_s, ..*across };
    html! {
        @for tick in scaled.ticks(TICKS_X) {
            @let x = scaled.at(tick);
            path.tick d=(format!("M{x:.1} {BOTTOM}v4")) {}
            text.x x=(tenth(x)) y=(tenth(BOTTOM + 17.0)) { (text::number(tick)) }
        }
        text.x x=(tenth((LEFT + RIGHT) / 2.0)) y=(BOTTOM + 34.0) { (unit) " since the first scrape" }
        path.axis d=(format!("M{LEFT} {BOTTOM}H{RIGHT}")) {}
    }
}

fn value_axis(up: &Axis, marks: &[f64], unit: &str) -> Markup {
    html! {
        @for tick in marks {
            @let y = up.at(*tick);
            path.grid d=(format!("M{LEFT} {y:.1}H{RIGHT}")) {}
            text.y x=(LEFT - 7.0) y=(tenth(y + 4.0)) { (text::number(*tick)) }
        }
        text.unit x="4" y="12" { (unit) }
    }
}

/// A line, broken at missing values; a single point is a dot.
fn line(class: &str, points: &Points, across: &Axis, up: &Axis) -> Markup {
    let (mut path, mut dots) = (String::new(), Vec::new());
    for run in points.split(|(_, value)| value.is_none()) {
        let mut known = run.iter().filter_map(|(at, value)| Some((across.at(*at), up.at((*value)?))));
        match (run.len(), known.next()) {
            (1, Some(dot)) => dots.push(dot),
            (_, Some((x, y))) => {
                path += &format!("M{x:.1} {y:.1}");
                known.for_each(|(x, y)| path += &format!("L{x:.1} {y:.1}"));
            }
            (_, None) => {}
        }
    }
    html! {
        @for (x, y) in dots { circle.(class) cx=(tenth(x)) cy=(tenth(y)) r="2.5" {} }
        @if !path.is_empty() { path.line.(class) d=(path) {} }
    }
}

/// The lowest and the highest point of each column, and every break.
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
