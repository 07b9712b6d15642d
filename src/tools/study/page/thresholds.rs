//! What a trade brings at each threshold, of both sides and of each alone: the curve with its band, and all figures in a table.

use super::{
    frame::{self, WIDE_TALL, figure, key},
    text::{self, count, known},
};
use crate::tools::{
    plot::{Axis, Points, fixed, line, tenth},
    study::result::{Report, Side, Threshold},
};
use maud::{Markup, html};

/// Fewer trades say little, and advice does not take fewer of a fold.
const TRADES_FEW: u64 = 30;
/// Wanted distances between thresholds below which the number of trades is written.
const TICKS: f64 = 6.0;
/// Beyond the last threshold with trades.
const MARGIN: f64 = 0.02;

/// What the next plots are.
pub(super) fn note() -> Markup {
    html! {
        "The threshold is what the odds of a side must exceed for a signal; a signal becomes a trade if the side has no open position. Sentinel has "
        "one threshold for both sides (trading.threshold), so one for both is chosen and judged; each side alone is there to look at. The band "
        "holds the true mean with 95 % confidence. A band that holds 0, too, is what chance looks like, and the best of many thresholds "
        "always looks good."
    }
}

/// The curve of both sides, from which the threshold is chosen.
pub(super) fn chart(report: &Report) -> Markup {
    let both = Curve { title: "BUY and SELL", class: "c2", thresholds: &report.both, is_both: true };
    drawn(&both, report)
}

/// The curve of a side.
pub(super) fn chart_of(side: &Side, report: &Report) -> Markup {
    let class = if side.side == "BUY" { "c1" } else { "c3" };
    drawn(&Curve { title: &side.side, class, thresholds: &side.thresholds, is_both: false }, report)
}

struct Curve<'a> {
    title: &'a str,
    class: &'static str,
    thresholds: &'a [Threshold],
    is_both: bool,
}

fn drawn(of: &Curve<'_>, report: &Report) -> Markup {
    let (class, thresholds) = (of.class, of.thresholds);
    let spread = report.walk_forward.threshold_spread.filter(|_| of.is_both);
    let advised = report.answer.threshold;
    let area = &WIDE_TALL;
    let (from, to) = ends(report);
    let across = area.across(from, to);
    let title = format!("{}: points a trade", of.title);
    let plot = html! {
        svg viewBox=(area.view_box()) role="img" aria-label=(format!("{title} by threshold, with its band")) {
            @if let Some([low, high]) = spread { (frame::shade(area, &across, "gap", low, high)) }
            (area.marks_across(&across, &marks(&across), ""))
            @for (mark, trades) in trades_at(thresholds, &across) {
                text.x.below x=(tenth(across.at(mark))) y=(area.bottom + 33.0) { (count(trades)) }
            }
            text.x x=(tenth((area.left + area.right) / 2.0)) y=(area.bottom + 51.0) { "threshold, and trades above it" }
            @if let Some((low, high)) = values(thresholds) {
                @let (up, marks) = frame::rounded(area, low, high);
                (area.marks_up(&up, &fixed(&marks), "points"))
                (frame::zero(area, &up))
                (band(thresholds, class, &across, &up))
                (line("few", &curve(thresholds, &up, |_| true), &across, &up))
                (line(class, &curve(thresholds, &up, |at| at.trades.count >= TRADES_FEW), &across, &up))
            } @else {
                (area.empty("no trades"))
            }
            @if let Some(threshold) = advised {
                path.advised d=(format!("M{:.1} {}V{}", across.within(threshold), area.top, area.bottom)) {}
            }
            (frame::watermark(area, report))
        }
    };
    let keys = html! {
        (key(class, "mean"))
        @if thresholds.iter().any(|it| (1..TRADES_FEW).contains(&it.trades.count)) {
            (key("few", &format!("of fewer than {TRADES_FEW} trades")))
        }
        (key(&format!("band {class}"), "95 % band"))
        @if spread.is_some() { (key("gap", "chosen by the folds")) }
        @if advised.is_some() { (key("advised", "advised")) }
    };
    figure(&title, plot, keys)
}

/// Of the horizontal axis, the same for all curves: to the last threshold that has trades.
fn ends(report: &Report) -> (f64, f64) {
    let all = || report.both.iter().chain(report.sides.iter().flat_map(|side| &side.thresholds));
    let traded = frame::range(all().filter(|it| it.trades.count > 0).map(|it| it.threshold));
    match frame::range(all().map(|it| it.threshold)) {
        Some((from, to)) if to - from > 5.0 * MARGIN => {
            (from, traded.map_or(to, |(_, last)| (last + MARGIN).clamp(from + 5.0 * MARGIN, to)))
        }
        _ => (0.34, 0.95),
    }
}

fn marks(across: &Axis) -> Vec<(f64, String)> {
    fixed(&across.ticks(TICKS))
}

