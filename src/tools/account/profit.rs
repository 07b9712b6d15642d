//! Profit and loss of an account, by period and symbol, as the journal has it.

use sentinel_actors::{
    adapters::journal::{Pair, PaperProfit, PaperTotals, Peak, ReportedAccount, Store, open},
    domain::profit::{Day, Source, cents, month_begin, week_begin},
};
use std::{collections::BTreeMap, time::Duration};

/// An account.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub account: String,
    /// As the gateway reported it last; `None` if it never did.
    pub told: Option<ReportedAccount>,
    /// What is open by symbol; `None` is a profit that is not told.
    pub open: Vec<(String, Option<f64>)>,
    pub peak: Option<Peak>,
    /// The equity that growth and drawdown are counted with; `None`: no look told all.
    pub whole_equity: Option<f64>,
    pub periods: Vec<Period>,
    pub paper: Option<PaperTotals>,
}

/// From a moment until now.
#[derive(Debug, Clone)]
pub(crate) struct Period {
    pub name: &'static str,
    /// Unix seconds.
    pub begin: i64,
    /// `None`: no equity was ever told.
    pub growth: Option<Growth>,
    pub unexplained: f64,
    /// When the gateway told the account last, unix milliseconds, if it has told nothing of this period.
    pub silent_since_ms: Option<i64>,
    pub symbols: Vec<BySymbol>,
}

/// By how much the equity grew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// When the equity was told that it is compared with, unix milliseconds.
    pub since_ms: i64,
    /// Without what is unexplained; `None` if that was long before the period began.
    pub amount: Option<f64>,
}

/// What a symbol brought.
#[derive(Debug, Clone)]
pub(crate) struct BySymbol {
    pub symbol: String,
    /// At the gateway; `None` if nothing was closed.
    pub live: Option<Live>,
    pub paper: Option<PaperProfit>,
    pub pairs: Pairs,
}

/// Signals whose trades have ended both at the gateway and on paper.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Pairs {
    pub signals: u32,
    /// Those of them whose trade on paper is not known in money.
    pub unpriced: u32,
    /// Those of them whose profit at the gateway is an estimate.
    pub estimates: u32,
    /// Live minus paper of those that are known, not rounded.
    pub difference: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Live {
    pub profit: f64,
    /// Positions, or parts of them, that were closed.
    pub closes: u32,
    /// Those of them whose profit is an estimate.
    pub estimates: u32,
    /// What orders of ours opened.
    pub own: Own,
}

/// A part of it: without trades by hand, which the account on paper does not make.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Own {
    pub profit: f64,
    /// Positions of which all was closed.
    pub trades: u32,
}

impl Pairs {
    /// Live minus paper, in the account's currency: below 0 is what execution cost.
    ///
    /// # Errors
    /// Why it is not known.
    pub(crate) fn live_minus_paper(&self) -> Result<f64, &'static str> {
        match self {
            Self { signals: 0, .. } => Err("no signal has ended on both"),
            Self { unpriced: 0, difference, .. } => Ok(cents(*difference)),
            Self { .. } => Err("paper is not known in money"),
        }
    }

    fn add(&mut self, other: Self) {
        self.signals += other.signals;
        self.unpriced += other.unpriced;
        self.estimates += other.estimates;
        self.difference += other.difference;
    }
}

impl From<&Pair> for Pairs {
    fn from(pair: &Pair) -> Self {
        let difference = pair.paper.map(|paper| pair.live - paper);
        let (unpriced, estimates) = (u32::from(difference.is_none()), u32::from(pair.is_estimate));
        Self { signals: 1, unpriced, estimates, difference: difference.unwrap_or(0.0) }
    }
}

impl Period {
    /// When the gateway reported the account last, unix milliseconds, if nobody knows what was realised.
    pub fn untold_since_ms(&self) -> Option<i64> {
        self.silent_since_ms.filter(|_| self.symbols.iter().all(|it| it.live.is_none()))
    }

    /// What was realised at the gateway.
    pub(crate) fn live(&self) -> Live {
        let mut sum = Live::default();
        for live in self.symbols.iter().filter_map(|it| it.live) {
            sum.profit = cents(sum.profit + live.profit);
            sum.closes += live.closes;
            sum.estimates += live.estimates;
            sum.own.profit = cents(sum.own.profit + live.own.profit);
            sum.own.trades += live.own.trades;
        }
        sum
    }

    /// The signals of all symbols.
    pub(crate) fn pairs(&self) -> Pairs {
        let mut sum = Pairs::default();
        self.symbols.iter().for_each(|it| sum.add(it.pairs));
        sum
    }

    /// What was realised on paper, in points only if it is of one symbol; `None` if nothing was.
    pub(crate) fn paper(&self) -> Option<PaperProfit> {
        let mut all = self.symbols.iter().filter_map(|it| it.paper.as_ref());
        let first = PaperProfit { symbol: "all".into(), ..all.next()?.clone() };
        Some(all.fold(first, |sum, it| PaperProfit {
            symbol: sum.symbol,
            trades: sum.trades + it.trades,
            profit: sum.profit.zip(it.profit).map(|(a, b)| cents(a + b)),
            points: None,
            has_costs: sum.has_costs && it.has_costs,
        }))
    }
}

