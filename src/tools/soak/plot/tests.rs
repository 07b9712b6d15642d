//! Axes with round marks, broken lines, and plots of no point, one point and very many.

use super::*;
use crate::tools::plot::COLUMNS;

fn plot(points: Points) -> Plot {
    let curves = vec![Curve { name: "p99", class: "c1", points }];
    Plot { title: "Lag <p99>", unit: "ms", curves, from_zero: true, span_min: 1.0 }
}

fn drawn(points: Points, elapsed_s: f64) -> String {
    svg(&plot(points), &Frame { elapsed_s, gaps: &[], restarts_s: &[] }).into_string()
}

#[test]
fn an_empty_plot_is_marked() {
    for points in [Vec::new(), vec![(0.0, None), (1.0, None)]] {
        let svg = drawn(points, 1.0);
        assert!(svg.contains("nothing observed") && !svg.contains("class=\"line"), "{svg}");
    }
    assert!(drawn(Vec::new(), 0.0).contains("nothing observed"), "no time has passed");
}

#[test]
fn one_point_is_a_dot() {
    let svg = drawn(vec![(0.0, Some(0.0))], 0.0);
    assert!(svg.contains("<circle") && !svg.contains("NaN") && !svg.contains("nothing observed"), "{svg}");
}

#[test]
fn a_line_breaks_at_a_failed_scrape() {
    let points = vec![(0.0, Some(1.0)), (1.0, Some(2.0)), (2.0, None), (3.0, Some(0.0)), (4.0, Some(1.0))];
    let svg = drawn(points, 4.0);
    let path = svg.split("class=\"line c1\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(path.matches('M').count(), 2, "{path}");
}

#[test]
fn a_restart_and_a_gap_are_marked_and_text_is_escaped() {
    let gaps: Vec<_> = (0..1_000)
        .map(|i| Gap { from_s: f64::from(i) * 2.0, to_s: f64::from(i) * 2.0 + 1.0, failed: 1, why: String::new() })
        .collect();
    let frame = Frame { elapsed_s: 2_000.0, gaps: &gaps, restarts_s: &[500.0] };
    let svg = svg(&plot(vec![(0.0, Some(1.0)), (2_000.0, Some(1.0))]), &frame).into_string();
    assert_eq!(svg.matches("class=\"restart\"").count(), 1);
    assert!((300..400).contains(&svg.matches("class=\"gap\"").count()), "{}", svg.matches("class=\"gap\"").count());
    assert!(svg.contains("Lag &lt;p99&gt;"));
}

#[test]
fn very_many_points_keep_their_peaks_and_breaks() {
    let mut points: Points = (0..100_000).map(|i| (f64::from(i), Some(1.0))).collect();
    points[54_321].1 = Some(77.0);
    points[12_345].1 = None;
    let thinned = thinned(&points);
    assert!(thinned.len() <= 3 * COLUMNS, "{}", thinned.len());
    assert!(thinned.contains(&(54_321.0, Some(77.0))) && thinned.contains(&(12_345.0, None)));
    assert!(drawn(points, 100_000.0).len() < 40_000);
}
