//! The results of positions, live and on paper, and their sums. A sum that cannot be made is said to be unknown.

use super::{DAY_MS, Ledgers, Money, Period, Sums, SymbolMoney, account};
use crate::{
    adapters::journal::{
        account_snapshots::newest,
        console::reported,
        pairs::{Pair, pairs},
    },
    domain::profit::cents,
};
use rusqlite::{Connection, Row, params};
use std::{collections::BTreeMap, ops::Range};

/// Most results of positions of a ledger that an answer is made from.
pub(super) const RESULTS_MAX: usize = 20_000;
/// Days with results that are listed.
const DAYS_MAX: usize = 62;

/// What one position brought.
#[derive(Debug, Clone)]
pub(super) struct Brought {
    symbol: String,
    pub(super) at_ms: i64,
    is_trade: bool,
    /// In the account's currency.
    profit: Option<f64>,
    points: Option<f64>,
    source: String,
    is_before_costs: bool,
}

/// The results of a ledger since a time.
struct Results {
    rows: Vec<Brought>,
    /// Those before this time are not all in it, because there are too many; unix milliseconds.
    whole_from_ms: Option<i64>,
}

impl Results {
    /// `rows`: the newest first, one more than counts if there are too many.
    fn of(mut rows: Vec<Brought>) -> Self {
        let is_cut = rows.len() > RESULTS_MAX;
        rows.truncate(RESULTS_MAX);
        // Of the time of the last one there may be more.
        let whole_from_ms = rows.last().filter(|_| is_cut).map(|oldest| oldest.at_ms + 1);
        Self { rows, whole_from_ms }
    }

    /// What is missing of a time that begins then.
    fn cut(&self, from_ms: i64) -> Option<String> {
        let is_short = self.whole_from_ms.is_some_and(|whole_from_ms| from_ms < whole_from_ms);
        is_short.then(|| format!("only the newest {RESULTS_MAX} results of this ledger are in it"))
    }
}

/// The results of both ledgers since a time, and what is needed to say what they mean.
pub(super) struct Book {
    live: Results,
    paper: Results,
    /// Signals whose trades have ended on both sides; empty unless they were [read](Self::with_pairs).
    pairs: Vec<Pair>,
    pub(super) no_live: Option<String>,
    /// When the gateway told the account last, unix milliseconds, and why nothing newer is known, if something should be.
    told_ms: i64,
    silence: Option<String>,
    /// Whether that was too long ago to say that nothing happened since.
    is_silent: bool,
    pub(super) no_paper: Option<String>,
    pub(super) currency: Option<String>,
}

impl Book {
    /// With the signals that have ended on both sides since this time.
    pub(super) fn with_pairs(self, connection: &Connection, of: &Ledgers, from_ms: i64) -> rusqlite::Result<Self> {
        Ok(Self { pairs: pairs(connection, &of.account, &(from_ms..i64::MAX))?, ..self })
    }

    /// Of the results that are in it, by symbol and time. `span`: the time of them, unix milliseconds.
    pub(super) fn sums(&self, span: Range<i64>, is_in: impl Fn(&str, i64) -> bool) -> Sums {
        let is_in_it = |it: &Brought| is_in(&it.symbol, it.at_ms);
        let trades = |results: &Results| results.rows.iter().filter(|it| it.is_trade && is_in_it(it)).count();
        let count = |results: &Results| u32::try_from(trades(results)).unwrap_or(u32::MAX);
        let of = |ledger: &Results, nothing: &Option<String>, source: &str| {
            let results: Vec<_> = ledger.rows.iter().filter(|it| is_in_it(it)).collect();
            match nothing {
                Some(why) if results.is_empty() => Money::unknown(why.clone()),
                _ => {
                    let mut sum = sum(&results, self.currency.as_deref(), source);
                    sum.why = also(sum.why, ledger.cut(span.start));
                    sum
                }
            }
        };
        let silence = self.silence.as_ref().filter(|_| self.no_live.is_none() && span.end > self.told_ms);
        let untold = silence.filter(|_| self.is_silent && span.start > self.told_ms).cloned();
        let mut live = of(&self.live, &self.no_live.clone().or(untold), "gateway");
        if let (Some(why), Some(_)) = (silence, live.amount) {
            live.why = also(live.why, Some(format!("not up to date: {why}")));
        }
        let paper = of(&self.paper, &self.no_paper, "paper");
        let pairs: Vec<_> = self.pairs.iter().filter(|it| is_in(&it.symbol, it.at_ms)).collect();
        Sums {
            live,
            live_trades: count(&self.live),
            paper,
            paper_trades: count(&self.paper),
            difference: difference(&pairs, self.currency.as_deref()),
            pairs: u32::try_from(pairs.len()).unwrap_or(u32::MAX),
        }
    }

