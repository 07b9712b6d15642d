//! The claim on the account in metrics and health.

use super::*;
use crate::domain::cluster::{Authority, Standing};

/// A claim that is as scripted.
#[derive(Debug)]
struct Scripted(Standing, bool);

impl Authority for Scripted {
    fn may_send(&self) -> bool {
        self.1
    }

    fn bars_after(&self) -> Option<i64> {
        None
    }

    fn epoch(&self) -> Option<i64> {
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
    assert!(!text(&actor).await.contains("sentinel_cluster"), "nothing is claimed");
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
