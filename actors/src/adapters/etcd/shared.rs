//! Carries out the requests of shared mode.

use super::{
    Etcd, EtcdError,
    json::{KeyValue, Range, Transaction as Reply, encoded},
    key,
};
use crate::domain::cluster::shared::{
    Answer, Change, Compare, Done, Entry, Request, Span, Transaction, Value as Record,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

impl Etcd {
    /// Carries out a request of a member.
    ///
    /// # Errors
    /// No endpoint gave a usable answer. The request may have been carried out all the same, or be carried out later.
    pub async fn perform_shared(&mut self, request: &Request) -> Result<Answer, EtcdError> {
        let answered = match request {
            Request::Grant { ttl } => self.grant(*ttl).await.map(|(lease, ttl)| Answer::Granted { lease, ttl }),
            Request::KeepAlive { lease } => self.keep_alive(*lease).await.map(Answer::KeptAlive),
            Request::Revoke { lease } => self.revoke(*lease).await.map(|()| Answer::Revoked),
            Request::Transact(transaction) => self.carry_out_shared(transaction).await.map(Answer::Done),
        };
        self.turned(answered)
    }

    async fn carry_out_shared(&mut self, transaction: &Transaction) -> Result<Done, EtcdError> {
        let reads: Vec<_> = transaction.reads.iter().map(|span| self.read(span)).collect();
        let changes: Vec<_> = transaction.changes.iter().map(|change| self.change(change)).collect();
        let body = json!({
            "compare": transaction.compare.iter().map(|compare| self.compare(compare)).collect::<Vec<_>>(),
            "success": changes.iter().chain(&reads).collect::<Vec<_>>(),
            "failure": reads,
        });
        let reply: Reply = self.call("/v3/kv/txn", &body).await?;
        let ranges: Vec<_> = reply.responses.iter().filter_map(|it| it.response_range.as_ref()).collect();
        if ranges.len() != transaction.reads.len() {
            return Err(self.unreadable("a transaction without what was read"));
        }
        let read = ranges.into_iter().map(|range| self.entries(range)).collect::<Result<_, _>>()?;
        let revision = reply.header.and_then(|header| header.revision).unwrap_or(0);
        Ok(Done { is_made: reply.succeeded, revision, read })
    }

    fn key_of(&self, name: &str) -> String {
        encoded(key(&self.config.prefix, &self.config.account, name).as_bytes())
    }

    fn read(&self, span: &Span) -> Value {
        let (from, to) = (self.key_of(&span.from), self.key_of(&span.to));
        match span.is_newest {
            false => json!({"request_range": {"key": from, "range_end": to}}),
            true => json!({"request_range":
                {"key": from, "range_end": to, "limit": "1", "sort_order": "DESCEND", "sort_target": "KEY"}}),
        }
    }

    fn compare(&self, compare: &Compare) -> Value {
        let created = |span: &Span, result: &str, revision: i64| {
            json!({"key": self.key_of(&span.from), "range_end": self.key_of(&span.to), "target": "CREATE",
                "result": result, "create_revision": revision.to_string()})
        };
        match compare {
            // A span without keys counts as one key that was created at revision 0.
            Compare::Absent(span) => created(span, "EQUAL", 0),
            Compare::CreatedAfter(span, revision) => created(span, "GREATER", *revision),
            Compare::Created(key, revision) => json!({"key": self.key_of(key), "target": "CREATE", "result": "EQUAL",
                "create_revision": revision.to_string()}),
            Compare::Changed(key, revision) => json!({"key": self.key_of(key), "target": "MOD", "result": "EQUAL",
                "mod_revision": revision.to_string()}),
        }
    }

    fn change(&self, change: &Change) -> Value {
        match change {
            Change::Put { key, value, lease } => json!({"request_put":
                {"key": self.key_of(key), "value": encoded(&json_of(value)), "lease": lease.to_string()}}),
            Change::Delete(span) => json!({"request_delete_range":
                {"key": self.key_of(&span.from), "range_end": self.key_of(&span.to)}}),
        }
    }

    fn entries(&self, range: &Range) -> Result<Vec<Entry>, EtcdError> {
        let folder = key(&self.config.prefix, &self.config.account, "");
        let entry = |kv: &KeyValue| {
            let key = kv.key()?.strip_prefix(&folder)?.to_owned();
            let value = kv.bytes().and_then(|bytes| value_of(&key, &bytes));
            let (create_revision, mod_revision) = (kv.create_revision?, kv.mod_revision?);
            Some(Entry { key, create_revision, mod_revision, lease: kv.lease.unwrap_or(0), value })
        };
        let entries = range.kvs.iter().map(entry).collect::<Option<_>>();
        entries.ok_or_else(|| self.unreadable("a key without its name or its revisions"))
    }
}

fn json_of(value: &Record) -> Vec<u8> {
    let bytes = match value {
        Record::Record(it) => serde_json::to_vec(it),
        Record::Member(it) => serde_json::to_vec(it),
        Record::Drain(it) => serde_json::to_vec(it),
        Record::Plan(it) => serde_json::to_vec(it),
        Record::Owner(it) => serde_json::to_vec(it),
        Record::Claim(it) => serde_json::to_vec(it),
        Record::State(it) => serde_json::to_vec(it),
    };
    // Text and numbers always have a JSON form. What is written empty cannot be read back, and then nothing is sent.
    bytes.unwrap_or_default()
}

/// The value of a key; `None` if it is not one of ours.
fn value_of(key: &str, bytes: &[u8]) -> Option<Record> {
    fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        serde_json::from_slice(bytes).ok()
    }
    match key.split('/').next()? {
        "claim" | "last" => parsed(bytes).map(|it| Record::Record(Box::new(it))),
        "members" | "seen" => parsed(bytes).map(|it| Record::Member(Box::new(it))),
        "drain" => parsed(bytes).map(Record::Drain),
        "plan" => parsed(bytes).map(|it| Record::Plan(Box::new(it))),
        "shards" => parsed(bytes).map(Record::Owner),
        "orders" | "open" => parsed(bytes).map(|claim| Record::Claim(Box::new(claim))),
        "state" => parsed(bytes).map(|state| Record::State(Box::new(state))),
        _ => None,
    }
}
