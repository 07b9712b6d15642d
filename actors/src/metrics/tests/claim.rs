//! The claim on the account in metrics and health.

use super::*;
use crate::domain::cluster::{Authority, Membership, Standing, shared::Shard};

/// A claim that is as scripted.
#[derive(Debug)]
struct Scripted(Standing, bool);

/// A member that owns the first three shards, of an account with this halt.
#[derive(Debug)]
struct Sharing(Option<String>);

impl Authority for Sharing {
    fn may_send(&self) -> bool {
        true
    }

    fn bars_after(&self) -> Option<i64> {
        None
    }

    fn epoch(&self, _: &Symbol) -> Option<i64> {
        None
    }

    fn standing(&self) -> Option<Standing> {
        Some(Standing { is_etcd_up: true, is_holder: true, ..Standing::default() })
    }

    fn remaining(&self) -> Duration {
        Duration::from_secs(7)
    }

    fn membership(&self) -> Option<Membership> {
        let shards = Shard::all().map(|shard| (shard, shard.index() < 3)).collect();
        Some(Membership { members: 2, shards, rebalances: 4, claims_open: 1, halt: self.0.clone() })
    }
}

#[actix::test]
async fn a_member_shows_its_shards_and_no_holder() {
    let (actor, ..) = start_with(|config| config.authority = Arc::new(Sharing(None)));
    let took = Some(Duration::from_millis(8));
    actor.send(Event::OrderClaimed { result: "made", took }).await.unwrap();
    actor.send(Event::OrderClaimed { result: "refused", took: None }).await.unwrap();
    let text = text(&actor).await;
    assert!(!text.contains("sentinel_cluster_leader") && !text.contains("sentinel_cluster_dead_holder"));
    for (name, expected) in [
        ("sentinel_cluster_members", 2.0),
        ("sentinel_cluster_shards_owned", 3.0),
        ("sentinel_cluster_shard_owner{account=\"/sentinel/12\",shard=\"02\"}", 1.0),
        ("sentinel_cluster_shard_owner{account=\"/sentinel/12\",shard=\"03\"}", 0.0),
        ("sentinel_cluster_claims_unsent", 1.0),
        ("sentinel_cluster_halted", 0.0),
        ("sentinel_cluster_rebalances_total", 4.0),
        ("sentinel_cluster_claims_total{result=\"made\"}", 1.0),
        ("sentinel_cluster_claims_total{result=\"refused\"}", 1.0),
        ("sentinel_cluster_claims_total{result=\"late\"}", 0.0),
        ("sentinel_cluster_claim_seconds_count", 1.0),
        ("sentinel_cluster_lease_remaining_seconds", 7.0),
    ] {
        assert_eq!(value(&text, name), expected, "{name}");
    }
    let health = actor.send(GetHealth).await.unwrap();
    let check = health.checks.iter().find(|check| check.name == "cluster").unwrap();
    assert!(check.status == Status::Ok && check.detail.contains("member"), "{check:?}");
}

#[actix::test]
async fn a_halt_in_etcd_is_said_like_one_of_this_machine() {
    let halt = "halted in etcd by alice: news; `sentinel cluster resume` ends it";
    let (actor, ..) = start_with(|config| config.authority = Arc::new(Sharing(Some(halt.into()))));
    let text = text(&actor).await;
    assert_eq!((value(&text, "sentinel_cluster_halted"), value(&text, "sentinel_halted")), (1.0, 0.0));
    let health = actor.send(GetHealth).await.unwrap();
    let check = health.checks.iter().find(|check| check.name == "kill_switch").unwrap();
    assert_eq!((check.status, check.detail.as_str()), (Status::Degraded, halt));
    assert_eq!(health.status, Status::Degraded);
}

impl Authority for Scripted {
    fn may_send(&self) -> bool {
        self.1
    }

    fn bars_after(&self) -> Option<i64> {
        None
    }

    fn epoch(&self, _: &Symbol) -> Option<i64> {
        self.0.epoch
    }

    fn standing(&self) -> Option<Standing> {
        Some(self.0.clone())
    }

    fn remaining(&self) -> Duration {
        Duration::from_secs(if self.1 { 7 } else { 0 })
    }
}

#[actix::test]
async fn a_claim_that_is_not_held_is_not_ready_and_says_why() {
    let (actor, ..) = start();
    let unclaimed = text(&actor).await;
    for name in ["leader", "lease_remaining_seconds", "etcd_up", "dead_holder", "members", "halted", "shard_owner"] {
        assert!(!unclaimed.contains(&format!("sentinel_cluster_{name}")), "nothing is claimed: {name}");
    }
    assert!(actor.send(GetHealth).await.unwrap().checks.iter().all(|check| check.name != "cluster"));
    let fault = || Some("etcd does not answer".to_owned());
    for (is_etcd_up, may_send, trouble, before, is_said) in [
        (true, true, None, None, false),
        (true, true, Some("over".into()), None, false),
        (false, true, fault(), None, true),
        (false, false, fault(), None, true),
        (true, false, None, None, true),
        // Orders are sent, and a person has to look at those of the holder before.
        (true, true, None, Some("inf-0 on host old".to_owned()), true),
        (false, true, fault(), Some("inf-0 on host old".to_owned()), true),
    ] {
        let standing = Standing { is_etcd_up, trouble, before: before.clone(), ..Standing::default() };
        let (actor, ..) = start_with(|config| config.authority = Arc::new(Scripted(standing, may_send)));
        let text = text(&actor).await;
        let as_number = |flag| f64::from(u8::from(flag));
        let leader = "sentinel_cluster_leader{account=\"/sentinel/12\",shard=\"account\"}";
        assert_eq!(value(&text, leader), as_number(may_send));
        assert_eq!(value(&text, "sentinel_cluster_etcd_up"), as_number(is_etcd_up));
        assert_eq!(value(&text, "sentinel_cluster_lease_remaining_seconds"), if may_send { 7.0 } else { 0.0 });
        assert_eq!(value(&text, "sentinel_cluster_dead_holder"), as_number(before.is_some()));
        // All actors have answered, so that only the claim is left.
        actor.send(Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).into())).await.unwrap();
        let health = actor.send(GetHealth).await.unwrap();
        let check = health.checks.iter().find(|check| check.name == "cluster").unwrap();
        assert_eq!(check.status == Status::Degraded, is_said, "{check:?}");
        assert_eq!(check.detail.contains("inf-0 on host old"), before.is_some(), "{check:?}");
        let because = health.not_ready_because.unwrap();
        assert_eq!(because.starts_with("cluster: "), !may_send, "{because}");
    }
}
