//! What plots are made of, as inline SVG, for `soak.html` and `study.html`. `plotters` writes fixed colours and sizes; these follow the
//! page's style, light or dark, and its width.

mod axis;
mod dates;

pub(super) use axis::{Axis, fixed};
pub(super) use dates::dates;
use maud::{Markup, html};

/// The style of a page with plots.
pub(super) const STYLE: &str = include_str!("plot/page.css");
/// More columns could not be distinguished; each keeps its lowest and its highest point.
pub(super) const COLUMNS: usize = 400;

/// Across, such as seconds or a date, and the value; `None` breaks the line.
pub(super) type Points = Vec<(f64, Option<f64>)>;

/// The drawing area; the page scales it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
}

impl Area {
    /// `0 0 600 220`
    pub(super) fn view_box(&self) -> String {
        format!("0 0 {} {}", self.width, self.height)
    }

    /// The axis from left to right.
    pub(super) fn across(&self, from: f64, to: f64) -> Axis {
        Axis { from, to, low: self.left, high: self.right }
    }

    /// Says why there is nothing in it.
    pub(super) fn empty(&self, why: &str) -> Markup {
        html! {
            text.empty x=(tenth((self.left + self.right) / 2.0)) y=(tenth((self.top + self.bottom) / 2.0)) { (why) }
        }
    }

    /// The horizontal axis with its marks, and what they are below.
    pub(super) fn marks_across(&self, across: &Axis, marks: &[(f64, String)], below: &str) -> Markup {
        let Self { left, right, bottom, .. } = self;
        html! {
            @for (mark, label) in marks {
                @let x = across.at(*mark);
                path.tick d=(format!("M{x:.1} {bottom}v4")) {}
                text.x x=(tenth(x)) y=(tenth(bottom + 17.0)) { (label) }
            }
            text.x x=(tenth((left + right) / 2.0)) y=(bottom + 34.0) { (below) }
            path.axis d=(format!("M{left} {bottom}H{right}")) {}
        }
    }

    /// The lines across at the marks of the vertical axis, and its unit.
    pub(super) fn marks_up(&self, up: &Axis, marks: &[(f64, String)], unit: &str) -> Markup {
        let Self { left, right, .. } = self;
        html! {
            @for (mark, label) in marks {
                @let y = up.at(*mark);
                path.grid d=(format!("M{left} {y:.1}H{right}")) {}
                text.y x=(left - 7.0) y=(tenth(y + 4.0)) { (label) }
            }
            text.unit x="4" y="12" { (unit) }
        }
    }
}

/// A coordinate; tenths are finer than a screen.
pub(super) fn tenth(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

/// At most four significant digits; whole numbers in full.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 {
        return format!("{}", value + 0.0);
    }
    let decimals = if size >= 1_000.0 { 0 } else { (3.0 - size.log10().floor()).clamp(0.0, 6.0) as usize };
    let text = format!("{value:.decimals$}");
    let short = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// A line, broken at missing values; a single point is a dot.
pub(super) fn line(class: &str, points: &Points, across: &Axis, up: &Axis) -> Markup {
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
pub(super) fn thinned(points: &Points) -> Points {
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
