//! Made-up but plausible reports: with advice, and without one.

use crate::tools::study::{
    result::*,
    statistics::{bootstrap, calibration, confusion, mean, results, sharpe, wilson},
};
use rand_chacha::rand_core::Rng as _;
use sentinel_actors::domain::decision::Action;
use std::sync::LazyLock;

const HOUR: i64 = 3_600;
const FROM: i64 = 1_735_776_000; // 2025-01-02
const BARS: i64 = 5_000;
const TRAINED_UNTIL: i64 = FROM + 1_500 * HOUR;

/// Numbers of 0 to 1, always the same.
struct Random(rand_chacha::ChaCha8Rng);

impl Random {
    fn uniform(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// About normal, of variance 1.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn figures(nets: &[f64], days: u64) -> Figures {
    let found = sharpe::sharpe(nets);
    let hits = nets.iter().filter(|net| **net > 0.0).count() as u64;
    Figures {
        count: nets.len() as u64,
        hit_ratio: mean(nets).map(|_| hits as f64 / nets.len() as f64),
        hit_ratio_interval: wilson(hits, nets.len() as u64),
        net_points: mean(nets),
        net_points_interval: bootstrap::mean_interval_of(nets, 1, 100),
        net_points_total: nets.iter().sum(),
        profit_factor: results::profit_factor(nets),
        drawdown: results::drawdown(nets).depth,
        sharpe_trade: found.map(|it| it.ratio),
        sharpe_day: found.map(|it| it.ratio * 1.4),
        days,
        sharpe_year: found.map(|it| it.ratio * 1.4 * 260_f64.sqrt()),
        days_per_year: found.map(|_| 260.0),
        psr: found.and_then(|it| it.psr(0.0)),
        dsr: found.and_then(|it| it.dsr(186, 0.001)),
    }
}

fn equity(times: &[i64], nets: &[f64]) -> Vec<EquityPoint> {
    let (mut points, mut highest) = (0.0_f64, 0.0_f64);
    let point = |(time, net): (&i64, &f64)| {
        points += net;
        highest = highest.max(points);
        EquityPoint { time: *time, points, drawdown: highest - points }
    };
    times.iter().zip(nets).map(point).collect()
}

/// Advice.
pub fn advice() -> Report {
    static REPORT: LazyLock<Report> = LazyLock::new(|| report(12.0));
    REPORT.clone()
}

/// No advice.
pub fn none() -> Report {
    static REPORT: LazyLock<Report> = LazyLock::new(|| report(0.0));
    REPORT.clone()
}

/// `edge`: what a trade brings on average, points.
fn report(edge: f64) -> Report {
    let is_advice = edge > 0.0;
    let mut random = Random(bootstrap::generator(7));
    let mut close = 1.03;
    let prices: Vec<_> = (0..BARS)
        .map(|bar| {
            close *= 1.0 + random.normal() * 0.000_9;
            PricePoint { time: FROM + bar * HOUR, close }
        })
        .collect();
    let nets: Vec<f64> = (0..430).map(|_| edge + random.normal() * 40.0).collect();
    let times: Vec<i64> = (0..430).map(|at| TRAINED_UNTIL + 500 * HOUR + at * 6 * HOUR).collect();
    let price_at = |time: i64| prices[((time - FROM) / HOUR) as usize].close;
    let marks: Vec<_> = times
        .iter()
        .zip(&nets)
        .enumerate()
        .filter(|(at, _)| is_advice || at % 3 == 0)
        .map(|(at, (time, net))| TradeMark {
            side: if at % 5 < 3 { "BUY" } else { "SELL" }.into(),
            time: *time,
            price: price_at(*time),
            exit_time: time + 4 * HOUR,
            exit_price: price_at(time + 4 * HOUR),
            exit: "horizon".into(),
            net_points: *net,
        })
        .take(MARKS_MAX)
        .collect();
    let outside = figures(&nets, 220);
    let (calibration, confusion) = odds(is_advice, &mut random);
    Report {
        schema: SCHEMA,
        made_by: "sentinel 0.1.0".into(),
        seed: 1,
        symbol: "EURUSD".into(),
        interval: "1h".into(),
        model: "fx-logistic-3".into(),
        odds_from: "recorded".into(),
        digits: 5,
        inputs: vec![
            Input { kind: "bars".into(), name: "eurusd_h1.csv".into(), sha256: "ab".repeat(32), rows: BARS as u64 },
            Input { kind: "journal".into(), name: "journal.db".into(), sha256: "07".repeat(32), rows: 4_830 },
        ],
        label: Label {
            kind: "horizon".into(),
            horizon_bars: 4,
            hold_move: Some(0.000_62),
            stop_loss: None,
            take_profit: None,
        },
        rules: Rules {
            horizon_bars: 4,
            stop_loss: Some(0.002),
            take_profit: Some(0.003),
            opposite: "close_only".into(),
            positions_max: 1,
            bars_ambiguous: 3,
            bars_ambiguous_share: Some(0.021),
            sentences: vec![
                "A position is entered at the open of the bar after the decision.".into(),
                "It ends by its stop-loss, its take-profit, a signal of the other side, or after 4 bars.".into(),
            ],
        },
        costs: Costs {
            is_frictionless: false,
            spread: 8.0,
            spread_from: "settings".into(),
            slippage: 1.0,
            commission_per_lot_side: 3.5,
            commission_side: 3.5,
            swap_long: -7.2,
            swap_short: 2.1,
            swap_triple_day: "wed".into(),
            round_trip: 17.0,
        },
        counts: Counts {
            bars: BARS as u64,
            decisions: 4_830,
            decisions_in_sample: 1_400,
            gaps: 2,
            gaps_first: vec![Range { from: 1_735_776_000, to: 1_735_783_200 }],
            dropped: vec![Dropped { why: "later decisions of a bar".into(), count: 12 }],
            notes: Vec::new(),
        },
        range: Range { from: FROM, to: FROM + BARS * HOUR },
        trained_until: Some(TRAINED_UNTIL),
        in_sample: Some(Range { from: FROM, to: TRAINED_UNTIL }),
        answer: answer(is_advice, &outside),
        both: thresholds(edge, &mut random),
        sides: ["BUY", "SELL"].map(|name| Side { side: name.into(), thresholds: thresholds(edge, &mut random) }).into(),
        trials: Trials {
            total: 186,
            now: 62,
            studies: 3,
            sharpe_variance: Some(0.001),
            sharpe_expected_max: sharpe::expected_max(186, 0.001),
            between: Some(Between { trials: 80, variance: 0.002, expected_max: Some(0.13), dsr: Some(0.97) }),
        },
        null: Null {
            shifts: 2_000,
            net_points: outside.net_points,
            quantiles: Some([-6.1, -0.2, 5.8]),
            p_value: Some(if is_advice { 0.000_4 } else { 0.31 }),
        },
        walk_forward: WalkForward {
            folds: nets.chunks(86).enumerate().map(|(at, nets)| fold(at as i64, nets, is_advice)).collect(),
            purge_bars: 4,
            embargo_bars: 24,
            exits: ExitCounts { stop_loss: 30, take_profit: 20, opposite: 6, horizon: 374 },
            threshold_spread: Some(if is_advice { [0.44, 0.47] } else { [0.38, 0.71] }),
            threshold_now: Some(0.45),
            sides_now: vec![
                SideResult { side: "BUY".into(), trades: 510, net_points: Some(edge + 8.0) },
                SideResult { side: "SELL".into(), trades: 470, net_points: Some(-12.3) },
            ],
            outside,
        },
        calibration,
        confusion,
        months: results::months(&times, &nets),
        equity: equity(&times, &nets),
        equity_inside: equity(
            &(0..200).map(|at| FROM + at * 9 * HOUR).collect::<Vec<_>>(),
            &(0..200).map(|_| edge + 6.0 + random.normal() * 40.0).collect::<Vec<_>>(),
        ),
        prices: prices.into_iter().step_by(5).collect(),
        marks,
        look_ahead: LookAhead {
            is_checked: true,
            checked: 4_830,
            unequal: 0,
            first: None,
            recorded: None,
            extent: vec!["checked: features; not checked: the model".into()],
        },
    }
}

fn answer(is_advice: bool, outside: &Figures) -> Answer {
    let sentence = if is_advice {
        "BUY and SELL above 0.45 (trading.threshold): after the training that you named (until 2025-03-05), on bars that the choice had not seen, \
         such a choice brought 9.1 points a trade after costs of 17 points (5.4 to 12.8 with 95 % confidence, 430 trades); SELL alone lost 12.3 \
         points a trade above it (470 trades); 374 of 430 positions were ended after 4 bars, which Sentinel does not do"
    } else {
        "No threshold is better than chance here: lower bound of net points a trade -4.812 (needed: above 0); deflated Sharpe ratio 0.012 (needed: at \
         least 0.95); p-value against shifted signals 0.310 (needed: below 0.05)"
    };
    let condition = |name: &str, what: &str, needed: &str, found: Option<f64>, is_met| Condition {
        name: name.into(),
        what: what.into(),
        needed: needed.into(),
        bar: found,
        found,
        is_met,
        is_checked: true,
    };
    Answer {
        sentence: sentence.into(),
        verdict: if is_advice { Verdict::Advice } else { Verdict::NoBetterThanChance },
        is_advice,
        threshold: is_advice.then_some(0.45),
        conditions: vec![
            condition(
                "trained_until",
                "model.trained_until",
                "set, so that bars the model knows do not count",
                None,
                true,
            ),
            condition("trades", "trades outside", "at least 100", Some(430.0), true),
            condition(
                "net_points",
                "lower bound of net points a trade",
                "above 0",
                outside.net_points_interval.map(|ends| ends[0]),
                is_advice,
            ),
            condition("dsr", "deflated Sharpe ratio", "at least 0.95", outside.dsr, is_advice),
            condition(
                "p_value",
                "p-value against shifted signals",
                "below 0.05",
                Some(if is_advice { 0.000_4 } else { 0.31 }),
                is_advice,
            ),
            condition("look_ahead", "decisions that later bars change", "none", Some(0.0), true),
        ],
    }
}

fn thresholds(edge: f64, random: &mut Random) -> Vec<Threshold> {
    let all: Vec<(f64, f64)> = (0..1_700)
        .map(|_| {
            let odds = 0.3 + 0.32 * random.uniform() * random.uniform();
            (odds, (odds - 0.36) * edge * 12.0 + random.normal() * 40.0)
        })
        .collect();
    let threshold = |at: u32| {
        let threshold = 0.34 + f64::from(at) / 100.0;
        let nets: Vec<f64> = all.iter().filter(|(odds, _)| *odds > threshold).map(|(_, net)| *net).collect();
        let signals = nets.len() as u64 * 3 / 2;
        Threshold { threshold, signals, coverage: signals as f64 / 3_400.0, trades: figures(&nets, 220) }
    };
    (0..62).map(threshold).collect()
}

fn fold(at: i64, nets: &[f64], is_advice: bool) -> Fold {
    let begin = TRAINED_UNTIL + (500 + at * 516) * HOUR;
    Fold {
        inside: Some(Range { from: TRAINED_UNTIL, to: begin - 28 * HOUR }),
        outside: Range { from: begin, to: begin + 515 * HOUR },
        threshold: Some(if is_advice { 0.45 } else { 0.38 + at as f64 * 0.08 }),
        promised_net_points: Some(12.0 - at as f64),
        result: figures(nets, 44),
    }
}

fn odds(is_informed: bool, random: &mut Random) -> (Calibration, Confusion) {
    let (mut odds, mut labels, mut likeliest) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3_400 {
        let weights = [0.0; 3].map(|_: f64| (random.normal() * 0.35).exp());
        let sum: f64 = weights.iter().sum();
        let each = weights.map(|weight| weight / sum);
        let truth = if is_informed { each } else { [0.3, 0.4, 0.3] };
        let drawn = random.uniform();
        let label = if drawn < truth[0] {
            0
        } else if drawn < truth[0] + truth[1] {
            1
        } else {
            2
        };
        let best = (0..3).max_by(|one, other| each[*one].total_cmp(&each[*other])).unwrap();
        labels.push(Action::ALL[label]);
        likeliest.push(Action::ALL[best]);
        odds.push(each);
    }
    (calibration::calibration(&odds, &labels, 1), confusion::confusion(&likeliest, &labels))
}

/// Bars without a single trade, and nothing that is defined.
pub fn empty() -> Report {
    let mut report = none();
    let nothing = figures(&[], 0);
    report.in_sample = None;
    report.trained_until = None;
    report.odds_from = "file".into();
    report.rules.bars_ambiguous_share = None;
    report.both.iter_mut().for_each(|it| it.trades = nothing.clone());
    report.sides.iter_mut().flat_map(|side| &mut side.thresholds).for_each(|it| it.trades = nothing.clone());
    report.walk_forward.folds.iter_mut().for_each(|fold| {
        *fold =
            Fold { inside: None, threshold: None, promised_net_points: None, result: nothing.clone(), ..fold.clone() };
    });
    report.walk_forward = WalkForward {
        exits: ExitCounts::default(),
        threshold_spread: None,
        threshold_now: None,
        sides_now: Vec::new(),
        outside: nothing,
        ..report.walk_forward
    };
    report.calibration = calibration::calibration(&[], &[], 1);
    report.confusion = Confusion::default();
    report.null = Null { shifts: 2_000, net_points: None, quantiles: None, p_value: None };
    report.trials.sharpe_expected_max = None;
    report.trials.between = None;
    (report.months, report.marks, report.prices) = (Vec::new(), Vec::new(), Vec::new());
    (report.equity, report.equity_inside) = (Vec::new(), Vec::new());
    report.look_ahead = LookAhead::default();
    report
}
