//! What `sentinel cluster status` says: as text, and as JSON.

use super::{
    account_view::{AccountView, SeenMember},
    wording::{age, moment},
};
use sentinel_actors::domain::{
    cluster::{
        Record, Seen,
        shared::{AccountState, Shard},
    },
    guard::Limits,
    sanitize::one_line,
};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Who trades the account, in the words of a daemon in guard mode; with members, those.
pub(in crate::tools) fn text(name: &str, account: &AccountView, limits: &Limits, now_s: i64) -> String {
    let members = account.members(now_s);
    if members.is_empty() {
        let halt = account.state.as_ref().and_then(halt_line).map_or_else(String::new, |line| format!("\n{line}"));
        return format!("account {name}: {}{halt}", guard(&seen(account), now_s));
    }
    let owned = Shard::all().filter(|shard| account.view.shard(*shard).is_some()).count();
    let live = members.iter().filter(|member| member.is_live).count();
    let mut text = format!("account {name}: {live} of {} members live, {owned} of 16 shards owned\n", members.len());
    if account.view.guard().is_some() {
        let holder = guard(&seen(account), now_s);
        let _ = writeln!(text, "{holder}; a guard and members must not trade beside each other: stop one of them");
    }
    for member in &members {
        let _ = writeln!(text, "{}", member_line(account, member, now_s));
    }
    for line in shard_lines(account) {
        let _ = writeln!(text, "{line}");
    }
    match &account.state {
        Some(state) => {
            let _ = write!(text, "{}", state_lines(state, limits, now_s));
        }
        None => {
            text.push_str("limits: the account's state cannot be read; a later version wrote it, so use that one\n")
        }
    }
    let open = account.open.len();
    if open > 0 {
        let _ = writeln!(text, "claims: {open} without a final outcome; `sentinel cluster claims` lists them");
    }
    text.truncate(text.trim_end().len());
    text
}

fn member_line(account: &AccountView, member: &SeenMember, now_s: i64) -> String {
    let name = one_line(&member.name);
    let shards = shards(|shard| owner(account, shard).as_deref() == Some(&member.name));
    let standing = match (member.is_live, account.view.is_drained(&member.name)) {
        (true, false) => "live",
        (true, true) if shards.is_empty() => "live, drained: it owns nothing and may be stopped",
        (true, true) => "live, draining: its shards move after its cycle",
        (false, _) if member.record.as_ref().is_some_and(|it| it.has_left) => "left",
        (false, _) => "gone without leaving",
    };
    let differs = account.view.differs_from(&member.name).map_or_else(String::new, |settled| {
        format!(", owns nothing: its limits, symbols, interval or model are not those of {}", one_line(settled))
    });
    let lease = account.leases.get(&member.name).copied().flatten();
    let lease = lease.map_or_else(String::new, |left| format!(", lease {} s", left.as_secs()));
    let owns = match (shards.len(), member.is_live) {
        (0, false) => String::new(),
        (count, _) => format!(", {count} shards: {}", if count == 0 { "none".into() } else { shards.join(" ") }),
    };
    let Some(record) = &member.record else {
        return format!("{name}: {standing}{lease}, its record cannot be read{owns}");
    };
    let (seen, who) = (age(record.record.at, now_s), record.record.in_words());
    let metrics = if record.address.is_empty() { "no port" } else { &record.address };
    format!("{name}: {standing}{lease}, seen {seen} ago{owns}{differs}\n  {who}, metrics at {}", one_line(metrics))
}

/// The shards that nobody owns, and those that have to move.
fn shard_lines(account: &AccountView) -> Vec<String> {
    let plan = account.view.plan();
    let line = |shard: Shard| {
        let (owner, planned) = (owner(account, shard), plan.owner(shard));
        match (owner, planned) {
            (None, None) => Some(format!(
                "shard {shard}: nobody owns it, and nobody is there to own it: its symbols are not ordered"
            )),
            (None, Some(planned)) => Some(format!(
                "shard {shard}: nobody owns it; {} should, and its symbols are not ordered until then",
                one_line(planned)
            )),
            (Some(owner), planned) if planned != Some(owner.as_str()) => {
                let to = planned.map_or_else(|| "nobody".into(), one_line);
                Some(format!("shard {shard}: {} owns it and gives it to {to} after its cycle", one_line(&owner)))
            }
            (Some(_), _) => None,
        }
    };
    Shard::all().filter_map(line).collect()
}

/// Which member owns a shard; empty if its record cannot be read.
pub(in crate::tools) fn owner(account: &AccountView, shard: Shard) -> Option<String> {
    account.view.owner(shard).map(|owner| owner.map_or_else(String::new, |it| it.member.clone()))
}

fn shards(is_wanted: impl Fn(Shard) -> bool) -> Vec<String> {
    Shard::all().filter(|shard| is_wanted(*shard)).map(|shard| shard.to_string()).collect()
}

fn halt_line(state: &AccountState) -> Option<String> {
    let halt = state.halt.as_ref()?;
    let (who, reason, at) = (one_line(&halt.who), one_line(&halt.reason), moment(halt.at));
    Some(format!("HALTED for all members by {who} at {at}: {reason}; `sentinel cluster resume` ends it"))
}

