//! How an order is printed: with all of its states, as text and as JSON.

use crate::{
    cli::output::{time, time_ms},
    tools::account::positions::{Holdings, PositionState},
};
use sentinel_actors::{
    adapters::journal::{OrderLife, OrderRow, Step},
    domain::{order::LOTS_APART, profit::Source},
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Whether an order opens or closes a position.
const fn kind(order: &OrderRow) -> &'static str {
    if order.closes.is_some() { "close" } else { "open" }
}

/// One order as JSON.
pub(in crate::cli) fn as_json(order: &OrderRow, holdings: &Holdings) -> Value {
    let state = holdings.of(order);
    json!({
        "id": order.id.to_string(), "symbol": order.symbol, "bar": order.bar_close_time, "state": order.state,
        "ticket": order.ticket, "kind": kind(order), "closes": order.closes, "side": order.side,
        "volume": (order.volume > 0.0).then_some(order.volume), "dialect": order.dialect, "filled_volume": order.filled_volume, "stop_loss": order.stop_loss, "take_profit": order.take_profit,
        "price": order.price, "reason": order.reason, "closed_at_ms": order.closed_at_ms,
        "position": state.map(|state| state.position), "position_source": state.map(|state| state.told_by),
        "profit": state.and_then(|state| state.profit), "profit_source": state.and_then(|state| state.profit_source),
        "account": order.account, "model": order.model,
        "created_at_ms": order.created_at_ms, "updated_at_ms": order.updated_at_ms,
    })
}

/// The same with all of its states.
pub(in crate::cli) fn life_as_json(life: &OrderLife, holdings: &Holdings) -> Value {
    let step = |step: &Step| json!({"at_ms": step.at_ms, "state": step.state, "who": step.who, "note": step.note});
    let mut order = as_json(&life.order, holdings);
    order["events"] = life.steps.iter().map(step).collect();
    order
}

/// `BUY 0.01 lots, stop-loss 1.08, no take-profit`, or what it closes.
pub(in crate::cli) fn content(order: &OrderRow) -> String {
    let (side, volume) = (&order.side, order.volume);
    if let Some(ticket) = order.closes {
        return format!("{side} {volume} lots to close ticket {ticket}");
    }
    let stop = |price: f64, name: &str| if price > 0.0 { format!("{name} {price}") } else { format!("no {name}") };
    if volume <= 0.0 {
        return format!("{side}, the gateway's own volume and stops");
    }
    format!("{side} {volume} lots, {}, {}", stop(order.stop_loss, "stop-loss"), stop(order.take_profit, "take-profit"))
}

/// The lots that were filled, if they differ from those that were ordered.
pub(super) fn other_volume(order: &OrderRow) -> Option<f64> {
    order.filled_volume.filter(|volume| (volume - order.volume).abs() > LOTS_APART)
}

/// `0.1`, `0.05 of 0.1`, or `own` if the dialect has no volume.
pub(super) fn lots(order: &OrderRow) -> String {
    match (order.volume > 0.0, other_volume(order)) {
        (true, None) => order.volume.to_string(),
        (true, Some(part)) => format!("{part} of {}", order.volume),
        (false, Some(filled)) => filled.to_string(),
        (false, None) => "own".into(),
    }
}

/// `filled, 0.05 of 0.1 lots, ticket 7 at 1.1`, or the state and its reason.
pub(in crate::cli) fn outcome(order: &OrderRow) -> String {
    let mut text = order.state.to_string();
    // Writing to a String cannot fail.
    if other_volume(order).is_some() {
        let _ = write!(text, ", {} lots", lots(order));
    }
    if let Some(ticket) = order.ticket {
        let _ = write!(text, ", ticket {ticket}");
    }
    if let Some(price) = order.price {
        let _ = write!(text, " at {price}");
    }
    if let Some(reason) = &order.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}

/// One line per step: when, what, who, why.
pub(in crate::cli) fn steps(life: &OrderLife, indent: &str) -> String {
    let line = |step: &Step| {
        let Step { at_ms, state, who, note } = step;
        let note = note.as_deref().map_or_else(String::new, |note| format!("  {note}"));
        let line = format!("{indent}{}  {:<8}  {who:<6}{note}", time_ms(*at_ms), state.as_str());
        format!("{}\n", line.trim_end())
    };
    life.steps.iter().map(line).collect()
}

/// `+12.50`, or `~-19.00` for an estimate.
pub(super) fn profit(state: &PositionState) -> Option<String> {
    let mark = if state.profit_source == Some(Source::Estimated.as_str()) { "~" } else { "" };
    state.profit.map(|profit| format!("{mark}{profit:+.2}"))
}

/// An order with all of its states.
pub(super) fn life(life: &OrderLife, holdings: &Holdings) -> String {
    let order = &life.order;
    let state = holdings.of(order);
    let brings = state.as_ref().and_then(profit).map_or_else(String::new, |profit| format!(", profit {profit}"));
    let position = match (state.map(|it| (it.position, it.told_by)), order.closed_at_ms) {
        (None, _) => "none, or not known".into(),
        (Some(("unknown", "gateway")), _) => {
            "unknown: the gateway does not list it, and its close was not seen; the terminal shows it".into()
        }
        (Some((word, "gateway")), _) => format!("{word}, as the gateway reports it{brings}"),
        (Some(("unknown", _)), Some(at_ms)) => format!(
            "unknown: has not counted since {}, when the other side was filled; the terminal shows whether it is open",
            time_ms(at_ms)
        ),
        (Some(_), Some(at_ms)) => format!("closed, has not counted since {}", time_ms(at_ms)),
        (Some((open, _)), None) => format!("counts as {open}"),
    };
    let (symbol, bar) = (&order.symbol, time(order.bar_close_time));
    format!(
        "order     {}\n          {symbol}, bar closed {bar}, account {}, model {}\n          {}\nstands    {}\nposition  \
         {position}\nlife\n{}",
        order.id,
        order.account,
        order.model,
        content(order),
        outcome(order),
        steps(life, "  ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_marked() {
        let closed = |profit_source| PositionState {
            position: "closed",
            told_by: "gateway",
            profit: Some(-19.0),
            profit_source: Some(profit_source),
        };
        assert_eq!(profit(&closed("estimated")).as_deref(), Some("~-19.00"));
        assert_eq!(profit(&closed("gateway")).as_deref(), Some("-19.00"));
    }
}
