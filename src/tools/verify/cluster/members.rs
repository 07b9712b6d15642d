//! The members of shared mode: whether they write, by which clocks and under which names; shards, halt and claims; and that no guard
//! stands beside them.

use super::{BOTH_BY_NTP, Report, Resolved, SKEW_MAX};
use crate::{
    settings::ClusterMode,
    tools::cluster::{
        account_view::{AccountView, SeenMember},
        status::owner,
        wording::{age, moment},
    },
};
use sentinel_actors::{
    adapters::{etcd::Etcd, system_clock::SystemClock},
    domain::{
        clock::Clock,
        cluster::shared::{MemberRecord, Shard},
        sanitize::one_line,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Time between two looks at what members write.
const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// A keep-alive is two requests, which take their time.
const SLACK: Duration = Duration::from_secs(2);

/// What a live member has written while it was watched.
#[derive(Debug, Clone, Default, PartialEq)]
struct Watched {
    /// The processes that wrote under its name.
    instances: BTreeSet<String>,
    /// How far its clock is ahead of this machine's, seconds, at least; below zero: behind. `None` if it did not write.
    skew_s: Option<f64>,
}

/// A guard and members exclude each other; both at once is a fault, and settings of the other mode a mistake.
pub(super) fn side_by_side(account: &AccountView, mode: ClusterMode, report: &mut Report) {
    let (guard, members) = (account.view.guard(), account.view.members().count());
    match (&guard, members, mode) {
        (Some(_), 1.., _) => report.failed(
            "one mode",
            format!("a daemon with cluster.mode = \"guard\" and {members} members are registered at the same time"),
            "halt all (`sentinel cluster halt`, `sentinel halt`), stop the guard with SIGTERM, then look at the account",
        ),
        (Some(guard), 0, ClusterMode::Shared) => {
            let who = guard.record.as_ref().map_or_else(|| "a daemon that cannot be read".into(), |it| it.in_words());
            report.warning(
                "one mode",
                format!("{who} holds the account with cluster.mode = \"guard\": no member can join"),
                "stop it with SIGTERM, or give it cluster.mode = \"shared\"",
            );
        }
        (None, 1.., ClusterMode::Guard) => report.warning(
            "one mode",
            format!("{members} members trade the account with cluster.mode = \"shared\": a guard cannot take it"),
            "stop all of them with SIGTERM, or set cluster.mode = \"shared\" here",
        ),
        _ => report.ok("one mode", "guard and members are not mixed"),
    }
}

/// All that is to be said of members.
pub(super) async fn check(etcd: &mut Etcd, account: AccountView, settings: &Resolved, report: &mut Report) {
    let watched = watch(etcd, &account, settings.cluster.terms().keepalive + SLACK).await;
    let now_s = SystemClock.now_unix();
    let members = account.members(now_s);
    present(&members, &account, now_s, report);
    names(&members, &watched, report);
    same_settings(&account, report);
    clocks(&watched, report);
    shards(&account, report);
    state(&account, report);
}

/// Reads the members again and again until each live one has written, or for so long.
async fn watch(etcd: &mut Etcd, account: &AccountView, patience: Duration) -> BTreeMap<String, Watched> {
    let mut watched: BTreeMap<_, _> = account.view.members().map(|(name, _)| (name, Watched::default())).collect();
    let (mut before, began) = (records(account), Instant::now());
    note(&before, &before, 0.0, &mut watched);
    while began.elapsed() < patience && watched.values().any(|it| it.skew_s.is_none()) {
        actix_rt::time::sleep(LOOK_PERIOD).await;
        // A read that fails is reported by other checks.
        let Ok(read) = AccountView::read(etcd).await else { continue };
        let now = records(&read);
        note(&before, &now, SystemClock.now().as_secs_f64(), &mut watched);
        before = now;
    }
    watched
}

fn records(account: &AccountView) -> BTreeMap<String, MemberRecord> {
    account.view.seen().filter_map(|(name, member)| Some((name, member?.clone()))).collect()
}

/// What changed was written just now.
fn note(
    before: &BTreeMap<String, MemberRecord>,
    after: &BTreeMap<String, MemberRecord>,
    now_s: f64,
    watched: &mut BTreeMap<String, Watched>,
) {
    for (name, member) in after {
        let Some(watched) = watched.get_mut(name) else { continue };
        watched.instances.insert(member.record.instance.clone());
        if before.get(name).is_some_and(|it| it.record.at != member.record.at) {
            watched.skew_s = Some(skew(member.record.at as f64, now_s));
        }
    }
}

/// How far a clock is surely ahead (or below zero: behind), if it wrote this whole second between the last look and now.
fn skew(at_s: f64, now_s: f64) -> f64 {
    let behind = now_s - (at_s + 1.0) - 2.0 * LOOK_PERIOD.as_secs_f64();
    (at_s - now_s).max(0.0) - behind.max(0.0)
}

fn present(members: &[SeenMember], account: &AccountView, now_s: i64, report: &mut Report) {
    let (live, away): (Vec<_>, Vec<_>) = members.iter().partition(|member| member.is_live);
    for member in &live {
        let name = one_line(&member.name);
        let drained = if account.view.is_drained(&member.name) { ", drained" } else { "" };
        match (account.leases.get(&member.name).copied().flatten(), &member.record) {
            (None, _) => {
                report.warning("member", format!("{name}: its lease is gone{drained}"), "it registers again by itself")
            }
            (Some(_), None) => {
                report.note("member", format!("{name}{drained}: a later version, whose record cannot be read"))
            }
            (Some(left), Some(record)) => {
                let who = record.record.in_words();
                report.ok("member", format!("{who}{drained}, lease {} s", left.as_secs()));
            }
        }
    }
    if live.is_empty() {
        report.note("member", "none is live");
    }
    for (member, record) in away.iter().filter_map(|it| Some((it, it.record.as_ref()?))) {
        let found = format!("{} was seen {} ago", one_line(&member.name), age(record.record.at, now_s));
        if record.has_left {
            report.note("member", format!("{found}, and left"));
        } else {
            report.warning(
                "member",
                format!("{found}, and did not leave"),
                "start it again; the others have taken its shards",
            );
        }
    }
}

/// Two under one name: only one of them can register, and takes turns with the other; or alerts mix them up.
fn names(members: &[SeenMember], watched: &BTreeMap<String, Watched>, report: &mut Report) {
    let mut is_good = true;
    for (name, _) in watched.iter().filter(|(_, it)| it.instances.len() > 1) {
        is_good = false;
        let found = format!("two processes wrote as {}", one_line(name));
        report.failed("names", found, "if it was not restarted just now: give each daemon its own cluster.member");
    }
    let live = || members.iter().filter(|member| member.is_live);
    for (index, one) in live().enumerate() {
        for other in live().skip(index + 1) {
            let names = format!("{} and {}", one_line(&one.name), one_line(&other.name));
            if one.name.eq_ignore_ascii_case(&other.name) {
                is_good = false;
                report.warning(
                    "names",
                    format!("{names} differ only in case"),
                    "give each a cluster.member that people can tell apart",
                );
            }
            let address =
                |member: &SeenMember| member.record.as_ref().map(|it| it.address.clone()).filter(|it| !it.is_empty());
            if let Some(address) = address(one).filter(|it| address(other).as_ref() == Some(it)) {
                is_good = false;
                report.warning(
                    "names",
                    format!("{names} have their metrics at the same address, {}", one_line(&address)),
                    "set cluster.address of each to its own; otherwise Prometheus takes one for the other",
                );
            }
        }
    }
    if is_good && live().next().is_some() {
        report.ok("names", "each member has its own name and address");
    }
}

/// Who has other settings than those that trade orders nothing.
fn same_settings(account: &AccountView, report: &mut Report) {
    let mut is_good = true;
    for (name, _) in account.view.members() {
        let Some(settled) = account.view.differs_from(&name) else { continue };
        is_good = false;
        report.failed(
            "settings",
            format!("limits, symbols, interval or model of {} are not those of {}", one_line(&name), one_line(settled)),
            "it orders nothing: give all members the same, one after the other",
        );
    }
    if is_good && account.view.members().next().is_some() {
        report.ok("settings", "all members have the same limits, symbols, interval and model");
    }
}

fn clocks(watched: &BTreeMap<String, Watched>, report: &mut Report) {
    for (name, Watched { skew_s, .. }) in watched {
        let name = one_line(name);
        match skew_s {
            Some(skew) if skew.abs() > SKEW_MAX.as_secs_f64() => {
                let way = if *skew > 0.0 { "ahead of" } else { "behind" };
                report.warning("its clock", format!("{name} is {:.0} s {way} this machine", skew.abs()), BOTH_BY_NTP);
            }
            Some(_) => report.ok("its clock", format!("{name} is within 2 s of this machine")),
            None => report.warning(
                "its clock",
                format!("{name} did not write in time"),
                "it loses its lease soon: is it suspended, or cut off from etcd?",
            ),
        }
    }
}

fn shards(account: &AccountView, report: &mut Report) {
    let without: Vec<_> =
        Shard::all().filter(|shard| owner(account, *shard).is_none()).map(|shard| shard.to_string()).collect();
    if without.is_empty() {
        report.ok("shards", "all 16 have an owner");
    } else if account.view.members().next().is_none() {
        report.note("shards", "none has an owner, because no member is live");
    } else {
        let advice = "they are taken within some seconds; if not, `sentinel cluster status` shows who should, and its log why not";
        report.warning("shards", format!("{} have no owner", without.join(" ")), advice);
    }
}

fn state(account: &AccountView, report: &mut Report) {
    match account.state.as_ref().map(|state| &state.halt) {
        None => report.failed(
            "state",
            "the account's state cannot be read",
            "a later version wrote it: no order is claimed by this one",
        ),
        Some(None) => report.ok("state", "not halted"),
        Some(Some(halt)) => report.warning(
            "state",
            format!("halted at {} by {}: {}", moment(halt.at), one_line(&halt.who), one_line(&halt.reason)),
            "`sentinel cluster resume`, when the cause is gone",
        ),
    }
    match account.open.len() {
        0 => report.ok("claims", "all have an outcome"),
        count => report.warning(
            "claims",
            format!("{count} without a final outcome"),
            "`sentinel cluster claims` lists them; those that stay for minutes need a person",
        ),
    }
}

#[cfg(test)]
mod tests;
