//! `sentinel cluster claims`: the claims of orders without a final outcome. Each of them blocks its symbol for all members.

use super::{
    account_view::AccountView,
    wording::{age, moment},
};
use sentinel_actors::domain::{cluster::shared::Claim, order::Outcome, sanitize::one_line};
use serde_json::json;

/// They are those that `is_wanted`, as text or as JSON. `is_unsent`: only those without any outcome, of which nobody knows whether they
/// were sent.
///
/// # Errors
/// None is known: a claim always has a JSON form.
pub(super) fn list(account: &AccountView, is_unsent: bool, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    let is_wanted = |claim: &Option<Claim>| !is_unsent || claim.as_ref().is_none_or(|it| it.outcome.is_none());
    let wanted: Vec<_> = account.open.iter().filter(|(_, claim)| is_wanted(claim)).collect();
    if as_json {
        let claims: Vec<_> = wanted.iter().map(|(key, claim)| json!({"key": key, "claim": claim})).collect();
        return Ok(serde_json::to_string_pretty(&claims)?);
    }
    if wanted.is_empty() {
        let kind = if is_unsent { "without an outcome" } else { "without a final outcome" };
        return Ok(format!("no claim is {kind}"));
    }
    let mut lines: Vec<_> = wanted.iter().map(|(key, claim)| line(key, claim.as_ref(), now_s)).collect();
    lines.push(
        "Each blocks its symbol for all members. A member that lives brings the outcome itself. Of one that is gone: look at the account, \
         then `sentinel orders resolve` on the machine of the member that owns the shard now"
            .into(),
    );
    Ok(lines.join("\n"))
}

fn line(key: &str, claim: Option<&Claim>, now_s: i64) -> String {
    let Some(claim) = claim else { return format!("{}: cannot be read; a later version wrote it", one_line(key)) };
    let order = &claim.order;
    let what = match order.closes {
        Some(ticket) => format!("close of {ticket}"),
        None => format!("{} {}", order.side.as_str(), order.volume),
    };
    let outcome = match &claim.outcome {
        None => "no outcome yet".into(),
        Some(Outcome::Unknown { reason }) => format!("unknown: {}", one_line(reason)),
        Some(other) => format!("{other:?}"),
    };
    format!(
        "{} {what}, bar of {}, order {}: {outcome}; claimed {} ago by {} (epoch {})",
        one_line(&order.symbol),
        moment(order.bar_close_time),
        order.client_order_id,
        age(claim.at_ms.div_euclid(1_000), now_s),
        one_line(&claim.member),
        claim.epoch,
    )
}
