//! Whether odds mean what they say: a plot for each class, and the scores of all.

use super::{
    frame::{self, SMALL, figure, key},
    text::{self, count, known},
};
use crate::tools::{
    plot::{Axis, fixed, tenth},
    study::result::{Calibration, CalibrationBin, ClassCalibration, Confusion, Report},
};
use maud::{Markup, html};

/// Axes end at tenths and span at least two of them.
const TENTHS_MIN: f64 = 2.0;

/// What the plots are.
pub(super) fn note() -> Markup {
    html! {
        "Of all decisions with odds of 0.6, is the class right in 60 %? On the dashed line odds mean exactly that; below it the model is surer than "
        "it should be. A threshold is only worth something if the line rises."
    }
}

/// Of a class.
pub(super) fn chart(class: &ClassCalibration, report: &Report) -> Markup {
    let color = match class.class.as_str() {
        "BUY" => "c1",
        "SELL" => "c3",
        _ => "c2",
    };
    let area = &SMALL;
    let plot = html! {
        svg.small viewBox=(area.view_box()) role="img" aria-label=(format!("{}: how often it was right, by its odds", class.class)) {
            @if let Some((from, to)) = ends(class) {
                @let across = area.across(from, to);
                @let up = Axis { from, to, low: area.bottom, high: area.top };
                @let marks = fixed(&up.ticks(5.0));
                (area.marks_across(&across, &marks, "odds"))
                (area.marks_up(&up, &marks, "how often it was right"))
                path.perfect d=(format!("M{} {}L{} {}", area.left, area.bottom, area.right, area.top)) {}
                @for bin in &class.bins { (dot(bin, color, &across, &up)) }
                (steps(&class.isotonic, color, &across, &up))
            } @else {
                (area.empty("no decisions"))
            }
            (frame::watermark(area, report))
        }
    };
    let keys = html! {
        (key(color, "best rising line"))
        span.glyph { svg viewBox="0 0 14 14" aria-hidden="true" { path.bar.(color) d="M7 1V13" {} circle.(color) cx="7" cy="7" r="3" {} } "decisions of like odds, 95 % band" }
        (key("perfect", "odds mean what they say"))
    };
    figure(&class.class, plot, keys)
}

/// The tenths around all bins; the same for both axes.
fn ends(class: &ClassCalibration) -> Option<(f64, f64)> {
    let (low, high) = frame::range(class.bins.iter().flat_map(|bin| [bin.from, bin.to, bin.observed]))?;
    let (mut low, mut high) = ((low * 10.0 + 1e-9).floor().max(0.0), (high * 10.0 - 1e-9).ceil().min(10.0));
    if high - low < TENTHS_MIN {
        low = (high - TENTHS_MIN).max(0.0);
        high = (low + TENTHS_MIN).min(10.0);
    }
    Some((low / 10.0, high / 10.0))
}

fn dot(bin: &CalibrationBin, class: &str, across: &Axis, up: &Axis) -> Markup {
    let x = tenth(across.within(bin.predicted));
    html! {
        @if let Some([low, high]) = bin.band {
            path.bar.(class) d=(format!("M{x} {:.1}V{:.1}", up.within(low), up.within(high))) {}
        }
        circle.(class) cx=(x) cy=(tenth(up.within(bin.observed))) r="3" {}
    }
}

/// The curve as steps: between two points it jumps where the next begins.
fn steps(points: &[[f64; 2]], class: &str, across: &Axis, up: &Axis) -> Markup {
    let mut path = String::new();
    for [odds, share] in points {
        let (x, y) = (across.within(*odds), up.within(*share));
        path += &if path.is_empty() { format!("M{x:.1} {y:.1}") } else { format!("H{x:.1}V{y:.1}") };
    }
    html! { @if points.len() > 1 { path.line.(class) d=(path) {} } }
}

/// The scores of the classes and of all.
pub(super) fn scores(calibration: &Calibration) -> Markup {
    let four = |value: f64| format!("{value:.4}");
    html! {
        p.soft {
            "Brier score: mean squared distance of the odds from what came, 0 is best. Its parts: what better calibration would take away, less "
            "what telling cases apart gives, plus what the frequency of the class leaves open. Calibration error (ECE): mean distance of the dots from the "
            "dashed line."
        }
        div.card tabindex="0" role="region" aria-label="scores of the odds" {
            table {
                thead {
                    tr {
                        th { "class" }
                        @for name in ["right in", "Brier", "calibration", "telling apart", "left open", "ECE", "bins"] { th.n { (name) } }
                    }
                }
                tbody {
                    @for class in &calibration.classes {
                        tr {
                            td { (class.class) }
                            td.n { (known(class.frequency, text::share)) }
                            @for value in [class.brier, class.reliability, class.resolution, class.uncertainty, class.ece] {
                                td.n { (known(value, four)) }
                            }
                            td.n { (class.bins.len()) }
                        }
                    }
                }
            }
        }
        p {
            "All three classes on " (count(calibration.count)) " decisions: Brier " (known(calibration.brier, four)) " (not knowing: 0.6667), log loss "
            (known(calibration.log_loss, four)) ". "
            span.soft { "Log loss: mean logarithm of the odds of what came, with its sign turned. " }
            @if let Some((loss, plain)) = calibration.log_loss.zip(calibration.log_loss_of_frequencies) {
                "A model that always says how frequent the classes are has " (four(plain)) ", so this one "
                (if loss < plain { "knows something." } else { "knows nothing that these frequencies do not say." })
            }
        }
    }
}

/// What was likeliest against what was right.
pub(super) fn confusion(confusion: &Confusion) -> Markup {
    let names = ["SELL", "HOLD", "BUY"];
    html! {
        div.card tabindex="0" role="region" aria-label="what was likeliest against what was right" {
            table {
                thead {
                    tr {
                        th { "what was right" }
                        @for name in names { th.n { "model: " (name) } }
                        th.n { "found" }
                    }
                }
                tbody {
                    @for ((name, row), recall) in names.iter().zip(&confusion.counts).zip(confusion.recall) {
                        tr {
                            td { (name) }
                            @for cell in row { td.n { (count(*cell)) } }
                            td.n { (known(recall, text::share)) }
                        }
                    }
                    tr {
                        td { "right of these" }
                        @for precision in confusion.precision { td.n { (known(precision, text::share)) } }
                        td {}
                    }
                }
            }
        }
    }
}
