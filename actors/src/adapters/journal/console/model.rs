//! How the model's odds are spread, and how often they were right.

use super::{ConsoleReader, ReadError};
use crate::domain::drift::CONFIDENCES;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;

/// Newest outcomes that count.
const OUTCOMES: i64 = 2_000;
/// Bins of odds: tenths.
const BINS: usize = 10;

/// Confidences by bins.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Histogram {
    pub count: usize,
    pub bounds: Vec<f64>,
    pub shares: Vec<f64>,
    pub reference: Option<Vec<f64>>,
}

/// Of one action: how often it came true, by its odds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Calibration {
    pub action: &'static str,
    pub bins: Vec<Bin>,
}

/// A tenth of the odds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Bin {
    pub from: f64,
    pub to: f64,
    pub count: u32,
    pub mean: f64,
    pub right: f64,
}

/// What came of decisions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Outcomes {
    pub count: u32,
    pub right: f64,
    pub signals: u32,
    pub signals_right: Option<f64>,
    pub mean_points: Option<f64>,
}

/// All that the journal knows of a model.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct ModelRows {
    pub newest_cycle: Option<i64>,
    /// The first cycle with odds under this name, as far as the journal goes back: its begin, unix milliseconds.
    pub since_ms: Option<i64>,
    /// The newest, one per symbol and bar.
    pub confidences: Vec<f64>,
    pub calibration: Vec<Calibration>,
    pub outcomes: Option<Outcomes>,
}

/// A first decision and what came of it.
struct Judged {
    odds: [f64; 3],
    threshold: f64,
    label: String,
    points: f64,
}

impl ConsoleReader {
    /// What the journal knows of this model at this horizon.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn model(&self, model: &str, horizon: usize) -> Result<ModelRows, ReadError> {
        self.read(|connection| {
            let newest_cycle = super::newest_cycle(connection)?;
            let first = "SELECT cycle_id FROM confidences WHERE model = ?1 ORDER BY bar_close_time LIMIT 1";
            let since_ms = connection.prepare_cached(first)?.query_row([model], |row| row.get(0)).optional()?;
            let mut select = connection.prepare_cached(
                "SELECT confidence FROM confidences WHERE model = ?1 ORDER BY bar_close_time DESC, symbol DESC LIMIT ?2",
            )?;
            let most = i64::try_from(CONFIDENCES).unwrap_or(i64::MAX);
            let confidences = select.query_map(params![model, most], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let mut select = connection.prepare_cached(
                "SELECT d.p_sell, d.p_hold, d.p_buy, d.threshold, o.label, o.ret_points FROM confidences AS c
                 JOIN outcomes AS o ON o.model = c.model AND o.symbol = c.symbol AND o.bar_close_time = c.bar_close_time
                 AND o.horizon = ?2
                 JOIN decisions AS d ON d.symbol = c.symbol AND d.cycle_id = c.cycle_id
                 WHERE c.model = ?1 AND d.p_buy IS NOT NULL ORDER BY c.bar_close_time DESC LIMIT ?3",
            )?;
            let horizon = i64::try_from(horizon).unwrap_or(i64::MAX);
            let judged = select.query_map(params![model, horizon, OUTCOMES], judged)?.collect::<Result<Vec<_>, _>>()?;
            let (calibration, outcomes) = (calibration(&judged), outcomes(&judged));
            Ok(ModelRows { newest_cycle, since_ms, confidences, calibration, outcomes })
        })
    }
}

fn judged(row: &Row<'_>) -> rusqlite::Result<Judged> {
    Ok(Judged {
        odds: [row.get(0)?, row.get(1)?, row.get(2)?],
        threshold: row.get(3)?,
        label: row.get(4)?,
        points: row.get(5)?,
    })
}

const ACTIONS: [&str; 3] = ["SELL", "HOLD", "BUY"];

fn calibration(judged: &[Judged]) -> Vec<Calibration> {
    let of = |class: usize| {
        let mut sums = [(0_u32, 0.0_f64, 0_u32); BINS];
        for one in judged {
            let odds = one.odds[class];
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 0..=10, and NaN becomes 0
            let bin = ((odds * BINS as f64) as usize).min(BINS - 1);
            let (count, sum, right) = &mut sums[bin];
            *count += 1;
            *sum += odds;
            *right += u32::from(one.label == ACTIONS[class]);
        }
        let bin = |(index, (count, sum, right)): (usize, (u32, f64, u32))| Bin {
            from: index as f64 / BINS as f64,
            to: (index + 1) as f64 / BINS as f64,
            count,
            mean: sum / f64::from(count),
            right: f64::from(right) / f64::from(count),
        };
        let bins = sums.into_iter().enumerate().filter(|(_, (count, ..))| *count > 0).map(bin).collect();
        Calibration { action: ACTIONS[class], bins }
    };
    [2, 1, 0].map(of).into()
}

/// `None` without outcomes. A signal is a BUY or SELL whose odds are above its threshold.
fn outcomes(judged: &[Judged]) -> Option<Outcomes> {
    let count = u32::try_from(judged.len()).ok().filter(|count| *count > 0)?;
    let likeliest = |one: &Judged| {
        let best = (0..3).fold(0, |best, class| if one.odds[class] > one.odds[best] { class } else { best });
        (best, one.odds[best])
    };
    let is_right = |one: &&Judged| ACTIONS[likeliest(one).0] == one.label;
    let right = judged.iter().filter(is_right).count();
    let signals: Vec<_> =
        judged.iter().filter(|one| likeliest(one).0 != 1 && likeliest(one).1 > one.threshold).collect();
    let gain = |one: &&Judged| if likeliest(one).0 == 2 { one.points } else { -one.points };
    let mean = |sum: f64| (!signals.is_empty()).then(|| sum / signals.len() as f64);
    Some(Outcomes {
        count,
        right: right as f64 / f64::from(count),
        signals: u32::try_from(signals.len()).unwrap_or(u32::MAX),
        signals_right: mean(signals.iter().filter(|one| is_right(one)).count() as f64),
        mean_points: mean(signals.iter().map(gain).sum()),
    })
}
