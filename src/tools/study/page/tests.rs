//! The page of advice, of no advice and of nothing: small, still, escaped.

mod sample;

use super::*;
use crate::tools::study::result::{EquityPoint, MARKS_MAX, Month, POINTS_MAX, PricePoint};
use sample::{advice, empty, none};

/// The worst that may be read from a file name.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&";

#[test]
fn the_answer_comes_first() {
    let (advice, none) = (page(&advice()), page(&none()));
    for (page, mark, what) in [
        (&advice, "verdict good\">✓ BUY and SELL above 0.45 (trading.threshold)<small>after the training", "advice"),
        (&none, "verdict none\">○ No threshold is better than chance here<small>lower bound", "no advice"),
    ] {
        let at = page.find(mark).unwrap_or_else(|| panic!("{what}"));
        assert!(at < page.find("<svg").unwrap(), "{what}");
    }
    let order = [
        "What it would have brought",
        "From which threshold on",
        "Whether the odds mean",
        "Where the trades lie",
        "Month by month",
        "Chosen before, judged after",
        "What advice needs",
        "Costs and rules",
        "How often these bars",
        "What no check can see",
    ];
    let places: Vec<_> = order.iter().map(|title| advice.find(&format!("<h2>{title}")).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_page_is_small_and_loads_nothing() {
    for page in [page(&advice()), page(&none()), page(&empty())] {
        assert!(page.len() < 500_000, "{} bytes", page.len());
        for forbidden in ["<script", "<img", "http:", "https:", "url(", "@import", " on", "NaN", "inf "] {
            let is_in_tag =
                page.split('<').any(|part| part.split('>').next().is_some_and(|tag| tag.contains(forbidden)));
            assert!(!is_in_tag, "{forbidden}");
        }
        assert!(!page.contains("NaN") && page.contains("default-src 'none'"));
    }
}

#[test]
fn the_largest_report_stays_under_a_megabyte() {
    let mut largest = advice();
    let point =
        |at: usize| EquityPoint { time: largest_time(at), points: at as f64 * -1_234.567, drawdown: at as f64 * 777.7 };
    largest.equity = (0..POINTS_MAX).map(point).collect();
    largest.equity_inside = largest.equity.clone();
    largest.prices =
        (0..POINTS_MAX).map(|at| PricePoint { time: largest_time(at), close: 1_000.0 + at as f64 }).collect();
    largest.marks = largest.marks.iter().cycle().take(MARKS_MAX).cloned().collect();
    let bins: Vec<_> = (0..100).flat_map(|_| largest.calibration.classes[0].bins.first().cloned()).collect();
    largest.calibration.classes.iter_mut().for_each(|class| class.bins = bins.clone());
    largest.months = (0..12 * 40)
        .map(|at| Month {
            month: format!("{}-{:02}", 1990 + at / 12, at % 12 + 1),
            trades: 9_999,
            hit_ratio: None,
            net_points: -99_999.9,
        })
        .collect();
    let page = page(&largest);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
}

fn largest_time(at: usize) -> i64 {
    1_735_776_000 + at as i64 * 18_000
}

#[test]
fn the_same_report_makes_the_same_page() {
    assert_eq!(page(&advice()), page(&advice()));
}

#[test]
fn every_plot_without_costs_is_marked() {
    let mut frictionless = advice();
    let unmarked = page(&frictionless);
    frictionless.costs.is_frictionless = true;
    let page = page(&frictionless);
    let plots = page.matches("role=\"img\"").count();
    assert_eq!((plots, page.matches("class=\"watermark\"").count()), (10, 10));
    assert!(page.contains("Frictionless: nothing was charged"));
    assert!(!unmarked.contains("class=\"watermark\"") && !unmarked.contains("Frictionless:"));
}

#[test]
fn hostile_text_stays_text() {
    let mut hostile = none();
    let Report { made_by, symbol, interval, model, odds_from, answer, .. } = &mut hostile;
    for text in [made_by, symbol, interval, model, odds_from, &mut answer.sentence] {
        *text = HOSTILE.into();
    }
    hostile.inputs[0].name = HOSTILE.into();
    hostile.inputs[0].kind = HOSTILE.into();
    hostile.rules.sentences = vec![HOSTILE.into()];
    hostile.counts.notes = vec![HOSTILE.into()];
    hostile.counts.dropped[0].why = HOSTILE.into();
    hostile
        .answer
        .conditions
        .iter_mut()
        .for_each(|condition| (condition.what, condition.needed) = (HOSTILE.into(), HOSTILE.into()));
    hostile.sides[0].side = HOSTILE.into();
    hostile.calibration.classes[0].class = HOSTILE.into();
    hostile.marks[0].side = HOSTILE.into();
    hostile.months[0].month = format!("{HOSTILE}-01");
    hostile.look_ahead.first = Some(HOSTILE.into());
    hostile.costs.swap_triple_day = HOSTILE.into();
    let page = page(&hostile);
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(page.matches("&lt;script&gt;").count() > 20, "{}", page.matches("&lt;script&gt;").count());
}

#[test]
fn nothing_to_draw_is_said() {
    let page = page(&empty());
    for said in ["no trades", "no bars", "no decisions", "model.trained_until", "nothing to compare", "There are none"]
    {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("class=\"line"));
}

#[test]
fn the_sharpe_of_a_year_says_its_days_and_factor() {
    let said = "Sharpe of a year: that of a day, of 220 days, times the root of 260, the days of a year.";
    assert_eq!(page(&advice()).matches(said).count(), 3, "both sides, and each alone");
    assert_eq!(page(&empty()).matches("Less than a day of bars: no Sharpe of a year.").count(), 3);
}

#[test]
fn folds_too_short_are_not_a_lack_of_trades() {
    let mut short = none();
    (short.null.shifts, short.null.quantiles, short.null.p_value) = (0, None, None);
    let page = page(&short);
    assert!(page.contains("a fold is too short to move its signals further than a position may last"));
    assert!(
        !page.contains("without trades there is nothing to compare")
            && !page.contains("moved along the prices 0 times")
    );
}

#[test]
fn marks_differ_by_shape_and_by_fill() {
    let page = page(&advice());
    for class in ["mark buy won", "mark buy lost", "mark sell won", "mark sell lost"] {
        assert!(page.matches(&format!("class=\"{class}\"")).count() > 10, "{class}");
    }
    assert!(page.contains("l4 7h-8z") && page.contains("l4 -7h-8z"));
}

#[test]
fn bars_the_model_knows_are_shaded() {
    let shades = |report: &Report| page(report).matches("<rect class=\"gap\"").count();
    // Two plots over time, the price twice, and the spread of the thresholds.
    assert_eq!((shades(&advice()), shades(&empty())), (5, 0));
}

#[test]
fn a_losing_side_and_a_foreign_end_are_said() {
    let page = page(&advice());
    for said in ["SELL lost money above it", "374 after 4 bars.", "Sentinel does not end a position after some bars"] {
        assert!(page.contains(said), "{said}");
    }
    let mut stopped = advice();
    stopped.walk_forward.exits.horizon = 0;
    assert!(!super::page(&stopped).contains("Sentinel does not end a position"));
}

#[test]
fn a_condition_that_was_not_checked_is_not_met() {
    let mut unchecked = none();
    let condition = unchecked.answer.conditions.last_mut().unwrap();
    (condition.is_met, condition.is_checked, condition.found) = (false, false, None);
    assert!(page(&unchecked).contains("✗ not checked"));
}
