//! `sentinel cluster drain` and `undrain`: a member gives its shards to the others and owns nothing, until that is taken back.

use super::{
    account_view::{AccountView, SeenMember},
    status::owner,
};
use crate::process::person;
use anyhow::bail;
use sentinel_actors::{
    adapters::etcd::Etcd,
    domain::{
        cluster::shared::{Answer, Change, Drain, Request, Shard, Span, Transaction, Value, key},
        sanitize::one_line,
    },
};
use serde_json::json;

/// Drains a member. Says what follows, as text or as JSON.
///
/// # Errors
/// Nobody knows the member, or etcd gave no usable answer.
pub(super) async fn drain(etcd: &mut Etcd, name: &str, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    let account = AccountView::read(etcd).await?;
    let members = account.members(now_s);
    known(name, &members, &account)?;
    let is_new = !account.view.is_drained(name);
    if is_new {
        let drain = Value::Drain(Drain { who: person(), at: now_s });
        change(etcd, Change::put(key::drain(name), drain)).await?;
    }
    let owned = Shard::all().filter(|shard| owner(&account, *shard).as_deref() == Some(name)).count();
    let others =
        members.iter().filter(|it| it.is_live && it.name != name && !account.view.is_drained(&it.name)).count();
    if as_json {
        let done = json!({"member": name, "is_drained": true, "is_new": is_new, "shards": owned, "others": others});
        return Ok(serde_json::to_string_pretty(&done)?);
    }
    let done = if is_new { "is drained" } else { "was drained already" };
    let follows = match (owned, others) {
        (0, _) => "it owns nothing and may be stopped".to_owned(),
        (_, 0) => "nobody is left to own its shards: once its cycle is over, NO symbol is ordered. Start another member, or undrain it".into(),
        (owned, _) => format!("its {owned} shards go to the others after its cycle; `sentinel cluster status` shows when it may be stopped"),
    };
    Ok(format!("{} {done}: {follows}. It stays so after a restart, until `sentinel cluster undrain`", one_line(name)))
}

/// Ends that.
///
/// # Errors
/// Nobody knows the member, or etcd gave no usable answer.
pub(super) async fn undrain(etcd: &mut Etcd, name: &str, now_s: i64, as_json: bool) -> anyhow::Result<String> {
    let account = AccountView::read(etcd).await?;
    let was_drained = account.view.is_drained(name);
    if was_drained {
        change(etcd, Change::Delete(Span::one(&key::drain(name)))).await?;
    } else {
        known(name, &account.members(now_s), &account)?;
    }
    if as_json {
        let done = json!({"member": name, "is_drained": false, "was_drained": was_drained});
        return Ok(serde_json::to_string_pretty(&done)?);
    }
    let done = if was_drained {
        "may own shards again; the next rebalance, a minute after the last one, gives it some"
    } else {
        "was not drained"
    };
    Ok(format!("{} {done}", one_line(name)))
}

/// A name that nobody has is a mistake.
fn known(name: &str, members: &[SeenMember], account: &AccountView) -> anyhow::Result<()> {
    if members.iter().any(|member| member.name == name) || account.view.is_drained(name) {
        return Ok(());
    }
    let names: Vec<_> = members.iter().map(|member| one_line(&member.name)).collect();
    match names.as_slice() {
        [] => bail!(
            "no member was seen in etcd within 24 h: is cluster.mode = \"shared\", and are prefix and account right?"
        ),
        names => bail!("no member {} was seen within 24 h; give --member one of: {}", one_line(name), names.join(", ")),
    }
}

async fn change(etcd: &mut Etcd, change: Change) -> anyhow::Result<()> {
    let transaction = Transaction { changes: vec![change], ..Transaction::default() };
    match etcd.perform_shared(&Request::Transact(transaction)).await? {
        Answer::Done(done) if done.is_made => Ok(()),
        _ => bail!("etcd did not make the change; try again"),
    }
}
