//! The sums that metrics show, of the account at the gateway and of the one on paper.

/// Money of the account on paper, as metrics show it. `None` is a profit that is not known in money.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PaperFigures {
    /// The day on which this was computed, UTC, days since the unix epoch.
    pub day: i64,
    /// What was realised on that day, by symbol.
    pub realised: Vec<(String, Option<f64>)>,
    /// What the open trades would bring now, by symbol; `None` before the first cycle.
    pub open: Option<Vec<(String, Option<f64>)>>,
}

impl PaperFigures {
    /// With a trade that has ended since; `None` if a sum of before is not known, which is counted anew then.
    pub fn with(mut self, symbol: &str, profit: Option<f64>) -> Option<Self> {
        match self.realised.iter_mut().find(|(known, _)| known == symbol) {
            Some((_, sum)) => *sum = Some((*sum)?).zip(profit).map(|(sum, profit)| sum + profit),
            None => self.realised.push((symbol.to_owned(), profit)),
        }
        Some(self)
    }
}

/// Money as metrics show it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// When the gateway reported balance and positions together last, unix milliseconds; `None` if it never did: then nothing can
    /// be counted.
    pub told_ms: Option<i64>,
    /// Money without open positions.
    pub balance: Option<f64>,
    /// Money if all positions were closed then.
    pub equity: Option<f64>,
    /// The day on which this was computed, UTC, days since the unix epoch.
    pub day: i64,
    /// What was realised on that day, by symbol.
    pub realised: Vec<(String, f64)>,
    /// What the open positions have brought so far, by symbol, `None` if that of one of them is not told; `None` if what is
    /// open was never told.
    pub open: Option<Vec<(String, Option<f64>)>>,
    /// By how much the equity grew since the day began, without what is unexplained; in the order of [`Day::ALL`](super::Day::ALL).
    pub today: [Option<f64>; 2],
    /// What no close explains, of the last 24 hours: the sum of its steps without their signs, so that none hides another.
    pub unexplained: f64,
    /// How far the equity is below its highest, without what is unexplained; a ratio.
    pub drawdown: Option<f64>,
}
