//! The figures of an account, as the journal has them.

use sentinel_actors::{
    adapters::journal::{PaperAccount, PaperProfit, Peak, Store, ToldAccount, open},
    domain::profit::{Day, Source, cents, month_begin, week_begin},
};
use std::{collections::BTreeMap, time::Duration};

/// An account.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub account: String,
    /// As the gateway told it last; `None` if it never did.
    pub told: Option<ToldAccount>,
    /// What is open by symbol; `None` is a profit that is not told.
    pub open: Vec<(String, Option<f64>)>,
    pub peak: Option<Peak>,
    pub periods: Vec<Period>,
    pub paper: Option<PaperAccount>,
}

/// From a moment until now.
#[derive(Debug, Clone)]
pub(super) struct Period {
    pub name: &'static str,
    /// Unix seconds.
    pub begin: i64,
    /// By how much the equity grew without what is unexplained, and since when that is known, unix milliseconds.
    pub growth: Option<(i64, f64)>,
    pub unexplained: f64,
    pub symbols: Vec<BySymbol>,
}

/// What a symbol brought.
#[derive(Debug, Clone)]
pub(super) struct BySymbol {
    pub symbol: String,
    /// At the gateway; `None` if nothing was closed.
    pub live: Option<Live>,
    pub paper: Option<PaperProfit>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Live {
    pub profit: f64,
    /// Positions, or parts of them, that were closed.
    pub closes: u32,
    /// Those of them whose profit is an estimate.
    pub estimates: u32,
}

impl BySymbol {
    /// What execution cost, as a negative number: the account at the gateway against the account on paper, in its currency.
    /// `None` if one of the two did not close anything or is not known in money.
    pub(super) fn difference(&self) -> Option<f64> {
        Some(cents(self.live?.profit - self.paper.as_ref()?.profit?))
    }
}

impl Period {
    /// What was realised at the gateway.
    pub(super) fn live(&self) -> Live {
        let mut sum = Live::default();
        for live in self.symbols.iter().filter_map(|it| it.live) {
            sum.profit = cents(sum.profit + live.profit);
            sum.closes += live.closes;
            sum.estimates += live.estimates;
        }
        sum
    }

    /// What was realised on paper; `None` if nothing was.
    pub(super) fn paper(&self) -> Option<PaperProfit> {
        let mut all = self.symbols.iter().filter_map(|it| it.paper.as_ref());
        let first = PaperProfit { symbol: "all".into(), ..all.next()?.clone() };
        Some(all.fold(first, |sum, it| PaperProfit {
            symbol: sum.symbol,
            trades: sum.trades + it.trades,
            profit: sum.profit.zip(it.profit).map(|(a, b)| cents(a + b)),
            points: sum.points.zip(it.points).map(|(a, b)| a + b),
            has_costs: sum.has_costs && it.has_costs,
        }))
    }
}

impl Report {
    pub(super) fn read(store: &Store, account: &str, now: Duration) -> anyhow::Result<Self> {
        let told = store.told_account(account)?;
        let held = told.as_ref().and_then(|told| told.positions.as_deref()).unwrap_or_default();
        let now_s = i64::try_from(now.as_secs())?;
        let begins = [
            ("today", Day::Utc.begin(now_s)),
            ("trading day", Day::NewYork.begin(now_s)),
            ("week", week_begin(now_s)),
            ("month", month_begin(now_s)),
        ];
        let equity = told.as_ref().and_then(|told| told.equity);
        let periods = begins.map(|(name, begin)| period(store, account, (name, begin), equity));
        Ok(Self {
            account: account.into(),
            open: open(held, &store.ordered_names(account)?),
            peak: store.peak(account)?,
            periods: periods.into_iter().collect::<anyhow::Result<_>>()?,
            paper: store.paper_account(account)?,
            told,
        })
    }

    pub(super) fn has_paper(&self) -> bool {
        self.paper.is_some() || self.periods.iter().any(|period| period.paper().is_some())
    }

    /// For who asks about the account on paper only.
    pub(super) fn leave_out_live(&mut self) {
        (self.told, self.peak) = (None, None);
        self.open.clear();
        for period in &mut self.periods {
            period.growth = None;
            period.unexplained = 0.0;
            period.symbols.retain(|it| it.paper.is_some());
            period.symbols.iter_mut().for_each(|it| it.live = None);
        }
    }

    /// How far the equity is below its highest, a ratio.
    pub(super) fn drawdown(&self) -> Option<f64> {
        self.peak?.drawdown(self.told.as_ref()?.equity?)
    }
}

fn period(
    store: &Store,
    account: &str,
    (name, begin): (&'static str, i64),
    equity: Option<f64>,
) -> anyhow::Result<Period> {
    let span = begin * 1_000..i64::MAX;
    let unexplained = store.unexplained(account, span.clone())?.iter().map(|(_, amount)| amount).sum();
    let unexplained = cents(unexplained);
    let before = store.equity_at(account, span.start)?;
    let growth = before.zip(equity).map(|((at, before), now)| (at.max(span.start), cents(now - before - unexplained)));
    let mut symbols: BTreeMap<String, BySymbol> = BTreeMap::new();
    let mut of = |symbol: &str, fill: &dyn Fn(&mut BySymbol)| {
        let none = || BySymbol { symbol: symbol.into(), live: None, paper: None };
        fill(symbols.entry(symbol.into()).or_insert_with(none));
    };
    for row in store.realised(account, span.clone())? {
        of(&row.symbol, &|it| {
            let live = it.live.get_or_insert_default();
            live.profit = cents(live.profit + row.profit);
            live.closes += u32::from(row.kind != "opening");
            live.estimates += u32::from(row.source == Source::Estimated);
        });
    }
    for paper in store.paper_profit(account, span)? {
        of(&paper.symbol, &|it| it.paper = Some(paper.clone()));
    }
    Ok(Period { name, begin, growth, unexplained, symbols: symbols.into_values().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(profit: Option<f64>) -> PaperProfit {
        PaperProfit { symbol: "EURUSD".into(), trades: 2, profit, points: Some(12.0), has_costs: true }
    }

    #[test]
    fn a_difference_needs_both_sides_in_money() {
        let live = Some(Live { profit: -12.5, closes: 1, estimates: 0 });
        let row = |live, paper| BySymbol { symbol: "EURUSD".into(), live, paper };
        assert_eq!(row(live, Some(paper(Some(-10.2)))).difference(), Some(-2.3));
        assert_eq!(row(live, Some(paper(None))).difference(), None, "points are no money");
        assert_eq!(row(live, None).difference(), None);
        assert_eq!(row(None, Some(paper(Some(1.0)))).difference(), None);
    }

    #[test]
    fn a_sum_on_paper_is_known_only_if_all_of_it_is() {
        let row = |profit| BySymbol { symbol: "EURUSD".into(), live: None, paper: Some(paper(profit)) };
        let period = |symbols| Period { name: "today", begin: 0, growth: None, unexplained: 0.0, symbols };
        let sum = period(vec![row(Some(1.5)), row(Some(2.0))]).paper().unwrap();
        assert_eq!((sum.trades, sum.profit, sum.points), (4, Some(3.5), Some(24.0)));
        assert_eq!(period(vec![row(Some(1.5)), row(None)]).paper().unwrap().profit, None);
        assert_eq!(period(vec![]).paper(), None);
    }
}
