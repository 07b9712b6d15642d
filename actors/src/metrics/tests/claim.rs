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
    for (is_etcd_up, may_send, trouble, is_said) in [
        (true, true, None, false),
        (true, true, Some("over".into()), false),
        (false, true, fault(), true),
        (false, false, fault(), true),
        (true, false, None, true),
    ] {
        let standing = Standing { is_etcd_up, trouble, ..Standing::default() };
        let (actor, ..) = start_with(|config| config.authority = Arc::new(Scripted(standing, may_send)));
        let text = text(&actor).await;
        let as_number = |flag| f64::from(u8::from(flag));
        assert_eq!(value(&text, "sentinel_cluster_leader{shard=\"account\"}"), as_number(may_send));
        assert_eq!(value(&text, "sentinel_cluster_etcd_up"), as_number(is_etcd_up));
        assert_eq!(value(&text, "sentinel_cluster_lease_remaining_seconds"), if may_send { 7.0 } else { 0.0 });
        // All actors have answered, so that only the claim is left.
        actor.send(Event::ActorsPinged(ActorName::ALL.map(|name| (name, true)).into())).await.unwrap();
        let health = actor.send(GetHealth).await.unwrap();
        let check = health.checks.iter().find(|check| check.name == "cluster").unwrap();
        assert_eq!(check.status == Status::Degraded, is_said, "{check:?}");
        let because = health.not_ready_because.unwrap();
        assert_eq!(because.starts_with("cluster: "), !may_send, "{because}");
    }
}
