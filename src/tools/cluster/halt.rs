//! `sentinel cluster halt` and `resume`: no member claims an order while the account is halted in etcd.

use super::{account_view::AccountView, wording::moment};
use crate::process::{host_name, person};
use anyhow::{Context, bail};
use sentinel_actors::{
    adapters::etcd::Etcd,
    domain::{
        cluster::shared::{AccountState, Answer, Edit, Request, Wish},
        sanitize::one_line,
    },
};
use serde_json::json;

/// Each claim changes the account's state, too, so the change may have to be tried again.
const TRIES: u32 = 20;
/// A lost answer is read back; an etcd that does not answer again and again is away.
const FAILURES_MAX: u32 = 2;
const UNREADABLE: &str =
    "the account's state in etcd cannot be read: a later version wrote it, so use that version's command";
/// A halt that needs no etcd.
const LOCALLY: &str = "it is not known whether the account is halted: `sentinel cluster status` says so. `sentinel halt` on each machine needs no etcd";

/// Halts all members.
///
/// # Errors
/// It is not known whether they are halted.
pub(super) async fn halt(etcd: &mut Etcd, reason: &str, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    let who = format!("{} on {}", person(), host_name());
    let wish = Wish::Halt { who, reason: reason.to_owned(), at: now_s };
    let state = edit(etcd, wish).await.context(LOCALLY)?;
    let halt = state.and_then(|state| state.halt).context(LOCALLY)?;
    if as_json {
        return Ok(serde_json::to_string_pretty(&json!({"halt": halt}))?);
    }
    Ok(format!(
        "halted at {}: no member claims an order any more. An order that was claimed before may still be sent. Open positions stay \
         open. `sentinel cluster resume` ends it",
        moment(halt.at)
    ))
}

/// Ends a halt, and counts failures in a row anew, halted or not.
///
/// # Errors
/// Another halt came meanwhile, or etcd gave no usable answer.
pub(super) async fn resume(etcd: &mut Etcd, as_json: bool) -> anyhow::Result<String> {
    let account = AccountView::read(etcd).await?;
    let halt = account.state.context(UNREADABLE)?.halt;
    let generation = halt.as_ref().map_or(0, |halt| halt.generation);
    if edit(etcd, Wish::Resume { generation }).await?.is_none() {
        bail!("another halt came meanwhile, and stays: see `sentinel cluster status`, then try again");
    }
    if as_json {
        return Ok(serde_json::to_string_pretty(&json!({"halt": null, "ended": halt}))?);
    }
    let ended = match halt {
        Some(halt) => format!("the halt of {} by {} is over", moment(halt.at), one_line(&halt.who)),
        None => "the account was not halted".into(),
    };
    Ok(format!("{ended}; failures in a row count anew. A machine's own kill switch (`sentinel halt`) is another one"))
}

/// The state after the change; `None` if it is refused.
async fn edit(etcd: &mut Etcd, wish: Wish) -> anyhow::Result<Option<AccountState>> {
    let (mut edit, mut failures) = (Edit::new(wish), 0);
    for _ in 0..TRIES {
        match etcd.perform_shared(&Request::Transact(edit.ask())).await {
            Ok(Answer::Done(done)) => edit.told(&done),
            Ok(_) => edit.failed(),
            Err(error) if failures == FAILURES_MAX => return Err(error.into()),
            Err(_) => {
                failures += 1;
                edit.failed();
            }
        }
        if let Some(ended) = edit.ended() {
            return Ok(ended.cloned());
        }
    }
    bail!(UNREADABLE)
}