impl Report {
    pub(crate) fn read(store: &Store, account: &str, now: Duration) -> anyhow::Result<Self> {
        let told = store.told_account(account)?;
        let held = told.as_ref().and_then(|told| told.positions.as_deref()).unwrap_or_default();
        let now_s = i64::try_from(now.as_secs())?;
        let begins = [
            ("today", Day::Utc.begin(now_s)),
            ("trading day", Day::NewYork.begin(now_s)),
            ("week", week_begin(now_s)),
            ("month", month_begin(now_s)),
        ];
        let whole = store.whole_equity(account)?;
        let periods = begins.map(|(name, begin)| period(store, account, (name, begin, now), whole));
        Ok(Self {
            account: account.into(),
            open: open(held, &store.ordered_names(account)?),
            peak: store.peak(account)?,
            whole_equity: whole.map(|(_, equity)| equity),
            periods: periods.into_iter().collect::<anyhow::Result<_>>()?,
            paper: store.paper_account(account)?,
            told,
        })
    }

    pub(crate) fn has_paper(&self) -> bool {
        self.paper.is_some() || self.periods.iter().any(|period| period.paper().is_some())
    }

    /// For who asks about the account on paper only.
    pub(crate) fn leave_out_live(&mut self) {
        (self.told, self.peak) = (None, None);
        self.open.clear();
        for period in &mut self.periods {
            period.growth = None;
            (period.unexplained, period.silent_since_ms) = (0.0, None);
            period.symbols.retain(|it| it.paper.is_some());
            period.symbols.iter_mut().for_each(|it| (it.live, it.pairs) = (None, Pairs::default()));
        }
    }

    /// How far the equity is below its highest, a ratio.
    pub(crate) fn drawdown(&self) -> Option<f64> {
        self.peak?.drawdown(self.whole_equity?)
    }
}

fn period(
    store: &Store,
    account: &str,
    (name, begin, now): (&'static str, i64, Duration),
    whole: Option<(i64, f64)>,
) -> anyhow::Result<Period> {
    let span = begin * 1_000..i64::MAX;
    let unexplained = store.unexplained(account, span.clone())?.iter().map(|(_, amount)| amount).sum();
    let unexplained = cents(unexplained);
    let growth = store.begin(account, span.start)?.zip(whole).map(|(begin, (now_ms, now))| {
        // A gateway that has told nothing since then says nothing of this period.
        let before = begin.equity.filter(|_| now_ms >= span.start);
        Growth { since_ms: begin.at_ms, amount: before.map(|before| cents(now - before - unexplained)) }
    });
    let mut symbols: BTreeMap<String, BySymbol> = BTreeMap::new();
    let mut of = |symbol: &str, fill: &dyn Fn(&mut BySymbol)| {
        let none = || BySymbol { symbol: symbol.into(), live: None, paper: None, pairs: Pairs::default() };
        fill(symbols.entry(symbol.into()).or_insert_with(none));
    };
    for row in store.realised(account, span.clone())? {
        of(&row.symbol, &|it| {
            let live = it.live.get_or_insert_default();
            live.profit = cents(live.profit + row.profit);
            live.closes += u32::from(row.kind != "opening");
            live.estimates += u32::from(row.source == Source::Estimated);
            if row.order_id.is_some() {
                live.own.profit = cents(live.own.profit + row.profit);
                live.own.trades += u32::from(row.kind == "close");
            }
        });
    }
    for paper in store.paper_profit(account, span.clone())? {
        of(&paper.symbol, &|it| it.paper = Some(paper.clone()));
    }
    let silent_since_ms = store.silent_since(account, span.start, now)?;
    for pair in store.pairs(account, span)? {
        of(&pair.symbol, &|it| it.pairs.add(Pairs::from(&pair)));
    }
    let symbols = symbols.into_values().collect();
    Ok(Period { name, begin, growth, unexplained, silent_since_ms, symbols })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(profit: Option<f64>) -> PaperProfit {
        PaperProfit { symbol: "EURUSD".into(), trades: 2, profit, points: Some(12.0), has_costs: true }
    }

    #[test]
    fn live_minus_paper_is_of_pairs_and_of_none_it_is_unknown() {
        let pair = |live, paper| Pair {
            symbol: "EURUSD".into(),
            at_ms: 0,
            live,
            is_estimate: live < 0.0,
            paper,
            is_before_costs: false,
        };
        let sum = |pairs: &[Pair]| {
            let mut sum = Pairs::default();
            pairs.iter().for_each(|pair| sum.add(Pairs::from(pair)));
            (sum.signals, sum.estimates, sum.live_minus_paper())
        };
        assert_eq!(sum(&[pair(-12.5, Some(-10.2)), pair(3.1, Some(3.0))]), (2, 1, Ok(-2.2)));
        assert_eq!(sum(&vec![pair(0.0, Some(0.004)); 5]), (5, 0, Ok(-0.02)), "only the sum is rounded");
        assert_eq!(sum(&[]), (0, 0, Err("no signal has ended on both")));
        assert_eq!(sum(&[pair(1.0, Some(1.0)), pair(1.0, None)]), (2, 0, Err("paper is not known in money")));
    }

    #[test]
    fn a_sum_on_paper_is_known_only_if_all_of_it_is() {
        let row = |profit| BySymbol {
            symbol: "EURUSD".into(),
            live: None,
            paper: Some(paper(profit)),
            pairs: Pairs::default(),
        };
        let period = |symbols| Period {
            name: "today",
            begin: 0,
            growth: None,
            unexplained: 0.0,
            silent_since_ms: None,
            symbols,
        };
        let sum = period(vec![row(Some(1.5)), row(Some(2.0))]).paper().unwrap();
        assert_eq!(
            (sum.trades, sum.profit, sum.points),
            (4, Some(3.5), None),
            "points of different symbols cannot be added"
        );
        assert_eq!(period(vec![row(None)]).paper().unwrap().points, Some(12.0), "of one symbol they are");
        assert_eq!(period(vec![row(Some(1.5)), row(None)]).paper().unwrap().profit, None);
        assert_eq!(period(vec![]).paper(), None);
    }
}
