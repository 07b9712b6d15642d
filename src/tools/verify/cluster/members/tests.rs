//! What is said of members.

use super::*;
use crate::tools::cluster::{
    fixtures::{Entries, NOW, claim, member, record},
    status,
};
use sentinel_actors::domain::{
    cluster::{
        Record,
        shared::{AccountState, Halt},
    },
    guard::Limits,
};

fn said(check: impl FnOnce(&mut Report)) -> (bool, String) {
    let mut report = Report::new("cluster", ["good", "bad"]);
    check(&mut report);
    let text = report.to_string();
    (!text.ends_with("bad") && !text.contains("\nbad"), text)
}

fn watched(instances: &[&str], skew_s: Option<f64>) -> Watched {
    Watched { instances: instances.iter().map(|it| (*it).to_owned()).collect(), skew_s }
}

#[test]
fn guard_and_members_beside_each_other_fail() {
    let mut entries = Entries::default();
    let checked = |entries: &Entries, mode| said(|report| side_by_side(&entries.account(), mode, report));
    for mode in [ClusterMode::Guard, ClusterMode::Shared] {
        assert!(checked(&entries, mode).1.contains("ok      one mode"));
    }
    entries.guard(&record(false));
    let (is_good, text) = checked(&entries, ClusterMode::Shared);
    assert!(is_good && text.contains("WARN    one mode") && text.contains("inf-1 on host inf"), "{text}");
    assert!(checked(&entries, ClusterMode::Guard).1.contains("ok      one mode"));
    entries.member(&member("inf-2"), true);
    for mode in [ClusterMode::Guard, ClusterMode::Shared] {
        let (is_good, text) = checked(&entries, mode);
        assert!(!is_good && text.contains("FAILED  one mode"), "{text}");
    }
    let mut entries = Entries::default();
    entries.member(&member("inf-2"), true);
    let (is_good, text) = checked(&entries, ClusterMode::Guard);
    assert!(is_good && text.contains("WARN    one mode"), "{text}");
}

#[test]
fn a_clock_is_off_only_if_that_is_certain() {
    // Written between two looks a quarter of a second apart, with whole seconds.
    for (at, now, off) in
        [(100.0, 100.0, 0.0), (100.0, 101.5, 0.0), (100.0, 98.0, 2.0), (100.0, 97.0, 3.0), (100.0, 104.5, -3.0)]
    {
        assert_eq!(skew(at, now), off, "{at} at {now}");
    }
    let of = |skew_s| said(|report| clocks(&[("inf-1".to_owned(), watched(&["i"], skew_s))].into(), report)).1;
    assert!(of(Some(2.0)).contains("ok      its clock"));
    assert!(of(Some(3.0)).contains("inf-1 is 3 s ahead of this machine"));
    assert!(of(Some(-4.0)).contains("inf-1 is 4 s behind this machine"));
    assert!(of(None).contains("inf-1 did not write in time"));
}

#[test]
fn what_changes_between_two_looks_was_written_then() {
    let records = |at: i64, instance: &str| {
        let it = member("inf-1");
        [("inf-1".to_owned(), MemberRecord { record: Record { at, instance: instance.into(), ..it.record }, ..it })]
            .into()
    };
    let mut all = [("inf-1".to_owned(), Watched::default())].into();
    note(&records(10, "a"), &records(10, "a"), 10.0, &mut all);
    assert_eq!(all["inf-1"], watched(&["a"], None), "nothing was written");
    note(&records(10, "a"), &records(15, "b"), 10.0, &mut all);
    assert_eq!(all["inf-1"], watched(&["a", "b"], Some(5.0)));
}

#[test]
fn names_and_addresses_belong_to_one_member_each() {
    let checked = |entries: &Entries, instances: &[&str]| {
        let all = [("inf-1".to_owned(), watched(instances, Some(0.0)))].into();
        said(|report| names(&entries.account().members(NOW), &all, report))
    };
    let mut entries = Entries::default();
    entries.member(&member("inf-1"), true);
    entries.member(&member("inf-2"), true);
    assert!(checked(&entries, &["a"]).1.contains("ok      names"));
    let (is_good, text) = checked(&entries, &["a", "b"]);
    assert!(!is_good && text.contains("two processes wrote as inf-1"), "{text}");
    entries.member(&member("INF-1"), true);
    assert!(checked(&entries, &["a"]).1.contains("INF-1 and inf-1 differ only in case"));
    entries.member(&MemberRecord { address: "inf-2:8000".into(), ..member("b") }, true);
    let text = checked(&entries, &["a"]).1;
    assert!(text.contains("b and inf-2 have their metrics at the same address, inf-2:8000"), "{text}");
    // One that is gone is no other one.
    let mut entries = Entries::default();
    entries.member(&member("inf-1"), true);
    entries.member(&MemberRecord { address: "inf-1:8000".into(), ..member("old") }, false);
    assert!(checked(&entries, &["a"]).1.contains("ok      names"));
}

#[test]
fn a_member_with_other_settings_is_named() {
    let mut entries = Entries::default();
    entries.member(&member("inf-1"), true);
    entries.member(&member("inf-2"), true);
    let checked = |entries: &Entries| said(|report| same_settings(&entries.account(), report));
    assert!(checked(&entries).1.contains("ok      settings"));
    entries.member(&MemberRecord { settings: "others".into(), ..member("inf-0") }, true);
    entries.owner(3, "inf-2");
    let (is_good, text) = checked(&entries);
    assert!(!is_good && text.contains("model of inf-0 are not those of inf-2"), "{text}");
    let told = status::text("7", &entries.account(), &Limits::default(), NOW);
    assert!(told.contains(", owns nothing: its limits, symbols, interval or model are not those of inf-2"), "{told}");
}

#[test]
fn members_shards_halt_and_claims_are_told() {
    let mut entries = Entries::default();
    entries.member(&member("inf-1"), true);
    entries.member(&member("inf-2"), false);
    entries.member(&MemberRecord { has_left: true, ..member("inf-3") }, false);
    for shard in 0..14 {
        entries.owner(shard, "inf-1");
    }
    let halt = Halt { who: "ann".into(), reason: "news".into(), at: NOW, generation: 1 };
    entries.state(AccountState { halt: Some(halt), ..AccountState::default() });
    entries.open(&claim("EURUSD", None));
    let mut account = entries.account();
    account.leases = [("inf-1".into(), Some(Duration::from_secs(13)))].into();
    let (is_good, text) = said(|report| {
        present(&account.members(NOW), &account, NOW, report);
        shards(&account, report);
        state(&account, report);
    });
    assert!(is_good, "nothing of it keeps etcd from working: {text}");
    for found in [
        "ok      member     inf-1 on host inf",
        "lease 13 s",
        "WARN    member     inf-2 was seen 3 s ago, and did not leave",
        "--      member     inf-3 was seen 3 s ago, and left",
        "WARN    shards     14 15 have no owner",
        "WARN    state      halted at",
        "WARN    claims     1 without a final outcome",
    ] {
        assert!(text.contains(found), "{found}\n{text}");
    }
}
