//! What was earned, live and on paper, and by which source each sum is known. What is not known is said, never guessed.

use super::{ConsoleReader, ReadError, decisions};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

const DAY_MS: i64 = 86_400_000;
/// Most results of positions that an answer is made from.
const RESULTS_MAX: i64 = 20_000;
/// Days with results that are listed.
const DAYS_MAX: usize = 62;

/// MONEY of the contract.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[allow(missing_docs)] // config/console/README.md documents every field.
pub struct Money {
    pub amount: Option<f64>,
    pub unit: Option<String>,
    pub source: Option<String>,
    pub is_before_costs: bool,
    pub why: Option<String>,
}

impl Money {
    /// A sum that is not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..Self::default() }
    }
}

/// Whose figures are asked for, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledgers {
    /// The trading account.
    pub account: String,
    /// Why live orders earn nothing that is known; `None` in live mode.
    pub no_live: Option<&'static str>,
    /// Decimal places of each symbol's prices.
    pub digits: HashMap<String, u32>,
    /// Unix milliseconds.
    pub now_ms: i64,
}

/// The day so far, of one ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Today {
    pub realised: Money,
    pub open: Money,
    pub trades: u32,
}

/// Results within a time, or of a symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Period {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    pub from_ms: i64,
    #[serde(flatten)]
    pub sums: Sums,
}

/// Results of a symbol.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SymbolMoney {
    pub symbol: String,
    #[serde(flatten)]
    pub sums: Sums,
}

/// Live and paper beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Sums {
    pub live: Money,
    pub live_trades: u32,
    pub paper: Money,
    pub paper_trades: u32,
    pub difference: Money,
}

/// What the gateway told last.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct AccountTold {
    pub account: String,
    pub currency: Option<String>,
    pub balance: Option<f64>,
    pub equity: Option<f64>,
    pub margin: Option<f64>,
    pub seen_ms: i64,
}

/// A step of the balance that no close explains.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Unexplained {
    pub at_ms: i64,
    pub amount: f64,
    pub unit: Option<String>,
}

/// Fills against the close decided on; above 0 is worse.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Slippage {
    pub fills: u32,
    pub mean_points: f64,
    pub worst_points: f64,
}

/// All of the view Money, apart from the curves.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct MoneyRows {
    pub newest_cycle: Option<i64>,
    pub account: Option<AccountTold>,
    pub paper_start: Option<f64>,
    pub periods: Vec<Period>,
    pub days: Vec<Period>,
    pub symbols: Vec<SymbolMoney>,
    pub unexplained: Vec<Unexplained>,
    pub slippage: Option<Slippage>,
}

/// What one position brought.
#[derive(Debug, Clone)]
struct Brought {
    symbol: String,
    at_ms: i64,
    is_trade: bool,
    /// Whether an order of Sentinel's opened it: paper makes no trade by hand.
    is_ours: bool,
    /// In the account's currency.
    profit: Option<f64>,
    points: Option<f64>,
    source: String,
    is_before_costs: bool,
}

/// The results of both ledgers since a time, and what is needed to say what they mean.
struct Book {
    live: Vec<Brought>,
    paper: Vec<Brought>,
    no_live: Option<String>,
    no_paper: Option<String>,
    currency: Option<String>,
}