fn state_lines(state: &AccountState, limits: &Limits, now_s: i64) -> String {
    let mut text = String::new();
    if let Some(line) = halt_line(state) {
        let _ = writeln!(text, "{line}");
    }
    let (hour, day) = state.last_hour_and_day(now_s.saturating_mul(1_000));
    let most = |limit: u32| {
        if limit == 0 { "no limit".into() } else { format!("limit {limit}") }
    };
    let first = state.day.map_or_else(
        || "not known yet".into(),
        |begin| format!("{:.2} on {}", begin.first_equity, &moment(begin.day.saturating_mul(86_400))[..10]),
    );
    let _ = writeln!(
        text,
        "limits: {hour} orders within an hour ({}), {day} within a day ({}), {} failures in a row ({}), {} in flight, {} of unknown \
         outcome; the day's first equity: {first}",
        most(limits.orders_per_hour_max),
        most(limits.orders_per_day_max),
        state.failures_in_a_row,
        most(limits.failures_in_a_row_max),
        state.in_flight,
        state.unknown,
    );
    text
}

/// The same for programs. `key` is the name of the guard's claim in etcd.
pub(super) fn as_json(name: &str, key: &str, account: &AccountView, now_s: i64) -> Value {
    let Seen { claim, last } = seen(account);
    let is_held = claim.is_some() || account.view.members().next().is_some();
    let members = account.members(now_s);
    let member = |member: &SeenMember| {
        json!({
            "name": member.name, "differs_from": account.view.differs_from(&member.name), "is_live": member.is_live, "is_drained": account.view.is_drained(&member.name),
            "lease_s": account.leases.get(&member.name).copied().flatten().map(|left| left.as_secs()),
            "seen_s_ago": member.record.as_ref().map(|it| now_s.saturating_sub(it.record.at).max(0)),
            "shards": shards(|shard| owner(account, shard).as_deref() == Some(&member.name)),
            "record": member.record,
        })
    };
    let plan = account.view.plan();
    let shard = |shard: Shard| {
        let epoch = account.view.shard(shard).map(|entry| entry.create_revision);
        json!({"shard": shard.index(), "owner": owner(account, shard), "epoch": epoch, "planned": plan.owner(shard)})
    };
    let counted = account.state.as_ref().map(|state| {
        let (hour, day) = state.last_hour_and_day(now_s.saturating_mul(1_000));
        json!({
            "orders_within_an_hour": hour, "orders_within_a_day": day, "failures_in_a_row": state.failures_in_a_row,
            "in_flight": state.in_flight, "unknown": state.unknown, "day": state.day, "halt": state.halt,
        })
    });
    json!({
        "account": name, "key": key, "is_held": is_held,
        "claim": claim.map(|claim| json!({"epoch": claim.create_revision, "record": claim.record})),
        "last": last.map(|last| json!({"revision": last.mod_revision, "record": last.record})),
        "members": members.iter().map(member).collect::<Vec<_>>(),
        "shards": Shard::all().map(shard).collect::<Vec<_>>(),
        "limits": counted, "open_claims": account.open.len(),
    })
}

/// Both keys of guard mode.
pub(in crate::tools) fn seen(account: &AccountView) -> Seen {
    Seen { claim: account.view.guard(), last: account.view.last() }
}

/// Who holds the account, and who was the last to write.
pub(in crate::tools) fn guard(seen: &Seen, now_s: i64) -> String {
    let unreadable = "a daemon whose record cannot be read";
    let name = |record: &Option<Record>| record.as_ref().map_or_else(|| unreadable.to_owned(), Record::in_words);
    let last = seen.last.as_ref();
    let heard = last.and_then(|last| last.record.as_ref()).map(|record| now_s.saturating_sub(record.at).max(0));
    let heard = heard.map_or_else(String::new, |ago| format!("; last heard of {ago} s ago"));
    let dead = last.and_then(|last| last.record.as_ref()?.before.as_ref());
    let dead = dead.map_or_else(String::new, |dead| {
        format!(
            "; {dead} did not give it back: look for its last orders in the account and in its journal, then `sentinel cluster acknowledge`"
        )
    });
    match (&seen.claim, last) {
        (Some(claim), _) if claim.lease == 0 => {
            format!(
                "held by {}; its claim has no lease, so it never ends: delete it if no such daemon runs",
                name(&claim.record)
            )
        }
        (Some(claim), _) => {
            let after = last.and_then(|last| last.record.as_ref()?.bars_after);
            let after =
                after.map_or_else(String::new, |at| format!("; it orders bars that close after {}", moment(at)));
            format!("held by {}, epoch {}{heard}{after}{dead}", name(&claim.record), claim.create_revision)
        }
        (None, None) => "not held, now or before".into(),
        (None, Some(last)) if last.record.as_ref().is_some_and(|record| record.released) => {
            format!("not held; given back by {}{heard}{dead}", name(&last.record))
        }
        (None, Some(last)) => format!("not held; {} did not give it back{heard}", name(&last.record)),
    }
}
