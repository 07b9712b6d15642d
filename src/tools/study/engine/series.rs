//! What is drawn: lines of at most so many points, and trades on the price.

use super::market::{Market, Trade};
use crate::tools::study::result::{EquityPoint, MARKS_MAX, POINTS_MAX, PricePoint, TradeMark};
use std::ops::Range;

/// The sum of the trades after each of them. If there are too many, the highest and the lowest of each part are kept, so that a drawdown is
/// drawn in full.
pub fn equity(market: &Market, trades: &[Trade]) -> Vec<EquityPoint> {
    let (mut sum, mut highest) = (0.0, 0.0_f64);
    let all: Vec<EquityPoint> = trades
        .iter()
        .map(|trade| {
            sum += trade.net;
            highest = highest.max(sum);
            EquityPoint { time: market.exit_time(trade), points: sum, drawdown: highest - sum }
        })
        .collect();
    if all.len() <= POINTS_MAX {
        return all;
    }
    // Two of each part, and the last of all.
    let stretches = POINTS_MAX / 2 - 1;
    let mut kept = Vec::with_capacity(POINTS_MAX);
    for stretch in 0..stretches {
        let (from, to) = (all.len() * stretch / stretches, all.len() * (stretch + 1) / stretches);
        let by_points = |one: &usize, other: &usize| all[*one].points.total_cmp(&all[*other].points);
        let (Some(low), Some(high)) = ((from..to).min_by(by_points), (from..to).max_by(by_points)) else { continue };
        kept.push(all[low.min(high)]);
        if low != high {
            kept.push(all[low.max(high)]);
        }
    }
    kept.extend(all.last().filter(|last| kept.last() != Some(last)));
    kept
}

/// Closes of the bars in these places.
pub fn prices(market: &Market, span: Range<u32>) -> Vec<PricePoint> {
    let point = |bar: usize| PricePoint { time: market.close_times[bar], close: market.bars[bar].close };
    thinned((span.start as usize..span.end as usize).collect(), POINTS_MAX).into_iter().map(point).collect()
}

/// Trades on the price.
pub fn marks(market: &Market, trades: &[Trade]) -> Vec<TradeMark> {
    let mark = |trade: Trade| {
        let (price, exit_price) = market.prices(&trade);
        TradeMark {
            side: trade.side.as_str().into(),
            time: market.bars[trade.bar as usize + 1].open_time,
            price,
            exit_time: market.exit_time(&trade),
            exit_price,
            exit: trade.reason.as_str().into(),
            net_points: trade.net,
        }
    };
    thinned(trades.to_vec(), MARKS_MAX).into_iter().map(mark).collect()
}

/// At most so many, evenly, the first and the last among them.
fn thinned<T: Copy>(all: Vec<T>, most: usize) -> Vec<T> {
    if all.len() <= most {
        return all;
    }
    (0..most).map(|place| all[place * (all.len() - 1) / (most - 1)]).collect()
}