impl ConsoleReader {
    /// The day so far, live and on paper; since 00:00 UTC.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn today(&self, of: &Ledgers) -> Result<(Today, Today), ReadError> {
        let from_ms = of.now_ms - of.now_ms.rem_euclid(DAY_MS);
        self.read(|connection| {
            let book = book(connection, of, from_ms)?;
            let sums = book.sums(|_| true);
            let live = Today { realised: sums.live, open: open_live(connection, &book, of)?, trades: sums.live_trades };
            let paper =
                Today { realised: sums.paper, open: open_paper(connection, &book, of)?, trades: sums.paper_trades };
            Ok((live, paper))
        })
    }

    /// What was earned by period, day and symbol.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn money(&self, of: &Ledgers, starts: &[(&'static str, i64)]) -> Result<MoneyRows, ReadError> {
        self.read(|connection| {
            let month = starts.iter().map(|(_, from_ms)| *from_ms).min().unwrap_or(of.now_ms);
            let book = book(connection, of, month.min(of.now_ms - 366 * DAY_MS))?;
            let period = |(name, from_ms): &(&'static str, i64)| Period {
                period: Some(name),
                day: None,
                from_ms: *from_ms,
                sums: book.sums(|result| result.at_ms >= *from_ms),
            };
            Ok(MoneyRows {
                newest_cycle: super::newest_cycle(connection)?,
                account: told(connection, &of.account)?,
                paper_start: paper_start(connection, &of.account)?,
                periods: starts.iter().map(period).collect(),
                days: book.days(),
                symbols: book.symbols(month),
                unexplained: unexplained(connection, &of.account, book.currency.as_deref())?,
                slippage: slippage(connection, of, month)?,
            })
        })
    }
}

impl Book {
    fn sums(&self, is_in: impl Fn(&Brought) -> bool) -> Sums {
        let trades = |results: &[Brought]| results.iter().filter(|it| it.is_trade && is_in(it)).count();
        let count = |results: &[Brought]| u32::try_from(trades(results)).unwrap_or(u32::MAX);
        let of = |results: &[Brought], nothing: &Option<String>, source: &str| {
            let results: Vec<_> = results.iter().filter(|it| is_in(it)).collect();
            match nothing {
                Some(why) if results.is_empty() => Money::unknown(why.clone()),
                _ => sum(&results, self.currency.as_deref(), source),
            }
        };
        let live = of(&self.live, &self.no_live, "gateway");
        let paper = of(&self.paper, &self.no_paper, "paper");
        let own: Vec<_> = self.live.iter().filter(|it| it.is_ours).cloned().collect();
        let trades = [count(&own), count(&self.paper)];
        let difference = difference(&of(&own, &self.no_live, "gateway"), &paper, trades);
        Sums { live, live_trades: count(&self.live), paper, paper_trades: count(&self.paper), difference }
    }

    /// The days with a result, the newest first.
    fn days(&self) -> Vec<Period> {
        let mut days: Vec<_> = self.live.iter().chain(&self.paper).map(|it| it.at_ms.div_euclid(DAY_MS)).collect();
        days.sort_unstable_by(|one, other| other.cmp(one));
        days.dedup();
        let day = |day: &i64| Period {
            period: None,
            day: chrono::DateTime::from_timestamp(day * DAY_MS / 1_000, 0).map(|at| at.format("%F").to_string()),
            from_ms: day * DAY_MS,
            sums: self.sums(|result| result.at_ms.div_euclid(DAY_MS) == *day),
        };
        days.iter().take(DAYS_MAX).map(day).collect()
    }

    fn symbols(&self, from_ms: i64) -> Vec<SymbolMoney> {
        let all = self.live.iter().chain(&self.paper).filter(|result| result.at_ms >= from_ms);
        let names: BTreeMap<&str, ()> = all.map(|result| (result.symbol.as_str(), ())).collect();
        let of = |(name, ()): (&str, ())| SymbolMoney {
            symbol: name.to_owned(),
            sums: self.sums(|result| result.at_ms >= from_ms && result.symbol == name),
        };
        names.into_iter().map(of).collect()
    }
}

