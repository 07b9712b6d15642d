//! What would have been right: the class that a bar gets once the bars after it are known, as `config/model/labels.py` and
//! `train.py` make it. The archive writes it into the outcomes, and the study judges the model's odds by it.

use crate::domain::{bar::Bar, decision::Action};

/// Part of the price by which a barrier may be missed and still counts as touched: 1.1 + 0.1 is not exactly 1.2.
const SLACK: f64 = 1e-9;

/// How far the price moved from `close` to `later`, as a fraction: 0.01 is one percent up.
pub fn move_between(close: f64, later: f64) -> f64 {
    later / close - 1.0
}

/// The sign of a move: BUY up, SELL down, HOLD within the dead band, which is a fraction of the price. A move as large as the band is
/// outside it. No move at all is always HOLD.
pub fn of_move(fraction: f64, dead_band: f64) -> Action {
    if fraction == 0.0 {
        Action::Hold
    } else if fraction >= dead_band {
        Action::Buy
    } else if fraction <= -dead_band {
        Action::Sell
    } else {
        Action::Hold
    }
}

/// The horizon label of the bar `at`: the sign of the move from its close to the close `horizon` bars later. `None` where that bar is
/// not known yet.
pub fn horizon(closes: &[f64], at: usize, horizon: usize, dead_band: f64) -> Option<Action> {
    let later = closes.get(at.checked_add(horizon)?)?;
    Some(of_move(move_between(*closes.get(at)?, *later), dead_band))
}