fn trades_at(thresholds: &[Threshold], across: &Axis) -> Vec<(f64, u64)> {
    let near = |mark: f64| thresholds.iter().find(|it| (it.threshold - mark).abs() < 1e-6);
    marks(across).into_iter().filter_map(|(mark, _)| Some((mark, near(mark)?.trades.count))).collect()
}

/// The range of the vertical axis: of thresholds with many trades, since the band of a few trades would leave no room for them.
fn values(thresholds: &[Threshold]) -> Option<(f64, f64)> {
    let range = |least: u64| {
        let judged = thresholds.iter().filter(move |it| it.trades.count >= least);
        let values = judged
            .flat_map(|it| it.trades.net_points.into_iter().chain(it.trades.net_points_interval.into_iter().flatten()));
        frame::range(values)
    };
    range(TRADES_FEW).or_else(|| range(1)).map(|(low, high)| (low.min(0.0), high.max(0.0)))
}

/// Means beyond the axis are drawn at its end.
fn curve(thresholds: &[Threshold], up: &Axis, is_shown: impl Fn(&Threshold) -> bool) -> Points {
    let value = |it: &Threshold| it.trades.net_points.filter(|_| is_shown(it)).map(|mean| mean.clamp(up.from, up.to));
    thresholds.iter().map(|it| (it.threshold, value(it))).collect()
}

fn band(thresholds: &[Threshold], class: &str, across: &Axis, up: &Axis) -> Markup {
    let shown = |it: &Threshold| it.trades.net_points_interval.is_some() && it.threshold <= across.to;
    let runs = thresholds.split(|it| !shown(it));
    let outline = |run: &[Threshold]| {
        let end = |it: &Threshold, end: usize| {
            let value = it.trades.net_points_interval.map_or(0.0, |ends| ends[end]);
            format!("{:.1} {:.1}", across.at(it.threshold), up.within(value))
        };
        let there = run.iter().map(|it| end(it, 1));
        let points: Vec<_> = there.chain(run.iter().rev().map(|it| end(it, 0))).collect();
        format!("M{}Z", points.join("L"))
    };
    html! { @for run in runs.filter(|run| run.len() > 1) { path.band.(class) d=(outline(run)) {} } }
}

/// All figures, for those who want them.
pub(super) fn all(title: &str, thresholds: &[Threshold]) -> Markup {
    let head = [
        "threshold",
        "signals",
        "coverage",
        "trades",
        "earned",
        "points a trade",
        "in all",
        "profit factor",
        "deepest fall",
        "Sharpe, trade",
        "Sharpe, year",
        "PSR",
        "DSR",
    ];
    html! {
        details {
            summary { (title) " at every threshold" }
            p.soft {
                "Coverage: signals per decision. Profit factor: all that was earned by all that was lost. PSR: how likely the true Sharpe is above 0. "
                "DSR: how likely it is above what the best of all trials has by chance. "
                (a_year(thresholds))
            }
            div.card tabindex="0" role="region" aria-label=(format!("{title} at every threshold")) {
                table {
                    thead { tr { @for cell in head { th.n { (cell) } } } }
                    tbody { @for it in thresholds { (row(it)) } }
                }
            }
        }
    }
}

/// What the Sharpe of a year is made of: the days are those of all bars, and the same at each threshold.
fn a_year(thresholds: &[Threshold]) -> String {
    let of = thresholds.iter().find_map(|it| Some((it.trades.days, it.trades.days_per_year?)));
    of.map_or_else(
        || "Less than a day of bars: no Sharpe of a year.".into(),
        |(days, factor)| {
            let days = count(days);
            format!(
                "Sharpe of a year: that of a day, of {days} days, times the root of {factor:.0}, the days of a year."
            )
        },
    )
}

fn row(it: &Threshold) -> Markup {
    let trades = &it.trades;
    let with = |value: String, note: Option<String>| html! { td.n { (value) @if let Some(note) = note { br; small { (note) } } } };
    let cell = |value: String| with(value, None);
    let points = |ends| text::interval(ends, text::points);
    html! {
        tr {
            (cell(text::odds(it.threshold)))
            (cell(count(it.signals)))
            (cell(text::share(it.coverage)))
            (cell(count(trades.count)))
            (with(known(trades.hit_ratio, text::share), trades.hit_ratio_interval.map(|ends| text::interval(ends, text::share))))
            (with(known(trades.net_points, text::points), trades.net_points_interval.map(points)))
            (cell(text::points(trades.net_points_total)))
            (cell(known(trades.profit_factor, text::odds)))
            (cell(text::points(0.0 - trades.drawdown)))
            (cell(known(trades.sharpe_trade, text::ratio)))
            (cell(known(trades.sharpe_year, text::odds)))
            (cell(known(trades.psr, text::ratio)))
            (cell(known(trades.dsr, text::ratio)))
        }
    }
}