/// A result on paper.
pub(super) fn of_paper(profit: Option<f64>, points: Option<f64>, is_before_costs: bool) -> Money {
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
pub(super) fn of_ticket(
    connection: &Connection,
    account: &str,
    ticket: i64,
) -> rusqlite::Result<Option<(Money, Option<i64>)>> {
    let mut select = connection.prepare_cached(
        "SELECT symbol, at_ms, kind = 'close', profit, source, order_id IS NOT NULL FROM realised AS one WHERE account = ?1 AND ticket = ?2
         AND source = (SELECT max(source) FROM realised WHERE account = ?1 AND ticket = ?2 AND at_ms = one.at_ms)
         ORDER BY at_ms LIMIT 100",
    )?;
    let brought = select.query_map(params![account, ticket], of_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if brought.is_empty() {
        return Ok(None);
    }
    let ended_ms = brought.iter().rev().find(|it| it.is_trade).map(|it| it.at_ms);
    let currency = super::told::currency(connection, account)?;
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
        is_ours: row.get(5)?,
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

/// Live minus paper: of as many trades of Sentinel's as paper has.
fn difference(live: &Money, paper: &Money, [live_trades, paper_trades]: [u32; 2]) -> Money {
    match (live.amount, paper.amount) {
        (Some(_), Some(_)) if live_trades != paper_trades => {
            Money::unknown(format!("not the same number of trades: {live_trades} live, {paper_trades} on paper"))
        }
        (Some(live_amount), Some(paper_amount)) if live.unit == paper.unit || paper.unit.is_none() => Money {
            amount: Some(live_amount - paper_amount),
            unit: live.unit.clone(),
            source: Some("mixed".into()),
            is_before_costs: paper.is_before_costs,
            why: None,
        },
        (Some(_), Some(_)) => Money::unknown("the two are in different units"),
        _ => Money::unknown("one side is not known"),
    }
}

fn book(connection: &Connection, of: &Ledgers, from_ms: i64) -> rusqlite::Result<Book> {
    let account = told(connection, &of.account)?;
    let currency = account.as_ref().and_then(|told| told.currency.clone());
    let is_told = account.is_some_and(|told| told.balance.is_some() || told.equity.is_some());
    let no_live = of
        .no_live
        .map(str::to_owned)
        .or_else(|| (!is_told).then(|| "the gateway has told neither balance nor equity".to_owned()));
    let no_paper = paper_start(connection, &of.account)?.is_none().then(|| "nothing was traded on paper".to_owned());
    // Of two sources of one result the better one counts, which is the later one in the alphabet.
    let mut live = connection.prepare_cached(
        "SELECT symbol, at_ms, kind = 'close', profit, source, order_id IS NOT NULL FROM realised AS one WHERE account = ?1 AND at_ms >= ?2
         AND source = (SELECT max(source) FROM realised WHERE account = one.account AND ticket = one.ticket AND at_ms = one.at_ms)
         ORDER BY at_ms DESC LIMIT ?3",
    )?;
    let live = live.query_map(params![of.account, from_ms, RESULTS_MAX], of_row)?.collect::<rusqlite::Result<_>>()?;
    // When it was noted, as with live results: recorded bars, as the demo has them, ended it years ago.
    let mut paper = connection.prepare_cached(
        "SELECT symbol, updated_at_ms, profit, net_points, spread_points IS NULL FROM paper_orders
         WHERE account = ?1 AND closes IS NULL AND exit_at IS NOT NULL AND updated_at_ms >= ?2 ORDER BY rowid DESC LIMIT ?3",
    )?;
    let result = |row: &Row<'_>| {
        Ok(Brought {
            symbol: row.get(0)?,
            at_ms: row.get(1)?,
            is_trade: true,
            is_ours: true,
            profit: row.get(2)?,
            points: row.get(3)?,
            source: "paper".into(),
            is_before_costs: row.get(4)?,
        })
    };
    let paper = paper.query_map(params![of.account, from_ms, RESULTS_MAX], result)?.collect::<rusqlite::Result<_>>()?;
    Ok(Book { live, paper, no_live, no_paper, currency })
}

fn told(connection: &Connection, account: &str) -> rusqlite::Result<Option<AccountTold>> {
    let mut newest = connection.prepare_cached(
        "SELECT account, currency, balance, equity, margin, at_ms FROM account_snapshots WHERE account = ?1
         ORDER BY at_ms DESC, rowid DESC LIMIT 1",
    )?;
    let row = |row: &Row<'_>| {
        Ok(AccountTold {
            account: row.get(0)?,
            currency: row.get(1)?,
            balance: row.get(2)?,
            equity: row.get(3)?,
            margin: row.get(4)?,
            seen_ms: row.get(5)?,
        })
    };
    newest.query_row([account], row).optional()
}

fn paper_start(connection: &Connection, account: &str) -> rusqlite::Result<Option<f64>> {
    let sql = "SELECT start FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    connection.prepare_cached(sql)?.query_row([account], |row| row.get(0)).optional()
}

fn open_live(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<Money> {
    if let Some(why) = &book.no_live {
        return Ok(Money::unknown(why.clone()));
    }
    let Some((_, positions)) = super::told::listed(connection, &of.account)? else {
        return Ok(Money::unknown("the gateway has not listed its positions"));
    };
    Ok(match positions.iter().map(super::told::Listed::net_profit).sum::<Option<f64>>() {
        Some(amount) => Money {
            amount: Some(amount + 0.0),
            unit: book.currency.clone(),
            source: Some("gateway".into()),
            ..Money::default()
        },
        None => Money::unknown("the gateway does not tell the profit of each position"),
    })
}

fn open_paper(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<Money> {
    let sql = "SELECT equity - balance, open_points, (SELECT count(*) FROM paper_orders WHERE account = ?1
               AND exit_at IS NULL AND closes IS NULL AND spread_points IS NULL) > 0,
               (SELECT count(DISTINCT symbol) FROM paper_orders WHERE account = ?1 AND exit_at IS NULL AND closes IS NULL) > 1
               FROM paper_equity WHERE account = ?1 ORDER BY at_ms DESC, rowid DESC LIMIT 1";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Option<(Option<f64>, f64, bool, bool)> =
        connection.prepare_cached(sql)?.query_row([&of.account], row).optional()?;
    let Some((money, points, is_before_costs, has_several)) = found else {
        return Ok(Money::unknown(book.no_paper.clone().unwrap_or_else(|| "not known".into())));
    };
    let mut open = of_paper(money, (!has_several).then_some(points), is_before_costs);
    match (money, has_several) {
        (Some(_), _) => open.unit.clone_from(&book.currency),
        (None, true) => open.why = Some("points of several symbols cannot be added".into()),
        _ => {}
    }
    Ok(open)
}

fn unexplained(connection: &Connection, account: &str, currency: Option<&str>) -> rusqlite::Result<Vec<Unexplained>> {
    let sql = "SELECT at_ms, amount FROM unexplained WHERE account = ?1 ORDER BY at_ms DESC LIMIT 50";
    let unit = currency.map(str::to_owned);
    let step = |row: &Row<'_>| Ok(Unexplained { at_ms: row.get(0)?, amount: row.get(1)?, unit: unit.clone() });
    connection.prepare_cached(sql)?.query_map([account], step)?.collect()
}

fn slippage(connection: &Connection, of: &Ledgers, from_ms: i64) -> rusqlite::Result<Option<Slippage>> {
    let sql = "SELECT symbol, bar_close_time, id, side, price FROM orders WHERE account = ?1 AND created_at_ms >= ?2
               AND state = 'filled' AND closes IS NULL AND price IS NOT NULL ORDER BY rowid DESC LIMIT 500";
    let mut select = connection.prepare_cached(sql)?;
    let fill = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?, row.get(4)?));
    let fills = select.query_map(params![of.account, from_ms], fill)?;
    let fills = fills.collect::<rusqlite::Result<Vec<((String, i64, String), String, f64)>>>()?;
    let keys: Vec<_> = fills.iter().map(|(key, ..)| key.clone()).collect();
    let closes = decisions::of_orders(connection, "order_id", &keys)?;
    let closes: HashMap<_, _> = closes.into_iter().filter_map(|it| Some((it.order_id?, it.close?))).collect();
    let points: Vec<f64> = fills
        .iter()
        .filter_map(|((symbol, _, id), side, price)| {
            let worse = price - closes.get(id)?;
            let points = worse * 10_f64.powi(i32::try_from(*of.digits.get(symbol)?).ok()?);
            Some(if side == "BUY" { points } else { -points })
        })
        .collect();
    let fills = u32::try_from(points.len()).unwrap_or(u32::MAX);
    Ok((fills > 0).then(|| Slippage {
        fills,
        mean_points: points.iter().sum::<f64>() / f64::from(fills),
        worst_points: points.iter().copied().fold(f64::MIN, f64::max),
    }))
}
