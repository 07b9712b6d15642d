//! The figures of a list of trades.

use super::market::{Market, Trade};
use crate::tools::study::{
    result::Figures,
    statistics::{bootstrap, mean, results, sharpe, wilson},
};
use std::ops::Range;

/// What probabilities of a Sharpe are made of.
pub type Moments = sharpe::Sharpe;

const DAY_S: i64 = 86_400;
const YEAR_S: f64 = 365.25 * 86_400.0;

/// Days of UTC on which bars of a span closed: a day without a trade is a day, too.
#[derive(Debug)]
pub struct Days {
    /// Of the bars from the first of the span on, which day each closed on.
    of_bar: Vec<u32>,
    first: u32,
    count: usize,
    per_year: Option<f64>,
}

impl Days {
    /// Of the bars in these places.
    pub fn new(market: &Market, span: Range<u32>) -> Self {
        let times = market.close_times.get(span.start as usize..span.end as usize).unwrap_or_default();
        let (mut of_bar, mut count, mut newest) = (Vec::with_capacity(times.len()), 0_u32, None);
        for time in times {
            // A bar that closes at midnight belongs to the day before.
            let day = (time - 1).div_euclid(DAY_S);
            count += u32::from(newest != Some(day));
            newest = Some(day);
            of_bar.push(count - 1);
        }
        let span_s = times.first().zip(times.last()).map_or(0.0, |(first, last)| (last - first) as f64);
        // Less than a day is too short to compute days per year from.
        let per_year = (span_s >= DAY_S as f64).then(|| (f64::from(count) / (span_s / YEAR_S)).min(366.0));
        Self { of_bar, first: span.start, count: count as usize, per_year }
    }

    /// Net points of each day. A trade that ends after the last day belongs to it.
    fn sums(&self, trades: &[Trade]) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for trade in trades {
            let bar = trade.exit.saturating_sub(self.first) as usize;
            let day = self.of_bar.get(bar.min(self.of_bar.len().saturating_sub(1)));
            if let Some(sum) = day.and_then(|day| sums.get_mut(*day as usize)) {
                *sum += trade.net;
            }
        }
        sums
    }
}

/// Of these trades, in the order of their ends. The deflated ratio needs all trials, and comes later, of the moments.
pub fn of(trades: &[Trade], days: &Days, seed: u64, replicates: usize) -> (Figures, Option<Moments>) {
    let nets: Vec<f64> = trades.iter().map(|trade| trade.net).collect();
    let count = nets.len() as u64;
    let won = nets.iter().filter(|net| **net > 0.0).count() as u64;
    let moments = sharpe::sharpe(&nets);
    let daily = if nets.is_empty() { None } else { sharpe::sharpe(&days.sums(trades)) };
    let annual = daily.and_then(|daily| daily.annual(days.per_year?));
    let figures = Figures {
        count,
        hit_ratio: (count > 0).then(|| won as f64 / count as f64),
        hit_ratio_interval: wilson(won, count),
        net_points: mean(&nets),
        net_points_interval: bootstrap::mean_interval_of(&nets, seed, replicates),
        net_points_total: nets.iter().fold(0.0, |sum, net| sum + net),
        profit_factor: results::profit_factor(&nets),
        drawdown: results::drawdown(&nets).depth,
        sharpe_trade: moments.map(|moments| moments.ratio),
        sharpe_day: daily.map(|daily| daily.ratio),
        days: days.count as u64,
        sharpe_year: annual.map(|annual| annual.ratio),
        days_per_year: days.per_year,
        psr: moments.and_then(|moments| moments.psr(0.0)),
        dsr: None,
    };
    (figures, moments)
}
