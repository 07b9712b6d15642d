//! A decision as JSON: everything in the journal, with every feature by its name.

use super::reasons;
use crate::{
    cli::{
        orders::{paper, print},
        output::time_ms,
    },
    tools::account::positions::Holdings,
};
use sentinel_actors::{adapters::journal::DecisionRow, domain::features::FEATURE_NAMES};
use serde_json::{Map, Value, json};

pub(super) fn decision(row: &DecisionRow) -> Value {
    // What was decided then does not depend on what is open now.
    let journal = Holdings::default();
    let features = row.features.map(|values| {
        FEATURE_NAMES.iter().zip(values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>()
    });
    let failure =
        row.failure.as_ref().map(|(stage, kind)| json!({"stage": stage, "kind": kind, "detail": row.failure_detail}));
    json!({
        "cycle_id": row.cycle_id,
        "began": time_ms(row.cycle_id),
        "symbol": row.symbol,
        "market_now": row.market_now,
        "bar": row.bar_close_time,
        "bar_age_s": row.market_now.zip(row.bar_close_time).map(|(now, bar)| now - bar),
        "close": row.close,
        "bars_sha256": row.bars_sha256,
        "features": features,
        "probabilities": row.probabilities.map(|[sell, hold, buy]| json!({"SELL": sell, "HOLD": hold, "BUY": buy})),
        "threshold": row.threshold,
        "likeliest": reasons::likeliest(row).map(|(action, _)| action.as_str()),
        "action": row.action,
        "reason": row.suppressed,
        "rule": row.suppressed.as_deref().and_then(reasons::rule_named),
        "failure": failure,
        "order": row.order.as_ref().map(|life| print::life_as_json(life, &journal)),
        "closes": row.closes.iter().map(|life| print::life_as_json(life, &journal)).collect::<Vec<_>>(),
        "ordered_before": row.ordered_before.iter().map(|order| print::as_json(order, &journal)).collect::<Vec<_>>(),
        "paper": row.paper.as_ref().map(paper::as_json),
        "paper_reason": row.paper_suppressed,
    })
}