    /// The days with a result since this time, the newest first.
    pub(super) fn days(&self, since_ms: i64) -> Vec<Period> {
        let results = self.live.rows.iter().chain(&self.paper.rows).filter(|it| it.at_ms >= since_ms);
        let mut days: Vec<_> = results.map(|it| it.at_ms.div_euclid(DAY_MS)).collect();
        days.sort_unstable_by(|one, other| other.cmp(one));
        days.dedup();
        let day = |day: &i64| Period {
            period: None,
            day: chrono::DateTime::from_timestamp(day * DAY_MS / 1_000, 0).map(|at| at.format("%F").to_string()),
            from_ms: day * DAY_MS,
            sums: self.sums(day * DAY_MS..(day + 1) * DAY_MS, |_, at_ms| at_ms.div_euclid(DAY_MS) == *day),
        };
        days.iter().take(DAYS_MAX).map(day).collect()
    }

    /// The symbols with a result since this time.
    pub(super) fn symbols(&self, from_ms: i64) -> Vec<SymbolMoney> {
        let all = self.live.rows.iter().chain(&self.paper.rows).filter(|result| result.at_ms >= from_ms);
        let names: BTreeMap<&str, ()> = all.map(|result| (result.symbol.as_str(), ())).collect();
        let of = |(name, ()): (&str, ())| SymbolMoney {
            symbol: name.to_owned(),
            sums: self.sums(from_ms..i64::MAX, |symbol, at_ms| at_ms >= from_ms && symbol == name),
        };
        names.into_iter().map(of).collect()
    }
}

/// Both of what is to be said of a sum.
fn also(why: Option<String>, more: Option<String>) -> Option<String> {
    match (why, more) {
        (Some(why), Some(more)) => Some(format!("{why}; {more}")),
        (why, more) => why.or(more),
    }
}

/// A result on paper.
pub(in super::super) fn of_paper(profit: Option<f64>, points: Option<f64>, is_before_costs: bool) -> Money {
    let source = Some("paper".to_owned());
    match (profit, points) {
        (Some(_), _) => Money { amount: profit, source, is_before_costs, ..Money::default() },
        (None, Some(_)) => Money {
            amount: points,
            unit: Some("points".into()),
            source,
            is_before_costs,
            why: Some("what a point is worth in the account's currency is not known".into()),
        },
        (None, None) => Money { source, is_before_costs, ..Money::unknown("bars that it was open in are missing") },
    }
}

