//! What the open positions are worth now, at the gateway and on paper.

use super::{
    Ledgers, Money,
    book::{Book, of_paper},
};
use crate::adapters::journal::console::reported::{self, List};
use rusqlite::{Connection, OptionalExtension, Row};

/// What the open positions at the gateway are worth, and when they were listed last.
pub(super) fn live(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<(Money, Option<i64>)> {
    if let Some(why) = &book.no_live {
        return Ok((Money::unknown(why.clone()), None));
    }
    let Some(List { told_ms, every_s, positions }) = reported::listed(connection, &of.account)? else {
        return Ok((Money::unknown("the gateway has not listed its positions"), None));
    };
    // What is open is worth what the gateway reported, and nothing is known of that while it reports nothing.
    if let Some(why) = reported::trouble(of, told_ms, every_s) {
        return Ok((Money::unknown(why), Some(told_ms)));
    }
    let open = match positions.iter().map(reported::Listed::net_profit).sum::<Option<f64>>() {
        Some(amount) => Money {
            amount: Some(amount + 0.0),
            unit: book.currency.clone(),
            source: Some("gateway".into()),
            ..Money::default()
        },
        None => Money::unknown("the gateway does not report the profit of each position"),
    };
    Ok((open, Some(told_ms)))
}

pub(super) fn on_paper(connection: &Connection, book: &Book, of: &Ledgers) -> rusqlite::Result<Money> {
    if let Some(why) = of.no_paper {
        return Ok(Money::unknown(why));
    }
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
