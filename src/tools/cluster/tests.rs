//! What the commands say of an account.

use super::{claims, fixtures::*, status};
use sentinel_actors::domain::{
    cluster::{
        Record, Seen, Stored,
        shared::{AccountState, Halt, MemberRecord},
    },
    guard::Limits,
    order::Outcome,
};
use std::time::Duration;

#[test]
fn a_status_says_who_and_when() {
    let stored = |released| Stored { create_revision: 40, mod_revision: 44, lease: 7, record: Some(record(released)) };
    let said = |claim: Option<Stored>, last: Option<Stored>| status::guard(&Seen { claim, last }, NOW);
    let who = "inf-1 on host inf (pid 17, version 0.1.0), since 2027-01-15 08:00:00 UTC";
    let held = said(Some(stored(false)), Some(stored(false)));
    assert_eq!(held, format!("held by {who}, epoch 40; last heard of 3 s ago"));
    let taken_over = Record { bars_after: Some(1_800_000_050), ..record(false) };
    let taken_over = Some(Stored { record: Some(taken_over), ..stored(false) });
    assert_eq!(
        said(taken_over.clone(), taken_over),
        format!("{held}; it orders bars that close after 2027-01-15 08:00:50 UTC")
    );
    assert_eq!(said(None, Some(stored(true))), format!("not held; given back by {who}; last heard of 3 s ago"));
    assert_eq!(said(None, Some(stored(false))), format!("not held; {who} did not give it back; last heard of 3 s ago"));
    let dead = Record { before: Some("inf-0 on host old".into()), ..record(true) };
    let dead = said(None, Some(Stored { record: Some(dead), ..stored(true) }));
    assert!(dead.ends_with(
        "; inf-0 on host old did not give it back: look for its last orders in the account and in its journal, \
         then `sentinel cluster acknowledge`"
    ));
    let endless = said(Some(Stored { lease: 0, ..stored(false) }), None);
    assert!(endless.contains("its claim has no lease"), "{endless}");
    assert_eq!(said(None, None), "not held, now or before");
    let unreadable = said(Some(Stored { record: None, ..stored(false) }), None);
    assert_eq!(unreadable, "held by a daemon whose record cannot be read, epoch 40");
}

/// Two live members, of which one is draining, one that is gone and one that left; a shard is free, and one has to move.
fn cluster() -> Entries {
    let mut entries = Entries::default();
    entries.member(&member("inf-1"), true);
    entries.member(&member("inf-2"), true);
    entries.drain("inf-2");
    let old = MemberRecord { record: Record { at: NOW - 7_200, ..member("old").record }, ..member("old") };
    entries.member(&old, false);
    entries.member(&MemberRecord { has_left: true, ..member("quiet") }, false);
    let forgotten = MemberRecord { record: Record { at: NOW - 90_000, ..member("gone").record }, ..member("gone") };
    entries.member(&forgotten, false);
    entries.plan(["inf-1"; 16]);
    for shard in 0..15 {
        entries.owner(shard, if shard == 3 { "inf-2" } else { "inf-1" });
    }
    entries
}

fn limits() -> Limits {
    Limits { orders_per_hour_max: 10, failures_in_a_row_max: 3, ..Limits::default() }
}