/// What a position brought so far, and when it was seen to have ended; `None` if nothing is known of it.
pub(in super::super) fn of_ticket(
    connection: &Connection,
    account: &str,
    ticket: i64,
) -> rusqlite::Result<Option<(Money, Option<i64>)>> {
    let mut select = connection.prepare_cached(
        "SELECT symbol, at_ms, kind = 'close', profit, source FROM realised AS one WHERE account = ?1 AND ticket = ?2
         AND source = (SELECT max(source) FROM realised WHERE account = ?1 AND ticket = ?2 AND at_ms = one.at_ms)
         ORDER BY at_ms LIMIT 100",
    )?;
    let brought = select.query_map(params![account, ticket], of_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if brought.is_empty() {
        return Ok(None);
    }
    let ended_ms = brought.iter().rev().find(|it| it.is_trade).map(|it| it.at_ms);
    let currency = super::super::reported::currency(connection, account)?;
    Ok(Some((sum(&brought.iter().collect::<Vec<_>>(), currency.as_deref(), "gateway"), ended_ms)))
}

fn of_row(row: &Row<'_>) -> rusqlite::Result<Brought> {
    Ok(Brought {
        symbol: row.get(0)?,
        at_ms: row.get(1)?,
        is_trade: row.get(2)?,
        profit: row.get(3)?,
        points: None,
        source: row.get(4)?,
        is_before_costs: false,
    })
}

/// The sum of results: in money if each is known in it, else in points if all are of one symbol.
fn sum(results: &[&Brought], currency: Option<&str>, usual_source: &str) -> Money {
    let mut sources: Vec<&str> = results.iter().map(|it| it.source.as_str()).collect();
    sources.sort_unstable();
    sources.dedup();
    let source = match sources[..] {
        [] => usual_source,
        [one] => one,
        _ => "mixed",
    };
    let source = Some(source.to_owned());
    let is_before_costs = results.iter().any(|it| it.is_before_costs);
    if let Some(amount) = results.iter().map(|it| it.profit).sum::<Option<f64>>() {
        return Money {
            amount: Some(amount + 0.0),
            unit: currency.map(str::to_owned),
            source,
            is_before_costs,
            why: None,
        };
    }
    let unpriced = results.iter().filter(|it| it.profit.is_none());
    let is_one_symbol = results.windows(2).all(|pair| pair[0].symbol == pair[1].symbol);
    let names: BTreeMap<&str, ()> = unpriced.map(|it| (it.symbol.as_str(), ())).collect();
    let names = names.into_keys().take(5).collect::<Vec<_>>().join(", ");
    let why = Some(format!("not known in the account's currency: {names}"));
    match results.iter().map(|it| it.points).sum::<Option<f64>>().filter(|_| is_one_symbol) {
        Some(points) => Money { amount: Some(points), unit: Some("points".into()), source, is_before_costs, why },
        None => Money { amount: None, unit: None, source, is_before_costs, why },
    }
}

/// Live minus paper, over the signals that have ended on both sides.
fn difference(pairs: &[&Pair], currency: Option<&str>) -> Money {
    if pairs.is_empty() {
        return Money::unknown("no signal has ended on both sides");
    }
    let unpriced: BTreeMap<&str, ()> =
        pairs.iter().filter(|it| it.paper.is_none()).map(|it| (it.symbol.as_str(), ())).collect();
    match pairs.iter().map(|it| Some(it.live - it.paper?)).sum::<Option<f64>>() {
        Some(amount) => Money {
            amount: Some(cents(amount)),
            unit: currency.map(str::to_owned),
            source: Some(if pairs.iter().any(|it| it.is_estimate) { "estimated" } else { "mixed" }.into()),
            is_before_costs: pairs.iter().any(|it| it.is_before_costs),
            why: None,
        },
        None => {
            let names = unpriced.into_keys().take(5).collect::<Vec<_>>().join(", ");
            Money::unknown(format!("paper is not known in the account's currency: {names}"))
        }
    }
}

/// The results since this time.
pub(super) fn book(connection: &Connection, of: &Ledgers, from_ms: i64) -> rusqlite::Result<Book> {
    let told = newest(connection, &of.account)?.unwrap_or_default();
    let is_told = told.balance.is_some() || told.equity.is_some();
    let told_ms = told.told_ms();
    let is_silent = reported::is_silent(of, told_ms, told.every_s);
    let silence = reported::trouble(of, told_ms, told.every_s);
    let no_live = of
        .no_live
        .map(str::to_owned)
        .or_else(|| (!is_told).then(|| "the gateway has reported neither balance nor equity".to_owned()));
    let has_traded = account::paper_start(connection, &of.account)?.is_some();
    let no_paper = of.no_paper.or((!has_traded).then_some("nothing was traded on paper")).map(str::to_owned);
    // Of two sources of one result the better one counts, which is the later one in the alphabet.
    let mut live = connection.prepare_cached(
        "SELECT symbol, at_ms, kind = 'close', profit, source FROM realised AS one WHERE account = ?1 AND at_ms >= ?2
         AND source = (SELECT max(source) FROM realised WHERE account = one.account AND ticket = one.ticket AND at_ms = one.at_ms)
         ORDER BY at_ms DESC LIMIT ?3",
    )?;
    let most = i64::try_from(RESULTS_MAX + 1).unwrap_or(i64::MAX);
    let live = live.query_map(params![of.account, from_ms, most], of_row)?.collect::<rusqlite::Result<_>>()?;
    // When it was noted, as with live results: recorded bars, as the demo has them, ended it years ago.
    let mut paper = connection.prepare_cached(
        "SELECT symbol, ended_at_ms, profit, net_points, spread_points IS NULL FROM paper_orders
         WHERE account = ?1 AND closes IS NULL AND exit_at IS NOT NULL AND ended_at_ms >= ?2
         ORDER BY ended_at_ms DESC LIMIT ?3",
    )?;
    let result = |row: &Row<'_>| {
        Ok(Brought {
            symbol: row.get(0)?,
            at_ms: row.get(1)?,
            is_trade: true,
            profit: row.get(2)?,
            points: row.get(3)?,
            source: "paper".into(),
            is_before_costs: row.get(4)?,
        })
    };
    let paper = paper.query_map(params![of.account, from_ms, most], result)?.collect::<rusqlite::Result<_>>()?;
    let (live, paper) = (Results::of(live), Results::of(paper));
    let (pairs, currency) = (Vec::new(), told.currency);
    Ok(Book { live, paper, pairs, no_live, told_ms, silence, is_silent, no_paper, currency })
}
