//! Shards that move between members, second by second, without faults.

use super::*;
use crate::domain::cluster::tests::fake_etcd::FakeEtcd;

struct Cluster {
    etcd: FakeEtcd,
    members: Vec<Ownership>,
    now: u64,
}

impl Cluster {
    fn new() -> Self {
        let mut etcd = FakeEtcd::default();
        let before = Record { journal: JOURNAL.into(), ..member_record("before", "before").record };
        let changes = vec![Change::put(key::LAST, Value::Record(Box::new(before)))];
        etcd.transact(&Transaction { changes, ..Transaction::default() });
        Self { etcd, members: Vec::new(), now: 100 }
    }

    fn join(&mut self, name: &str) {
        let record = member_record(name, &format!("{name}-{}", self.now));
        self.members.push(Ownership::new(Member::new(record, TERMS)));
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1;
            let (now, wall) = (s(self.now), WALL + self.now as i64);
            self.etcd.expire(self.now * 1_000);
            for member in &mut self.members {
                while member.due_at(now) <= now {
                    let request = member.ask(now, wall);
                    match self.etcd.answer(&request, self.now * 1_000) {
                        Some(answer) => member.told(now, wall, &answer),
                        None => member.failed(now, "no answer".into()),
                    }
                }
                Shard::all().for_each(|shard| member.warmed(shard));
            }
        }
    }

    fn border(&mut self, is_settled: bool) {
        self.members.iter_mut().for_each(|member| member.at_border(|_| is_settled));
    }

    /// How many shards each member has in a phase.
    fn count(&self, phase: Phase) -> Vec<usize> {
        let is_in = |member: &Ownership, shard| member.shard(shard).is_some_and(|(it, _)| it == phase);
        self.members.iter().map(|member| Shard::all().filter(|shard| is_in(member, *shard)).count()).collect()
    }

    fn owned(&self) -> Vec<usize> {
        self.count(Phase::Owned)
    }
}

/// Two members with half of the shards each.
fn pair() -> Cluster {
    let mut cluster = Cluster::new();
    cluster.join("a");
    cluster.run(70);
    cluster.join("b");
    cluster.run(3);
    cluster.border(true);
    cluster.run(5);
    assert_eq!(cluster.owned(), [8, 8]);
    cluster
}

#[test]
fn shards_move_at_a_border_when_their_orders_are_settled() {
    let mut cluster = Cluster::new();
    cluster.join("a");
    cluster.run(2);
    assert_eq!(cluster.owned(), [16]);
    let may_order = |cluster: &Cluster| cluster.members[0].epoch_for(s(cluster.now), "EURUSD", WALL + 3_600).is_ok();
    assert!(!may_order(&cluster), "whoever was there before may still send");
    cluster.run(10);
    assert!(may_order(&cluster));
    cluster.join("b");
    cluster.run(40);
    cluster.border(true);
    cluster.run(3);
    assert_eq!(cluster.owned(), [16, 0], "the plan is younger than a minute");
    cluster.run(20);
    assert_eq!(cluster.owned(), [16, 0], "a cycle is under way");
    cluster.border(false);
    cluster.run(5);
    assert_eq!((cluster.owned(), cluster.count(Phase::Draining)), (vec![8, 0], vec![8, 0]));
    cluster.border(true);
    cluster.run(5);
    assert_eq!(cluster.owned(), [8, 8]);
}

#[test]
fn a_drained_member_gives_all_away_until_undrained() {
    let mut cluster = pair();
    let drain = Value::Drain(Drain { who: "alice".into(), at: WALL });
    let changes = vec![Change::put(key::drain("b"), drain)];
    cluster.etcd.transact(&Transaction { changes, ..Transaction::default() });
    cluster.run(3);
    cluster.border(true);
    cluster.run(5);
    assert_eq!(cluster.owned(), [16, 0]);
    let changes = vec![Change::Delete(Span::one(&key::drain("b")))];
    cluster.etcd.transact(&Transaction { changes, ..Transaction::default() });
    for owned in [[16, 0], [8, 8]] {
        cluster.run(40);
        cluster.border(true);
        cluster.run(3);
        assert_eq!(cluster.owned(), owned);
    }
}

#[test]
fn a_dead_members_shards_are_owned_in_twenty_seconds() {
    let mut cluster = pair();
    cluster.members.remove(1);
    cluster.run(19);
    assert_eq!(cluster.owned(), [16]);
    cluster.join("b");
    cluster.run(290);
    cluster.border(true);
    cluster.run(5);
    assert_eq!(cluster.owned(), [16, 0], "it has flapped");
    cluster.run(10);
    cluster.border(true);
    cluster.run(5);
    assert_eq!(cluster.owned(), [8, 8]);
}
