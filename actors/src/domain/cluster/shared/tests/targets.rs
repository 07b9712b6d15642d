//! The list of targets for Prometheus.

use super::*;

fn entry(key: Key, member: &MemberRecord) -> Entry {
    let value = Some(Value::Member(Box::new(member.clone())));
    Entry { key, create_revision: 1, mod_revision: 1, lease: 0, value }
}

fn listed(live: &[MemberRecord], seen: &[MemberRecord], now_s: i64) -> Vec<Target> {
    let mut read = vec![Vec::new(); View::spans().len()];
    read[3] = live.iter().map(|it| entry(key::member(&it.record.member), it)).collect();
    read[4] = seen.iter().map(|it| entry(key::seen(&it.record.member), it)).collect();
    targets(&View::new(&Done { is_made: true, revision: 0, read }), now_s)
}

fn seen_at(name: &str, at: i64) -> MemberRecord {
    let member = member_record(name, name);
    MemberRecord { record: Record { at, host: "inf".into(), ..member.record }, ..member }
}

#[test]
fn a_dead_member_stays_a_target_for_a_day() {
    let dead = seen_at("dead", WALL - SEEN_FOR_S);
    let left = MemberRecord { has_left: true, ..seen_at("left", WALL) };
    let forgotten = seen_at("forgotten", WALL - SEEN_FOR_S - 1);
    let list = listed(&[seen_at("live", 0)], &[seen_at("live", WALL), left, dead, forgotten], WALL);
    let names: Vec<_> = list.iter().map(|target| target.labels["instance"].as_str()).collect();
    assert_eq!(names, ["dead", "left", "live"]);
    let json = serde_json::json!({"targets": ["live:9090"],
        "labels": {"instance": "live", "component": "trading", "node": "inf", "region": "eu"}});
    assert_eq!(serde_json::to_value(&list[2]).unwrap(), json);
    assert_eq!(listed(&[], &[], WALL), []);
}

#[test]
fn without_address_or_region_nothing_is_invented() {
    let without = MemberRecord { address: String::new(), ..seen_at("a", WALL) };
    assert_eq!(listed(&[], &[without], WALL), []);
    let without = MemberRecord { region: String::new(), ..seen_at("a", WALL) };
    assert!(!listed(&[], &[without], WALL)[0].labels.contains_key("region"));
}