/// The dead band that makes `hold_share` (0 to 1) of these bars HOLD: this quantile of the sizes of their moves, linear between two
/// neighbours as numpy has it. `train.py` takes 0.4 of the bars that it trains on. `None` without a known move.
pub fn dead_band(closes: &[f64], horizon: usize, hold_share: f64) -> Option<f64> {
    let later = closes.get(horizon..)?;
    let mut sizes: Vec<f64> =
        closes.iter().zip(later).map(|(close, later)| move_between(*close, *later).abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let place = hold_share.clamp(0.0, 1.0) * sizes.len().checked_sub(1)? as f64;
    let low = *sizes.get(place as usize)?;
    let high = *sizes.get(place.ceil() as usize)?;
    Some(low + (high - low) * place.fract())
}

/// The triple-barrier label of the bar `at`: BUY where a BUY at its close reaches its take-profit within the next `horizon` bars and
/// before its stop-loss, SELL the same for a SELL, HOLD where neither does. Both are distances in price, above 0, as the orders have
/// them. A bar that touches both counts as the stop-loss: nothing says which came first. `None` where not all of the horizon is known.
pub fn triple_barrier(bars: &[Bar], at: usize, horizon: usize, stop_loss: f64, take_profit: f64) -> Option<Action> {
    let close = bars.get(at)?.close;
    let end = at.checked_add(horizon)?;
    let later = bars.get(at + 1..=end)?;
    let slack = close * SLACK;
    let (mut buy_is_open, mut sell_is_open) = (true, true);
    for bar in later {
        let is_up = |distance: f64| bar.high >= close + distance - slack;
        let is_down = |distance: f64| bar.low <= close - distance + slack;
        let (buy_stopped, sell_stopped) = (is_down(stop_loss), is_up(stop_loss));
        let (buy_reached, sell_reached) = (is_up(take_profit), is_down(take_profit));
        let buy_won = buy_is_open && buy_reached && !buy_stopped;
        let sell_won = sell_is_open && sell_reached && !sell_stopped;
        match (buy_won, sell_won) {
            (true, false) => return Some(Action::Buy),
            (false, true) => return Some(Action::Sell),
            _ => {}
        }
        buy_is_open &= !buy_stopped && !buy_reached;
        sell_is_open &= !sell_stopped && !sell_reached;
        if !buy_is_open && !sell_is_open {
            break;
        }
    }
    Some(Action::Hold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// High, low and close of each bar.
    fn bars(prices: &[[f64; 3]]) -> Vec<Bar> {
        let bar = |(index, &[high, low, close]): (usize, &[f64; 3])| Bar {
            open_time: 3_600 * index as i64,
            open: close,
            high,
            low,
            close,
            volume: 0.0,
        };
        prices.iter().enumerate().map(bar).collect()
    }

    fn letters(labels: impl Iterator<Item = Option<Action>>) -> String {
        labels.map(|label| label.map_or('.', |action| action.as_str().chars().next().unwrap())).collect()
    }

    #[test]
    fn labels_are_those_of_labels_py() {
        let fixture: Value = serde_json::from_str(include_str!("../../../tests/fixtures/labels.json")).unwrap();
        let prices: Vec<[f64; 3]> = serde_json::from_value(fixture["bars"].clone()).unwrap();
        let bars = bars(&prices);
        let closes: Vec<f64> = bars.iter().map(|bar| bar.close).collect();
        let mut seen = 0;
        for case in fixture["horizon"].as_array().unwrap() {
            let bars = case["horizon"].as_u64().unwrap() as usize;
            let band = dead_band(&closes, bars, case["hold_share"].as_f64().unwrap()).unwrap();
            assert!((band - case["hold_move"].as_f64().unwrap()).abs() <= 1e-15, "{case}");
            assert_eq!(letters((0..closes.len()).map(|at| horizon(&closes, at, bars, band))), case["labels"], "{case}");
            seen += 1;
        }
        for case in fixture["triple_barrier"].as_array().unwrap() {
            let horizon = case["horizon"].as_u64().unwrap() as usize;
            let (stop, take) = (case["stop_loss"].as_f64().unwrap(), case["take_profit"].as_f64().unwrap());
            let labels = (0..bars.len()).map(|at| triple_barrier(&bars, at, horizon, stop, take));
            assert_eq!(letters(labels), case["labels"], "{case}");
            seen += 1;
        }
        assert!(seen >= 8, "{seen} cases");
    }

    #[test]
    fn a_move_as_large_as_the_dead_band_is_outside_it() {
        let labels = [0.002, 0.001, 0.000_9, 0.0, -0.000_9, -0.001, -0.002].map(|it| of_move(it, 0.001));
        assert_eq!(letters(labels.into_iter().map(Some)), "BBHHHSS");
        assert_eq!(of_move(0.0, 0.0), Action::Hold);
        assert_eq!([1e-9, -1e-9].map(|it| of_move(it, 0.0)), [Action::Buy, Action::Sell]);
    }

    #[test]
    fn a_bar_without_its_whole_horizon_has_no_label() {
        let closes = [1.0, 1.1, 1.2];
        assert_eq!([0, 1, 2, 9].map(|at| horizon(&closes, at, 2, 0.0)), [Some(Action::Buy), None, None, None]);
        assert_eq!(horizon(&closes, 1, usize::MAX, 0.0), None);
        // The take-profit is reached, but a bar that trained the model had its whole horizon.
        let bars = bars(&[[1.0, 1.0, 1.0], [1.2, 1.0, 1.1]]);
        assert_eq!(triple_barrier(&bars, 0, 2, 0.1, 0.1), None);
        assert_eq!(triple_barrier(&bars, 0, 1, 0.1, 0.1), Some(Action::Buy));
        assert_eq!(triple_barrier(&bars, 5, 1, 0.1, 0.1), None);
        assert_eq!((dead_band(&closes, 3, 0.4), dead_band(&closes, 9, 0.4)), (None, None));
    }

    #[test]
    fn a_bar_with_both_barriers_is_a_loss() {
        let both = bars(&[[1.0, 1.0, 1.0], [1.1, 0.9, 1.0], [1.1, 1.0, 1.0]]);
        assert_eq!(triple_barrier(&both, 0, 2, 0.1, 0.1), Some(Action::Hold));
        // A take-profit closer than the stop-loss: both sides win within one bar, so neither was right.
        assert_eq!(triple_barrier(&both, 0, 2, 0.2, 0.1), Some(Action::Hold));
        let stopped_then_falls = bars(&[[1.0, 1.0, 1.0], [1.0, 0.9, 0.95], [0.95, 0.8, 0.8]]);
        assert_eq!(triple_barrier(&stopped_then_falls, 0, 2, 0.1, 0.2), Some(Action::Sell));
    }
}