#[test]
fn a_status_names_members_shards_limits_and_halt() {
    let mut entries = cluster();
    let minute = NOW.div_euclid(60);
    let halt = Halt { who: "person:ann".into(), reason: "news".into(), at: NOW - 60, generation: 1 };
    entries.state(AccountState {
        orders: [(minute, 2), (minute - 120, 5)].into(),
        in_flight: 1,
        halt: Some(halt),
        ..AccountState::default()
    });
    entries.open(&claim("EURUSD", None));
    let mut account = entries.account();
    account.leases = [("inf-1".into(), Some(Duration::from_secs(13))), ("inf-2".into(), None)].into();
    let said = status::text("7", &account, &limits(), NOW);
    for line in [
        "account 7: 2 of 4 members live, 15 of 16 shards owned",
        "inf-1: live, lease 13 s, seen 3 s ago, 14 shards: 00 01 02 04 05 06 07 08 09 10 11 12 13 14",
        "  inf-1 on host inf (pid 17, version 0.1.0), since 2027-01-15 08:00:00 UTC, metrics at inf-1:8000",
        "inf-2: live, draining: its shards move after its cycle, seen 3 s ago, 1 shards: 03",
        "old: gone without leaving, seen 2 h ago",
        "quiet: left, seen 3 s ago",
        "shard 03: inf-2 owns it and gives it to inf-1 after its cycle",
        "shard 15: nobody owns it; inf-1 should, and its symbols are not ordered until then",
        "HALTED for all members by person:ann at 2027-01-15 08:00:43 UTC: news; `sentinel cluster resume` ends it",
        "limits: 2 orders within an hour (limit 10), 7 within a day (no limit), 0 failures in a row (limit 3), 1 in flight, 0 of \
         unknown outcome; the day's first equity: not known yet",
        "claims: 1 without a final outcome; `sentinel cluster claims` lists them",
    ] {
        assert!(said.lines().any(|it| it == line), "{line}\n---\n{said}");
    }
    assert!(!said.contains("gone:") && !said.contains("guard"), "{said}");
    let json = status::as_json("7", "/sentinel/7/claim", &account, NOW);
    assert_eq!((json["is_held"].as_bool(), json["members"][0]["lease_s"].as_u64()), (Some(true), Some(13)));
    assert_eq!(json["members"].as_array().unwrap().len(), 4);
    assert_eq!(json["members"][1]["shards"], serde_json::json!(["03"]));
    assert_eq!(json["shards"][3], serde_json::json!({"shard": 3, "owner": "inf-2", "epoch": 40, "planned": "inf-1"}));
    assert_eq!(json["limits"]["halt"]["reason"], "news");
}

#[test]
fn a_status_tells_a_guard_beside_members() {
    let mut entries = cluster();
    entries.guard(&record(false));
    let said = status::text("7", &entries.account(), &limits(), NOW);
    assert!(said.contains("a guard and members must not trade beside each other"), "{said}");
}

#[test]
fn a_status_without_members_is_that_of_a_guard() {
    let mut entries = Entries::default();
    assert_eq!(status::text("7", &entries.account(), &limits(), NOW), "account 7: not held, now or before");
    entries.guard(&record(false));
    assert!(status::text("7", &entries.account(), &limits(), NOW).starts_with("account 7: held by inf-1 on host inf"));
}

#[test]
fn claims_are_told_with_what_is_known_of_them() {
    let mut entries = Entries::default();
    let list = |entries: &Entries, is_unsent| claims::list(&entries.account(), is_unsent, NOW, false).unwrap();
    assert_eq!(list(&entries, false), "no claim is without a final outcome");
    assert_eq!(list(&entries, true), "no claim is without an outcome");
    entries.open(&claim("EURUSD", None));
    let reason = "inf-1 (i) lost the shard before its outcome was known".to_owned();
    entries.open(&claim("GBPUSD", Some(Outcome::Unknown { reason })));
    let all = list(&entries, false);
    let order = claim("EURUSD", None).order.client_order_id;
    let expected = format!(
        "EURUSD BUY 0.1, bar of 2027-01-15 08:00:00 UTC, order {order}: no outcome yet; claimed 3 s ago by inf-1 (epoch 40)"
    );
    assert!(all.starts_with(&expected), "{all}");
    assert!(all.contains("GBPUSD BUY 0.1") && all.contains("unknown: inf-1 (i) lost the shard"), "{all}");
    assert!(all.contains("sentinel orders resolve"), "the way out: {all}");
    let unsent = list(&entries, true);
    assert!(unsent.contains("EURUSD") && !unsent.contains("GBPUSD"), "{unsent}");
    let json = claims::list(&entries.account(), false, NOW, true).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["claim"]["order"]["symbol"], "EURUSD");
}
