//! An account in etcd, for tests.

use super::account_view::AccountView;
use sentinel_actors::domain::{
    cluster::{
        Record,
        shared::{
            AccountState, Claim, ClaimedOrder, Done, Drain, Entry, MemberRecord, Owner, Plan, Shard, Span, Value, key,
        },
    },
    order::Outcome,
    side::Side,
};
use uuid::Uuid;

/// Unix seconds.
pub(in crate::tools) const NOW: i64 = 1_800_000_103;

pub(in crate::tools) fn record(released: bool) -> Record {
    Record {
        instance: "i".into(),
        member: "inf-1".into(),
        host: "inf".into(),
        pid: 17,
        version: "0.1.0".into(),
        journal: "j".into(),
        since: 1_800_000_000,
        at: 1_800_000_100,
        trust_ms: 10_000,
        bars_after: None,
        before: None,
        released,
        newest_order: None,
    }
}

pub(in crate::tools) fn member(name: &str) -> MemberRecord {
    MemberRecord {
        record: Record { member: name.into(), instance: format!("{name}-i"), ..record(false) },
        weight: 1,
        address: format!("{name}:8000"),
        region: "eu".into(),
        settings: "the same".into(),
        has_flapped: false,
        has_left: false,
    }
}

pub(in crate::tools) fn claim(symbol: &str, outcome: Option<Outcome>) -> Claim {
    Claim {
        member: "inf-1".into(),
        instance: "i".into(),
        epoch: 40,
        nonce: Uuid::nil(),
        order: ClaimedOrder {
            client_order_id: Uuid::new_v5(&Uuid::NAMESPACE_URL, symbol.as_bytes()),
            symbol: symbol.into(),
            gateway_name: symbol.into(),
            closes: None,
            side: Side::Buy,
            volume: 0.1,
            stop_loss: 0.0,
            take_profit: 0.0,
            confidence: 0.9,
            bar_close_time: 1_800_000_000,
        },
        tickets_before: None,
        dialect: None,
        account_mode: None,
        at_ms: 1_800_000_100_000,
        last_order_ms: None,
        outcome,
    }
}

/// What is in etcd.
#[derive(Default)]
pub(in crate::tools) struct Entries(Vec<Entry>);

impl Entries {
    fn put(&mut self, key: &str, value: Value) {
        self.0.push(Entry { key: key.into(), create_revision: 40, mod_revision: 44, lease: 7, value: Some(value) });
    }

    pub(in crate::tools) fn guard(&mut self, record: &Record) {
        self.put(key::CLAIM, Value::Record(Box::new(record.clone())));
    }

    pub(in crate::tools) fn member(&mut self, member: &MemberRecord, is_live: bool) {
        let name = member.record.member.as_str();
        self.put(&key::seen(name), Value::Member(Box::new(member.clone())));
        if is_live {
            self.put(&key::member(name), Value::Member(Box::new(member.clone())));
        }
    }

    pub(in crate::tools) fn drain(&mut self, name: &str) {
        self.put(&key::drain(name), Value::Drain(Drain { who: "person:ann".into(), at: NOW }));
    }

    pub(in crate::tools) fn plan(&mut self, owners: [&str; 16]) {
        let plan: Plan = serde_json::from_value(serde_json::json!({ "owners": owners })).unwrap();
        self.put(key::PLAN, Value::Plan(Box::new(plan)));
    }

    pub(in crate::tools) fn owner(&mut self, shard: usize, name: &str) {
        let owner = Owner { member: name.into(), instance: format!("{name}-i") };
        self.put(&key::shard(Shard::all().nth(shard).unwrap()), Value::Owner(owner));
    }

    pub(in crate::tools) fn state(&mut self, state: AccountState) {
        self.put(key::STATE, Value::State(Box::new(state)));
    }

    pub(in crate::tools) fn open(&mut self, claim: &Claim) {
        let key = key::open(Shard::of(&claim.order.symbol), &claim.order.key());
        self.put(&key, Value::Claim(Box::new(claim.clone())));
    }

    pub(in crate::tools) fn account(&self) -> AccountView {
        let spans = AccountView::spans();
        let in_span = |span: &Span| {
            let mut entries: Vec<_> = self.0.iter().filter(|entry| span.has(&entry.key)).cloned().collect();
            entries.sort_by(|one, other| one.key.cmp(&other.key));
            entries
        };
        AccountView::new(&Done { is_made: true, revision: 0, read: spans.iter().map(in_span).collect() })
    }
}
