//! All orders, one per line, within the width of a terminal.

use super::print::{lots, profit};
use crate::tools::account::positions::Holdings;
use chrono::DateTime;
use sentinel_actors::adapters::journal::OrderRow;
use std::collections::HashSet;

/// Longest line, in characters.
const WIDTH_MAX: usize = 100;
const GAP: usize = 2;
const TITLE: [&str; 10] =
    ["ID", "SYMBOL", "BAR CLOSE (UTC)", "ORDER", "STATE", "PRICE", "TICKET", "POSITION", PROFIT, "REASON"];
/// This column is only there if something is known.
const PROFIT: &str = "PROFIT";
/// How far each column may be cut so that the line fits: long texts first, numbers only as a last resort, ids never.
/// `sentinel orders show` has the full text.
const CUT: [(usize, usize); 6] = [(9, 6), (1, 8), (7, 8), (3, 8), (6, 8), (5, 6)];
/// Fewest and most characters of an id. If two ids agree for longer, a command that takes one asks for more characters.
const ID_MIN: usize = 8;
const ID_MAX: usize = 13;

/// The table; every id is cut to as many characters as are unique.
pub(super) fn table(orders: &[OrderRow], holdings: &Holdings) -> String {
    if orders.is_empty() {
        return "no orders\n".into();
    }
    let digits = id_digits(orders);
    let mut rows: Vec<_> = orders.iter().map(|order| cells(order, holdings, digits)).collect();
    let is_empty = |column: usize| rows.iter().all(|row| row[column].is_empty());
    let title =
        std::array::from_fn(|column| if TITLE[column] == PROFIT && is_empty(column) { "" } else { TITLE[column] });
    rows.insert(0, title.map(str::to_owned));
    aligned(&rows, &CUT)
}

/// Rows, the titles first; of a line that is too long these columns are cut, down to so many characters. A column without any text
/// is left out.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]], cuts: &[(usize, usize)]) -> String {
    let mut widths: [usize; N] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    for (column, least) in cuts {
        let columns = widths.iter().filter(|width| **width > 0).count();
        let too_much = (widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1)).saturating_sub(WIDTH_MAX);
        widths[*column] -= too_much.min(widths[*column].saturating_sub(*least));
    }
    let line = |row: &[String; N]| {
        let padded = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let padded = padded.map(|(cell, width)| format!("{:width$}", cut(cell, width)));
        format!("{}\n", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn cells(order: &OrderRow, holdings: &Holdings, id_digits: usize) -> [String; TITLE.len()] {
    let OrderRow { symbol, side, .. } = order;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let state = holdings.of(order);
    let stands = match order.closes {
        Some(ticket) => Some(format!("closes {ticket}")),
        None => state.map(|state| state.position.to_owned()),
    };
    [
        order.id.to_string().chars().take(id_digits).collect(),
        symbol.clone(),
        minute(order.bar_close_time),
        format!("{side} {}", lots(order)),
        order.state.to_string(),
        or_none(order.price.map(|price| price.to_string())),
        or_none(order.ticket.map(|ticket| ticket.to_string())),
        or_none(stands),
        state.as_ref().and_then(profit).unwrap_or_default(),
        order.reason.clone().unwrap_or_default(),
    ]
}

/// Unix seconds as `2026-11-22 14:00`: a bar closes at a full minute.
pub(super) fn minute(unix_s: i64) -> String {
    DateTime::from_timestamp(unix_s, 0).unwrap_or_default().format("%Y-%m-%d %H:%M").to_string()
}

/// The fewest characters that make all ids unique.
fn id_digits(orders: &[OrderRow]) -> usize {
    let ids: Vec<String> = orders.iter().map(|order| order.id.to_string()).collect();
    let is_enough = |digits: &usize| ids.iter().map(|id| &id[..*digits]).collect::<HashSet<_>>().len() == ids.len();
    (ID_MIN..ID_MAX).find(is_enough).unwrap_or(ID_MAX)
}

/// The text, or as much of it as fits, with an ellipsis.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
